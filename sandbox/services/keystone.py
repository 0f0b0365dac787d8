"""keystone: identity, and the catalog of all services."""

import base64
import os
import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import PASSWORD, REGION, Cloud

from .common import Files, Service, database


def config(cloud: Cloud) -> Files:
    keys = cloud.data / "keystone"
    return {
        "keystone.conf": {
            "DEFAULT": {"public_endpoint": cloud.url("keystone")},
            "database": database(cloud, "keystone"),
            "identity": {"password_hash_rounds": 4},  # the minimum of bcrypt: most requests in a sandbox are logins
            "fernet_tokens": {"key_repository": keys / "fernet"},
            # The default is below /etc/keystone, and the bootstrap fails if that directory is missing.
            "fernet_receipts": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "token": {"expiration": 86400},
            "cache": {"enabled": True, "backend": "dogpile.cache.memory"},
            "oslo_messaging_notifications": {"driver": "noop"},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    # `keystone-manage fernet_setup` does the same, but takes 2 s and needs --keystone-user.
    for repository in "fernet", "credential":
        keys = cloud.data / "keystone" / repository
        keys.mkdir(mode=0o700)
        for index in "01":
            (keys / index).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    conf = "--config-file", cloud.etc / "keystone.conf"
    yield "keystone-manage", *conf, "db_sync"
    yield (
        "keystone-manage",
        *conf,
        "bootstrap",
        "--bootstrap-password",
        PASSWORD,
        "--bootstrap-region-id",
        REGION,
        "--bootstrap-public-url",
        cloud.auth_url,
        "--bootstrap-internal-url",
        cloud.auth_url,
    )


def app(cloud: Cloud) -> Any:
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(cloud.etc / "keystone.conf")
    sys.argv = ["keystone-api"]
    from keystone.common.rbac_enforcer import RBACEnforcer
    from keystone.wsgi.api import application

    RBACEnforcer()._enforcer.load_rules()  # see policies.py
    return application


KEYSTONE = Service(
    name="keystone",
    port=5000,
    config=config,
    app=app,
    first_start=first_start,
    addresses=(("keystone.db", "endpoint", "url"),),
)
