"""neutron."""

from __future__ import annotations

from typing import Any

from .kinds import Clients, Kind, listing, removal


def neutron_port(clients: Clients, _setting: Any, name: str) -> Any:
    return clients.neutron.create_port({"port": {"name": name, "network_id": clients.network}})["port"]


def neutron_ports(clients: Clients, _setting: Any, name: str) -> Any:
    port = {"network_id": clients.network}
    return clients.neutron.create_port({"ports": [port | {"name": f"{name}-{n}"} for n in (3, 1, 2)]})["ports"]


PORTS = listing("network", "/v2.0/ports", "ports")
NO_PORT = removal("network", "/v2.0/ports")
NO_GROUP = removal("network", "/v2.0/security-groups")
GROUPS = listing("network", "/v2.0/security-groups", "security_groups")


def plain(made: Any, name: str) -> bool:
    return made["name"] == name and made["description"] == ""


KINDS = {
    "neutron-port": Kind(
        service="network",
        path="/ports",
        create=neutron_port,
        ids=lambda made: [made["id"]],
        listed=PORTS,
        delete=NO_PORT,
        shown=plain,
    ),
    "neutron-ports-bulk": Kind(
        service="network",
        path="/ports",
        create=neutron_ports,
        ids=lambda made: [each["id"] for each in made],
        listed=PORTS,
        delete=NO_PORT,
        shown=lambda made, name: [each["name"] for each in made] == [f"{name}-{n}" for n in (3, 1, 2)],
        number=3,
    ),
    "neutron-security-group": Kind(
        service="network",
        path="/security-groups",
        create=lambda clients, _setting, name: clients.neutron.create_security_group(
            {"security_group": {"name": name}}
        )["security_group"],
        ids=lambda made: [made["id"]],
        listed=GROUPS,
        delete=NO_GROUP,
        shown=plain,
    ),
}
