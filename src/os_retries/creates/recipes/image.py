"""glance; the facts are in docs/design/creates.md#image."""

from __future__ import annotations

from typing import Any

from os_retries.creates.markers import ClientId, Item
from os_retries.creates.recipe import Look, Recipe


def _location(_image: Item, found: list[Item]) -> dict[str, str]:
    return {"Location": str(found[0]["self"])} if "self" in found[0] else {}


_IMAGE: dict[str, Any] = {"path": r"/images", "body": None, "headers": _location}


def _is_member(found: Item, sent: Item) -> bool:
    return bool(found.get("member_id") == sent.get("member"))


RECIPES = (
    Recipe(**_IMAGE, not_given=("id",), carrier=ClientId(), look=Look(path="{base}/images/{id}")),
    Recipe(  # the age tells whether an image with this id existed before
        **_IMAGE,
        given=("id",),
        look=Look(path="{base}/images/{id}", born="created_at"),
        same=("id", "name", "disk_format", "container_format"),
    ),
    Recipe(
        path=r"/images/[^/]+/members",
        body=None,
        given=("member",),
        look=Look(path="{path}/{member}", born="created_at"),
        match=_is_member,
        status=200,
        member="{path}/{member_id}",
    ),
    Recipe(
        path=r"/images/[^/]+/import",
        body=None,
        refused="an import that has begun cannot be distinguished from one that failed to begin",
    ),
    Recipe(path=r"/images/[^/]+/locations", body=None, refused="glance adds the location a second time"),
    Recipe(
        path=r"/tasks", body=None, refused="a task of glance has no field for a marker, and glance accepts a second one"
    ),
    Recipe(
        path=r"/metadefs/namespaces",
        body=None,
        given=("namespace",),
        look=Look(path="{path}/{namespace}", born="created_at"),
        same=("namespace", "display_name", "description", "visibility"),
        member="{path}/{namespace}",
    ),
)
