"""neutron."""

from __future__ import annotations

import itertools
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .kinds import RUN, Clients, Kind, listing, removal

numbers = itertools.count(1)


def neutron_port(clients: Clients, _setting: Any, name: str) -> Any:
    return clients.neutron.create_port({"port": {"name": name, "network_id": clients.network}})["port"]


def neutron_ports(clients: Clients, _setting: Any, name: str) -> Any:
    port = {"network_id": clients.network}
    return clients.neutron.create_port({"ports": [port | {"name": f"{name}-{n}"} for n in (3, 1, 2)]})["ports"]


PORTS = listing("network", "/v2.0/ports", "ports")
NO_PORT = removal("network", "/v2.0/ports")


def plain(made: Any, name: str) -> bool:
    return made["name"] == name and made["description"] == ""


def made_by(
    path: str,
    member: str,
    body: Callable[[Any, str], dict[str, Any]] = lambda _setting, name: {"name": name},
    *,
    by: str = "name",
    **more: Any,
) -> Kind:
    """Make one of a kind by a client's own POST; ``body`` says with what, ``by`` which field has the name."""
    members = more.pop("members", path.strip("/").replace("-", "_"))
    return Kind(
        **{
            "service": "network",
            "path": path,
            "create": lambda clients, setting, name: clients.neutron.post(path, body={member: body(setting, name)})[
                member
            ],
            "ids": lambda made: [made["id"]],
            "listed": listing("network", f"/v2.0{path}", members, by=by),
            "delete": removal("network", f"/v2.0{path}"),
            "shown": lambda made, name: made[by] == name and (by == "description" or made["description"] == ""),
        }
        | more
    )


def described(
    path: str,
    member: str,
    body: Callable[[Any, str], dict[str, Any]] = lambda _setting, name: {"name": name, "description": name + "!"},
    **more: Any,
) -> Kind:
    """Make one with a description of the caller's own: the marker is at its end until the create has succeeded."""
    given: dict[str, Any] = {"by": "description", "shown": lambda made, name: made["description"] == name + "!"} | more
    return made_by(path, member, body, **given)


def without_room(
    path: str, member: str, body: Callable[[Any, str], dict[str, Any]] = lambda _setting, name: {"name": name}
) -> Kind:
    """Make one whose description is so long that there is no room for a marker."""

    def with_description(setting: Any, name: str) -> dict[str, Any]:
        return body(setting, name) | {"description": f"{name:!<255}"}

    def shown(made: Any, name: str) -> bool:
        return made["description"] == f"{name:!<255}"

    return made_by(path, member, with_description, by="description", single_writer=True, shown=shown)


def bulk_by(path: str, bodies: Callable[[Any, str], list[dict[str, Any]]], *, by: str = "name", **more: Any) -> Kind:
    """Make several by one POST; each has the name, and a number that says its place, in the field ``by``."""
    members = path.strip("/").replace("-", "_")
    return Kind(
        service="network",
        path=path,
        create=lambda clients, setting, name: clients.neutron.post(path, body={members: bodies(setting, name)})[
            members
        ],
        ids=lambda made: [each["id"] for each in made],
        listed=listing("network", f"/v2.0{path}", members, by=by),
        delete=removal("network", f"/v2.0{path}"),
        shown=lambda made, name: [each[by] for each in made] == [f"{name}-{n}" for n in (3, 1, 2)],
        number=3,
        **more,
    )


# -- what they need ----------------------------------------------------------------------------------------------------


def a_network(clients: Clients) -> str:
    return clients.neutron.create_network({"network": {"name": f"{RUN}-needed"}})["network"]["id"]


def network_and_pool(clients: Clients) -> tuple[str, str]:
    pool = {"name": f"{RUN}-needed", "prefixes": ["10.98.0.0/16"]}
    return a_network(clients), clients.neutron.create_subnetpool({"subnetpool": pool})["subnetpool"]["id"]


def a_group(clients: Clients) -> str:
    return clients.neutron.create_security_group({"security_group": {"name": f"{RUN}-needed"}})["security_group"]["id"]


def public(clients: Clients) -> str:
    return clients.get("network", "/v2.0/networks?name=public")["networks"][0]["id"]


def a_port(clients: Clients, network: str, name: str = f"{RUN}-needed") -> Any:
    return clients.neutron.create_port({"port": {"name": name, "network_id": network}})["port"]


@dataclass(frozen=True)
class Needed:
    """What a kind needs, and clients that no fault hits to make more of it."""

    clean: Clients
    network: str
    #: The router, the trunk, the floating IP, the policy or the port that the create is about.
    thing: str = ""
    port: Any = None


