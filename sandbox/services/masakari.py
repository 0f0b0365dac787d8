"""masakari: the real API. Without an engine a notification stays new."""

import os
import sys
from typing import Any

from control.cloud import PASSWORD, Cloud

from .common import SHARE, Files, Service, base


def config(cloud: Cloud) -> Files:
    return {
        "masakari.conf": {
            **base(
                cloud,
                "masakari",
                auth_strategy="keystone",
                os_privileged_user_name="masakari",
                os_privileged_user_password=PASSWORD,
                os_privileged_user_tenant="service",
                os_privileged_user_auth_url=cloud.auth_url,
                os_user_domain_name="Default",
                os_project_domain_name="Default",
                nova_catalog_admin_info="compute:nova:publicURL",
            ),
            "wsgi": {"api_paste_config": SHARE / "masakari/api-paste.ini"},
        }
    }


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    os.environ["HOME"] = str(cloud.etc)  # its middleware looks for masakari.conf there
    sys.argv = ["masakari-api"]
    from masakari.cmd import api

    api._get_config_files = lambda: [str(SHARE / "masakari/api-paste.ini"), str(cloud.etc / "masakari.conf")]
    application = api.initialize_application()
    from masakari.db.sqlalchemy import api as db
    from masakari.db.sqlalchemy import models

    models.BASE.metadata.create_all(db.get_engine())  # its migrations wait for themselves on SQLite
    return application


MASAKARI = Service(
    name="masakari",
    port=15868,
    config=config,
    app=app,
    catalog=("instance-ha", "/v1/$(project_id)s"),
)
