"""ironic."""

from __future__ import annotations

import uuid
from typing import Any

from .kinds import RUN, Clients, Kind, removal

NODE = {"driver": "fake-hardware"}
OF_IRONIC: dict[str, Any] = {
    "service": "baremetal",
    "account": "admin",
    "ids": lambda made: [made.uuid],
    "id_of": lambda item: item["uuid"],
}


def a_node(clients: Clients) -> str:
    made: str = clients.ironic.node.create(**NODE, name=f"{RUN}-{uuid.uuid4().hex[:6]}").uuid
    return made


def a_stopped_node(clients: Clients) -> str:
    """Make a node whose power is off: only such a node lets its volumes be taken away."""
    node = a_node(clients)
    clients.ironic.node.set_power_state(node, "off")
    clients.until(lambda: clients.ironic.node.get(node).power_state == "power off")
    return node


def listed(path: str, member: str, by: str = "name") -> Any:
    return lambda clients, _setting, name: [
        each for each in clients.get("baremetal", path, "1.90")[member] if each[by] == name
    ]


def address(name: str) -> str:
    """Return a MAC address that is made from the name."""
    digits = name.encode().hex()[-10:]
    return ":".join(["52", *(digits[place : place + 2] for place in range(0, 10, 2))])


def of_address(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    found = clients.get("baremetal", "/v1/ports/detail", "1.90")["ports"]
    return [each for each in found if each["address"] == address(name)]


KINDS = {
    "ironic-node": Kind(
        **OF_IRONIC,
        path="/nodes",
        create=lambda clients, _setting, name: clients.ironic.node.create(**NODE, name=name),
        listed=listed("/v1/nodes", "nodes"),
        delete=removal("baremetal", "/v1/nodes"),
    ),
    "ironic-port": Kind(
        **OF_IRONIC,
        path="/ports",
        setting=a_node,
        create=lambda clients, node, name: clients.ironic.port.create(node_uuid=node, address=address(name)),
        listed=of_address,
        delete=removal("baremetal", "/v1/ports"),
        shown=lambda made, name: made.address == address(name),
    ),
    "ironic-portgroup": Kind(
        **OF_IRONIC,
        path="/portgroups",
        setting=a_node,
        create=lambda clients, node, name: clients.ironic.portgroup.create(node_uuid=node, name=name),
        listed=listed("/v1/portgroups", "portgroups"),
        delete=removal("baremetal", "/v1/portgroups"),
    ),
    "ironic-allocation": Kind(
        **OF_IRONIC,
        path="/allocations",
        create=lambda clients, _setting, name: clients.ironic.allocation.create(name=name, resource_class="none"),
        listed=listed("/v1/allocations", "allocations"),
        delete=lambda clients, _setting, made: clients.ironic.allocation.delete(made),
    ),
    "ironic-deploy-template": Kind(
        **OF_IRONIC,
        path="/deploy_templates",
        create=lambda clients, _setting, name: clients.ironic.deploy_template.create(
            name=f"CUSTOM_{name.upper().replace('-', '_')}",
            steps=[{"interface": "deploy", "step": "deploy", "args": {}, "priority": 50}],
        ),
        listed=lambda clients, setting, name: listed("/v1/deploy_templates", "deploy_templates")(
            clients, setting, f"CUSTOM_{name.upper().replace('-', '_')}"
        ),
        delete=lambda clients, _setting, made: clients.ironic.deploy_template.delete(made),
        shown=lambda made, name: made.name == f"CUSTOM_{name.upper().replace('-', '_')}",
    ),
    "ironic-volume-connector": Kind(
        **OF_IRONIC,
        path="/volume/connectors",
        setting=a_stopped_node,
        create=lambda clients, node, name: clients.ironic.volume_connector.create(
            node_uuid=node, type="iqn", connector_id=f"iqn.2026-11.example:{name}"
        ),
        listed=lambda clients, _setting, name: [
            each
            for each in clients.get("baremetal", "/v1/volume/connectors", "1.90")["connectors"]
            if each["connector_id"].endswith(f":{name}")
        ],
        delete=lambda clients, _setting, made: clients.ironic.volume_connector.delete(made),
        shown=lambda made, name: made.connector_id.endswith(f":{name}"),
    ),
    "ironic-volume-target": Kind(
        **OF_IRONIC,
        path="/volume/targets",
        setting=a_stopped_node,
        create=lambda clients, node, name: clients.ironic.volume_target.create(
            node_uuid=node, volume_type="iscsi", boot_index=0, volume_id=name
        ),
        listed=lambda clients, _setting, name: [
            each
            for each in clients.get("baremetal", "/v1/volume/targets", "1.90")["targets"]
            if each["volume_id"] == name
        ],
        delete=lambda clients, _setting, made: clients.ironic.volume_target.delete(made),
        shown=lambda made, name: made.volume_id == name,
    ),
    "sdk-node": Kind(
        **OF_IRONIC | {"ids": lambda made: [made.id]},
        path="/nodes",
        create=lambda clients, _setting, name: clients.sdk.baremetal.create_node(**NODE, name=name),
        listed=listed("/v1/nodes", "nodes"),
        delete=removal("baremetal", "/v1/nodes"),
    ),
}
