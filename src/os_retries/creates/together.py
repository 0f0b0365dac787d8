"""Two runs of one operation at the same time: both may have made the resource, and one of them must give way.

After its create has succeeded, each run looks once more.  If there are two resources, the one that was created first
should stay.  A run removes only the resource that it has just made itself.  So a run whose resource is the older one
waits for the other run to remove the younger one.  The other run may not do that: it may have looked too early to see
both, or it may have been killed.  Then, after a few seconds, this run removes its own resource.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from os_retries.core.deadlines import let_through
from os_retries.core.retries import pause
from os_retries.creates.durable import by_tag
from os_retries.creates.look_up import find_out
from os_retries.creates.markers import ClientId
from os_retries.operations.scope import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.create import Create
    from os_retries.creates.look_up import Limits, Tools
    from os_retries.creates.markers import Item
    from os_retries.creates.requests import Around

log = logging.getLogger("os_retries")

_CREATED = ("created_at", "created", "creation_time")
_WAITS = (0.5, 0.5, 1.0, 2.0, 4.0)  # seconds for the other run to remove its own resource
_UNTIL_REMOVABLE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # a volume cannot be deleted while it is being created


def can_be_two(create: Create) -> bool:
    """Return whether two runs may both have made the resource, so that one of them must look for the other's."""
    carrier = create.recipe.carrier
    return carrier is not None and not isinstance(carrier, ClientId) and create.high == 1 and not create.bulk


def all_made(create: Create, tools: Tools, **limits: Unpack[Limits]) -> list[Item]:
    """Return all resources with the marker of the create, the oldest first; in full if there is more than one."""
    brief = replace(create, recipe=replace(create.recipe, look=replace(create.look, then=None)))
    made = _with_marker(brief, tools, **limits)
    return made if len(made) < 2 or create.look.then is None else _with_marker(create, tools, **limits)


def _with_marker(create: Create, tools: Tools, **limits: Unpack[Limits]) -> list[Item]:
    tagged = by_tag(create)
    found: dict[object, Item] = {}
    for each in (create,) if tagged is None else (create, tagged):
        finding, _ = find_out(each, tools, settle=0.0, **limits)
        found |= {hit.get("id"): hit for hit in finding.hits}
    return sorted(found.values(), key=_age)


def _age(item: Item) -> tuple[str, str]:
    return next((str(item[name]) for name in _CREATED if item.get(name)), ""), str(item.get("id"))


def give_way(
    own: Item,
    create: Create,
    around: Around,
    *,
    look: Callable[[], list[Item]],
    sleep: Callable[[float], object] | None,
    who: str,
) -> Item | None:
    """Return the resource of another run that stays in place of our own, which is removed; None if ours stays.

    :param look: returns all resources with the marker
    :raises OperationError: if both runs have removed their own
    """
    made = look()
    for seconds in _WAITS:
        if not _others(made, own):
            return None
        if made[0].get("id") != own.get("id"):
            break
        pause(seconds, sleep)
        made = look()
    others = _others(made, own)
    if not others:
        return None
    if not _remove(create.member(own), around, sleep):
        log.warning("%s: two runs of the operation have made it, and %s cannot be removed", who, own.get("id"))
        return None
    log.warning(
        "%s: two runs of the operation have made it; %s is removed, and %s stays", who, own["id"], others[0]["id"]
    )
    others = _others(look(), own)
    if not others:
        raise OperationError(f"os-retries: {who}: two runs of the operation have removed each other's: run it again")
    return others[0]


def _others(made: list[Item], own: Item) -> list[Item]:
    return [each for each in made if each.get("id") != own.get("id")]


def _remove(path: str, around: Around, sleep: Callable[[float], object] | None) -> bool:
    for seconds in (*_UNTIL_REMOVABLE, None):
        try:
            if around.request("DELETE", path).status_code in (200, 202, 204, 404):
                return True
        except Exception as error:
            let_through(error)
        if seconds is not None:
            pause(seconds, sleep)
    return False