def a_routed_network(clients: Clients) -> Needed:
    router = clients.neutron.create_router({"router": {"name": f"{RUN}-needed"}})["router"]["id"]
    needed = Needed(clients, a_network(clients), router)
    subnet_id = a_subnet(needed, f"{RUN}-needed", cidr="10.254.0.0/24")
    clients.neutron.add_interface_router(router, {"subnet_id": subnet_id})
    return needed


def a_subnet(needed: Needed, name: str, cidr: str = "") -> str:
    cidr = cidr or f"10.200.{next(numbers)}.0/24"
    body = {"name": name, "network_id": needed.network, "ip_version": 4, "cidr": cidr}
    return needed.clean.neutron.create_subnet({"subnet": body})["subnet"]["id"]


def a_trunk(clients: Clients) -> Needed:
    network = a_network(clients)
    port = a_port(clients, network)["id"]
    return Needed(clients, network, clients.neutron.create_trunk({"trunk": {"port_id": port}})["trunk"]["id"])


def a_floating_ip(clients: Clients) -> Needed:
    network = clients.network
    body = {"floating_network_id": public(clients), "description": f"{RUN}-needed"}
    made = clients.neutron.create_floatingip({"floatingip": body})["floatingip"]["id"]
    return Needed(clients, network, made, a_port(clients, network))


def a_policy(clients: Clients) -> str:
    return clients.neutron.create_qos_policy({"policy": {"name": f"{RUN}-needed"}})["policy"]["id"]


# -- creates that need something of their own --------------------------------------------------------------------------


def subnet(needed: Any, name: str) -> dict[str, Any]:
    return {"name": name, "network_id": needed, "ip_version": 4, "cidr": f"10.201.{next(numbers)}.7/24"}


def rule(group: str, name: str, **more: Any) -> dict[str, Any]:
    port = next(numbers)
    return {
        "security_group_id": group,
        "direction": "ingress",
        "protocol": "TCP",
        "port_range_min": str(port),
        "port_range_max": port,
        "remote_ip_prefix": "10.1.2.3/24",
        "description": name,
        **more,
    }


def floating_with_port(clients: Clients, setting: Needed, name: str) -> Any:
    port = a_port(setting.clean, setting.network, name)["id"]
    body = {"floating_network_id": setting.thing, "port_id": port, "description": name}
    return clients.neutron.create_floatingip({"floatingip": body})["floatingip"]


def trunk(clients: Clients, setting: Needed, name: str, **more: Any) -> Any:
    port = a_port(setting.clean, setting.network, name)["id"]
    return clients.neutron.create_trunk({"trunk": {"name": name, "port_id": port, **more}})["trunk"]


FORWARDINGS = "/floatingips/{}/port_forwardings"


def floating_ips(clients: Clients) -> list[Any]:
    """List those that are not needed for something else: they have no names."""
    there = clients.get("network", "/v2.0/floatingips")["floatingips"]
    return [each for each in there if not each["description"].startswith(RUN)]


def project(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_DNS, name).hex


def forwarding(**more: Any) -> Callable[[Clients, Needed, str], Any]:
    def create(clients: Clients, setting: Needed, name: str) -> Any:
        number = zlib.crc32(name.encode()) % 60_000 + 1
        body = {
            "protocol": "tcp",
            "external_port": number,
            "internal_port": number,
            "internal_port_id": setting.port["id"],
            "internal_ip_address": setting.port["fixed_ips"][0]["ip_address"],
            **more,
        }
        return clients.neutron.post(FORWARDINGS.format(setting.thing), body={"port_forwarding": body})[
            "port_forwarding"
        ]

    return create


def forwardings(clients: Clients, setting: Needed, name: str) -> list[Any]:
    number = zlib.crc32(name.encode()) % 60_000 + 1
    there = clients.get("network", "/v2.0" + FORWARDINGS.format(setting.thing))["port_forwardings"]
    return [each for each in there if each["external_port"] == number]


def no_forwarding(clients: Clients, setting: Needed, made: str) -> None:
    clients.delete("network", f"/v2.0{FORWARDINGS.format(setting.thing)}/{made}")


def bandwidth(clients: Clients, setting: str, name: str) -> Any:
    kbps = zlib.crc32(name.encode()) % 1000 + 1
    body = {"bandwidth_limit_rule": {"max_kbps": kbps, "direction": "ingress"}}
    return clients.neutron.create_bandwidth_limit_rule(setting, body=body)["bandwidth_limit_rule"]


