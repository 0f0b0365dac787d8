"""aodh: the real API, without an evaluator of alarms."""

import os
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import Files, Service, auth, base


def config(cloud: Cloud) -> Files:
    return {
        "aodh.conf": {
            **base(cloud, "aodh"),
            "service_credentials": auth(cloud, "aodh"),
            "api": {"project_alarm_quota": -1, "user_alarm_quota": -1},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    yield "aodh-dbsync", "--config-file", cloud.etc / "aodh.conf"


def app(cloud: Cloud) -> Any:
    os.environ["HOME"] = str(cloud.etc)  # its middleware looks for aodh.conf there
    from aodh.api import app as api

    return api.build_wsgi_app(argv=["--config-file", str(cloud.etc / "aodh.conf")])


AODH = Service(
    name="aodh",
    port=8042,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("alarming", ""),
)
