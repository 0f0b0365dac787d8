"""masakari; the facts are in docs/design/creates.md#instance-high-availability."""

from __future__ import annotations

from os_retries.creates.recipe import Look, Recipe, same_name

RECIPES = (
    Recipe(
        path=r"/segments",
        body="segment",
        match=same_name,
        look=Look(path="{path}", list="segments", born="created_at"),
    ),
    Recipe(
        path=r"/segments/[^/]+/hosts",
        body="host",
        match=same_name,
        look=Look(path="{path}", list="hosts", born="created_at"),
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to masakari has been tested yet"),
)
