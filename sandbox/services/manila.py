"""manila: the real API, scheduler and share manager, with manila's own dummy driver, which stores no data."""

import os
import sys
from typing import Any

from control.cloud import Cloud

from .common import SHARE, Files, Service, auth, base, token_validation

UNLIMITED = (
    "shares",
    "snapshots",
    "gigabytes",
    "snapshot_gigabytes",
    "share_networks",
    "share_groups",
    "share_group_snapshots",
    "share_replicas",
    "replica_gigabytes",
)
BACKENDS = "alpha", "beta"  # two, so that a share can have a replica
TYPE = "default"


def config(cloud: Cloud) -> Files:
    backends = {
        name: {
            "share_driver": "manila.tests.share.drivers.dummy.DummyDriver",
            "share_backend_name": name,
            "driver_handles_share_servers": False,
            "replication_domain": "sandbox",
            "dummy_driver_default_driver_method_delay": 0,
            "dummy_driver_driver_methods_delays": "",
        }
        for name in BACKENDS
    }
    return {
        "manila.conf": {
            **base(
                cloud,
                "manila",
                my_ip="127.0.0.1",
                state_path=cloud.data / "manila",
                enabled_share_backends=",".join(BACKENDS),
                default_share_type=TYPE,
                default_share_group_type=TYPE,
                api_paste_config=SHARE / "manila/api-paste.ini",
                auth_strategy="keystone",
            ),
            "quota": dict.fromkeys(UNLIMITED, -1),
            "coordination": {"backend_url": f"file://{cloud.data}/manila/coordination"},
            "neutron": auth(cloud, "manila"),
            # The share manager registers an option of [keystone_authtoken] that keystonemiddleware registers too, in
            # another way, when both are in one process.
            "keystone_authtoken": {**token_validation(cloud, "manila"), "auth_section": "tokens"},
            "tokens": auth(cloud, "manila"),
            **backends,
        }
    }


def app(cloud: Cloud) -> Any:
    os.environ["OS_MANILA_DISABLE_EVENTLET_PATCHING"] = "true"
    from manila import monkey_patch

    monkey_patch.patch()
    join_transactions()
    sys.argv = ["manila-api", "--config-file", str(cloud.etc / "manila.conf")]
    from manila.common import config as _options  # noqa: F401 - it registers the options
    from manila.wsgi import wsgi

    (cloud.data / "manila").mkdir(exist_ok=True)
    application = wsgi.initialize_application()
    make_tables()
    from manila import service

    for backend in BACKENDS:
        share = service.Service.create(
            binary="manila-share", host=f"localhost@{backend}", service_name=backend, coordination=True
        )
        share.start()
        share.report_state()
    scheduler = service.Service.create(binary="manila-scheduler")
    scheduler.start()
    scheduler.report_state()
    make_types()
    return application


def make_tables() -> None:
    """Create the tables from the models, as manila's own tests do: its migrations do not support SQLite."""
    import sqlalchemy
    from manila.db.sqlalchemy import api, models

    # The only constraint that the migrations create and the models do not have.
    models.ShareTypes.__table__.append_constraint(sqlalchemy.UniqueConstraint("name", "deleted", name="st_name_uc"))
    models.BASE.metadata.create_all(api.get_engine())


def join_transactions() -> None:
    """Let a transaction inside another one be a part of it, because SQLite has one writer at a time.

    When it deletes a share, manila begins an independent transaction in the middle of another one.  It says so when its
    modules are imported, so this comes before that.
    """
    from oslo_db.sqlalchemy import enginefacade

    enginefacade._TransactionContextManager.independent = property(lambda self: self)


def make_types() -> None:
    """Create the share type and the share group type that are used by default."""
    from manila import context, exception
    from manila.share import share_types
    from manila.share_group import share_group_types

    admin = context.get_admin_context()
    try:
        share_types.get_share_type_by_name(admin, TYPE)
    except exception.ShareTypeNotFoundByName:
        specs = {
            "driver_handles_share_servers": "False",
            "snapshot_support": "True",
            "create_share_from_snapshot_support": "True",
            "replication_type": "readable",
        }
        made = share_types.create(admin, TYPE, specs)
        share_group_types.create(admin, TYPE, [made["id"]])


MANILA = Service(
    name="manila",
    port=8786,
    config=config,
    app=app,
    catalog=("shared-file-system", "/v2"),
)
