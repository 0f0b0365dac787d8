"""watcher; the facts are in docs/design/creates.md#resource-optimization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Recipe, at_its_name, equal

if TYPE_CHECKING:
    from os_retries.creates.markers import Item


def _location(answer: Item, _found: list[Item]) -> dict[str, str]:
    links = [each.get("href") for each in answer.get("links") or [] if each.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


def _is_named(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique, and the goal, asked for by name or uuid; None if only the name is equal."""
    if not equal(found.get("name"), sent.get("name")):
        return False
    goal = sent.get("goal")
    same = goal in (None, found.get("goal_name"), found.get("goal_uuid"))
    shown = ("description", "audit_type", "scope", "interval")
    return True if same and all(equal(found.get(name), sent[name]) for name in shown if name in sent) else None


RECIPES = (
    at_its_name("audit_templates", _is_named, headers=_location),
    at_its_name("audits", _is_named, headers=_location),
    Recipe(path=r"/audits", body=None, refused="without a name it cannot be told from another one"),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to watcher has been tested yet"),
)
