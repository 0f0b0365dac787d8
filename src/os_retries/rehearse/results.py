"""What happened in the runs of a rehearsal: sums over the requests and the events that the programs have recorded."""

from __future__ import annotations

import collections
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from os_retries.core.paths import template, verb_and_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_VERSION = re.compile(r"v\d[\d.]*")
#: The first segments of the paths of services that share one host and have no version in their paths.
_MOUNTS = frozenset({"placement", "metric", "resource-optimization"})


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program.

    ``attached``
        Whether it ran with os-retries.
    ``status``
        Its exit status; minus the number of the signal that ended it.
    ``seconds``
        How long it took.
    ``requests``, ``events``
        What ``inside`` and ``--log-json`` have recorded.
    ``began``
        When it began, in seconds since the epoch.
    """

    attached: bool
    seed: int
    status: int
    seconds: float
    requests: Sequence[dict[str, Any]]
    events: Sequence[dict[str, Any]]
    began: float = 0.0


@dataclass(slots=True)
class Call:
    """The requests of one service, verb and path in all runs of one way."""

    requests: int = 0
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    failed: int = 0
    retries: int = 0
    found: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that was created without the program ever knowing about it."""

    service: str | None
    request: str
    id: str


class Way:
    """All runs of one way: without os-retries, or with it."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.calls: dict[tuple[str, str], Call] = {}
        self.waited = 0.0
        self.reasons = collections.Counter[str]()
        self.left: list[Left] = []
        for run in runs:
            self._add(run)

    @property
    def succeeded(self) -> int:
        """How many runs have ended with the exit status 0."""
        return sum(run.status == 0 for run in self.runs)

    @property
    def seconds(self) -> float:
        """How long the runs took together."""
        return sum(run.seconds for run in self.runs)

    def total(self, name: str) -> int:
        """Return the sum of one number over all calls."""
        values = [getattr(call, name) for call in self.calls.values()]
        return sum(value.total() if isinstance(value, collections.Counter) else value for value in values)

    def _call(self, service: object, request: str) -> Call:
        return self.calls.setdefault((str(service or ""), request), Call())

    def _add(self, run: Run) -> None:
        for each in run.requests:
            call = self._call(each["service"], f"{each['verb']} {_of_the_api(template(each['path']))}")
            call.requests += 1
            if each["fault"]:
                call.faults[each["fault"]] += 1
            call.failed += each["status"] is None or each["status"] >= 400
        for event in run.events:
            verb, path = verb_and_template(event["request"])
            call = self._call(
                event["service"], f"{verb} {_of_the_api(path or '')}" if verb else event["request"].partition(" ")[0]
            )
            if event["event"] == "retry":
                call.retries += 1
                self.waited += event["wait"]
            call.found += event["event"] == "look_up" and event["outcome"] == "found"
            if event["event"] == "give_up":
                call.given_up += 1
                self.reasons[event["reason"]] += 1
        self.left += left_behind(run)


def left_behind(run: Run) -> list[Left]:
    """Return the resources that a run has created without the program knowing about them.

    If the answer to a create was lost, the id of its resource is in the answer that the program did not see.  If a
    look-up has found that resource, or a later request has its id in the path, the program does know about it.
    """
    known = {each for event in run.events if event.get("outcome") == "found" for each in event["found"]}
    segments = {segment for each in run.requests for segment in each["path"].split("/")}
    return [
        Left(each["service"], f"{each['verb']} {_of_the_api(template(each['path']))}", made)
        for each in run.requests
        for made in each["made"]
        if made not in known and made not in segments
    ]


def _of_the_api(path: str) -> str:
    """Return the part of a path after the endpoint, because requests and events record different parts of the path."""
    parts = path.split("/")[1:]
    versions = [index for index, part in enumerate(parts) if _VERSION.fullmatch(part)]
    if versions:
        parts = parts[versions[-1] + 1 :]
        if parts[:1] == ["{id}"] and len(parts) > 1:  # the project
            parts = parts[1:]
    elif parts[0] in _MOUNTS and len(parts) > 1:
        parts = parts[1:]
    return "/" + "/".join(parts)


def read_lines(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the JSON objects of a file.  Other lines are skipped, because a full disk cuts lines short."""
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
