"""blazar; the facts are in docs/design/creates.md#reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Look, Recipe

if TYPE_CHECKING:
    from os_retries.creates.markers import Item


def _is_host(found: Item, sent: Item) -> bool:
    """Compare the name of the hypervisor, which blazar takes once."""
    return found.get("hypervisor_hostname") == sent.get("name")


def _is_lease(found: Item, sent: Item) -> bool | None:
    """Compare the name and the dates; None for one of that name whose reservations are others."""
    days = [str(each.get(name)).replace("T", " ")[:16] for each in (found, sent) for name in ("start_date", "end_date")]
    if found.get("name") != sent.get("name") or days[:2] != days[2:]:
        return False
    shown, wanted = (
        sorted(str(one.get("resource_type")) for one in each.get("reservations") or []) for each in (found, sent)
    )
    return True if shown == wanted else None


RECIPES = (
    Recipe(
        path=r"/os-hosts",
        body=None,
        given=("name",),
        match=_is_host,
        look=Look(path="{path}", list="hosts", born="created_at"),
        wrapped=False,
        view=lambda _sent, found: {"host": found[0]},
    ),
    Recipe(
        path=r"/leases",
        body=None,
        given=("name",),
        match=_is_lease,
        look=Look(path="{path}", list="leases", holds={"user_id": "{user}"}, baseline="id"),  # blazar takes two
        wrapped=False,
        view=lambda _sent, found: {"lease": found[0]},
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to blazar has been tested yet"),
)
