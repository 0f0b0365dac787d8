"""The kinds of resources that carry the marker of an operation: how they are listed, and how the marker is removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A request that removes a marker: the verb, the template of the path, and the body.
Off = tuple[str, str, Any]

BY_ID = "its id is the marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of resource.

    ``name``
        The name of the kind in the output.
    ``path``
        The path of the list, below the endpoint.  ``{parent}`` is the id of a resource that has such a list.
    ``parents``
        The path of the list of those resources, and the member of its answer; None if there is one list for all.
    ``list``
        The member of the answer that holds the list.
    ``off``
        By the field that holds the marker: the request that removes it, or the reason why that is impossible.  In the
        path of the request, ``{path}`` is the path of the list.
    ``query``, ``microversion``
        The query and the microversion of the request for the list.
    """

    service: str
    name: str
    path: str
    list: str
    off: Mapping[str, Off | str]
    query: Mapping[str, str] = field(default_factory=dict)
    microversion: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, str] | None = None


def _neutron(path: str, name: str, tags: str | None = None) -> Kind:
    member = name.replace(" ", "_")
    return Kind(
        service="network",
        name=name,
        path=path,
        list="policies" if member == "qos_policy" else path.strip("/").replace("-", "_"),
        off={
            "tags": ("DELETE", f"{tags or path}/{{id}}/tags/{{marker}}", None),
            "description": ("PUT", f"{path}/{{id}}", {member.removeprefix("qos_"): {"description": "{rest}"}}),
        },
    )


def _keystone(path: str, name: str, *, changes: bool = True) -> Kind:
    off: Off | str = ("PATCH", f"{path}/{{id}}", {name: {"os_retries": None}})
    return Kind(
        service="identity",
        name=name,
        path=path,
        list=path.rpartition("/")[2],
        off={"os_retries": off if changes else "keystone does not change a trust"},
    )


def _cinder(kind: str, off: Off, microversion: str | None = None) -> Kind:
    return Kind(
        service="block-storage",
        name=kind,
        path=f"/{kind}s/detail",
        list=f"{kind}s",
        off={"metadata": off},
        microversion=microversion,
    )


def _octavia(collection: str, member: str, *, of: str = "") -> Kind:
    return Kind(
        service="load-balancer",
        name={"loadbalancer": "load balancer", "healthmonitor": "health monitor"}.get(member, member),
        path=f"/lbaas/{of}/{{parent}}/{collection}" if of else f"/lbaas/{collection}",
        list=collection,
        off={"tags": ("PUT", "{path}/{id}", {member: {"tags": "{rest}"}})},
        parents=(f"/lbaas/{of}", of) if of else None,
    )


def _barbican(collection: str, name: str, held: str = "name") -> Kind:
    why = "barbican does not change the name of a resource"
    return Kind(service="key-manager", name=name, path=f"/{collection}", list=collection, off={held: why})


def _ironic(collection: str, name: str, microversion: str | None = None) -> Kind:
    return Kind(
        service="baremetal",
        name=name,
        path=f"/{collection}",
        list=collection.rpartition("/")[2],
        off={"uuid": BY_ID},
        microversion=microversion,
    )


_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}

KINDS = (
    Kind(
        service="compute",
        name="server",
        path="/servers/detail",
        list="servers",
        microversion="2.52",
        off={
            "tags": ("DELETE", "/servers/{id}/tags/{marker}", None),
            "metadata": ("DELETE", "/servers/{id}/metadata/os-retries", None),
        },
    ),
    Kind(
        service="compute",
        name="flavor",
        path="/flavors/detail",
        list="flavors",
        query={"is_public": "None"},
        off={"id": BY_ID},
    ),
    _cinder("volume", ("DELETE", "/volumes/{id}/metadata/os-retries", None)),
    _cinder("snapshot", ("DELETE", "/snapshots/{id}/metadata/os-retries", None)),
    _cinder("backup", ("PUT", "/backups/{id}", {"backup": {"metadata": "{rest}"}}), "3.43"),
    _neutron("/networks", "network"),
    _neutron("/subnets", "subnet"),
    _neutron("/subnetpools", "subnetpool"),
    _neutron("/ports", "port"),
    _neutron("/routers", "router"),
    _neutron("/security-groups", "security group"),
    _neutron("/floatingips", "floatingip"),
    _neutron("/trunks", "trunk"),
    _neutron("/qos/policies", "qos policy", "/policies"),
    Kind(
        service="image",
        name="image",
        path="/images",
        list="images",
        off={
            "id": BY_ID,
            "os-retries": ("PATCH", "/images/{id}", [{"op": "remove", "path": "/os-retries"}]),
        },
        headers=_PATCH,
    ),
    Kind(
        service="orchestration",
        name="stack",
        path="/stacks",
        list="stacks",
        off={"tags": "heat changes the tags of a stack only when it updates the stack"},
    ),
    _keystone("/users", "user"),
    _keystone("/groups", "group"),
    _keystone("/projects", "project"),
    _keystone("/roles", "role"),
    _keystone("/domains", "domain"),
    _keystone("/services", "service"),
    _keystone("/endpoints", "endpoint"),
    _keystone("/policies", "policy"),
    _keystone("/credentials", "credential"),
    _keystone("/regions", "region"),
    _keystone("/OS-TRUST/trusts", "trust", changes=False),
    Kind(
        service="placement",
        name="resource provider",
        path="/resource_providers",
        list="resource_providers",
        off={"uuid": BY_ID},
    ),
    _octavia("loadbalancers", "loadbalancer"),
    _octavia("listeners", "listener"),
    _octavia("pools", "pool"),
    _octavia("members", "member", of="pools"),
    _octavia("healthmonitors", "healthmonitor"),
    _octavia("l7policies", "l7policy"),
    _octavia("rules", "rule", of="l7policies"),
    _barbican("secrets", "secret"),
    _barbican("orders", "order", "meta"),
    _barbican("containers", "container"),
    _ironic("nodes", "node"),
    _ironic("ports", "port"),
    _ironic("portgroups", "port group", "1.23"),
    _ironic("allocations", "allocation", "1.52"),
    _ironic("deploy_templates", "deploy template", "1.55"),
    _ironic("chassis", "chassis"),
    _ironic("volume/connectors", "volume connector", "1.32"),
    _ironic("volume/targets", "volume target", "1.32"),
)
