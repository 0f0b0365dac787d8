"""What `run` reports: the events as JSON objects, and the sentences that are made from them.

The functions take and return plain values.  An event never contains a token, a body, a query or a header.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from os_retries.core.evidence import GiveUp
from os_retries.run.text import printable

if TYPE_CHECKING:
    from os_retries.core.evidence import Attempt, Evidence, LookedUp, Retry

Event = dict[str, Any]

_SHORTEST = 20  # characters of a verb and a path that still tell people which request it is


def retry_event(retry: Retry) -> Event:
    """Return the event of a retry that is about to wait.  docs/run.md lists the fields, for ``--log-json``.

    If the retry has had its own wait, and now waits for a slot at a service in trouble, the event is ``paced``.
    """
    return _event("paced" if retry.source == "pacing" else "retry", retry.service, retry.method, retry.attempt) | {
        "attempt": retry.attempt.number,
        "attempts": retry.attempts,
        "wait": round(retry.attempt.wait or 0.0, 3),
        "source": retry.source,
    }


def give_up_event(evidence: Evidence) -> Event:
    """Return the event of a request that was given up, or that was not repeated."""
    return _event("give_up", evidence.service, evidence.method, evidence.attempts[-1]) | {
        "attempt": evidence.attempts[-1].number,
        "reason": str(evidence.reason) + evidence.detail,
        "unrepeated": evidence.reason is GiveUp.NOT_REPEATABLE and len(evidence.attempts) == 1,
        "found": list(evidence.found),
    }


def answered_event(evidence: Evidence) -> Event:
    """Return the event of a request that ended, after retries, with an error that is a proper answer, such as a 404."""
    return _event("answered", evidence.service, evidence.method, evidence.attempts[-1]) | {
        "attempt": evidence.attempts[-1].number
    }


def look_up_event(record: LookedUp) -> Event:
    """Return the event of the look-up of a create whose answer was lost: its start or its outcome."""
    return _event("look_up", record.service, record.method, record) | {
        "outcome": record.outcome,
        "found": list(record.ids),
        "detail": record.detail,
    }


def not_covered_event(service: str | None, request: str, reason: str) -> Event:
    """Return the event of a write that a later run of the operation cannot recognize."""
    return _event("not_covered", service, request, None) | {"reason": reason}


def _event(event: str, service: str | None, request: str, attempt: Attempt | LookedUp | None) -> Event:
    now = time.time()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z",
        "event": event,
        "program": os.path.basename(sys.argv[0]) if sys.argv else "",  # noqa: PTH119
        "pid": os.getpid(),
        "service": service,
        "request": request,
        "status": attempt and attempt.status,
        "failure": (attempt and attempt.what) or None,
        "kind": attempt and str(attempt.kind),
        "request_id": attempt and attempt.request_id,
    }


def what_happened(event: Event) -> str:
    """Return a text that says which request failed, and how."""
    service, request, failure = event["service"], event["request"], event["failure"]
    if failure is not None:  # it comes first: the status may be that of a token's request
        verb = "not sent" if event["kind"] == "not sent" else "failed"
        return f"{service + ': ' if service else ''}{request} {verb} ({failure})"
    return f"{service or 'the service'} answered {event['status']} to {request}"


def retry_line(event: Event, seconds: float | None = None) -> str:
    """Return the line about a retry in ``seconds`` from now (None: after its whole wait)."""
    if event["event"] == "paced":  # its time is not known in advance
        then = f"retry {event['attempt']} of {event['attempts'] - 1} as soon as the service can take it"
        return _line(what_happened(event), then, event)
    seconds = event["wait"] if seconds is None else seconds
    says = " (Retry-After)" if event["source"] == "Retry-After" else ""
    return _line(
        what_happened(event), f"retry {event['attempt']} of {event['attempts'] - 1} {_in(seconds)}{says}", event
    )


def status_line(event: Event, seconds: float, room: int, more: str = "") -> str:
    """Return the countdown of a wait, for the last line of a terminal, in at most ``room`` characters.

    The remaining seconds always stay, because people look at them.  If the line is too long, the request id is left
    out first, and then the middle of the path.  The number of other waits (``more``) is left out before the path
    becomes too short to recognize.
    """
    say = look_up_line if event["event"] == "look_up" else retry_line
    line = say(event, seconds) + more
    if len(line) <= room:
        return line
    event = event | {"request_id": None}
    request = event["request"]
    for rest in (more, ""):
        line = say(event, seconds) + rest
        left = len(request) - max(0, len(line) - room)
        if left >= min(len(request), _SHORTEST) or not rest:
            break
    if left < len(request):
        line = say(event | {"request": _shortened(request, left)}, seconds) + rest
    return line[: max(0, room)]


def _shortened(text: str, length: int) -> str:
    """Return a text of at most ``length`` characters: the middle is left out."""
    half = max(0, length - 3) // 2
    return text[: max(0, length - 3) - half] + "..." + (text[-half:] if half else "")


def look_up_line(event: Event, seconds: float | None = None) -> str:
    """Return the line about a look-up; an empty string if the line of the retry or of the give-up follows at once."""
    ids = ", ".join(event["found"])
    again = "" if seconds is None else f", again {_in(seconds)}"
    then = {
        "looking": f"looking it up{again}",
        "found": f"found, and taken as the answer: {ids}",
        "late duplicate": f"DUPLICATE: an earlier attempt has also taken effect: {ids} {event['detail']}",
    }.get(event["outcome"])
    return "" if then is None else _line(what_happened(event), then, event)


def not_covered_line(event: Event) -> str:
    """Return the line about a write that is sent although a later run cannot recognize it."""
    service = f"{event['service']}: " if event["service"] else ""
    then = f"sent, but not covered by the operation: {event['reason']}"
    return _line(f"{service}{event['request']}", then, event)


def give_up_line(event: Event) -> str:
    """Return the line about a request that was given up, with the reason."""
    if event["unrepeated"]:
        return _line(what_happened(event), f"not repeated: {event['reason']}", event)
    number = event["attempt"]
    return _line(
        what_happened(event), f"given up after {number} attempt{'s' * (number != 1)}: {event['reason']}", event
    )


def answered_line(event: Event) -> str:
    """Return the line about a request that ended, after retries, with an error that is a proper answer."""
    retries = event["attempt"] - 1
    return _line(
        what_happened(event), f"taken as the answer after {retries} {'retry' if retries == 1 else 'retries'}", event
    )


def _line(what: str, then: str, event: Event) -> str:
    return printable(" · ".join(filter(None, ("os-retries: " + what, then, event["request_id"]))))


def _in(seconds: float) -> str:
    return f"in {in_seconds(seconds)}" if seconds >= 0.05 else "now"


def in_seconds(seconds: float) -> str:
    """Return a duration in words."""
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{math.ceil(seconds)} s"
