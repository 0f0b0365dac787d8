"""The summary of a whole run.  It takes the events one by one, because a run may have a hundred thousand of them."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

from os_retries.run.messages import in_seconds
from os_retries.run.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from os_retries.run.messages import Event

_LINES = 10  # of a summary
_IDS = 5  # of one line of it
_REASONS = 5
_REQUEST_IDS = 3
_OUTCOMES = {"found": "found", "late duplicate": "LATE DUPLICATE"}


def summary(events: Iterable[Event]) -> str:
    """Return the summary of some events; empty if there are none."""
    result = Summary()
    for event in events:
        result.add(event)
    return result.text()


class Summary:
    """The counts of a whole run.  Of the events' texts it keeps only those that the summary shows."""

    def __init__(self) -> None:
        self._kinds = collections.Counter[tuple[str, Any]]()
        self._repeated = 0
        self._waited = 0.0
        self._shown: dict[tuple[str | None, str], _Request] = {}
        self._others = set[int]()  # hashes, because a path may be long

    def add(self, event: Event) -> None:
        """Count one event."""
        self._kinds[event["event"], event.get("outcome")] += 1
        # A paced retry was counted as a retry already.  An operation may find hundreds of resources.
        if event["event"] == "paced" or event.get("outcome") == "found earlier":
            return
        if event["event"] == "retry":
            self._repeated += event["attempt"] == 1
            self._waited += event["wait"]
        key = event["service"], event["request"]
        if key not in self._shown and len(self._shown) < _LINES:
            self._shown[key] = _Request()
        if key in self._shown:
            self._shown[key].add(event)
        else:
            self._others.add(hash(key))

    def text(self) -> str:
        """Return the summary; empty if there were no events."""
        if not self._kinds:
            return ""
        lines = ["os-retries: " + ", ".join(self._numbers())]
        lines += [
            printable(f"  {service + ' ' if service else ''}{request}: {its.text()}")
            for (service, request), its in self._shown.items()
        ]
        if self._others:
            lines.append(f"  and {len(self._others)} more")
        return "\n".join(lines)

    def _numbers(self) -> Iterator[str]:
        """Yield the counts of the first line, such as "2 requests repeated"."""
        retries = self._kinds["retry", None]
        if retries:
            number = _count(retries, "retry", "retries")
            yield f"{_count(self._repeated, 'request')} repeated ({number}, {in_seconds(self._waited)} of waiting)"
        for kind, one, many, then in (
            (("paced", None), "retry", "retries", " held back until the service could take them"),
            (("look_up", "found"), "create", "", " looked up and found"),
            (("look_up", "found earlier"), "create", "", " found from an earlier run"),
            (("not_covered", None), "write", "", " not covered by the operation"),
            (("look_up", "late duplicate"), "late duplicate", "", ""),
            (("answered", None), "request", "", " answered with an error after retries"),
            (("give_up", None), "request", "", " given up"),
        ):
            if self._kinds[kind]:
                yield _count(self._kinds[kind], one, many) + then


class _Request:
    """The counts of the requests with one verb and path."""

    def __init__(self) -> None:
        self._answers = collections.Counter[str]()
        self._found = {each: _Few(_IDS) for each in _OUTCOMES}
        self._last = _Few(_REASONS)
        self._reasons = _Few(_REASONS)
        self._not_covered = _Few(_REASONS)
        self._request_ids = _Few(_REQUEST_IDS)

    def add(self, event: Event) -> None:
        if _counts(event):
            answer = str(event["failure"] or event["status"])
            if answer in self._answers or len(self._answers) < _LINES:
                self._answers[answer] += 1
        if event["event"] == "look_up" and event["outcome"] in _OUTCOMES:
            for each in event["found"]:
                self._found[event["outcome"]].add(each)
        if event["event"] == "answered" and str(event["status"]) not in self._last.first:
            self._last.add(str(event["status"]))
        if event["event"] == "not_covered" and event["reason"] not in self._not_covered.first:
            self._not_covered.add(event["reason"])
        if event["event"] == "give_up":
            if event["reason"] not in self._reasons.first:
                self._reasons.add(event["reason"])
            if event["request_id"]:
                self._request_ids.add(event["request_id"])

    def text(self) -> str:
        met = ", ".join(
            answer + (f" \N{MULTIPLICATION SIGN} {number}" if number > 1 else "")
            for answer, number in self._answers.items()
        )
        text = (
            met
            + "".join(f" · {_OUTCOMES[outcome]}: {few}" for outcome, few in self._found.items() if few.first)
            + "".join(f" · then answered {status}" for status in self._last.first)
            + "".join(f" · not covered: {reason}" for reason in self._not_covered.first)
            + "".join(f" · given up: {reason}" for reason in self._reasons.first)
            + "".join(f" · {each}" for each in self._request_ids.first)
        )
        return text.removeprefix(" · ")


class _Few:
    """The first few of many texts, and the number of the others."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.first: list[str] = []
        self._more = 0

    def add(self, one: str) -> None:
        if len(self.first) < self._limit:
            self.first.append(one)
        else:
            self._more += 1

    def __str__(self) -> str:
        return ", ".join(self.first) + (f" and {self._more} more" if self._more else "")


def _counts(event: Event) -> bool:
    """Return whether the event stands for a failed attempt; the event of a look-up often comes with that of a retry."""
    if event["event"] in ("answered", "not_covered"):
        return False
    return event["event"] != "look_up" or (event["outcome"] == "found" and not event["detail"])


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