def interface(clients: Clients, setting: Needed, name: str) -> Any:
    return clients.neutron.add_interface_router(setting.thing, {"subnet_id": a_subnet(setting, name)})


def interface_by_port(clients: Clients, setting: Needed, name: str) -> Any:
    network = a_network(setting.clean)
    a_subnet(Needed(setting.clean, network), name)
    port = a_port(setting.clean, network, name)["id"]
    return clients.neutron.add_interface_router(setting.thing, {"port_id": port})


def interfaces(clients: Clients, setting: Needed, name: str) -> list[Any]:
    subnets = {each["id"] for each in clients.get("network", f"/v2.0/subnets?name={name}")["subnets"]}
    ports = clients.get("network", f"/v2.0/ports?device_id={setting.thing}")["ports"]
    return [each for each in ports if subnets & {address["subnet_id"] for address in each["fixed_ips"]}]


def no_interface(clients: Clients, setting: Needed, made: str) -> None:
    clients.neutron.remove_interface_router(setting.thing, {"port_id": made})


def without_interface(clients: Clients, setting: Needed, name: str) -> Any:
    made = interface(setting.clean, setting, name)
    removed = clients.neutron.remove_interface_router(setting.thing, {"subnet_id": made["subnet_id"]})
    assert removed | made == removed, "neutron's two answers have one form; older releases add tenant_id"
    return removed


def without_interface_by_port(clients: Clients, setting: Needed, name: str) -> Any:
    made = interface(setting.clean, setting, name)
    removed = clients.neutron.remove_interface_router(setting.thing, {"port_id": made["port_id"]})
    assert removed | made == removed
    return removed


def has_no_interface(clients: Clients, setting: Needed, name: str) -> list[Any]:
    return [] if interfaces(clients, setting, name) else [{"id": setting.thing}]


def subport(clients: Clients, setting: Needed, name: str) -> Any:
    port = a_port(setting.clean, setting.network, name)["id"]
    body = {"sub_ports": [{"port_id": port, "segmentation_type": "vlan", "segmentation_id": next(numbers)}]}
    return clients.neutron.trunk_add_subports(setting.thing, body)


def without_subport(clients: Clients, setting: Needed, name: str) -> Any:
    (port,) = (each["port_id"] for each in subport(setting.clean, setting, name)["sub_ports"])
    return clients.neutron.trunk_remove_subports(setting.thing, {"sub_ports": [{"port_id": port}]})


def subports(clients: Clients, setting: Needed, name: str) -> set[str]:
    ports = {each["id"] for each in clients.get("network", f"/v2.0/ports?name={name}")["ports"]}
    have = clients.get("network", f"/v2.0/trunks/{setting.thing}")["trunk"]["sub_ports"]
    return ports & {each["port_id"] for each in have}


def no_subports(clients: Clients, setting: Needed, _made: str) -> None:
    have = clients.get("network", f"/v2.0/trunks/{setting.thing}")["trunk"]["sub_ports"]
    clients.neutron.trunk_remove_subports(setting.thing, {"sub_ports": [{"port_id": each["port_id"]} for each in have]})


def route(name: str) -> dict[str, Any]:
    number = zlib.crc32(name.encode())
    return {"routes": [{"destination": f"10.{number % 250}.{number // 250 % 250}.0/24", "nexthop": "10.254.0.9"}]}


def route_added(clients: Clients, setting: Needed, name: str) -> Any:
    return clients.neutron.add_extra_routes_to_router(setting.thing, {"router": route(name)})["router"]


def route_removed(clients: Clients, setting: Needed, name: str) -> Any:
    route_added(setting.clean, setting, name)
    return clients.neutron.remove_extra_routes_from_router(setting.thing, {"router": route(name)})["router"]


def has_route(clients: Clients, setting: Needed, name: str) -> bool:
    have = clients.get("network", f"/v2.0/routers/{setting.thing}")["router"]["routes"]
    return all(each in have for each in route(name)["routes"])


