"""neutron: CREATES.md §1.3."""

from __future__ import annotations

from os_retries.creates.recipes import Description, Item, Look, Recipe, Tag


def _any_tag(_item: Item, markers: list[str]) -> str:
    return ",".join(markers)


def _each(_item: Item, markers: list[str]) -> list[str]:
    return markers


def _described(collection: str, member: str) -> Recipe:
    """Where only the description can carry a marker."""
    path = f"/{collection}"
    return Recipe(
        path=path,
        body=member,
        bulk=collection.replace("-", "_"),
        carrier=Description(),
        look=Look(path="{base}" + path, list=collection.replace("-", "_"), query={"description": _each}),
    )


ROWS = (
    Recipe(
        path=r"/ports",
        body="port",
        bulk="ports",
        extension="tag-ports-during-bulk-creation",  # without it neutron takes the tags and throws them away (T3)
        carrier=Tag(),
        look=Look(path="{base}/ports", list="ports", query={"tags-any": _any_tag}),
    ),
    _described("ports", "port"),
    _described("security-groups", "security_group"),
)
