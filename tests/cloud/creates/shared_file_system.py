"""manila."""

from __future__ import annotations

import ipaddress
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .kinds import RUN, Clients, Kind

NEWEST, OLDER = "2.98", "2.60"


@dataclass(frozen=True)
class Share:
    """A share, and the clients that see its state without faults."""

    clients: Clients
    id: str

    def alone(self) -> str:
        """Wait until it is available and has no replica; return its id."""
        self.clients.until(lambda: state(self.clients, self.id) == "available" and len(replicas(self)) == 1)
        return self.id


def get(clients: Clients, path: str) -> Any:
    """Ask with the header that manila reads, which is not the one of the other services."""
    headers = {"X-OpenStack-Manila-API-Version": NEWEST}
    return clients.session.get(path, endpoint_filter={"service_type": "shared-file-system"}, headers=headers).json()


def remove(clients: Clients, path: str) -> None:
    """Delete it when its state admits that, and wait until it is gone."""
    headers = {"X-OpenStack-Manila-API-Version": NEWEST}
    asked: dict[str, Any] = {
        "endpoint_filter": {"service_type": "shared-file-system"},
        "headers": headers,
        "raise_exc": False,
    }
    for _ in range(400):
        if clients.session.delete(path, **asked).status_code == 404:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} cannot be deleted")


def state(clients: Clients, share: str) -> str:
    return str(get(clients, f"/shares/{share}")["share"]["status"])


def replicas(share: Share) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(share.clients, f"/share-replicas/detail?share_id={share.id}")["share_replicas"]
    return found


def a_share(clients: Clients) -> Share:
    made = clients.manila(NEWEST).shares.create("NFS", 1, name=f"{RUN}-{uuid.uuid4().hex[:6]}")
    clients.until(lambda: state(clients, made.id) == "available")
    return Share(clients, made.id)


def a_group(clients: Clients) -> str:
    made: str = clients.manila(NEWEST).share_groups.create(name=f"{RUN}-{uuid.uuid4().hex[:6]}").id
    clients.until(lambda: get(clients, f"/share-groups/{made}")["share_group"]["status"] == "available")
    return made


def a_network(clients: Clients) -> str:
    made: str = clients.manila(NEWEST).share_networks.create(name=f"{RUN}-{uuid.uuid4().hex[:6]}").id
    return made


def a_type(clients: Clients) -> str:
    types = get(clients, "/types?is_public=all")["share_types"]
    return next(str(each["id"]) for each in types if each["name"] == "default")


def address(name: str) -> str:
    """Return an address that is made from the name."""
    return str(ipaddress.ip_address(0x0A000000 + int.from_bytes(name.encode()[-3:])))


def is_going(item: dict[str, Any]) -> bool:
    return item.get("status") == "deleting" or item.get("state") in ("queued_to_deny", "denying")


def listed(path: str, by: str = "name") -> Callable[[Clients, Any, str], list[dict[str, Any]]]:
    """List what has the name and is not being deleted."""
    member = path.partition("?")[0].strip("/").removesuffix("/detail").replace("-", "_")
    member = {"types": "share_types"}.get(member, member)
    return lambda clients, _setting, name: [
        each for each in get(clients, path)[member] if each[by] == name and not is_going(each)
    ]


def removal(path: str) -> Callable[[Clients, Any, str], None]:
    return lambda clients, _setting, made: remove(clients, f"{path}/{made}")


def kind(path: str, **more: Any) -> dict[str, Any]:
    """Return what the kinds of manila have in common."""
    return {
        "service": "shared-file-system",
        "path": path,
        "listed": listed(f"{path}/detail"),
        "delete": removal(path),
    } | more


def rules(clients: Clients, share: Share, name: str) -> list[dict[str, Any]]:
    found = get(clients, f"/share-access-rules?share_id={share.id}")["access_list"]
    return [each for each in found if each["access_to"] == address(name) and not is_going(each)]


def deny(clients: Clients, share: Share, rule: str) -> None:
    clients.manila(NEWEST).shares.deny(share.id, rule)


def subnets(clients: Clients, network: str, name: str) -> list[dict[str, Any]]:
    found = get(clients, f"/share-networks/{network}/subnets")["share_network_subnets"]
    return [each for each in found if (each["metadata"] or {}).get("of") == name]


def of_the_share(_clients: Clients, share: Share, _name: str) -> list[dict[str, Any]]:
    return [each for each in replicas(share) if each["replica_state"] != "active" and not is_going(each)]


def locks(clients: Clients, share: Share, name: str) -> list[dict[str, Any]]:
    found = get(clients, f"/resource-locks?resource_id={share.id}")["resource_locks"]
    return [each for each in found if each["lock_reason"] == name]


