"""designate: the real API, central and worker, with designate's own fake backend, and no name server."""

from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import SHARE, Files, Service, base, database

POOL = "794ccc2c-d751-44fe-b57f-8894c9f5c842"  # the id of the default pool, which its migrations create

UNLIMITED = "quota_zones", "quota_zone_recordsets", "quota_zone_records"


def config(cloud: Cloud) -> Files:
    return {
        "designate.conf": {
            **base(cloud, "designate", network_api="fake", **dict.fromkeys(UNLIMITED, 1_000_000)),
            "storage:sqlalchemy": database(cloud, "designate"),
            "service:api": {"auth_strategy": "keystone", "api_base_uri": cloud.url("designate")},
            "service:worker": {"notify": False, "poll_delay": 0},
            # Nothing but an interval for the reports of the services, which nobody reads here.
            "heartbeat_emitter": {"emitter_type": "noop"},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    yield "designate-manage", "--config-file", cloud.etc / "designate.conf", "database", "sync"


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    from designate.api import wsgi

    wsgi._get_config_files = lambda: [str(SHARE / "designate/api-paste.ini"), str(cloud.etc / "designate.conf")]
    application = wsgi.init_application()
    from designate.central import service as central
    from designate.producer import service as producer
    from designate.worker import service as worker

    answer_for_the_name_servers()
    running = central.Service()
    running.start()
    make_pool(running)
    worker.Service().start()
    producer.Service().start()  # it has the zones of new records published
    return application


def answer_for_the_name_servers() -> None:
    """Let the worker see each zone on the name servers as it should be there."""
    from designate.worker.tasks import zone

    zone.SendNotify.__call__ = lambda _self: True
    zone.PollForZone._get_serial = lambda self: 0 if self.zone.action == "DELETE" else self.zone.serial


def make_pool(running: Any) -> None:
    """Give the default pool its backend and the names of its name servers."""
    from designate.context import DesignateContext
    from designate.objects.adapters import DesignateAdapter

    context = DesignateContext.get_admin_context()
    pool = running.get_pool(context, POOL)
    if not pool.targets:
        content = {
            "name": "default",
            "ns_records": [{"hostname": "ns1.sandbox.example.", "priority": 1}],
            "nameservers": [{"host": "127.0.0.1", "port": 53}],
            "targets": [{"type": "fake", "masters": [{"host": "127.0.0.1", "port": 5354}], "options": {}}],
        }
        running.update_pool(context, DesignateAdapter.parse("YAML", content, pool))


DESIGNATE = Service(
    name="designate",
    port=9001,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("dns", ""),
)
