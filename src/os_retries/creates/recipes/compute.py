"""nova; the facts are in docs/design/creates.md#compute."""

from __future__ import annotations

import re
from typing import Any

from os_retries.creates.markers import KEY, Attribute, ClientId, Item, Metadata, Tag
from os_retries.creates.recipe import Blind, Look, Recipe, fingerprint, members, no_body, password
from os_retries.creates.recipes.server_actions import ACTION, ACTIONS, location

# A request may have hints for the scheduler next to the server, under either of these names.
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
    """Return the fields of nova's response: fewer than a GET shows, and the password; of several servers, the first."""
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


def _begins_like(server: Item, _markers: list[str]) -> str | None:
    """Return the name up to its first special character, because nova takes the filter as a regular expression."""
    plain = re.match(r"[A-Za-z0-9_-]*", str(server.get("name", "")))
    return f"^{plain[0]}" if plain and plain[0] else None


def _keypair(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a GET shows more."""
    shown = "name", "type", "public_key", "fingerprint", "user_id"
    return {name: found[0][name] for name in shown if name in found[0]}


class _FlavorId(ClientId):
    """The id of a flavor.  If the caller has chosen the id, all fields are compared, because a flavor shows no age."""

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the id, or all fields."""
        proof = super().shows(found, sent, marker)
        if proof is not None:
            return proof
        return all(_amount(found.get(name)) == _amount(value) for name, value in sent.items())


def _amount(value: Any) -> object:
    """Return an amount in a comparable form: nova shows 0, 1.0, "" (no swap) or None, and clients send text."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return str(value).strip()


def _aggregate(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a list shows more."""
    return {name: value for name, value in found[0].items() if name not in ("hosts", "metadata")}


def _server_group(microversion: str | None, **more: Any) -> Recipe:
    """Return the recipe of a server group, which is found as a new group of the same user with equal fields.

    Server groups have no unique name and no age.  They show their user and project from 2.13 on.
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
    """Return the fields of nova's response below 2.13."""
    return {name: value for name, value in found[0].items() if name not in ("project_id", "user_id")}


# -- what is attached to a server --------------------------------------------------------------------------------------


def _is_attached(found: Item, sent: Item) -> bool:
    """Compare the volume, and how it is attached as far as this microversion shows that."""
    shown = [name for name in ("tag", "delete_on_termination") if name in sent and name in found]
    return found.get("volumeId") == sent.get("volumeId") and all(found[name] == sent[name] for name in shown)


def _attachment(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; from 2.89 on a list shows more, but no id."""
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
        # The request may wait for half an hour between nova's services.  If it arrives after its repeat, it is refused
        # (docs/design/creates.md#compute).
        **more,
    )


def _plugging(**more: Any) -> Recipe:
    """Return the recipe of an interface for which nova makes the port.

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
    """Return the fields of nova's response below 2.70."""
    return {name: value for name, value in found[0].items() if name != "tag"}


# -- actions of other resources, and images of servers -----------------------------------------------------------------

_AGGREGATE = r"/os-aggregates/(?P<aggregate>[^/]+)/action"


class _Snapshot(Metadata):
    """The marker in the metadata of a snapshot, which become properties of its image."""

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for our property."""
        return bool(found.get(KEY) == marker)


def _image_id(_sent: list[Item], found: list[Item]) -> Item:
    return {"image_id": found[0]["id"]}


def _image_location(_answer: Item, found: list[Item]) -> dict[str, str]:
    """Return the ``Location`` header with glance's address of the image; clients read its last part."""
    return {"Location": str(found[0].get("self", f"/v2/images/{found[0]['id']}"))}


_SNAPSHOT: dict[str, Any] = {
    "path": ACTION,
    "body": "createImage",
    "carrier": _Snapshot(),
    "look": Look(path="/images", list="images", query={KEY: "{marker}"}, service="image", version="2"),
    "status": 202,
    "wrapped": False,
}


def _access(action: str, *, there: bool) -> Recipe:
    """Return the recipe of a project's access to a flavor."""
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
    """Return the recipe of adding a host to an aggregate, or of removing it."""
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


_SERVER: dict[str, Any] = {
    "path": r"/servers",
    "body": "server",
    "beside": _HINTS,
    "chosen": {"adminPass": password},
    "count": _count,
    "status": 202,
    "view": _created,
    "headers": location,
}

RECIPES = (
    Recipe(
        path=r"/servers",
        body="server",
        beside=_HINTS,
        given=("return_reservation_id",),
        refused="a reservation id is returned only once",
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
        # Ordinary users have no filter on metadata.
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
        refused="the private key is returned only once",
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
        refused="every repeat makes another port, and only from 2.49 on is there a tag for a marker",
    ),
    Recipe(path=r"/servers/[^/]+/metadata", body="metadata", harmless=True),
    Recipe(path=r"/servers/[^/]+/remote-consoles", body="remote_console", harmless=True),
    Recipe(**_SNAPSHOT, since=(2, 45), view=_image_id),
    Recipe(**_SNAPSHOT, view=no_body, headers=_image_location),
    *ACTIONS,
    # External events of neutron and cinder: each reports a state, which nova then reads or sets.
    Recipe(path=r"/os-server-external-events", body=None, key="events", harmless=True),
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
