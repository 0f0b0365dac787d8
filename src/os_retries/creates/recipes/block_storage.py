"""cinder; the facts are in docs/design/creates.md#block-storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from os_retries.creates.markers import Item, Metadata
from os_retries.creates.recipe import Look, Recipe, members, no_body

if TYPE_CHECKING:
    from collections.abc import Callable


def _volume(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a GET shows more."""
    return {name: value for name, value in found[0].items() if not name.startswith("os-vol-")}


def _backup(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a list shows more."""
    return {name: found[0][name] for name in ("id", "name", "volume_id", "links") if name in found[0]}


def _snapshot(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a list shows more."""
    return {name: value for name, value in found[0].items() if not name.startswith("os-extended-snapshot-attributes:")}


# -- what has a name of its own ----------------------------------------------------------------------------------------


def _is_type(public: str, specs: str) -> Callable[[Item, Item], bool]:
    """Make a comparison of types: names are unique, and all that was asked for is compared.

    :param public: what a request calls ``is_public``
    :param specs: what the type has of its own
    """

    def match(found: Item, sent: Item) -> bool:
        return (
            found.get("name") == str(sent.get("name")).strip()
            and found.get("description") == sent.get("description")
            and found.get("is_public") is sent.get(public, True)
            and found.get(specs) == (sent.get(specs) or {})
        )

    return match


def _encryption(sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: with what was asked for."""
    return sent[0] | {name: found[0].get(name) for name in ("volume_type_id", "encryption_id")}


def _type(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a list shows more."""
    return {name: value for name, value in found[0].items() if name != "qos_specs_id"}


def _is_qos(found: Item, sent: Item) -> bool:
    """Compare the name, which is unique, and all that was asked for."""
    specs = {name: value for name, value in sent.items() if name not in ("name", "consumer")}
    return (
        found.get("name") == str(sent.get("name")).strip()
        and found.get("consumer") == sent.get("consumer", "back-end")
        and found.get("specs") == specs
    )


# -- actions -----------------------------------------------------------------------------------------------------------

_ACTION = r"/volumes/(?P<volume>[^/]+)/action"


def _is_extended(found: Item, sent: Item) -> bool | None:
    """Compare the size.  While a volume is being extended, cinder does not show the new size: None."""
    if str(found.get("size")) == str(sent["os-extend"].get("new_size")):
        return True
    return None if found.get("status") == "extending" else False


def _is_retyped(found: Item, sent: Item) -> bool | None:
    """Compare the type, asked for by name or id.  Until it is changed, cinder does not show the new one: None."""
    wanted = str(sent["os-retype"].get("new_type"))
    if wanted in (found.get("volume_type"), found.get("volume_type_id")):
        return True
    # Its id is shown from 3.63 on.
    named = "volume_type_id" in found or not re.fullmatch(r"[0-9a-f-]{36}", wanted)
    return False if named and found.get("status") != "retyping" else None


def _is_deleted(found: Item, _sent: Item) -> bool:
    return found.get("status") == "deleting"


def _access(action: str, *, there: bool) -> Recipe:
    """Make the recipe of a project's access to a volume type."""
    return Recipe(
        path=r"/types/(?P<type>[^/]+)/action",
        body=None,
        key=action,
        look=Look(path="{base}/types/{type}/os-volume-type-access"),
        match=members(
            lambda found: {each.get("project_id") for each in found.get("volume_type_access") or []},
            lambda sent: {sent[action].get("project")},
            there=there,
        ),
        status=202,
        view=no_body,
    )


def _is_detaching(found: Item, _sent: Item) -> bool | None:
    """Compare the state: only the first of two is accepted.  A volume that is free again may have gone through it."""
    return {"detaching": True, "in-use": False}.get(str(found.get("status")))


# -- attachments, which nova asks for ----------------------------------------------------------------------------------


def _is_attachment(found: Item, sent: Item) -> bool | None:
    """Compare the volume and the server.  With a connector it is complete when the volume's host has answered: None."""
    if (found.get("volume_id"), found.get("instance")) != (sent.get("volume_uuid"), sent.get("instance_uuid")):
        return False
    return None if sent.get("connector") and found.get("status") == "reserved" else True


_SETS = (
    "os-roll_detaching",
    "os-set_bootable",
    "os-update_readonly_flag",
    "os-reset_status",
    "os-set_image_metadata",
    "os-show_image_metadata",
)

_ALIKE = "two of them cannot be told apart, and the request has no room for a marker"

RECIPES = (
    Recipe(
        path=r"/volumes",
        body="volume",
        carrier=Metadata(),
        # At 3.0 a filter that the operator has switched off is ignored.  From 3.31 it is an error (T1).
        look=Look(
            path="{base}/volumes/detail",
            list="volumes",
            query={"metadata": "{{'os-retries': '{marker}'}}"},
            microversion="3.0",
            then="{base}/volumes/{id}",  # at 3.0 the list lacks what later microversions show
        ),
        view=_volume,
        status=202,
    ),
    Recipe(
        path=r"/snapshots",
        body="snapshot",
        carrier=Metadata(),
        # There is a filter on metadata from 3.22 only.  One volume has few snapshots.
        look=Look(path="{base}/snapshots/detail", list="snapshots", query={"volume_id": "{volume_id}"}),
        status=202,
        view=_snapshot,
    ),
    Recipe(
        path=r"/backups",
        body="backup",
        since=(3, 43),
        carrier=Metadata(),
        look=Look(path="{base}/backups/detail", list="backups", query={"volume_id": "{volume_id}"}),
        status=202,
        view=_backup,
    ),
    Recipe(path=r"/backups", body="backup", refused="a backup has metadata from 3.43 on"),
    Recipe(path=r"/backups/[^/]+/restore", body="restore", refused="each makes a volume of its own"),
    Recipe(
        path=r"/types",
        body="volume_type",
        match=_is_type("os-volume-type-access:is_public", "extra_specs"),
        look=Look(path="{base}/types", list="volume_types", query={"is_public": "None"}),
        status=200,
        view=_type,
    ),
    Recipe(
        path=r"/qos-specs",
        body="qos_specs",
        match=_is_qos,
        look=Look(path="{base}/qos-specs", list="qos_specs"),
        status=200,
    ),
    Recipe(path=r"/types/[^/]+/extra_specs", body="extra_specs", harmless=True),
    _access("addProjectAccess", there=True),
    _access("removeProjectAccess", there=False),
    Recipe(  # a type has one
        path=r"/types/[^/]+/encryption",
        body="encryption",
        look=Look(path="{path}", born="created_at"),
        same=("provider", "control_location", "cipher", "key_size"),
        status=200,
        view=_encryption,
    ),
    Recipe(
        path=r"/group_types",
        body="group_type",
        match=_is_type("is_public", "group_specs"),
        look=Look(path="{base}/group_types", list="group_types", query={"is_public": "None"}),
        status=202,
    ),
    Recipe(path=r"/group_types/[^/]+/group_specs", body="group_specs", harmless=True),
    Recipe(path=r"/(volumes|snapshots)/[^/]+/metadata", body="metadata", harmless=True),
    *(
        Recipe(
            path=_ACTION,
            body=None,
            key=action,
            match=match,
            look=Look(path="{base}/volumes/{volume}", one="volume"),
            status=202,
            view=no_body,
        )
        for action, match in (
            ("os-extend", _is_extended),
            ("os-retype", _is_retyped),
            ("os-begin_detaching", _is_detaching),
        )
    ),
    *(
        Recipe(
            path=rf"/{member}s/(?P<{member}>[^/]+)/action",
            body=None,
            key="os-force_delete",
            match=_is_deleted,
            look=Look(path=f"{{base}}/{member}s/{{{member}}}", one=member, gone=True),
            status=202,
            view=no_body,
        )
        for member in ("volume", "snapshot")
    ),
    *(Recipe(path=_ACTION, body=None, key=action, harmless=True) for action in _SETS),
    Recipe(path=r"/snapshots/[^/]+/action", body=None, key="os-reset_status", harmless=True),
    Recipe(
        path=r"/snapshots/[^/]+/action", body=None, refused="the snapshot does not show whether this one has been done"
    ),
    Recipe(path=r"/backups/[^/]+/action", body=None, refused="no look-up of an action of a backup has been tried yet"),
    Recipe(path=_ACTION, body=None, key="os-volume_upload_image", refused="each makes an image of its own"),
    Recipe(path=_ACTION, body=None, refused="the volume does not show whether this one has been done"),
    Recipe(
        path=r"/(os-volume-transfer|volume-transfers)",
        body="transfer",
        refused="the key of a transfer is told only once",
    ),
    Recipe(  # cinder takes two of one volume at one server
        path=r"/attachments",
        body="attachment",
        match=_is_attachment,
        look=Look(
            path="{base}/attachments/detail",
            list="attachments",
            # An operator's request may be for another project's server.  cinder ignores the parameter for others.
            query={"volume_id": "{volume_uuid}", "all_tenants": "1"},
            baseline="id",
            microversion="3.27",
        ),
        status=200,
    ),
    Recipe(path=r"/attachments/[^/]+/action", body=None, key="os-complete", harmless=True),  # it sets two states
    Recipe(path=r"/groups", body="group", refused=_ALIKE),
    Recipe(path=r"/groups/action", body="create-from-src", refused=_ALIKE),
    Recipe(path=r"/group_snapshots", body="group_snapshot", refused=_ALIKE),
)
