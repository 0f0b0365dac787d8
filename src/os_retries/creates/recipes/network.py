"""neutron; the facts are in docs/design/creates.md#network.

Only ports have a field for a marker that people do not read.  For other resources the description carries the marker:
alone if the caller sent no description, else at the end of the caller's text.  If neutron admits only one resource with
the same fields, it is found by its fields and its age.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from os_retries.creates.markers import KEY, Description, DescriptionEnd, Item, Tag
from os_retries.creates.recipe import Blind, Look, Recipe, equal, fingerprint, members
from os_retries.creates.recipes.port_bindings import BINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_FORWARDING: dict[str, Any] = {"path": r"/floatingips/[^/]+/port_forwardings", "body": "port_forwarding"}
_QOS_RULES = "bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate", "packet_rate_limit"


def _any_tag(_item: Item, markers: list[str]) -> str:
    return ",".join(markers)


def _each(_item: Item, markers: list[str]) -> list[str]:
    return markers


def _its_network(port: Item, markers: list[str]) -> str | None:
    return str(port["network_id"]) if len(markers) == 1 and "network_id" in port else None


def _without_its_tag(port: Item, sent: Sequence[Item]) -> bool:
    fields = "network_id", "device_id", "name"
    return not any(KEY in str(tag) for tag in port.get("tags", [])) and any(
        all((port.get(name) or "") == (each.get(name) or "") for name in fields) for each in sent
    )


# This check applies until neutron has shown once that it keeps the tag: see Creation.after_success.
_TAGS_NOT_KEPT = Blind(
    path="{base}/ports",
    list="ports",
    query={"network_id": _its_network},
    where=_without_its_tag,
    words="a similar port without a tag exists, and it is not known yet whether neutron keeps tags",
)


def _described(path: str, member: str, *, collection: str = "", tags: str | None = None, **more: Any) -> Recipe:
    """Return the recipe of a resource whose description carries the marker.

    :param tags: the path of the collection in neutron's API of tags; empty if the resource has no tags; None for
        ``path``
    """
    collection = collection or path.strip("/").replace("-", "_")
    return Recipe(
        path=path,
        body=member,
        bulk=collection,
        carrier=Description(tags=_tags(path, tags)),
        look=Look(path="{base}" + path, list=collection, query={"description": _each}),
        **more,
    )


def _described_too(path: str, member: str, *, collection: str = "", tags: str | None = None) -> Recipe:
    """Return the recipe of a resource with a description of the caller's own, to which the marker is appended."""
    collection = collection or path.strip("/").replace("-", "_")
    return Recipe(
        path=path,
        body=member,
        carrier=DescriptionEnd(tags=_tags(path, tags)),
        look=Look(path="{base}" + path, list=collection, query={"description": "{description}"}),
    )


def _tags(path: str, tags: str | None) -> str:
    tags = path if tags is None else tags
    return f"{{base}}{tags}/{{id}}/tags" if tags else ""


def _no_room(path: str, member: str, *, collection: str = "") -> Recipe:
    return Recipe(
        path=path,
        body=member,
        bulk=collection or path.strip("/").replace("-", "_"),
        refused="the caller's own description leaves no room for a marker",
    )


_LIKE_THE_SUBNET = fingerprint("network_id", "name")


def _is_like_the_subnet(found: Item, sent: Item) -> bool | None:
    """Compare a subnet from a pool.  Neutron shows the length of the prefix only in the CIDR."""
    if str(found.get("cidr")).endswith(f"/{sent.get('prefixlen')}"):
        sent = {name: value for name, value in sent.items() if name != "prefixlen"}
    return _LIKE_THE_SUBNET(found, sent)


def _by_fingerprint(
    path: str,
    member: str,
    *key: str,
    collection: str = "",
    match: Callable[[Item, Item], bool | None] | None = None,
) -> Recipe:
    """Return the recipe of a resource without a marker: its description is the caller's own, or cannot be emptied."""
    collection = collection or path.strip("/").replace("-", "_")
    return Recipe(
        path=path,
        body=member,
        single_writer=True,
        match=match or fingerprint(*key or ("name",)),
        look=Look(path="{base}" + path, list=collection, holds={"project_id": "{project}"}, baseline="id"),
    )


# -- resources that neutron admits only once ---------------------------------------------------------------------------


def _as_sent(found: Item, sent: Item) -> bool:
    """Compare all fields of the request; neutron admits no second resource with the same values."""
    return all(equal(found.get(name), value) for name, value in sent.items())


def _network_of(text: object) -> object:
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return text


def _is_subnet(found: Item, sent: Item) -> bool:
    """Compare the network, the CIDR and the text fields; subnets of one network do not overlap."""
    same = all(equal(found.get(name), sent[name]) for name in ("network_id", "name", "description") if name in sent)
    return same and _network_of(found.get("cidr")) == _network_of(sent.get("cidr"))


_RULE = (
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_group_id",
    "remote_address_group_id",
)


