"""What `run` says: an event for each retry and each request given up, and the sentences made of events.

Plain values in, plain values out.  An event never holds a token, a body, a query or a header.
"""

from __future__ import annotations

import collections
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from os_retries.core.evidence import GiveUp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from os_retries.core.evidence import Attempt, Evidence, LookedUp, Retry

Event = dict[str, Any]

_LINES = 10  # of a summary
_IDS = 5  # of one line of it


def retry_event(retry: Retry) -> Event:
    """Describe a retry before its wait: the fields are those that docs/run.md lists for --log-json.

    One that has had its own wait and now waits for a slot, at a service in trouble, is the event ``paced``.
    """
    return _event("paced" if retry.source == "pacing" else "retry", retry.service, retry.method, retry.attempt) | {
        "attempt": retry.attempt.number,
        "attempts": retry.attempts,
        "wait": round(retry.attempt.wait or 0.0, 3),
        "source": retry.source,
    }


def give_up_event(evidence: Evidence) -> Event:
    """Describe a request after which there was no further attempt."""
    return _event("give_up", evidence.service, evidence.method, evidence.attempts[-1]) | {
        "attempt": evidence.attempts[-1].number,
        "reason": str(evidence.reason) + evidence.detail,
        "unrepeated": evidence.reason is GiveUp.NOT_REPEATABLE and len(evidence.attempts) == 1,
        "found": list(evidence.found),
    }


def look_up_event(record: LookedUp) -> Event:
    """Describe a look-up of a create whose answer was lost: that it takes its time, or what came of it."""
    return _event("look_up", record.service, record.method, record) | {
        "outcome": record.outcome,
        "found": list(record.ids),
        "detail": record.detail,
    }


def _event(event: str, service: str | None, request: str, attempt: Attempt | LookedUp) -> Event:
    now = time.time()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z",
        "event": event,
        "program": os.path.basename(sys.argv[0]) if sys.argv else "",  # noqa: PTH119
        "pid": os.getpid(),
        "service": service,
        "request": request,
        "status": attempt.status,
        "failure": attempt.what or None,
        "kind": str(attempt.kind),
        "request_id": attempt.request_id,
    }


def what_happened(event: Event) -> str:
    """Say which request failed, and how."""
    service, request, failure = event["service"], event["request"], event["failure"]
    if failure is not None:  # also with a status: the token's, which is not the service's
        verb = "not sent" if event["kind"] == "not sent" else "failed"
        return f"{service + ': ' if service else ''}{request} {verb} ({failure})"
    return f"{service or 'the service'} answered {event['status']} to {request}"


def retry_line(event: Event, seconds: float | None = None) -> str:
    """Say that a request is about to be repeated, in ``seconds`` from now (None: after its whole wait)."""
    if event["event"] == "paced":  # when that will be nobody knows
        then = f"retry {event['attempt']} of {event['attempts'] - 1} as soon as the service can take it"
        return _line(what_happened(event), then, event)
    seconds = event["wait"] if seconds is None else seconds
    says = " (Retry-After)" if event["source"] == "Retry-After" else ""
    return _line(
        what_happened(event), f"retry {event['attempt']} of {event['attempts'] - 1} {_in(seconds)}{says}", event
    )


def waiting_line(event: Event, seconds: float) -> str:
    """Say what is waited for, for so many seconds more."""
    return look_up_line(event, seconds) if event["event"] == "look_up" else retry_line(event, seconds)


def look_up_line(event: Event, seconds: float | None = None) -> str:
    """Say what became of a create; empty where the line of the retry, or of the give-up, which follows says it."""
    ids = ", ".join(event["found"])
    again = "" if seconds is None else f", again {_in(seconds)}"
    then = {
        "looking": f"looking it up{again}",
        "found": f"it was done, and is the answer: {ids}",
        "late duplicate": f"DUPLICATE: an earlier attempt has landed late: {ids} {event['detail']}",
    }.get(event["outcome"])
    return "" if then is None else _line(what_happened(event), then, event)


