"""nova, through its client and openstacksdk."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from .kinds import RUN, Clients, Kind, listing, removal

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBQ8h1ZbnmO1ZlNgXUuNgsO0qTnJ0GtqX5eDJ7hbV2Zg nobody"

SERVERS = listing("compute", "/servers/detail", "servers")
NO_SERVER = removal("compute", "/servers")


def boot(microversion: str, **more: Any) -> Callable[[Clients, Any, str], Any]:
    def create(clients: Clients, _setting: Any, name: str) -> Any:
        # 2.1 does not know "none", and where there are several networks nova would not choose among them.
        nics = "none" if microversion != "2.1" else [{"net-id": clients.network}]
        return clients.nova(microversion).servers.create(name, clients.image, clients.flavor, nics=nics, **more)

    return create


def a_volume(clients: Clients) -> tuple[str, str]:
    """Make a volume, and a server for it."""
    volume = clients.cinder.volumes.create(1, name=f"{RUN}-disk").id
    clients.until(lambda: is_free(clients, volume))
    return clients.server, volume


def is_free(clients: Clients, volume: str) -> bool:
    return bool(clients.get("block-storage", f"/volumes/{volume}")["volume"]["status"] == "available")


def detach(clients: Clients, both: tuple[str, str], _made: str) -> None:
    server, volume = both
    clients.delete("compute", f"/servers/{server}/os-volume_attachments/{volume}")
    clients.until(lambda: is_free(clients, volume))


def attached(microversion: str) -> Kind:
    """A volume, attached through novaclient."""
    return Kind(
        service="compute",
        path="/os-volume_attachments",
        setting=a_volume,
        create=lambda clients, both, _name: clients.nova(microversion).volumes.create_server_volume(*both),
        ids=lambda made: [made.volumeId],
        id_of=lambda item: item["volumeId"],
        listed=attachments,
        delete=detach,
        shown=lambda made, _name: made.id == made.volumeId and bool(made.serverId) and bool(made.device),
    )


def attachments(clients: Clients, both: tuple[str, str], _name: str) -> list[dict[str, Any]]:
    return clients.get("compute", f"/servers/{both[0]}/os-volume_attachments")["volumeAttachments"]


def attachments_by_now(clients: Clients, both: tuple[str, str], name: str) -> list[dict[str, Any]]:
    """Give nova a second: what it has accepted is not there at once."""
    for _ in range(20):
        if found := attachments(clients, both, name):
            return found
        time.sleep(0.05)
    return []


def attach_later(clients: Clients, both: tuple[str, str], _name: str) -> tuple[Any, str]:
    """As nova does it from 2.101 on, which novaclient does not know: 202, and no words."""
    server, volume = both
    return clients.session.post(
        f"/servers/{server}/os-volume_attachments",
        json={"volumeAttachment": {"volumeId": volume}},
        endpoint_filter={"service_type": "compute"},
        headers={"OpenStack-API-Version": "compute 2.101"},
    ), volume


def a_port(clients: Clients) -> tuple[str, str]:
    """Make a port, and a server for it."""
    port = clients.neutron.create_port({"port": {"name": f"{RUN}-plug", "network_id": clients.network}})["port"]["id"]
    return clients.server, port


def unplug(clients: Clients, both: tuple[str, str], _made: str) -> None:
    server, port = both
    clients.delete("compute", f"/servers/{server}/os-interface/{port}")
    clients.until(lambda: not clients.get("network", f"/v2.0/ports/{port}")["port"]["device_id"])


def plugged(microversion: str) -> Kind:
    """An interface for which nova makes the port."""
    return Kind(
        service="compute",
        path="/os-interface",
        setting=lambda clients: clients.server,
        create=lambda clients, server, _name: clients.nova(microversion).servers.interface_attach(
            server, None, clients.network, None
        ),
        ids=lambda made: [made.port_id],
        id_of=lambda item: item["port_id"],
        listed=lambda clients, server, _name: clients.get("compute", f"/servers/{server}/os-interface")[
            "interfaceAttachments"
        ],
        delete=unplugged,
        shown=lambda made, _name: bool(made.mac_addr) and bool(made.fixed_ips),
    )


def unplugged(clients: Clients, server: str, port: str) -> None:
    clients.delete("compute", f"/servers/{server}/os-interface/{port}")
    clients.until(lambda: not clients.get("compute", f"/servers/{server}/os-interface")["interfaceAttachments"])


def snapshot(microversion: str) -> Kind:
    return Kind(
        service="compute",
        asked="image",
        path="/action",
        setting=lambda clients: clients.server,
        create=lambda clients, server, name: clients.nova(microversion).servers.create_image(
            server, name, {"mine": "1"}
        ),
        ids=lambda made: [made],
        listed=listing("image", "/v2/images", "images"),
        delete=no_snapshot,
        shown=lambda made, _name: len(made) == 36,
    )


def no_snapshot(clients: Clients, server: str, made: str) -> None:
    clients.delete("image", f"/v2/images/{made}")
    clients.until(lambda: clients.state(server) == ("active", None))


def stop(clients: Clients, server: str, _name: str) -> str:
    clients.nova("2.60").servers.stop(server)
    return server


def stopped(clients: Clients, server: str, _name: str) -> list[dict[str, Any]]:
    vm_state, task = clients.state(server)
    return [{"id": server}] if vm_state == "stopped" or task == "powering-off" else []


def start(clients: Clients, server: str, _made: str) -> None:
    clients.until(lambda: clients.state(server) == ("stopped", None))
    clients.nova("2.60").servers.start(server)
    clients.until(lambda: clients.state(server) == ("active", None))


KINDS = {
    "nova-volume-attachment": attached("2.60"),
    "nova-volume-attachment-newer": attached("2.96"),
    "nova-volume-attachment-later": dataclasses.replace(
        attached("2.60"),
        create=attach_later,
        later=True,
        listed=attachments_by_now,
        ids=lambda made: [made[1]],
        shown=lambda made, _name: (made[0].status_code, made[0].content) == (202, b""),
    ),
    "nova-interface": Kind(
        service="compute",
        path="/os-interface",
        setting=a_port,
        create=lambda clients, both, _name: clients.nova("2.60").servers.interface_attach(*both, None, None),
        ids=lambda made: [made.port_id],
        id_of=lambda item: item["port_id"],
        listed=lambda clients, both, _name: clients.get("compute", f"/servers/{both[0]}/os-interface")[
            "interfaceAttachments"
        ],
        delete=unplug,
        shown=lambda made, _name: bool(made.mac_addr) and bool(made.fixed_ips),
    ),
    "nova-interface-net": plugged("2.60"),
    "nova-interface-net-newer": plugged("2.70"),
    "nova-snapshot": snapshot("2.60"),
    "nova-snapshot-older": snapshot("2.1"),
    "nova-stop": Kind(
        service="compute",
        path="/action",
        setting=lambda clients: clients.server,
        create=stop,
        ids=lambda made: [made],
        listed=stopped,
        delete=start,
        shown=lambda _made, _name: True,
    ),
    "nova-server-group": Kind(
        service="compute",
        path="/os-server-groups",
        create=lambda clients, _setting, name: clients.nova("2.60").server_groups.create(name, ["affinity"]),
        listed=listing("compute", "/os-server-groups", "server_groups"),
        delete=removal("compute", "/os-server-groups"),
        baseline=True,
    ),
    "nova-server-group-newer": Kind(
        service="compute",
        path="/os-server-groups",
        create=lambda clients, _setting, name: clients.nova("2.64").server_groups.create(
            name, "anti-affinity", {"max_server_per_host": 3}
        ),
        listed=listing("compute", "/os-server-groups", "server_groups"),
        delete=removal("compute", "/os-server-groups"),
        baseline=True,
    ),
    "nova-server-group-older": Kind(
        service="compute",
        path="/os-server-groups",
        create=lambda clients, _setting, name: clients.nova("2.1").server_groups.create(name, ["affinity"]),
        listed=listing("compute", "/os-server-groups", "server_groups"),
        delete=removal("compute", "/os-server-groups"),
        baseline=True,
    ),
    "nova-aggregate": Kind(
        service="compute",
        path="/os-aggregates",
        create=lambda clients, _setting, name: clients.nova("2.60").aggregates.create(name, None),
        listed=listing("compute", "/os-aggregates", "aggregates"),
        delete=removal("compute", "/os-aggregates"),
        account="admin",
    ),
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
