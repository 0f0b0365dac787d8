"""placement; the facts are in docs/design/creates.md#placement.

All other writes that `openstack` and nova send to placement are PUTs and DELETEs.  They are repeated, and
os_retries.session.second_answers reads the answer to the repeat.
"""

from __future__ import annotations

from typing import Any

from os_retries.creates.markers import ClientId, Item
from os_retries.creates.recipe import Look, Recipe, no_body


def _location(_answer: Item, found: list[Item]) -> dict[str, str]:
    links = [link["href"] for link in found[0].get("links", []) if link.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


_PROVIDER: dict[str, Any] = {
    "path": r"/resource_providers",
    "body": None,
    "given": ("name",),
    "carrier": ClientId("uuid"),
    "look": Look(path="{base}/resource_providers/{uuid}"),
    "same": ("uuid", "name", "parent_provider_uuid"),
    "headers": _location,
    "member": "{path}/{uuid}",
}

RECIPES = (
    Recipe(  # a resource class has only a name
        path=r"/resource_classes",
        body=None,
        given=("name",),
        look=Look(path="{base}/resource_classes/{name}"),
        same=("name",),
        view=no_body,
        headers=_location,
        member="{path}/{name}",
    ),
    Recipe(**_PROVIDER, since=(1, 20), status=200),
    Recipe(**_PROVIDER, view=no_body),
    # This POST replaces the allocations of several consumers, as a PUT does for one consumer.  From 1.28 on a second
    # POST is refused, because each consumer has a generation; os_retries.session.second_answers reads that answer.
    Recipe(path=r"/allocations", body=None, harmless=True),
)
