"""nova, through its client and openstacksdk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .kinds import Clients, Kind, listing, removal

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBQ8h1ZbnmO1ZlNgXUuNgsO0qTnJ0GtqX5eDJ7hbV2Zg nobody"

SERVERS = listing("compute", "/servers/detail", "servers")
NO_SERVER = removal("compute", "/servers")


def boot(microversion: str, **more: Any) -> Callable[[Clients, Any, str], Any]:
    nics = {"nics": "none"} if microversion != "2.1" else {}
    return lambda clients, _setting, name: clients.nova(microversion).servers.create(
        name, clients.image, clients.flavor, **nics, **more
    )


KINDS = {
    "nova-server-tag": Kind(
        service="compute",
        path="/servers",
        create=boot("2.60"),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.adminPass) and bool(made.links),
    ),
    "nova-server-metadata": Kind(
        service="compute",
        path="/servers",
        create=boot("2.1"),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.adminPass) and bool(made.links),
    ),
    "nova-servers-two": Kind(
        service="compute",
        path="/servers",
        create=boot("2.60", min_count=2, max_count=2),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.links),
        number=2,
    ),
    "sdk-server": Kind(
        service="compute",
        path="/servers",
        create=lambda clients, _setting, name: clients.sdk.compute.create_server(
            name=name, image_id=clients.image, flavor_id=clients.flavor, networks="none"
        ),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.admin_password),
    ),
    "nova-keypair": Kind(
        service="compute",
        path="/os-keypairs",
        create=lambda clients, _setting, name: clients.nova("2.60").keypairs.create(name, public_key=KEY),
        listed=lambda clients, _setting, name: [
            each["keypair"]
            for each in clients.get("compute", "/os-keypairs")["keypairs"]
            if each["keypair"]["name"] == name
        ],
        id_of=lambda item: item["name"],
        ids=lambda made: [made.name],
        delete=removal("compute", "/os-keypairs"),
        shown=lambda made, name: made.name == name and made.public_key == KEY and bool(made.fingerprint),
    ),
    "nova-flavor": Kind(
        service="compute",
        path="/flavors",
        create=lambda clients, _setting, name: clients.nova("2.60").flavors.create(name, 64, 1, 1),
        listed=listing("compute", "/flavors/detail", "flavors"),
        delete=removal("compute", "/flavors"),
        account="admin",
    ),
}
