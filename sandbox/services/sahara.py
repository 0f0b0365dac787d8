"""sahara: the real API and engine, with its heat engine and its fake plugin.  The SSH to instances is not real."""

import sys
from typing import Any

from control.cloud import PASSWORD, Cloud

from .common import Files, Service, base, database

IMAGE = "cirros-sahara"


def config(cloud: Cloud) -> Files:
    trustee = {
        "auth_url": cloud.auth_url,
        "username": "sahara",
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    common = base(
        cloud,
        "sahara",
        plugins="fake",
        api_paste_config=SAHARA.venv / "etc/sahara/api-paste.ini",
        heat_enable_wait_condition=False,  # nothing runs in an instance that could send heat the signal
    )
    return {
        "sahara.conf": {
            **common,
            # The timeout is the whole protection against a locked database: services/sqlite.py needs a newer oslo.db.
            "database": database(cloud, "sahara"),
            "trustee": trustee,
        }
    }


def fill(cloud: Cloud, api: Any) -> None:
    """Create an image that is registered with Sahara: its user, and the tags of the plugin, are properties."""
    if "glance" not in cloud.services:
        return
    images = f"{cloud.url('glance')}/v2/images"
    if api.call("GET", f"{images}?name={IMAGE}")[1]["images"]:
        return
    registered = {"_sahara_username": "cirros", "_sahara_tag_fake": "True", "_sahara_tag_0.1": "True"}
    made = {"name": IMAGE, "visibility": "public", "disk_format": "raw", "container_format": "bare", **registered}
    image = api.call("POST", images, made)[1]["id"]
    api.call("PUT", f"{images}/{image}/file", b"no hypervisor will ever boot it\n".ljust(4096, b"\0"))


def run(cloud: Cloud, sockets: dict[int, int]) -> None:
    """Do what the command `sahara-all` does, with the socket that is open already."""
    from sahara.utils import patches

    patches.patch_all()
    sys.argv = ["sahara-all", "--config-file", str(cloud.etc / "sahara.conf")]
    import socket

    import cloudfakes_sahara
    import eventlet.wsgi
    from sahara.db import api as db

    from sahara import config as options
    from sahara import main

    options.parse_configs()
    db.setup_db()  # from the models: its migrations do not support SQLite
    main._get_remote_driver = cloudfakes_sahara.Driver
    main.setup_common("", "all-in-one")
    app = main.make_app()
    main.setup_sahara_api("all-in-one")
    main.setup_sahara_engine()
    main.setup_auth_policy()
    (descriptor,) = sockets.values()
    eventlet.wsgi.server(socket.socket(fileno=descriptor), app, log_output=False)


SAHARA = Service(
    name="sahara",
    port=8386,
    config=config,
    run=run,
    catalog=("data-processing", ""),
    alone=True,
    fill=fill,
)