def _is_rule(found: Item, sent: Item) -> bool:
    """Compare the key of a rule.  A group never has two rules with the same key, even with different descriptions."""
    sent = {"ethertype": "IPv4"} | sent

    def text(item: Item, name: str) -> str:
        value = item.get(name)
        return "" if value is None or value == "any" else str(value).lower()

    prefixes = (_network_of(each.get("remote_ip_prefix") or None) for each in (found, sent))
    return len(set(prefixes)) == 1 and all(text(found, name) == text(sent, name) for name in _RULE)


def _of_its_group(item: Item, markers: list[str]) -> str | None:
    """Return the group to filter by; None for a bulk request, which may be for several groups."""
    return str(item["security_group_id"]) if len(markers) == 1 and "security_group_id" in item else None


# The owners of ports that a router has in a subnet and that are not its interface: the gateway, and the second port
# that a distributed router has in each subnet.
_NO_INTERFACE = frozenset({"network:router_gateway", "network:router_centralized_snat"})


def _has_subnet(found: Item, sent: Item) -> bool:
    """Return whether a port of the router is in the subnet, or is the port with the id in the request."""
    if sent.get("port_id"):
        return bool(found.get("id") == sent["port_id"])
    subnets = [address.get("subnet_id") for address in found.get("fixed_ips") or []]
    return found.get("device_owner") not in _NO_INTERFACE and sent.get("subnet_id") in subnets


