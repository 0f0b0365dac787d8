"""mistral; the facts are in docs/design/creates.md#workflow.

A workflow, a workbook and an action are asked for in YAML, which has no place for a marker: such a request is sent as
it is, and is not looked up.
"""

from __future__ import annotations

import json

from os_retries.creates.markers import ClientId, Item
from os_retries.creates.recipe import Look, Recipe, at_its_name, equal


def _loaded(value: object) -> object:
    """Return the JSON in a text, which mistral writes anew; the value itself if it is no JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_named(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique in the project, and all that was asked for; None if only the name is equal."""
    if found.get("name") != sent.get("name"):
        return False
    same = all(
        equal(found.get(name), value) or _loaded(found.get(name)) == _loaded(value)
        for name, value in sent.items()
        if value is not None
    )
    return True if same else None


RECIPES = (
    # mistral answers a second request with the same id with the execution that there is.
    Recipe(
        path=r"/executions",
        body=None,
        carrier=ClientId(),
        look=Look(path="{base}/executions/{id}"),
        same=("id",),
    ),
    at_its_name("environments", _is_named),
    at_its_name("cron_triggers", _is_named),
    Recipe(
        path=r"/action_executions",
        body=None,
        refused="mistral drops the description of an action that is run, so that two of them cannot be told apart",
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to mistral has been tested yet"),
)
