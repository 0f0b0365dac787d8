"""zaqar: the real API. Its messages are kept in the sandbox's swift, because it has no driver for SQLite."""

from typing import Any

from control.cloud import PASSWORD, REGION, Cloud

from .common import Files, Service, base


def config(cloud: Cloud) -> Files:
    swift = {
        "uri": f"swift://zaqar:{PASSWORD}@/service",
        "auth_url": cloud.auth_url,
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
        "interface": "public",
    }
    return {
        "zaqar.conf": {
            **base(cloud, "zaqar", auth_strategy="keystone", unreliable=True),
            "drivers": {"transport": "wsgi", "message_store": "swift", "management_store": "sqlalchemy"},
            "drivers:message_store:swift": swift,
            "drivers:management_store:sqlalchemy": {"uri": _database(cloud)},
        }
    }


def _database(cloud: Cloud) -> str:
    return f"sqlite:///{cloud.db}/zaqar.db"


def app(cloud: Cloud) -> Any:
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    cfg.CONF(project="zaqar", args=["--config-file", str(cloud.etc / "zaqar.conf")])
    import sqlalchemy
    from zaqar import bootstrap
    from zaqar.storage.sqlalchemy import tables

    tables.metadata.create_all(sqlalchemy.create_engine(_database(cloud)))  # its migrations do not support SQLite
    return bootstrap.Bootstrap(cfg.CONF).transport.app


ZAQAR = Service(
    name="zaqar",
    port=8888,
    config=config,
    app=app,
    catalog=("messaging", ""),
)
