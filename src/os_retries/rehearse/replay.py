"""Turn the ``--log-json`` of a real outage into the clauses of a rehearsal."""

from __future__ import annotations

import collections
import json
import re
from typing import TYPE_CHECKING, Any

from os_retries.core.evidence import GiveUp
from os_retries.core.paths import verb_and_template
from os_retries.rehearse.grammar import Clause

if TYPE_CHECKING:
    from collections.abc import Iterable

# The descriptions of failures without a status, and the fault for each.  The first match is used.
_WORDS = (
    ("no answer in time", "stall"),
    ("reset", "reset"),
    ("closed without an answer", "reset"),
    ("incomplete", "cut"),
)
# For these reasons of a give-up, the last attempt was already reported as a retry.
_REPORTED = (str(GiveUp.PACED), str(GiveUp.STOPPED))


def clauses_of(lines: Iterable[str]) -> tuple[Clause, ...]:
    """Return a clause for each failed attempt in a log: the n-th request of a kind gets the n-th fault of that kind.

    Requests are of the same kind if they have the same service, verb and path; their ids may differ.  Lines that are
    not events of requests are skipped.
    """
    found: list[Clause] = []
    numbers = collections.Counter[tuple[str | None, str, str]]()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        fault = _fault(event)
        verb, path = verb_and_template(str(event.get("request")))
        if fault is None or verb is None or path is None:
            continue
        key = event.get("service"), verb, _pattern(path)
        numbers[key] += 1
        found.append(Clause(**fault, service=key[0], verb=verb, path=key[2], nth=numbers[key]))
    return tuple(found)


def _fault(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fault that made the attempt of an event fail; None if the event is not about a failed attempt."""
    kind, status, failure = event.get("kind"), event.get("status"), event.get("failure")
    what, outcome = event.get("event"), event.get("outcome")
    counts = what in ("retry", "give_up") or (what == "look_up" and outcome == "found" and not event.get("detail"))
    if not counts or kind == "permanent" or str(event.get("reason", "")).startswith(_REPORTED):
        return None
    if failure:
        if kind == "not sent":
            return {"kind": "unreachable"}
        return {"kind": next((name for words, name in _WORDS if words in failure), "reset")}
    if not isinstance(status, int) or not 400 <= status <= 599:
        return None
    if what == "look_up":  # the look-up has shown that the request was processed
        return {"kind": "lost", "status": status}
    asked = event.get("wait") if event.get("source") == "Retry-After" else None
    return {"kind": "refused", "status": status, "retry_after": asked}


def _pattern(template: str) -> str:
    """Return a regular expression for the paths of a template.  A URL may have further segments before that path."""
    return "[^/]+(/[^/]+)*".join(re.escape(part) for part in template.split("{id}")) + "$"