def give_up_line(event: Event) -> str:
    """Say that a request has failed for good, and why."""
    if event["unrepeated"]:
        return _line(what_happened(event), f"not repeated: {event['reason']}", event)
    number = event["attempt"]
    return _line(
        what_happened(event), f"given up after {number} attempt{'s' * (number != 1)}: {event['reason']}", event
    )


def _line(what: str, then: str, event: Event) -> str:
    return printable(" · ".join(filter(None, ("os-retries: " + what, then, event["request_id"]))))


def _in(seconds: float) -> str:
    return f"in {_seconds(seconds)}" if seconds >= 0.05 else "now"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{math.ceil(seconds)} s"


def printable(text: str) -> str:
    """Replace what would move a terminal's cursor or forge a line: a path may hold anything."""
    return "".join(each if each.isprintable() else "?" for each in text)


def fitting(text: str, encoding: str | None) -> str:
    """Return ``text`` as a stream of that encoding can take it."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return text.replace("·", "-").replace("\N{MULTIPLICATION SIGN}", "x").encode("ascii", "replace").decode()
    return text


def summary(events: Sequence[Event]) -> str:
    """Sum up what a whole run has met, in one block; empty if it met nothing."""
    if not events:
        return ""
    lines = ["os-retries: " + ", ".join(_numbers(events))]
    by_request: dict[tuple[str | None, str], list[Event]] = collections.defaultdict(list)
    for event in events:
        if event["event"] == "paced":  # it says again what the retry before it has said
            continue
        by_request[event["service"], event["request"]].append(event)
    for (service, request), its in list(by_request.items())[:_LINES]:
        answers = collections.Counter(str(event["failure"] or event["status"]) for event in its if _counts(event))
        met = ", ".join(
            answer + (f" \N{MULTIPLICATION SIGN} {number}" if number > 1 else "") for answer, number in answers.items()
        )
        reasons = dict.fromkeys(event["reason"] for event in its if event["event"] == "give_up")
        ids = [event["request_id"] for event in its if event["event"] == "give_up" and event["request_id"]]
        outcome = _looked_up(its)
        outcome += "".join(f" · given up: {reason}" for reason in reasons) + "".join(f" · {each}" for each in ids[:3])
        lines.append(printable(f"  {service + ' ' if service else ''}{request}: {met}{outcome}"))
    if len(by_request) > _LINES:
        lines.append(f"  and {len(by_request) - _LINES} more")
    return "\n".join(lines)


def _numbers(events: Sequence[Event]) -> Iterator[str]:
    """Count what there was of everything."""
    retries = [event for event in events if event["event"] == "retry"]
    if retries:
        requests = sum(event["attempt"] == 1 for event in retries)
        waited = _seconds(sum(event["wait"] for event in retries))
        number = _count(len(retries), "retry", "retries")
        yield f"{_count(requests, 'request')} repeated ({number}, {waited} of waiting)"
    kinds = collections.Counter((event["event"], event.get("outcome")) for event in events)
    for kind, one, many, then in (
        (("paced", None), "retry", "retries", " held back until the service could take them"),
        (("look_up", "found"), "create", "", " looked up and found"),
        (("look_up", "late duplicate"), "late duplicate", "", ""),
        (("give_up", None), "request", "", " given up"),
    ):
        if kinds[kind]:
            yield _count(kinds[kind], one, many) + then


def _counts(event: Event) -> bool:
    """Whether the event is the one that stands for its attempt: a look-up's often comes beside a retry's."""
    return event["event"] != "look_up" or (event["outcome"] == "found" and not event["detail"])


def _looked_up(events: Sequence[Event]) -> str:
    """Say what look-ups have found of one request."""
    words = {"found": "found", "late duplicate": "LATE DUPLICATE"}
    ids: dict[str, list[str]] = {each: [] for each in words}
    for event in events:
        if event["event"] == "look_up" and event["outcome"] in words:
            ids[event["outcome"]] += event["found"]
    return "".join(
        f" · {words[outcome]}: {', '.join(those[:_IDS])}" + (f" and {len(those) - _IDS} more" if those[_IDS:] else "")
        for outcome, those in ids.items()
        if those
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
