"""watcher: the real API, without a decision engine, but with the goals and strategies that one would write."""

import sys
from typing import Any

from control.cloud import Cloud

from .common import Files, Service, auth, base


def config(cloud: Cloud) -> Files:
    return {"watcher.conf": {**base(cloud, "watcher"), "watcher_clients_auth": auth(cloud, "watcher")}}


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    sys.argv = ["watcher-api", "--config-file", str(cloud.etc / "watcher.conf")]
    from watcher.api import wsgi

    application = wsgi.initialize_wsgi_app()
    from watcher.db.sqlalchemy import migration
    from watcher.decision_engine import sync

    if migration.version() is None:
        migration.create_schema()  # from the models, for its migrations do not support SQLite
    sync.Syncer().sync()
    return application


WATCHER = Service(
    name="watcher",
    port=9322,
    config=config,
    app=app,
    catalog=("infra-optim", ""),
)
