"""cinder; the facts are in docs/design/creates.md#block-storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from os_retries.creates.markers import Item, Metadata
from os_retries.creates.recipe import Look, Recipe, members, no_body

if TYPE_CHECKING:
    from collections.abc import Callable


def _volume(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a GET shows more."""
    return {name: value for name, value in found[0].items() if not name.startswith("os-vol-")}


def _backup(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a list shows more."""
    return {name: found[0][name] for name in ("id", "name", "volume_id", "links") if name in found[0]}


def _snapshot(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a list shows more."""
    return {name: value for name, value in found[0].items() if not name.startswith("os-extended-snapshot-attributes:")}


# -- resources with a unique name --------------------------------------------------------------------------------------


def _is_type(public: str, specs: str) -> Callable[[Item, Item], bool]:
    """Return a comparison of types by all fields of the request; their names are unique.

    :param public: the name of the field ``is_public`` in a request
    :param specs: the name of the field with the specs of the type
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
    """Return the fields of the create's response: those of the request."""
    return sent[0] | {name: found[0].get(name) for name in ("volume_type_id", "encryption_id")}


def _type(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a list shows more."""
    return {name: value for name, value in found[0].items() if name != "qos_specs_id"}


def _is_qos(found: Item, sent: Item) -> bool:
    """Compare the name, which is unique, and all other fields of the request."""
    specs = {name: value for name, value in sent.items() if name not in ("name", "consumer")}
    return (
        found.get("name") == str(sent.get("name")).strip()
        and found.get("consumer") == sent.get("consumer", "back-end")
        and found.get("specs") == specs
    )


# -- actions -----------------------------------------------------------------------------------------------------------

_ACTION = r"/volumes/(?P<volume>[^/]+)/action"


def _is_extended(found: Item, sent: Item) -> bool | None:
    """Compare the size; return None while the volume is being extended, because cinder still shows the old size."""
    if str(found.get("size")) == str(sent["os-extend"].get("new_size")):
        return True
    return None if found.get("status") == "extending" else False


def _is_retyped(found: Item, sent: Item) -> bool | None:
    """Compare the type by name or id; return None during the retype, because cinder still shows the old type."""
    wanted = str(sent["os-retype"].get("new_type"))
    if wanted in (found.get("volume_type"), found.get("volume_type_id")):
        return True
    # cinder shows the id of the type from 3.63 on.
    named = "volume_type_id" in found or not re.fullmatch(r"[0-9a-f-]{36}", wanted)
    return False if named and found.get("status") != "retyping" else None


def _is_deleted(found: Item, _sent: Item) -> bool:
    return found.get("status") == "deleting"


def _access(action: str, *, there: bool) -> Recipe:
    """Return the recipe of a project's access to a volume type."""
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
    """Compare the state; return None for a free volume, because its detachment may have begun and ended already."""
    return {"detaching": True, "in-use": False}.get(str(found.get("status")))


# -- attachments, which nova asks for ----------------------------------------------------------------------------------


def _is_attachment(found: Item, sent: Item) -> bool | None:
    """Compare the volume and the server; return None until an attachment with a connector is complete."""
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
        # At 3.0 cinder ignores a filter that the operator has switched off.  From 3.31 on it is an error (T1).
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
        # A filter on metadata exists only from 3.22 on.  A single volume has few snapshots.
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
    Recipe(path=r"/backups", body="backup", refused="a backup has no metadata below 3.43"),
    Recipe(path=r"/backups/[^/]+/restore", body="restore", refused="every repeat makes another volume"),
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
        path=r"/snapshots/[^/]+/action", body=None, refused="the snapshot does not show whether this action was done"
    ),
    Recipe(path=r"/backups/[^/]+/action", body=None, refused="no look-up of an action of a backup has been tested yet"),
    Recipe(path=_ACTION, body=None, key="os-volume_upload_image", refused="every repeat makes another image"),
    Recipe(path=_ACTION, body=None, refused="the volume does not show whether this action was done"),
    Recipe(
        path=r"/(os-volume-transfer|volume-transfers)",
        body="transfer",
        refused="the key of a transfer is returned only once",
    ),
    Recipe(  # cinder accepts a second attachment of the same volume to the same server
        path=r"/attachments",
        body="attachment",
        match=_is_attachment,
        look=Look(
            path="{base}/attachments/detail",
            list="attachments",
            # An operator's request may be for a server of another project.  For other users cinder ignores all_tenants.
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
