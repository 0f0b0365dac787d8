"""barbican: secrets, encrypted by its own simple crypto plugin, and kept in its database."""

import os
from typing import Any

from control.cloud import Cloud

from .common import SHARE, Files, Service, base


def config(cloud: Cloud) -> Files:
    return {
        "barbican.conf": {
            # The tables are created from the models, for its migrations do not support SQLite.
            # Without [queue] enable it processes orders itself, and needs no worker.
            **base(cloud, "barbican", host_href=cloud.url("barbican"), db_auto_create=True),
            "secretstore": {"enabled_secretstore_plugins": "store_crypto"},
            "crypto": {"enabled_crypto_plugins": "simple_crypto"},
            "simple_crypto_plugin": {"kek": "c2FuZGJveC1iYXJiaWNhbi1rZXktb2YtMzItYnl0ZXM="},
        }
    }


def app(cloud: Cloud) -> Any:
    os.environ["HOME"] = str(cloud.etc)  # it looks for barbican.conf there
    from paste import deploy

    return deploy.loadapp(f"config:{SHARE / 'barbican/barbican-api-paste.ini'}")


BARBICAN = Service(
    name="barbican",
    port=9311,
    config=config,
    app=app,
    catalog=("key-manager", ""),
)
