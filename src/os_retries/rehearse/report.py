"""The report of a rehearsal: as text, and as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from os_retries.run.text import printable
from os_retries.terminal.stream import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from os_retries.rehearse.results import Call, Way
    from os_retries.terminal.stream import Paint

_SUCCEEDED = "runs that succeeded"
_ROWS = 12
_IDS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What a rehearsal has shown.

    ``without``, ``attached``
        What happened without, and with os-retries.
    ``outages``
        When the faults were an outage: from which second of each run to which one.
    """

    command: tuple[str, ...]
    faults: str
    seed: int
    without: Way
    attached: Way
    outages: tuple[tuple[float, float], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every run with os-retries has succeeded and left nothing behind."""
        return self.attached.succeeded == len(self.attached.runs) and not self.attached.left

    @property
    def line(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.command)


def rows(report: Report) -> list[tuple[str, str, str]]:
    """Return the sums: a name, the number without os-retries, and the number with it."""
    ways = report.without, report.attached

    def numbers(name: str) -> tuple[str, str]:
        return str(report.without.total(name)), str(report.attached.total(name))

    waits = f"{report.attached.total('retries')} ({report.attached.waited:.1f} s of waiting)"
    return [
        (_SUCCEEDED, *[f"{way.succeeded} of {len(way.runs)}" for way in ways]),  # type: ignore[list-item]
        ("requests", *numbers("requests")),
        ("faults injected", *numbers("faults")),
        ("retries", "-", waits),
        ("creates looked up and found", "-", str(report.attached.total("found"))),
        ("requests given up", "-", str(report.attached.total("given_up"))),
        ("left behind on the cloud", *[str(len(way.left)) for way in ways]),  # type: ignore[list-item]
        ("seconds", *[f"{way.seconds:.1f}" for way in ways]),  # type: ignore[list-item]
    ]


def as_text(report: Report, paint: Paint = plain) -> str:
    """Return the report for people."""
    lines = [printable(line) for line in _lines(report)]
    styles = ["", *("" if before else "bold" for before in lines)]  # a heading follows an empty line
    result = "green" if report.passed else "red"
    painted = [
        paint(line, result if line.startswith(_SUCCEEDED) else style)
        for line, style in zip(lines, styles, strict=False)
    ]
    return "".join(f"{line}\n" for line in painted)


def _lines(report: Report) -> Iterator[str]:
    yield f"os-retries rehearse: {report.line}"
    yield f"faults: {report.faults}; seed {report.seed}"
    if not report.without.total("requests") + report.attached.total("requests"):
        yield "No OpenStack request was seen: the program sent none, or os-retries could not reach the Python below it."
    yield ""
    yield f"{'':<30}{'without':<16}with os-retries"
    for name, without, attached in rows(report):
        yield f"{name:<30}{without:<16}{attached}"
    yield from _calls("what met a fault without os-retries", report.without)
    yield from _calls("what met a fault with os-retries", report.attached)
    for reason, number in report.attached.reasons.most_common():
        yield f"given up: {reason}" + (f" ({number} times)" if number > 1 else "")
    for name, way in (("without", report.without), ("with", report.attached)):
        if way.left:
            yield ""
            yield f"left behind {name} os-retries"
            for each in way.left[:_IDS]:
                yield f"  {each.service or '?'} {each.request}: {each.id}"
            if len(way.left) > _IDS:
                yield f"  and {len(way.left) - _IDS} more"


def _calls(title: str, way: Way) -> Iterator[str]:
    found = sorted(item for item in ((key, met(call)) for key, call in way.calls.items() if call.faults))
    if not found:
        return
    yield ""
    yield title
    for (service, request), faults in found[:_ROWS]:
        yield f"  {(service + ' ' + request).strip()}: {faults}"
    if len(found) > _ROWS:
        yield f"  and {len(found) - _ROWS} more"


def met(call: Call) -> str:
    """Return a text with the faults of the requests of a call, and what os-retries did about them."""
    text = ", ".join(fault + (f" x {number}" if number > 1 else "") for fault, number in call.faults.items())
    done = ((call.retries, "retry", "retries"), (call.found, "found", "found"), (call.given_up, "given up", "given up"))
    of = f"of {call.requests} request{'s' * (call.requests != 1)}"
    words = [f"{number} {one if number == 1 else many}" for number, one, many in done if number]
    return f"{text} ({', '.join([of, *words])})"


def as_json(report: Report) -> str:
    """Return the report for programs.  docs/rehearse.md lists the fields."""
    value = {
        "command": list(report.command),
        "faults": report.faults,
        "seed": report.seed,
        "passed": report.passed,
        "without": _way(report.without),
        "with": _way(report.attached),
    }
    return json.dumps(value, indent=2) + "\n"


def _way(way: Way) -> dict[str, Any]:
    return {
        "runs": [{"seed": run.seed, "status": run.status, "seconds": round(run.seconds, 3)} for run in way.runs],
        "succeeded": way.succeeded,
        "requests": way.total("requests"),
        "faults": way.total("faults"),
        "retries": way.total("retries"),
        "waited": round(way.waited, 3),
        "found": way.total("found"),
        "given_up": dict(way.reasons),
        "left_behind": [{"service": each.service, "request": each.request, "id": each.id} for each in way.left],
        "calls": [
            {
                "service": service or None,
                "request": request,
                "requests": call.requests,
                "failed": call.failed,
                "faults": dict(call.faults),
                "retries": call.retries,
                "found": call.found,
                "given_up": call.given_up,
            }
            for (service, request), call in sorted(way.calls.items())
        ],
    }