def _interface(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of neutron's response, from the port that the router has now."""
    return _of_port(found[0], [address["subnet_id"] for address in found[0]["fixed_ips"]])


def _interface_before(sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of neutron's response, from the port that the router had before."""
    subnets = [address["subnet_id"] for address in found[0]["fixed_ips"]]
    return _of_port(found[0], [each for each in subnets if each == sent[0].get("subnet_id", each)])


def _of_port(port: Item, subnets: list[str]) -> Item:
    return {
        "id": port["device_id"],
        "tenant_id": port["tenant_id"],
        "project_id": port["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnets[0],
        "subnet_ids": subnets,
    }


def _subports(item: Item) -> set[object]:
    return {each.get("port_id") for each in item.get("sub_ports") or []}


def _trunk_change(verb: str, *, there: bool) -> Recipe:
    return Recipe(
        verb="PUT",
        path=rf"/trunks/(?P<trunk>[^/]+)/{verb}",
        body=None,
        look=Look(path="{base}/trunks/{trunk}", one="trunk"),
        match=members(_subports, _subports, there=there),
        status=200,
    )


def _routes(item: Item) -> set[object]:
    return {(str(each.get("destination")), str(each.get("nexthop"))) for each in item.get("routes") or []}


def _addresses(item: Item) -> set[object]:
    return {_network_of(each) for each in item.get("addresses") or []}


def _address_group(_sent: list[Item], found: list[Item]) -> Item:
    return {"address_group": found[0]}


def _address_change(verb: str, *, there: bool) -> Recipe:
    return Recipe(
        verb="PUT",
        path=rf"/address-groups/(?P<group>[^/]+)/{verb}",
        body=None,
        key="addresses",
        look=Look(path="{base}/address-groups/{group}", one="address_group"),
        match=members(_addresses, _addresses, there=there),
        status=200,
        view=_address_group,
    )


def _route_change(verb: str, *, there: bool) -> Recipe:
    return Recipe(
        verb="PUT",
        path=rf"/routers/(?P<router>[^/]+)/{verb}",
        body="router",
        look=Look(path="{base}/routers/{router}", one="router"),
        match=members(_routes, _routes, there=there),
        status=200,
    )


RECIPES = (
    Recipe(
        path=r"/ports",
        body="port",
        bulk="ports",
        extension="tag-ports-during-bulk-creation",  # without it neutron silently drops the tags (T3)
        carrier=Tag(),
        look=Look(path="{base}/ports", list="ports", query={"tags-any": _any_tag}, blind=_TAGS_NOT_KEPT),
    ),
    _described("/ports", "port"),
    _described_too("/ports", "port"),
    _by_fingerprint("/ports", "port", "network_id", "name"),
    _no_room("/ports", "port"),
    _described("/networks", "network"),
    _described_too("/networks", "network"),
    _by_fingerprint("/networks", "network"),
    _no_room("/networks", "network"),
    _described("/subnets", "subnet"),
    Recipe(
        path=r"/subnets",
        body="subnet",
        given=("network_id", "cidr"),
        look=Look(path="{base}/subnets", list="subnets", query={"network_id": "{network_id}"}, born="created_at"),
        match=_is_subnet,
    ),
    _described_too("/subnets", "subnet"),
    _by_fingerprint("/subnets", "subnet", match=_is_like_the_subnet),
    _no_room("/subnets", "subnet"),
    _described("/subnetpools", "subnetpool"),
    _described_too("/subnetpools", "subnetpool"),
    _by_fingerprint("/subnetpools", "subnetpool"),
    _no_room("/subnetpools", "subnetpool"),
    _described("/routers", "router"),
    _described_too("/routers", "router"),
    _by_fingerprint("/routers", "router"),
    _no_room("/routers", "router"),
    _described("/security-groups", "security_group"),
    _described_too("/security-groups", "security_group"),
    _by_fingerprint("/security-groups", "security_group"),
    _no_room("/security-groups", "security_group"),
    Recipe(  # a rule cannot be changed by a PUT, so a marker in its description would stay
        path=r"/security-group-rules",
        body="security_group_rule",
        bulk="security_group_rules",
        look=Look(
            path="{base}/security-group-rules",
            list="security_group_rules",
            query={"security_group_id": _of_its_group},
            born="created_at",
        ),
        match=_is_rule,
    ),
    _described("/floatingips", "floatingip"),
    Recipe(
        path=r"/floatingips",
        body="floatingip",
        given=("floating_network_id", "port_id"),
        look=Look(path="{base}/floatingips", list="floatingips", query={"port_id": "{port_id}"}, born="created_at"),
        same=("floating_network_id", "port_id", "fixed_ip_address", "description"),
    ),
    _described_too("/floatingips", "floatingip"),
    _by_fingerprint("/floatingips", "floatingip", "floating_network_id"),
    _no_room("/floatingips", "floatingip"),
    Recipe(
        **_FORWARDING,
        extension="floating-ip-port-forwarding-description",
        carrier=Description(),
        look=Look(path="{path}", list="port_forwardings"),
    ),
    Recipe(**_FORWARDING, look=Look(path="{path}", list="port_forwardings"), match=_as_sent),
    _described("/trunks", "trunk"),
    Recipe(
        path=r"/trunks",
        body="trunk",
        given=("port_id",),
        look=Look(path="{base}/trunks", list="trunks", query={"port_id": "{port_id}"}, born="created_at"),
        same=("port_id", "name", "description"),
    ),
    _described("/address-groups", "address_group", tags=""),
    _described_too("/address-groups", "address_group", tags=""),
    _by_fingerprint("/address-groups", "address_group"),
    _no_room("/address-groups", "address_group"),
    Recipe(  # a marker in the description could not be removed again, and neutron accepts a second address scope
        path=r"/address-scopes",
        body="address_scope",
        given=("name",),
        match=fingerprint("name"),
        look=Look(
            path="{base}/address-scopes",
            list="address_scopes",
            query={"name": "{name}"},
            holds={"project_id": "{project}"},
            baseline="id",
        ),
    ),
    Recipe(path=r"/address-scopes", body=None, refused="without a name it cannot be distinguished from others"),
    Recipe(
        path=r"/metering/metering-label(s|-rules)",
        body=None,
        refused="neutron has no field here from which a marker could be removed again, and accepts a second one",
    ),
    Recipe(
        path=r"/rbac-policies",
        body="rbac_policy",
        given=("object_id",),
        look=Look(path="{base}/rbac-policies", list="rbac_policies", query={"object_id": "{object_id}"}),
        same=("object_type", "object_id", "action", "target_tenant"),
    ),
    _described("/qos/policies", "policy", collection="policies", tags="/policies"),
    _described_too("/qos/policies", "policy", collection="policies", tags="/policies"),
    _by_fingerprint("/qos/policies", "policy", collection="policies"),
    _no_room("/qos/policies", "policy", collection="policies"),
    *(
        Recipe(
            path=rf"/qos/policies/[^/]+/{kind}_rules",
            body=f"{kind}_rule",
            look=Look(path="{path}", list=f"{kind}_rules"),
            match=_as_sent,
        )
        for kind in _QOS_RULES
    ),
    _described("/segments", "segment", tags=""),
    _described_too("/segments", "segment", tags=""),
    _by_fingerprint("/segments", "segment", "network_id", "name"),
    _no_room("/segments", "segment"),
    # -- requests that change existing resources
    Recipe(path=r"/[^/]+/[^/]+/tags", body=None, key="tags", harmless=True),
    Recipe(
        verb="PUT",
        path=r"/routers/(?P<router>[^/]+)/add_router_interface",
        body=None,
        look=Look(
            path="{base}/ports",
            list="ports",
            query={"device_id": "{router}"},
            holds={"device_id": "{router}"},
        ),
        match=_has_subnet,
        view=_interface,
        status=200,
    ),
    Recipe(  # the response names the port that was removed, so the port is looked up before the request is sent
        verb="PUT",
        path=r"/routers/(?P<router>[^/]+)/remove_router_interface",
        body=None,
        look=Look(
            path="{base}/ports",
            list="ports",
            query={"device_id": "{router}"},
            holds={"device_id": "{router}"},
            baseline="id",
            gone=True,
        ),
        match=_has_subnet,
        view=_interface_before,
        status=200,
    ),
    Recipe(
        verb="PUT",
        path=r"/routers/[^/]+/(add|remove)_external_gateways",
        body=None,
        refused="no look-up of a change of a router's gateways has been tested yet",
    ),
    _trunk_change("add_subports", there=True),
    _trunk_change("remove_subports", there=False),
    _address_change("add_addresses", there=True),
    _address_change("remove_addresses", there=False),
    _route_change("add_extraroutes", there=True),
    _route_change("remove_extraroutes", there=False),
    *BINDINGS,
)
