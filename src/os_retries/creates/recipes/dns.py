"""designate; the facts are in docs/design/creates.md#dns.

Every resource has a natural key, and designate refuses a second one with the same key.  The age of a resource shows
whether this request or an earlier one has made it.
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
    """Return a value for a query: a field of the request, if it was sent."""
    return lambda item, _markers: None if item.get(name) is None else str(item[name])


def _natural(*key: str) -> Callable[[Item, Item], bool | None]:
    """Return a comparison of a natural key and of all other fields of the request.

    The comparison returns None for a resource with the same key and any other difference, because designate may show a
    value in another form.
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
    """Return the recipe of a resource with a natural key."""
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
    # A zone has one transfer request, and a transfer request is accepted once.
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
    # designate denies the list if it is filtered by the project that gets the share.
    _keyed(r"/zones/[^/]+/shares", "target_project_id", query={}, collection="shared_zones"),
    _keyed("/tlds", "name"),
    _keyed("/blacklists", "pattern"),
    _keyed("/tsigkeys", "name"),
    Recipe(path=r"/zones/[^/]+/tasks/xfr", body=None, harmless=True),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to designate has been tested yet"),
)
