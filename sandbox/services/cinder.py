"""cinder: the real API, scheduler and volume manager, with cinder's fake driver, which stores no data."""

import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import SHARE, Files, Service, auth, base

UNLIMITED = ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "groups")


def config(cloud: Cloud) -> Files:
    filters = SHARE / "cinder/resource_filters.json"
    if "resource-filters" in cloud.without:
        filters = "/nonexistent/resource_filters.json"
    return {
        "cinder.conf": {
            **base(
                cloud,
                "cinder",
                my_ip="127.0.0.1",
                state_path=cloud.data / "cinder",
                enabled_backends="fake",
                # The scheduler's start blocks this long (60 s by default) if no volume service has reported yet.
                scheduler_driver_init_wait_time=5,
                glance_api_servers=cloud.url("glance"),
                auth_strategy="keystone",
                api_paste_config=SHARE / "cinder/api-paste.ini",
                resource_query_filters_file=filters,
                **{f"quota_{resource}": -1 for resource in UNLIMITED},
            ),
            "fake": {
                "volume_driver": "cinder.tests.fake_driver.FakeLoggingVolumeDriver",
                "volume_backend_name": "fake",
            },
            "coordination": {"backend_url": f"file://{cloud.data}/cinder/coordination"},
            "nova": auth(cloud, "cinder"),
            "service_user": {**auth(cloud, "cinder"), "send_service_user_token": True},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    (cloud.data / "cinder").mkdir()
    yield "cinder-manage", "--config-file", cloud.etc / "cinder.conf", "db", "sync"


def app(cloud: Cloud) -> Any:
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "true"
    from cinder import monkey_patch

    monkey_patch.patch()
    sys.argv = ["cinder-api", "--config-file", str(cloud.etc / "cinder.conf")]
    # cinder.cmd.volume cannot be imported: it registers command-line options after the API has parsed the command line.
    import os_brick
    from cinder import policy, service
    from cinder.wsgi.api import application
    from oslo_config import cfg

    policy.init()  # see policies.py
    os_brick.setup(cfg.CONF)
    keep_both_alive(service.Service)
    for backend in cfg.CONF.enabled_backends:
        service.Service.create(
            binary="cinder-volume", host=f"{cfg.CONF.host}@{backend}", service_name=backend, coordination=True
        ).start()
    # The scheduler is started last, because it waits for the first report of a volume service.
    service.Service.create(binary="cinder-scheduler").start()
    return application


def keep_both_alive(cls: Any) -> None:
    """Give each cinder service of this process its own heartbeat.

    A heartbeat reports the id in a class attribute, which is the id of the service that was started last. The other
    service would count as down after 60 s, and every volume would go to `error`.
    """
    report, lock = cls.report_state, threading.Lock()

    def report_state(self: Any) -> None:
        with lock:
            cls.service_id = self.origin_service_id
            report(self)

    cls.report_state = report_state


CINDER = Service(
    name="cinder",
    port=8776,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("block-storage", "/v3/$(project_id)s"),
)
