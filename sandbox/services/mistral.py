"""mistral: the real API, engine and executor."""

from typing import Any

from control.cloud import Cloud

from .common import Files, Service, base


def config(cloud: Cloud) -> Files:
    return {
        "mistral.conf": {
            **base(cloud, "mistral", auth_type="keystone"),
            "pecan": {"auth_enable": True},
            "cron_trigger": {"enabled": False},
            "healthcheck": {"enabled": False},
        }
    }


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    from mistral import config
    from mistral.db.v2 import api as db

    config.parse_args(args=["--config-file", str(cloud.etc / "mistral.conf")])
    db.setup_db()  # from the models, for its migrations do not support SQLite
    from mistral.api import app as api

    application = api.setup_app()
    from mistral.engine import engine_server
    from mistral.executors import executor_server

    for server in engine_server, executor_server:
        server.get_oslo_service(setup_profiler=False).start()
    return application


MISTRAL = Service(
    name="mistral",
    port=8989,
    config=config,
    app=app,
    catalog=("workflow", "/v2"),
)
