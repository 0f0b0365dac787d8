"""glance: images, kept as files."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import SHARE, Files, Service, base

STORES = "files", "os_glance_staging_store", "os_glance_tasks_store"


def config(cloud: Cloud) -> Files:
    stores = {store: {"filesystem_store_datadir": cloud.data / "glance" / store} for store in STORES}
    return {
        "glance-api.conf": {
            **base(cloud, "glance", enabled_backends="files:file", worker_self_reference_url=cloud.url("glance")),
            "glance_store": {"default_backend": "files"},
            "paste_deploy": {"flavor": "keystone", "config_file": SHARE / "glance/glance-api-paste.ini"},
            **stores,
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    for store in STORES:
        (cloud.data / "glance" / store).mkdir(parents=True)
    yield "glance-manage", "--config-file", cloud.etc / "glance-api.conf", "db_sync"


def app(cloud: Cloud) -> Any:
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(cloud.etc)
    sys.argv = ["glance-api"]
    from glance.wsgi.api import application

    return application


GLANCE = Service(
    name="glance",
    port=9292,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("image", ""),
    addresses=(("glance.db", "image_locations", "value"),),
)
