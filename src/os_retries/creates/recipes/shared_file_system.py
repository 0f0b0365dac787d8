"""manila; the facts are in docs/design/creates.md#shared-file-systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.markers import Description, Item, Metadata
from os_retries.creates.recipe import Look, Recipe, equal, fingerprint, members, no_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from os_retries.creates.recipe import Microversion, Value


# -- what has a description --------------------------------------------------------------------------------------------


def _described(
    collection: str, member: str, *, query: Mapping[str, Value] | None = None, status: int = 202, **more: Any
) -> Recipe:
    """Make the recipe of a resource that takes a marker as its description."""
    return Recipe(
        path=f"/{collection}",
        body=member,
        carrier=Description(),
        look=Look(path=f"{{base}}/{collection}/detail", list=collection.replace("-", "_"), query=query or {}),
        status=status,
        **more,
    )


def _no_room(collection: str, member: str) -> Recipe:
    return Recipe(path=f"/{collection}", body=member, refused="its description is the caller's own")


def _service(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create of a security service does: a list shows more."""
    return {name: value for name, value in found[0].items() if name != "share_networks"}


# -- rules of access ---------------------------------------------------------------------------------------------------


def _is_rule(found: Item, sent: Item) -> bool | None:
    """Compare who gets access, which is unique for a share.  A locked rule does not show it: None."""
    if found.get("access_to") == "******":
        return None
    same = all(equal(found.get(name), sent.get(name)) for name in ("access_type", "access_to"))
    return same and found.get("access_level", "rw") == (sent.get("access_level") or "rw")


_GOING = frozenset({"queued_to_deny", "denying"})


def _is_denied(found: Item, _sent: Item) -> bool:
    return found.get("state") in _GOING


def _is_denied_here(found: Item, sent: Item) -> bool:
    """Whether a snapshot's rules have this one no longer, or not for long."""
    rules = found.get("snapshot_access_list")
    return isinstance(rules, list) and all(
        each.get("state") in _GOING for each in rules if each.get("id") == sent.get("access_id")
    )


def _as(member: str) -> Callable[[list[Item], list[Item]], Item]:
    """Answer with the resource in a member of another name than the request's."""
    return lambda _sent, found: {member: found[0]}


# -- replicas ----------------------------------------------------------------------------------------------------------


def _is_replica(found: Item, sent: Item) -> bool | None:
    """Compare the share and the availability zone.  Until manila has chosen a host, it may show no zone: None."""
    if found.get("share_id") != sent.get("share_id"):
        return False
    wanted, zone = sent.get("availability_zone"), found.get("availability_zone")
    return True if wanted in (None, "", zone) else None if zone is None else False


def _is_promoted(found: Item, _sent: Item) -> bool:
    return found.get("replica_state") == "active" or found.get("status") == "replication_change"


# -- types -------------------------------------------------------------------------------------------------------------

_PUBLIC = "share_type_access:is_public", "os-share-type-access:is_public"  # the second one until 2.6


