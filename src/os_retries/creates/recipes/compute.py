"""nova; the facts are in docs/design/creates.md#compute."""

from __future__ import annotations

import re
from typing import Any

from os_retries.creates.markers import KEY, Attribute, ClientId, Item, Metadata, Tag
from os_retries.creates.recipe import Blind, Look, Recipe, fingerprint, members, no_body, password

# Schedulers' hints stand beside the server, under either name.
_HINTS = frozenset({"os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"})

# Nova silently leaves out a cell that is down when a list is filtered; an unfiltered list shows it from 2.69 (T4).
_DOWN_CELL = Blind(
    path="{base}/servers",
    list="servers",
    microversion="2.69",
    where=lambda server, _sent: server.get("status") == "UNKNOWN",
    words="a cell of the compute service is down",
)


def _count(server: Item) -> tuple[int, int]:
    low = _number(server.get("min_count"), 1)
    return low, _number(server.get("max_count"), low)


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else default


def _created(sent: list[Item], found: list[Item]) -> Item:
    """Answer as nova's create does: much less than a GET, and the password.  Of several, nova names the first."""
    server, first = sent[0], _first(sent, found)
    answer = {
        "id": first["id"],
        "links": first.get("links", []),
        "OS-DCF:diskConfig": first.get("OS-DCF:diskConfig", "MANUAL"),
        "security_groups": server.get("security_groups") or [{"name": "default"}],
    }
    return answer | {"adminPass": server["adminPass"]}


def _first(sent: list[Item], found: list[Item]) -> Item:
    wanted = f"{sent[0].get('name')}-1"
    return next((each for each in found if each.get("name") == wanted), found[0])


