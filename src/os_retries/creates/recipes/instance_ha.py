"""masakari; the facts are in docs/design/creates.md#instance-high-availability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Look, Recipe, equal

if TYPE_CHECKING:
    from os_retries.creates.markers import Item


def _is_named(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique, and all that was asked for; None if only the name is equal."""
    if found.get("name") != sent.get("name"):
        return False
    return True if all(equal(found.get(name), value) for name, value in sent.items()) else None


RECIPES = (
    Recipe(
        path=r"/segments",
        body="segment",
        match=_is_named,
        look=Look(path="{path}", list="segments", born="created_at"),
    ),
    Recipe(
        path=r"/segments/[^/]+/hosts",
        body="host",
        match=_is_named,
        look=Look(path="{path}", list="hosts", born="created_at"),
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to masakari has been tested yet"),
)