def no_routes(clients: Clients, _setting: Any, made: str) -> None:
    clients.neutron.update_router(made, {"router": {"routes": []}})


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
    "neutron-security-group": made_by("/security-groups", "security_group"),
    "neutron-security-group-as-openstack": made_by(
        "/security-groups",
        "security_group",
        lambda _setting, name: {"name": name, "description": name},
        shown=lambda made, name: made["description"] == name,
    ),
    "neutron-network": made_by("/networks", "network"),
    "neutron-network-described": described("/networks", "network"),
    "neutron-router-described": described("/routers", "router"),
    "neutron-router-without-room": without_room("/routers", "router"),
    "neutron-qos-policy-described": described("/qos/policies", "policy", members="policies", account="admin"),
    "neutron-security-group-described": described("/security-groups", "security_group"),
    "neutron-floating-ip-described": described(
        "/floatingips",
        "floatingip",
        lambda network, name: {"floating_network_id": network, "description": name + "!"},
        setting=public,
    ),
    "neutron-subnetpool-described": described(
        "/subnetpools",
        "subnetpool",
        lambda _setting, name: {"name": name, "description": name + "!", "prefixes": ["10.99.0.0/16"]},
    ),
    "neutron-address-group-described": described("/address-groups", "address_group"),
    "neutron-subnet-from-a-pool-described": described(
        "/subnets",
        "subnet",
        lambda setting, name: {
            "name": name,
            "description": name + "!",
            "network_id": setting[0],
            "subnetpool_id": setting[1],
            "ip_version": 4,
            "prefixlen": 24,
        },
        setting=network_and_pool,
    ),
    "neutron-address-scope": made_by(
        "/address-scopes",
        "address_scope",
        lambda _setting, name: {"name": name, "ip_version": 4},
        shown=lambda made, name: made["name"] == name,
        baseline=True,
    ),
    "neutron-networks-bulk": bulk_by("/networks", lambda _setting, name: [{"name": f"{name}-{n}"} for n in (3, 1, 2)]),
    "neutron-subnet": made_by("/subnets", "subnet", subnet, setting=a_network),
    "neutron-subnet-described": made_by(
        "/subnets",
        "subnet",
        lambda setting, name: subnet(setting, f"of {name}") | {"description": name},
        by="description",
        setting=a_network,
    ),
    "neutron-subnets-bulk": bulk_by(
        "/subnets", lambda setting, name: [subnet(setting, f"{name}-{n}") for n in (3, 1, 2)], setting=a_network
    ),
    "neutron-router": made_by("/routers", "router"),
    "neutron-subnetpool": made_by(
        "/subnetpools", "subnetpool", lambda _setting, name: {"name": name, "prefixes": ["10.0.0.0/8"]}
    ),
    "neutron-address-group": made_by("/address-groups", "address_group"),
    "neutron-rule": made_by("/security-group-rules", "security_group_rule", rule, by="description", setting=a_group),
    "neutron-rules-bulk": bulk_by(
        "/security-group-rules",
        lambda setting, name: [rule(setting, f"{name}-{n}") for n in (3, 1, 2)],
        by="description",
        setting=a_group,
    ),
    "neutron-floating-ip": made_by(
        "/floatingips",
        "floatingip",
        lambda setting, _name: {"floating_network_id": setting[0]},
        setting=lambda clients: (public(clients), {each["id"] for each in floating_ips(clients)}),
        listed=lambda clients, setting, _name: [each for each in floating_ips(clients) if each["id"] not in setting[1]],
        shown=lambda made, _name: made["floating_ip_address"] and made["description"] == "",
    ),
    "neutron-floating-ip-with-port": made_by(
        "/floatingips",
        "floatingip",
        by="description",
        setting=lambda clients: Needed(clients, clients.network, public(clients)),
        create=floating_with_port,
    ),
    "neutron-forwarding": Kind(
        service="network",
        path="/port_forwardings",
        setting=a_floating_ip,
        create=forwarding(),
        ids=lambda made: [made["id"]],
        listed=forwardings,
        delete=no_forwarding,
        shown=lambda made, _name: made["description"] == "",
    ),
    "neutron-forwarding-described": Kind(
        service="network",
        path="/port_forwardings",
        setting=a_floating_ip,
        create=forwarding(description="mine"),
        ids=lambda made: [made["id"]],
        listed=forwardings,
        delete=no_forwarding,
        shown=lambda made, _name: made["description"] == "mine",
    ),
    "neutron-trunk": made_by(
        "/trunks",
        "trunk",
        setting=lambda clients: Needed(clients, a_network(clients)),
        create=trunk,
    ),
    "neutron-trunk-described": made_by(
        "/trunks",
        "trunk",
        setting=lambda clients: Needed(clients, a_network(clients)),
        create=lambda clients, setting, name: trunk(clients, setting, name, description="mine"),
        shown=lambda made, name: made["name"] == name and made["description"] == "mine",
    ),
    "neutron-rbac": made_by(
        "/rbac-policies",
        "rbac_policy",
        lambda setting, name: {
            "object_type": "network",
            "object_id": setting,
            "action": "access_as_shared",
            "target_tenant": project(name),
        },
        setting=a_network,
        listed=lambda clients, _setting, name: [
            each
            for each in clients.get("network", "/v2.0/rbac-policies")["rbac_policies"]
            if each["target_tenant"] == project(name)
        ],
        shown=lambda made, name: made["target_tenant"] == project(name),
    ),
    "neutron-qos-policy": made_by("/qos/policies", "policy", members="policies", account="admin"),
    "neutron-bandwidth-rule": Kind(
        service="network",
        path="/bandwidth_limit_rules",
        account="admin",
        setting=a_policy,
        create=bandwidth,
        ids=lambda made: [made["id"]],
        listed=lambda clients, setting, name: [
            each
            for each in clients.get("network", f"/v2.0/qos/policies/{setting}/bandwidth_limit_rules")[
                "bandwidth_limit_rules"
            ]
            if each["max_kbps"] == zlib.crc32(name.encode()) % 1000 + 1
        ],
        delete=lambda clients, setting, made: clients.delete(
            "network", f"/v2.0/qos/policies/{setting}/bandwidth_limit_rules/{made}"
        ),
        shown=lambda made, _name: made["direction"] == "ingress",
    ),
    "neutron-segment": made_by(
        "/segments",
        "segment",
        lambda setting, name: {"name": name, "network_id": setting, "network_type": "vxlan"},
        setting=a_network,
        account="admin",
    ),
    "neutron-interface": Kind(
        service="network",
        path="/add_router_interface",
        verb="PUT",
        setting=a_routed_network,
        create=interface,
        ids=lambda made: [made["port_id"]],
        listed=interfaces,
        delete=no_interface,
        shown=lambda made, _name: made["subnet_ids"] == [made["subnet_id"]] and bool(made["network_id"]),
    ),
    "neutron-interface-by-port": Kind(
        service="network",
        path="/add_router_interface",
        verb="PUT",
        setting=a_routed_network,
        create=interface_by_port,
        ids=lambda made: [made["port_id"]],
        listed=interfaces,
        delete=no_interface,
        shown=lambda made, _name: made["subnet_ids"] == [made["subnet_id"]] and bool(made["network_id"]),
    ),
    "neutron-no-interface": Kind(
        service="network",
        path="/remove_router_interface",
        verb="PUT",
        setting=a_routed_network,
        create=without_interface,
        ids=lambda made: [made["id"]],
        listed=has_no_interface,
        delete=lambda _clients, _setting, _made: None,
        shown=lambda made, _name: bool(made["port_id"]) and bool(made["network_id"]),
        baseline=True,
    ),
    "neutron-no-interface-by-port": Kind(
        service="network",
        path="/remove_router_interface",
        verb="PUT",
        setting=a_routed_network,
        create=without_interface_by_port,
        ids=lambda made: [made["id"]],
        listed=has_no_interface,
        delete=lambda _clients, _setting, _made: None,
        shown=lambda made, _name: bool(made["port_id"]) and bool(made["network_id"]),
        baseline=True,
    ),
    "neutron-subport": Kind(
        service="network",
        path="/add_subports",
        verb="PUT",
        setting=a_trunk,
        create=subport,
        ids=lambda made: [each["port_id"] for each in made["sub_ports"]],
        listed=lambda clients, setting, name: [{"id": each} for each in subports(clients, setting, name)],
        delete=no_subports,
        shown=lambda made, _name: made["status"] in ("DOWN", "ACTIVE"),
    ),
    "neutron-no-subport": Kind(
        service="network",
        path="/remove_subports",
        verb="PUT",
        setting=a_trunk,
        create=without_subport,
        ids=lambda made: [made["id"]],
        listed=lambda clients, setting, name: [{"id": setting.thing}] * (not subports(clients, setting, name)),
        delete=lambda _clients, _setting, _made: None,
        shown=lambda made, _name: made["sub_ports"] == [],
    ),
    "neutron-route": Kind(
        service="network",
        path="/add_extraroutes",
        verb="PUT",
        setting=a_routed_network,
        create=route_added,
        ids=lambda made: [made["id"]],
        listed=lambda clients, setting, name: [{"id": setting.thing}] * has_route(clients, setting, name),
        delete=no_routes,
        shown=lambda made, name: made["routes"] == route(name)["routes"],
    ),
    "neutron-no-route": Kind(
        service="network",
        path="/remove_extraroutes",
        verb="PUT",
        setting=a_routed_network,
        create=route_removed,
        ids=lambda made: [made["id"]],
        listed=lambda clients, setting, name: [{"id": setting.thing}] * (not has_route(clients, setting, name)),
        delete=no_routes,
        shown=lambda made, _name: made["routes"] == [],
    ),
}
