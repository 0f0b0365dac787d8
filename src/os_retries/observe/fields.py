"""The fields of an event as plain values for logs and traces, and the attributes of OpenTelemetry for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os_retries.core.events import Event

# By label or field, the attribute with a name from OpenTelemetry.  All others get the prefix of os-retries.
_NAMES = {
    "verb": "http.request.method",
    "path": "url.template",
    "status": "http.response.status_code",
    "attempt": "http.request.resend_count",
}
_PREFIX = "os_retries"
_COMMON = ("service", "method", "verb", "path", "attempt", "status", "kind", "what", "request_id", "operation")
# By event, its fields in addition to the common ones.
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


def attributes_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return labels or fields as attributes; without the number of the attempt if it is the first, not a re-send."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "attempt":
            if value > 1:
                found[_NAMES[name]] = value - 1
        else:
            found[_NAMES.get(name, f"{_PREFIX}.{name}")] = int(value) if name == "status" else value
    return found
