"""aodh; the facts are in docs/design/creates.md#alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Look, Recipe, equal

if TYPE_CHECKING:
    from os_retries.creates.markers import Item


def _is_alarm(found: Item, sent: Item) -> bool:
    """Compare all that was asked for.  aodh adds defaults to the rule."""
    return all(_has(found.get(name), value) for name, value in sent.items())


def _has(found: object, sent: object) -> bool:
    if isinstance(found, dict) and isinstance(sent, dict):
        return all(equal(found.get(name), value) for name, value in sent.items())
    return sent is None or equal(found, sent)


RECIPES = (
    Recipe(
        path=r"/v2/alarms",
        body=None,
        given=("name",),
        match=_is_alarm,
        look=Look(path="{path}", list="", holds={"user_id": "{user}"}, baseline="alarm_id"),
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to aodh has been tested yet"),
)
