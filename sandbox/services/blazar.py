"""blazar: the real API and manager, with its plugin for hosts."""

import os
from typing import Any

from control.cloud import PASSWORD, REGION, Cloud

from .common import Files, Service, base


def config(cloud: Cloud) -> Files:
    return {
        "blazar.conf": {
            **base(
                cloud,
                "blazar",
                os_auth_host="127.0.0.1",
                os_auth_port=cloud.ports["keystone"],
                os_auth_protocol="http",
                os_admin_username="blazar",
                os_admin_password=PASSWORD,
                os_admin_project_name="service",
                os_region_name=REGION,
                identity_service="identity",
            ),
            "manager": {"plugins": "physical.host.plugin"},
            "nova": {"aggregate_freepool_name": "freepool"},
        }
    }


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    os.environ["OS_BLAZAR_CONFIG_DIR"] = str(cloud.etc)
    from blazar.api import wsgi_app

    application = wsgi_app.init_app()
    from blazar.db.sqlalchemy import api as db
    from blazar.manager import service
    from blazar.notification import notifier

    db.setup_db()  # from the models, for its migrations do not support SQLite
    notifier.init()
    service.ManagerService().start()
    return application


BLAZAR = Service(
    name="blazar",
    port=1234,
    config=config,
    app=app,
    catalog=("reservation", "/v1"),
)
