"""cinder."""

from __future__ import annotations

import uuid
from typing import Any

from .kinds import RUN, Clients, Kind, listing, removal


def a_volume(clients: Clients) -> str:
    volume = clients.cinder.volumes.create(1, name=f"{RUN}-disk").id
    clients.until(lambda: is_free(clients, volume))
    return volume


def shown(clients: Clients, volume: str) -> dict[str, Any]:
    found: dict[str, Any] = clients.get("block-storage", f"/volumes/{volume}")["volume"]
    return found


def is_free(clients: Clients, volume: str) -> bool:
    return bool(shown(clients, volume)["status"] == "available")


def extend(clients: Clients, volume: dict[str, Any], _name: str) -> int:
    """Extend it by one: what there is to be found is the size."""
    clients.cinder.volumes.extend(volume["id"], volume["size"] + 1)
    return volume["size"] + 1


def extended(clients: Clients, volume: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    clients.until(lambda: is_free(clients, volume["id"]))
    size = shown(clients, volume["id"])["size"]
    return [{"size": size}] if size > volume["size"] else []


def from_there(_clients: Clients, volume: dict[str, Any], made: int) -> None:
    """A volume never shrinks: the next one begins where this one has ended."""
    volume["size"] = made


def group_types(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    """List them with the client, for they are there from 3.11 on."""
    return [{"id": each.id} for each in clients.cinder.group_types.list(is_public=None) if each.name == name]


def server_of(name: str) -> str:
    """Name a server.  cinder does not ask nova about it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def attachments(clients: Clients, volume: str, name: str) -> list[dict[str, Any]]:
    there = clients.cinder.attachments.list(detailed=True, search_opts={"volume_id": volume})
    return [each.to_dict() for each in there if each.instance == server_of(name)]


def complete(clients: Clients, attachment: str) -> None:
    """Say that a volume is attached, as nova does."""
    clients.session.post(
        f"/attachments/{attachment}/action",
        json={"os-complete": None},
        endpoint_filter={"service_type": "block-storage"},
        headers={"OpenStack-API-Version": "volume 3.44"},
    )


def a_volume_in_use(clients: Clients) -> str:
    volume = a_volume(clients)
    complete(clients, clients.cinder.attachments.create(volume, None, server_of(volume))["id"])
    return volume


def begin_detaching(clients: Clients, volume: str, _name: str) -> str:
    clients.cinder.volumes.begin_detaching(volume)
    return volume


KINDS = {
    "cinder-volume": Kind(
        service="block-storage",
        path="/volumes",
        create=lambda clients, _setting, name: clients.cinder.volumes.create(1, name=name, metadata={"mine": "1"}),
        listed=listing("block-storage", "/volumes/detail", "volumes"),
        delete=removal("block-storage", "/volumes"),
        shown=lambda made, name: made.name == name and made.size == 1 and made.metadata["mine"] == "1",
    ),
    "cinder-snapshot": Kind(
        service="block-storage",
        path="/snapshots",
        setting=a_volume,
        create=lambda clients, volume, name: clients.cinder.volume_snapshots.create(volume, name=name),
        listed=listing("block-storage", "/snapshots/detail", "snapshots"),
        delete=removal("block-storage", "/snapshots"),
        shown=lambda made, name: made.name == name and bool(made.volume_id),
    ),
    "cinder-type": Kind(
        service="block-storage",
        path="/types",
        create=lambda clients, _setting, name: clients.cinder.volume_types.create(name, description="ours"),
        listed=listing("block-storage", "/types", "volume_types"),
        delete=removal("block-storage", "/types"),
        account="admin",
    ),
    "cinder-qos-specs": Kind(
        service="block-storage",
        path="/qos-specs",
        create=lambda clients, _setting, name: clients.cinder.qos_specs.create(name, {"consumer": "both", "x": "1"}),
        listed=listing("block-storage", "/qos-specs", "qos_specs"),
        delete=removal("block-storage", "/qos-specs"),
        shown=lambda made, name: made.name == name and made.specs == {"x": "1"},
        account="admin",
    ),
    "cinder-group-type": Kind(
        service="block-storage",
        path="/group_types",
        create=lambda clients, _setting, name: clients.cinder.group_types.create(name, "for tests", is_public=False),
        listed=group_types,
        delete=lambda clients, _setting, made: clients.cinder.group_types.delete(made),
        shown=lambda made, name: (made.name, made.description, made.is_public) == (name, "for tests", False),
        account="admin",
    ),
    "cinder-extend": Kind(
        service="block-storage",
        path="/action",
        setting=lambda clients: shown(clients, a_volume(clients)),
        create=extend,
        ids=lambda made: [made],
        id_of=lambda item: item["size"],
        listed=extended,
        delete=from_there,
        shown=lambda _made, _name: True,
        later=True,
    ),
    "cinder-attachment": Kind(
        service="block-storage",
        path="/attachments",
        setting=a_volume,
        create=lambda clients, volume, name: clients.cinder.attachments.create(volume, None, server_of(name)),
        ids=lambda made: [made["id"]],
        listed=attachments,
        delete=lambda clients, _volume, made: clients.cinder.attachments.delete(made),
        shown=lambda made, name: (made["instance"], made["status"]) == (server_of(name), "reserved"),
        baseline=True,
    ),
    "cinder-begin-detaching": Kind(
        service="block-storage",
        path="/action",
        setting=a_volume_in_use,
        create=begin_detaching,
        ids=lambda made: [made],
        listed=lambda clients, volume, _name: [
            each for each in [shown(clients, volume)] if each["status"] == "detaching"
        ],
        delete=lambda clients, volume, _made: clients.cinder.volumes.roll_detaching(volume),
        shown=lambda _made, _name: True,
    ),
}

#: There is no backup service in the sandbox: what is made is there at once, in error, and nobody can delete it.
BACKUP = Kind(
    service="block-storage",
    path="/backups",
    setting=a_volume,
    create=lambda clients, volume, name: clients.cinder.backups.create(volume, name=name),
    listed=listing("block-storage", "/backups/detail", "backups"),
    delete=lambda _clients, _volume, _made: None,
    shown=lambda made, name: made.name == name and bool(made.volume_id),
)