REPLICA: dict[str, Any] = kind(
    "/share-replicas",
    setting=a_share,
    listed=of_the_share,
    shown=lambda made, _name: made.status == "creating" or bool(made.replica_state),
)

KINDS = {
    "manila-share": Kind(
        **kind("/shares"),
        create=lambda clients, _setting, name: clients.manila(NEWEST).shares.create("NFS", 1, name=name),
    ),
    "manila-share-older": Kind(
        **kind("/shares"),
        create=lambda clients, _setting, name: clients.manila("2.0").shares.create("NFS", 1, name=name),
        shown=lambda made, name: (made.name, made.export_locations) == (name, []),
    ),
    "sdk-share": Kind(
        **kind("/shares"),
        create=lambda clients, _setting, name: clients.sdk.shared_file_system.create_share(
            share_protocol="NFS", size=1, name=name
        ),
    ),
    "manila-snapshot": Kind(
        **kind("/snapshots"),
        setting=a_share,
        create=lambda clients, share, name: clients.manila(NEWEST).share_snapshots.create(share.id, name=name),
    ),
    "manila-access": Kind(
        **kind("/shares/[^/]+/action", listed=rules, delete=deny),
        setting=a_share,
        create=lambda clients, share, name: clients.manila(NEWEST).shares.allow(share.id, "ip", address(name), "ro"),
        ids=lambda made: [made["id"]],
        shown=lambda made, name: (
            (made["access_to"], made["access_level"]) == (address(name), "ro") and made["share_id"]
        ),
    ),
    "manila-share-network": Kind(
        **kind("/share-networks"),
        create=lambda clients, _setting, name: clients.manila(NEWEST).share_networks.create(name=name),
    ),
    "manila-share-network-subnet": Kind(
        **kind(
            "/share-networks/[^/]+/subnets",
            listed=subnets,
            delete=lambda clients, network, made: remove(clients, f"/share-networks/{network}/subnets/{made}"),
        ),
        setting=a_network,
        create=lambda clients, network, name: clients.manila(NEWEST).share_network_subnets.create(
            share_network_id=network, availability_zone="nova", metadata={"of": name}
        ),
        shown=lambda made, name: made.metadata["of"] == name,
    ),
    "manila-security-service": Kind(
        **kind("/security-services"),
        create=lambda clients, _setting, name: clients.manila(NEWEST).security_services.create("ldap", name=name),
        shown=lambda made, name: made.name == name and "share_networks" not in made.to_dict(),
    ),
    "manila-share-group": Kind(
        **kind("/share-groups"),
        create=lambda clients, _setting, name: clients.manila(NEWEST).share_groups.create(name=name),
    ),
    "manila-share-group-snapshot": Kind(
        **kind("/share-group-snapshots"),
        setting=a_group,
        create=lambda clients, group, name: clients.manila(NEWEST).share_group_snapshots.create(group, name=name),
    ),
    "manila-replica": Kind(
        **REPLICA,
        create=lambda clients, share, _name: clients.manila(NEWEST).share_replicas.create(share.alone()),
    ),
    "manila-replica-older": Kind(
        **REPLICA,
        create=lambda clients, share, _name: clients.manila(OLDER).share_replicas.create(share.alone()),
        baseline=True,
    ),
    "manila-lock": Kind(
        **kind("/resource-locks", listed=locks),
        setting=a_share,
        create=lambda clients, share, name: clients.manila(NEWEST).resource_locks.create(
            share.id, "share", lock_reason=name
        ),
        shown=lambda made, name: made.lock_reason == name,
        baseline=True,
    ),
    "manila-type": Kind(
        **kind("/types", listed=listed("/types?is_public=all")),
        account="admin",
        create=lambda clients, _setting, name: clients.manila(NEWEST).share_types.create(
            name, spec_driver_handles_share_servers=False, is_public=False, extra_specs={"snapshot_support": True}
        ),
        shown=lambda made, name: made.name == name and made.get_keys()["driver_handles_share_servers"] == "False",
    ),
    "manila-share-group-type": Kind(
        **kind("/share-group-types", listed=listed("/share-group-types?is_public=all")),
        account="admin",
        setting=a_type,
        create=lambda clients, its_type, name: clients.manila(NEWEST).share_group_types.create(
            name, [its_type], is_public=True, group_specs={"consistent_snapshot_support": "host"}
        ),
    ),
    "manila-qos-type": Kind(
        **kind("/qos-types", listed=listed("/qos-types")),
        account="admin",
        create=lambda clients, _setting, name: clients.manila(NEWEST).qos_types.create(name, specs={"iops": "7"}),
    ),
}
