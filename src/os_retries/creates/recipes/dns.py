"""designate; the facts are in docs/design/creates.md#dns.

What it makes has a natural key, and a second one is refused.  Who has made a resource is told by its age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Look, Recipe, equal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Value


def _location(answer: Item, _found: list[Item]) -> dict[str, str]:
    return {"Location": answer["links"]["self"]}


def _of(name: str) -> Value:
    """Make a query's value: a field of the request, if it was sent."""
    return lambda item, _markers: None if item.get(name) is None else str(item[name])


def _natural(*key: str) -> Callable[[Item, Item], bool | None]:
    """Return a comparison of a natural key, and of all else that was asked for.

    It returns None for a resource with the same key that differs in anything else, because designate may write a value
    in another way.
    """

    def match(found: Item, sent: Item) -> bool | None:
        if any(str(found.get(name)).lower() != str(sent.get(name)).lower() for name in key):
            return False
        return True if all(_same(found.get(name), value) for name, value in sent.items() if name not in key) else None

    return match


def _same(found: object, sent: object) -> bool:
    """Compare two values.  The order of records does not matter, and a null value asks for the default."""
    if isinstance(found, list) and isinstance(sent, list):
        return sorted(map(str, found)) == sorted(map(str, sent))
    return sent is None or equal(found, sent)


def _keyed(
    path: str,
    *key: str,
    at: str = "{path}",
    query: Mapping[str, Value] | None = None,
    holds: Mapping[str, str] | None = None,
    collection: str | None = None,
    status: int = 201,
) -> Recipe:
    """Make the recipe of a resource with a natural key."""
    return Recipe(
        path=path,
        body=None,
        match=_natural(*key),
        look=Look(
            path=at,
            list=collection or path.rpartition("/")[2],
            query={name: _of(name) for name in key} if query is None else query,
            holds=holds or {},
            born="created_at",
        ),
        status=status,
        headers=_location,
    )


RECIPES = (
    _keyed("/zones", "name", status=202),
    _keyed(r"/zones/[^/]+/recordsets", "name", "type", status=202),
    # A zone has one request, and a request is accepted once.
    _keyed(
        r"/zones/(?P<zone>[^/]+)/tasks/transfer_requests",
        at="{base}/zones/tasks/transfer_requests",
        query={},
        holds={"zone_id": "{zone}"},
    ),
    Recipe(
        path=r"/zones/tasks/transfer_accepts",
        body=None,
        look=Look(path="{path}", list="transfer_accepts", born="created_at"),
        same=("zone_transfer_request_id",),
        headers=_location,
    ),
    # With a filter for the project that gets it, the list is denied.
    _keyed(r"/zones/[^/]+/shares", "target_project_id", query={}, collection="shared_zones"),
    _keyed("/tlds", "name"),
    _keyed("/blacklists", "pattern"),
    _keyed("/tsigkeys", "name"),
    Recipe(path=r"/zones/[^/]+/tasks/xfr", body=None, harmless=True),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to designate has been tried yet"),
)