def _is_type(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique, and all that was asked for; None if only the name is the same."""
    if found.get("name") != str(sent.get("name")).strip():
        return False
    shown, wanted = found.get("extra_specs") or {}, sent.get("extra_specs") or {}
    same = all(equal(shown.get(name), value) for name, value in wanted.items())
    public = all(found.get(name) is sent[name] for name in _PUBLIC if name in sent)
    return True if same and public and equal(found.get("description"), sent.get("description")) else None


def _is_group_type(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique, and all that was asked for; None if only the name is the same."""
    if found.get("name") != sent.get("name"):
        return False
    same = all(
        (
            found.get("is_public") is sent.get("is_public", True),
            found.get("group_specs") == (sent.get("group_specs") or {}),
            set(found.get("share_types") or []) == set(sent.get("share_types") or []),
        )
    )
    return True if same else None


def _type(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create of a type does: with an older name, too."""
    return {"share_type": found[0], "volume_type": found[0]}


def _access(path: str, look: str, member: str, action: str, *, there: bool, since: Microversion) -> Recipe:
    """Make the recipe of a project's access to a type."""
    return Recipe(
        path=rf"{path}/(?P<type>[^/]+)/action",
        body=None,
        key=action,
        since=since,
        look=Look(path=look),
        match=members(
            lambda found: {each.get("project_id") for each in found.get(member) or []},
            lambda sent: {sent[action].get("project")},
            there=there,
        ),
        status=202,
        view=no_body,
    )


# -- actions -----------------------------------------------------------------------------------------------------------


def _has_size(action: str, on_the_way: str) -> Callable[[Item, Item], bool | None]:
    """Make a comparison of the size.  While it changes, manila does not show the new one: None."""

    def match(found: Item, sent: Item) -> bool | None:
        if str(found.get("size")) == str(sent[action].get("new_size")):
            return True
        return None if found.get("status") == on_the_way else False

    return match


def _is_soft_deleted(found: Item, _sent: Item) -> bool:
    return found.get("is_soft_deleted") is True


def _is_going(found: Item, _sent: Item) -> bool:
    return found.get("status") == "deleting"


def _action(member: str, action: str, match: Callable[[Item, Item], bool | None], **more: Any) -> Recipe:
    """Make the recipe of an action that the state of its resource shows."""
    name = member.removeprefix("share_")
    gone = bool(more.pop("gone", False))
    answer: dict[str, Any] = {"status": 202, "view": no_body} | more
    collection = member.replace("_", "-") + "s"
    return Recipe(
        path=rf"/{collection}/(?P<{name}>[^/]+)/action",
        body=None,
        key=action,
        match=match,
        look=Look(path=f"{{base}}/{collection}/{{{name}}}", one=member, gone=gone),
        **answer,
    )


_NETWORK = r"/share-networks/(?P<network>[^/]+)"


def _security(action: str, *, there: bool) -> Recipe:
    """Make the recipe of a change of a share network's security services."""
    return Recipe(
        path=rf"{_NETWORK}/action",
        body=None,
        key=action,
        look=Look(path="{base}/share-networks/{network}", also="{base}/security-services?share_network_id={network}"),
        match=members(
            lambda found: {each.get("id") for each in found.get("security_services") or []},
            lambda sent: {sent[action].get("security_service_id")},
            there=there,
        ),
        status=200,
        view=lambda _sent, found: {"share_network": found[0]["share_network"]},
    )


def _subnet(member: str) -> Recipe:
    """Make the recipe of a share network's subnet, which clients ask for by one of two names."""
    return Recipe(
        path=rf"{_NETWORK}/subnets",
        body=member,
        since=(2, 78),
        carrier=Metadata(),
        look=Look(path="{path}", list="share_network_subnets"),
        status=200,
        wrapped=False,
        view=_as("share_network_subnet"),
    )


_SHARE = r"/shares/(?P<share>[^/]+)"
_SNAPSHOT = r"/snapshots/(?P<snapshot>[^/]+)"
_OF_TYPE: dict[str, str] = {
    "path": "/types",
    "look": "{base}/types/{type}/share_type_access",
    "member": "share_type_access",
}
_OF_GROUP_TYPE: dict[str, str] = {
    "path": "/share-group-types",
    "look": "{base}/share-group-types/{type}/access",
    "member": "share_group_type_access",
}

RECIPES = (
    Recipe(
        path=r"/shares",
        body="share",
        carrier=Metadata(),
        look=Look(path="{base}/shares/detail", list="shares", query={"metadata": "{{'os-retries': '{marker}'}}"}),
        status=200,
    ),
    Recipe(
        path=r"/snapshots",
        body="snapshot",
        since=(2, 73),
        carrier=Metadata(),
        look=Look(path="{base}/snapshots/detail", list="snapshots", query={"share_id": "{share_id}"}),
        status=202,
    ),
    Recipe(path=r"/snapshots", body="snapshot", refused="a snapshot of a share has metadata from 2.73 on"),
    Recipe(
        path=rf"{_SHARE}/action",
        body="allow_access",
        since=(2, 45),
        match=_is_rule,
        look=Look(
            path="{base}/share-access-rules",
            list="access_list",
            query={"share_id": "{share}"},
            born="created_at",
            then="{base}/share-access-rules/{id}",
            one="access",
        ),
        status=200,
        wrapped=False,
        view=_as("access"),
    ),
    Recipe(
        path=rf"{_SHARE}/action",
        body="deny_access",
        since=(2, 45),
        match=_is_denied,
        look=Look(path="{base}/share-access-rules/{access_id}", one="access", gone=True),
        status=202,
        view=no_body,
    ),
    *(
        Recipe(path=rf"{_SHARE}/action", body=f"{old}{action}_access", refused="rules can be listed from 2.45 on")
        for action in ("allow", "deny")
        for old in ("", "os-")
    ),
    Recipe(
        path=rf"{_SNAPSHOT}/action",
        body="allow_access",
        match=_is_rule,
        look=Look(path="{base}/snapshots/{snapshot}/access-list", list="snapshot_access_list"),
        status=202,
        wrapped=False,
        view=_as("snapshot_access"),
    ),
    Recipe(
        path=rf"{_SNAPSHOT}/action",
        body="deny_access",
        match=_is_denied_here,
        look=Look(path="{base}/snapshots/{snapshot}/access-list"),
        status=202,
        view=no_body,
    ),
    _described("share-networks", "share_network", query={"description": "{description}"}, status=200),
    _no_room("share-networks", "share_network"),
    _subnet("share-network-subnet"),
    _subnet("share_network_subnet"),
    Recipe(path=rf"{_NETWORK}/subnets", body=None, refused="such a subnet has metadata from 2.78 on"),
    _security("add_security_service", there=True),
    _security("remove_security_service", there=False),
    _described("security-services", "security_service", query={"type": "{type}"}, status=200, view=_service),
    _no_room("security-services", "security_service"),
    _described("share-groups", "share_group", query={"description": "{description}"}),
    _no_room("share-groups", "share_group"),
    _described("share-group-snapshots", "share_group_snapshot"),
    _no_room("share-group-snapshots", "share_group_snapshot"),
    Recipe(
        path=r"/share-replicas",
        body="share_replica",
        since=(2, 95),
        carrier=Metadata(),
        look=Look(path="{base}/share-replicas/detail", list="share_replicas", query={"share_id": "{share_id}"}),
        status=202,
    ),
    Recipe(
        path=r"/share-replicas",
        body="share_replica",
        match=_is_replica,
        look=Look(
            path="{base}/share-replicas/detail",
            list="share_replicas",
            query={"share_id": "{share_id}"},
            baseline="id",
        ),
        status=202,
    ),
    Recipe(
        path=r"/resource-locks",
        body="resource_lock",
        match=fingerprint("resource_id", "resource_action"),
        look=Look(
            path="{base}/resource-locks",
            list="resource_locks",
            query={"resource_id": "{resource_id}"},
            holds={"user_id": "{user}"},
            baseline="id",
        ),
        status=200,
    ),
    Recipe(
        path=r"/types",
        body="share_type",
        match=_is_type,
        look=Look(path="{base}/types", list="share_types", query={"is_public": "all"}),
        status=200,
        wrapped=False,
        view=_type,
    ),
    Recipe(
        path=r"/share-group-types",
        body="share_group_type",
        match=_is_group_type,
        look=Look(path="{base}/share-group-types", list="share_group_types", query={"is_public": "all"}),
        status=200,
    ),
    Recipe(
        path=r"/qos-types",
        body="qos_type",
        match=fingerprint("name"),
        look=Look(path="{base}/qos-types", list="qos_types", born="created_at"),
        status=200,
    ),
    Recipe(path=r"/types/[^/]+/extra_specs", body="extra_specs", harmless=True),
    Recipe(path=r"/share-group-types/[^/]+/group-specs", body="group_specs", harmless=True),
    *(
        _access(**which, action=f"{verb}ProjectAccess", there=verb == "add", since=(2, 7))
        for which in (_OF_TYPE, _OF_GROUP_TYPE)
        for verb in ("add", "remove")
    ),
    Recipe(path=r"/(shares|snapshots|share-replicas)/[^/]+/metadata", body="metadata", harmless=True),
    Recipe(path=r"/share-networks/[^/]+/subnets/[^/]+/metadata", body="metadata", harmless=True),
    _action("share", "extend", _has_size("extend", "extending")),
    _action("share", "shrink", _has_size("shrink", "shrinking")),
    _action("share", "soft_delete", _is_soft_deleted),
    _action("share", "force_delete", _is_going, gone=True),
    _action("snapshot", "force_delete", _is_going, gone=True),
    _action("share_replica", "force_delete", _is_going, gone=True),
    _action("share_replica", "promote", _is_promoted, wrapped=False, view=_as("share_replica")),
    *(
        Recipe(path=r"/[^/]+/[^/]+/action", body=None, key=key, harmless=True)
        for key in ("reset_status", "reset_task_state", "reset_replica_state", "resync")
    ),
    Recipe(path=r"/shares/[^/]+/action", body=None, key="restore", harmless=True),
    Recipe(path=r"/[^/]+/[^/]+/action", body=None, refused="the resource does not show whether this one has been done"),
    Recipe(path=r"/share-transfers", body="transfer", refused="the key of a transfer is told only once"),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to manila has been tested yet"),
)
