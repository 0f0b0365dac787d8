"""heat; the facts are in docs/design/creates.md#orchestration."""

from __future__ import annotations

from os_retries.creates.markers import Carrier, Item
from os_retries.creates.recipe import Look, Recipe, no_body


class StackTag(Carrier):
    """A marker as one more tag of a stack.  heat takes the tags as one text with commas, and shows a list."""

    def put(self, item: Item, marker: str) -> Item | None:
        """Append the marker to the caller's own tags."""
        tags = item.get("tags")
        if tags in (None, ""):
            return item | {"tags": marker}
        return item | {"tags": f"{tags},{marker}"} if isinstance(tags, str) else None

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for the marker among the tags."""
        tags = found.get("tags", ...)
        return None if tags is ... else marker in (tags or [])


def _in_state(found: Item, sent: Item) -> bool:
    """Compare the first word of the state, such as ``SUSPEND_IN_PROGRESS``, with the action."""
    return str(found.get("stack_status", "")).partition("_")[0].lower() in sent


def _is_updated(found: Item, _sent: Item) -> bool:
    """Return whether the stack is being updated or was updated.  The baseline excludes earlier updates."""
    return str(found.get("stack_status", "")).startswith("UPDATE")


def _created(_sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response; a list shows more."""
    return {"stack": {name: found[0][name] for name in ("id", "links") if name in found[0]}}


def _location(_stack: Item, found: list[Item]) -> dict[str, str]:
    links = [link["href"] for link in found[0].get("links", []) if link.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


_STACK = r"/stacks/[^/]+(/[^/]+)?"  # by name and id, or by only one of them, which heat redirects

RECIPES = (
    Recipe(
        path=r"/stacks",
        body=None,
        carrier=StackTag(),
        look=Look(path="{base}/stacks", list="stacks", query={"tags": "{marker}"}),
        view=_created,
        wrapped=False,
        headers=_location,
    ),
    *(
        Recipe(
            path=rf"(?P<stack>{_STACK})/actions",
            body=None,
            key=action,
            look=Look(path="{base}{stack}", one="stack", born="updated_time"),
            match=_in_state,
            view=no_body,
            status=200,
        )
        for action in ("suspend", "resume", "check")
    ),
    *(
        Recipe(
            verb=verb,
            path=rf"(?P<stack>{_STACK})",
            body=None,
            look=Look(path="{base}{stack}", one="stack", baseline="updated_time"),
            match=_is_updated,
            lag=1.0,  # heat shows the update a moment after it has answered
            view=no_body,
            status=202,
        )
        for verb in ("PUT", "PATCH")
    ),
    Recipe(
        path=rf"{_STACK}/actions",
        body=None,
        refused="the state of the stack does not tell whether this action has begun",
    ),
    Recipe(path=rf"{_STACK}/snapshots", body=None, refused="a snapshot of a stack has no field for a marker"),
    Recipe(
        path=r"/software_(configs|deployments)",
        body=None,
        refused="heat has no field for a marker here, and accepts a second one",
    ),
    Recipe(path=r"/validate|/stacks/preview", body=None, harmless=True),
)