def _location(server: Item, _found: list[Item]) -> dict[str, str]:
    links = [link["href"] for link in server["links"] if link.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


def _begins_like(server: Item, _markers: list[str]) -> str | None:
    """Ask for the beginning of the name that is no regular expression in any database, for nova takes it as one."""
    plain = re.match(r"[A-Za-z0-9_-]*", str(server.get("name", "")))
    return f"^{plain[0]}" if plain and plain[0] else None


def _keypair(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a GET shows more."""
    shown = "name", "type", "public_key", "fingerprint", "user_id"
    return {name: found[0][name] for name in shown if name in found[0]}


class _FlavorId(ClientId):
    """The id of a flavor.  With an id of the caller's own all fields are compared, for a flavor shows no age."""

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the id, or all fields."""
        proof = super().shows(found, sent, marker)
        if proof is not None:
            return proof
        return all(_amount(found.get(name)) == _amount(value) for name, value in sent.items())


def _amount(value: Any) -> object:
    """Read what nova shows as 0, 1.0, an empty text (no swap) or None, and clients send as texts."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return str(value).strip()


def _aggregate(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a list shows more."""
    return {name: value for name, value in found[0].items() if name not in ("hosts", "metadata")}


def _server_group(microversion: str | None, **more: Any) -> Recipe:
    """Recipe of a server group: one more than before, by the same user, and equal in all that was asked for.

    Groups have no unique name and no age.  They show their user and project from 2.13 on.
    """
    return Recipe(
        path=r"/os-server-groups",
        body="server_group",
        match=fingerprint("name"),
        look=Look(
            path="{base}/os-server-groups",
            list="server_groups",
            holds={"project_id": "{project}", "user_id": "{user}"},
            baseline="id",
            microversion=microversion,
        ),
        status=200,
        **more,
    )


def _without_owner(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as nova does below 2.13."""
    return {name: value for name, value in found[0].items() if name not in ("project_id", "user_id")}


# -- what is attached to a server --------------------------------------------------------------------------------------


def _is_attached(found: Item, sent: Item) -> bool:
    """Whether this is the volume, and attached as it was asked for, as far as this microversion shows."""
    shown = [name for name in ("tag", "delete_on_termination") if name in sent and name in found]
    return found.get("volumeId") == sent.get("volumeId") and all(found[name] == sent[name] for name in shown)


def _attachment(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a list shows more from 2.89 on, and no id."""
    shown = {
        name: found[0][name] for name in ("serverId", "volumeId", "tag", "delete_on_termination") if name in found[0]
    }
    return shown | {"id": found[0]["volumeId"], "device": found[0].get("device")}


def _attaching(microversion: str | None, **more: Any) -> Recipe:
    return Recipe(
        path=r"/servers/(?P<server>[^/]+)/os-volume_attachments",
        body="volumeAttachment",
        match=_is_attached,
        look=Look(
            path="{base}/servers/{server}/os-volume_attachments",
            list="volumeAttachments",
            microversion=microversion,
        ),
        # Between nova's services the request may wait for half an hour.  If it lands after its repeat, it is refused
        # (docs/design/creates.md#compute).
        **more,
    )


def _plugging(**more: Any) -> Recipe:
    """Recipe of an interface for which nova makes the port.

    The tag of the device carries the marker, and is shown at 2.70.
    """
    return Recipe(
        path=r"/servers/(?P<server>[^/]+)/os-interface",
        body="interfaceAttachment",
        not_given=("port_id",),
        carrier=Attribute("tag"),
        look=Look(path="{base}/servers/{server}/os-interface", list="interfaceAttachments", microversion="2.70"),
        status=200,
        member="{path}/{port_id}",
        **more,
    )


def _untagged(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as nova does below 2.70."""
    return {name: value for name, value in found[0].items() if name != "tag"}


# -- actions -----------------------------------------------------------------------------------------------------------

_ACTION = r"/servers/(?P<server>[^/]+)/action"
_AGGREGATE = r"/os-aggregates/(?P<aggregate>[^/]+)/action"


class _Snapshot(Metadata):
    """The metadata of a snapshot are properties of its image."""

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for our property."""
        return bool(found.get(KEY) == marker)


def _image_id(_sent: list[Item], found: list[Item]) -> Item:
    return {"image_id": found[0]["id"]}


def _image_location(_answer: Item, found: list[Item]) -> dict[str, str]:
    """Name the image as glance does itself; clients read the last part."""
    return {"Location": str(found[0].get("self", f"/v2/images/{found[0]['id']}"))}


_SNAPSHOT: dict[str, Any] = {
    "path": _ACTION,
    "body": "createImage",
    "carrier": _Snapshot(),
    "look": Look(path="/images", list="images", query={KEY: "{marker}"}, service="image", version="2"),
    "status": 202,
    "wrapped": False,
}


def _leads_to(action: str, states: str, tasks: str, *, gone: bool = False) -> Recipe:
    """Recipe of an action that brings a server to a state: it is there, or on its way."""
    wanted, ways = frozenset(states.split()), frozenset(tasks.split())

    def is_there(found: Item, _sent: Item) -> bool:
        task = found.get("OS-EXT-STS:task_state")
        return task in ways or (task is None and found.get("OS-EXT-STS:vm_state") in wanted)

    return Recipe(
        path=_ACTION,
        body=None,
        key=action,
        look=Look(path="{base}/servers/{server}", one="server", gone=gone),
        match=is_there,
        status=202,
        view=no_body,
    )


def _as_logged(_found: Item, _sent: Item) -> bool:
    return True


def _logged(action: str, name: str | None = None, **more: Any) -> Recipe:
    """Recipe of an action that nova's log of a server's actions shows: one more by the same user than before.

    :param name: what the log calls it
    """
    given: dict[str, Any] = {"body": None, "key": action, "view": no_body, "status": 202, "match": _as_logged}
    return Recipe(
        path=_ACTION,
        look=Look(
            path="{base}/servers/{server}/os-instance-actions",
            list="instanceActions",
            holds={"action": name or action, "user_id": "{user}"},
            baseline="request_id",
            **more.pop("look", {}),
        ),
        **given | more,
    )


def _rebuilt(sent: list[Item], found: list[Item]) -> Item:
    """Answer as nova does: the server, and the password."""
    return {"server": found[0] | {"adminPass": sent[0]["adminPass"]}}


def _rebuilt_location(_answer: Item, found: list[Item]) -> dict[str, str]:
    return _location(found[0], found)


def _rescued(sent: list[Item], _found: list[Item]) -> Item:
    return {"adminPass": sent[0]["adminPass"]}


def _is_on_shared_storage(_found: Item, sent: Item) -> bool | None:
    """Return True if the disk is shared.  If it is not, or nova reads the value as False, there was a password."""
    return True if str(sent["onSharedStorage"]).lower() in ("true", "1") else None


def _no_password(_sent: list[Item], _found: list[Item]) -> Item:
    return {"adminPass": None}


def _access(action: str, *, there: bool) -> Recipe:
    """Recipe of a project's access to a flavor."""
    return Recipe(
        path=r"/flavors/(?P<flavor>[^/]+)/action",
        body=None,
        key=action,
        look=Look(path="{base}/flavors/{flavor}/os-flavor-access"),
        match=members(
            lambda found: {each.get("tenant_id") for each in found.get("flavor_access") or []},
            lambda sent: {sent[action].get("tenant")},
            there=there,
        ),
        status=200,
    )


def _host(action: str, *, there: bool) -> Recipe:
    """Recipe of a host of an aggregate."""
    return Recipe(
        path=_AGGREGATE,
        body=None,
        key=action,
        look=Look(path="{base}/os-aggregates/{aggregate}", one="aggregate"),
        match=members(
            lambda found: set(found.get("hosts") or []), lambda sent: {sent[action].get("host")}, there=there
        ),
        status=200,
        view=lambda _sent, found: {"aggregate": found[0]},
    )


def _group(action: str, *, there: bool) -> Recipe:
    """Recipe of a security group of a server, which nova adds to or removes from one port after the other."""

    def is_done(found: Item, sent: Item) -> bool | None:
        name = sent[action].get("name")
        its = [each for each in found["security_groups"] if name in (each.get("id"), each.get("name"))]
        if not there:
            return not its
        if len({each.get("id") for each in its}) > 1:  # groups of several projects have this name
            return None
        return 0 < len(its) == len(found["interfaceAttachments"])  # nova lists the group once for each port

    return Recipe(
        path=_ACTION,
        body=None,
        key=action,
        look=Look(path="{base}/servers/{server}/os-security-groups", also="{base}/servers/{server}/os-interface"),
        match=is_done,
        status=202,
        view=no_body,
    )


def _harmless(action: str) -> Recipe:
    return Recipe(path=_ACTION, body=None, key=action, harmless=True)


def _refused(action: str, why: str) -> Recipe:
    return Recipe(path=_ACTION, body=None, key=action, refused=why)


_ACTIONS = (
    _leads_to("os-start", "active", "powering-on"),
    _leads_to("os-stop", "stopped", "powering-off"),
    _leads_to("pause", "paused", "pausing"),
    _leads_to("unpause", "active", "unpausing"),
    _leads_to("suspend", "suspended", "suspending"),
    _leads_to("resume", "active", "resuming"),
    _leads_to(
        "shelve",
        "shelved shelved_offloaded",
        "shelving shelving_image_pending_upload shelving_image_uploading shelving_offloading",
    ),
    _leads_to("shelveOffload", "shelved_offloaded", "shelving_offloading"),
    _leads_to("unshelve", "active", "unshelving spawning networking block_device_mapping"),
    _leads_to("forceDelete", "deleted", "deleting", gone=True),
    _group("addSecurityGroup", there=True),
    _group("removeSecurityGroup", there=False),
    *(
        _harmless(action)
        for action in (
            "lock",
            "unlock",
            "changePassword",
            "os-resetState",
            "os-getConsoleOutput",
            "os-getVNCConsole",
            "os-getSPICEConsole",
            "os-getRDPConsole",
            "os-getSerialConsole",
        )
    ),
    _logged("reboot"),
    _logged("resize"),
    _logged("confirmResize", status=204),
    _logged("revertResize"),
    _logged("migrate"),
    _logged("os-migrateLive", "live-migration", since=(2, 34)),
    # Below 2.34 nova answers when it has tried, so it may refuse what its log shows already (T17).
    _refused("os-migrateLive", "below 2.34 nova may log it and refuse it all the same"),
    _logged("unrescue"),
    _logged(
        "rebuild",
        body="rebuild",
        chosen={"adminPass": password},
        look={"then": "{base}/servers/{server}", "one": "server"},
        wrapped=False,
        view=_rebuilt,
        headers=_rebuilt_location,
    ),
    _logged(
        "rescue",
        body="rescue",
        optional=True,
        chosen={"adminPass": password},
        wrapped=False,
        status=200,
        view=_rescued,
    ),
    _logged("evacuate", since=(2, 14), status=200),
    _logged(  # nova sets no password on a disk that is there
        "evacuate",
        body="evacuate",
        given=("onSharedStorage",),
        match=_is_on_shared_storage,
        wrapped=False,
        status=200,
        view=_no_password,
    ),
    _logged("evacuate", body="evacuate", chosen={"adminPass": password}, wrapped=False, status=200, view=_rescued),
    _refused("createBackup", "a second one deletes one more of the older backups"),
    Recipe(path=_ACTION, body=None, refused="the server does not show whether this one has been done"),
)


_SERVER: dict[str, Any] = {
    "path": r"/servers",
    "body": "server",
    "beside": _HINTS,
    "chosen": {"adminPass": password},
    "count": _count,
    "status": 202,
    "view": _created,
    "headers": _location,
}

RECIPES = (
    Recipe(
        path=r"/servers",
        body="server",
        beside=_HINTS,
        given=("return_reservation_id",),
        refused="a reservation id is told only once",
    ),
    Recipe(
        **_SERVER,
        since=(2, 52),
        carrier=Tag(),
        look=Look(path="{base}/servers/detail", list="servers", query={"tags": "{marker}"}, blind=_DOWN_CELL),
    ),
    Recipe(
        **_SERVER,
        carrier=Metadata(),
        # There is no filter on metadata for members.
        look=Look(path="{base}/servers/detail", list="servers", query={"name": _begins_like}, blind=_DOWN_CELL),
    ),
    Recipe(
        path=r"/os-keypairs",
        body="keypair",
        given=("public_key",),
        not_given=("user_id",),
        look=Look(path="{base}/os-keypairs/{name}", one="keypair"),
        same=("public_key",),
        status=lambda microversion: 200 if microversion is None or microversion < (2, 2) else 201,
        view=_keypair,
        member="{path}/{name}",
    ),
    Recipe(
        path=r"/os-keypairs",
        body="keypair",
        not_given=("public_key",),
        refused="the private key is told only once",
    ),
    Recipe(
        path=r"/flavors",
        body="flavor",
        carrier=_FlavorId(none=(None, "", "auto")),
        look=Look(path="{base}/flavors/{id}", one="flavor"),
        status=200,
    ),
    Recipe(path=r"/flavors/[^/]+/os-extra_specs", body="extra_specs", harmless=True),
    _access("addTenantAccess", there=True),
    _access("removeTenantAccess", there=False),
    _attaching("2.88", since=(2, 101), status=202, view=no_body, lag=5.0),  # accepted, and listed when it is begun
    _attaching("2.88", since=(2, 89), status=200, view=_attachment),
    _attaching(None, status=200, view=_attachment),
    Recipe(
        path=r"/servers/(?P<server>[^/]+)/os-interface",
        body="interfaceAttachment",
        given=("port_id",),
        look=Look(path="{base}/servers/{server}/os-interface/{port_id}", one="interfaceAttachment"),
        same=("port_id",),
        status=200,
    ),
    _plugging(since=(2, 70)),
    _plugging(since=(2, 49), view=_untagged),
    Recipe(
        path=r"/servers/(?P<server>[^/]+)/os-interface",
        body="interfaceAttachment",
        not_given=("port_id",),
        refused="each makes a port of its own, and has room for a marker from 2.49 on, if the caller gave it no tag",
    ),
    Recipe(path=r"/servers/[^/]+/metadata", body="metadata", harmless=True),
    Recipe(path=r"/servers/[^/]+/remote-consoles", body="remote_console", harmless=True),
    Recipe(**_SNAPSHOT, since=(2, 45), view=_image_id),
    Recipe(**_SNAPSHOT, view=no_body, headers=_image_location),
    *_ACTIONS,
    _server_group(None, since=(2, 13)),
    _server_group("2.13", view=_without_owner),
    Recipe(
        path=r"/os-aggregates",
        body="aggregate",
        look=Look(path="{base}/os-aggregates", list="aggregates", born="created_at"),
        same=("name", "availability_zone"),
        status=200,
        view=_aggregate,
    ),
    _host("add_host", there=True),
    _host("remove_host", there=False),
    Recipe(path=_AGGREGATE, body=None, key="set_metadata", harmless=True),
)
