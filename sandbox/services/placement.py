"""placement: nova's and neutron's inventory of resources."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import Files, Service, database, token_validation


def config(cloud: Cloud) -> Files:
    return {
        "placement.conf": {
            "placement_database": database(cloud, "placement"),
            "keystone_authtoken": token_validation(cloud, "placement"),
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    yield "placement-manage", "--config-file", cloud.etc / "placement.conf", "db", "sync"


def app(cloud: Cloud) -> Any:
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(cloud.etc)
    sys.argv = ["placement-api"]
    from placement.wsgi.api import application

    return application


PLACEMENT = Service(
    name="placement",
    port=8778,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("placement", ""),
)
