"""The fields of an event as plain values, for logs and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os_retries.core.events import Event

_COMMON = ("service", "method", "verb", "path", "attempt", "status", "kind", "what", "request_id", "operation")
# By event: the fields that it has besides.
_MORE = {
    "retry": ("attempts", "wait", "source"),
    "paced": ("wait",),
    "waited": ("seconds", "source"),
    "look_up": ("outcome", "ids"),
    "succeeded": ("waited",),
}


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of an event that have a value, as texts, numbers and lists; the records are left out."""
    found: dict[str, Any] = {}
    for name in (*_COMMON, *_MORE.get(event.name, ())):
        value = getattr(event, name)
        if value is None or value in ("", ()):
            continue
        found[name] = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, str) else value
    evidence = getattr(event, "evidence", None)
    if evidence is not None and event.name == "give_up":
        found["reason"] = str(evidence.reason) + evidence.detail
    return found
