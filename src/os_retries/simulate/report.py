"""The results of a simulation: a table for the terminal, and a page with charts that needs no network."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import TYPE_CHECKING

from os_retries.pages.chart import Chart, Charts
from os_retries.pages.page import charts_here, numbers, text
from os_retries.pages.page import page as html_page
from os_retries.terminal.stream import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from os_retries.simulate.scenario import Result, Scenario
    from os_retries.terminal.stream import Paint

_COLUMNS = ("failed", "attempts x normal", "peak/s", "drained in", "wait p50", "wait p99")
_SHORTEST = 10  # of a policy's name
_POINTS = 2000  # of a curve
#: What is drawn, by field of Second: the title of its chart.
PICTURES = {
    "attempts": "attempts a second (the service's load)",
    "waiting": "calls waiting (calls that have failed and are still in progress)",
    "given_up": "calls given up (in total)",
}


def describe(scenario: Scenario) -> str:
    """Describe the scenario in one sentence."""
    trouble = "an outage" if not scenario.left else f"{scenario.left:.0%} of its capacity left"
    parts = [
        f"{scenario.calls} calls, {scenario.rate:g} a second",
        f"from {scenario.processes} processes" if scenario.processes > 1 else "",
        f"on {scenario.hosts} hosts" if scenario.hosts > 1 else "",
        f"to a service that can take {scenario.capacity:g}",
        f"{trouble} for {scenario.lasts:g} s" if scenario.lasts else "no outage",
        f"in turns of {scenario.flaps:g} s" if scenario.flaps else "",
        "coming and going slowly" if scenario.ramps else "",
        f"then {scenario.after:g}" if scenario.after is not None else "",
        "collapsing under overload" if scenario.collapses else "",
        f"{scenario.failing:.0%} of all attempts fail at random" if scenario.failing else "",
        f"seed {scenario.seed}",
    ]
    return ", ".join(filter(None, parts))


def rows(results: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """Return the rows of the table, one for each policy."""
    return [
        (
            name,
            f"{result.failed} ({result.failed / result.calls:.2%})",
            f"{result.amplification:.2f}",
            str(result.peak),
            f"{result.drained:.0f} s",
            f"{result.wait(0.5):.0f} s",
            f"{result.wait(0.99):.0f} s",
        )
        for name, result in results.items()
    ]


def table(results: Mapping[str, Result], ideal: float, *, width: int | None = None, paint: Paint = plain) -> str:
    """Return the table as text.

    :param width: the number of columns into which it should fit: for this the heads get two lines, and the names of
        the policies may lose their beginnings
    """
    heads: list[tuple[str, ...]] = [("", *_COLUMNS)]
    body = rows(results)
    if width is not None and sum(_widths(heads + body)) > width:
        halves = [name.partition(" ") for name in _COLUMNS]
        heads = [("", *(half[0] for half in halves)), ("", *(half[2] for half in halves))]
        first, *others = _widths(heads + body)
        room = max(_SHORTEST, width - sum(others))
        body = [(name if len(name) <= room else f"...{name[3 - room :]}", *cells) for name, *cells in body]
    first, *others = _widths(heads + body)
    lines = [
        row[0].ljust(first) + "".join(map(str.rjust, row[1:], others))  # what is between two columns is part of one
        for row in heads + body
    ]
    lines[: len(heads)] = [paint(line, "bold") for line in lines[: len(heads)]]
    return "\n".join([*lines, f"A scheduler that knows the service's capacity would have drained it in {ideal:.0f} s."])


def _widths(lines: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the widths of the columns, with the two spaces before each but the first."""
    return [max(map(len, column)) + (2 if at else 0) for at, column in enumerate(zip(*lines, strict=True))]


def as_json(scenario: Scenario, results: Mapping[str, Result], ideal: float) -> str:
    """Return the numbers of the table, without rounding, as one JSON object; docs/simulate.md lists its fields."""
    policies = [
        {
            "name": name,
            "calls": result.calls,
            "failed": result.failed,
            "amplification": result.amplification,
            "peak": result.peak,
            "drained": result.drained,
            "wait_p50": result.wait(0.5),
            "wait_p99": result.wait(0.99),
        }
        for name, result in results.items()
    ]
    document = {"scenario": dataclasses.asdict(scenario), "policies": policies, "ideal": ideal}
    return json.dumps(document, indent=2) + "\n"


def page(scenario: Scenario, results: Mapping[str, Result], ideal: float) -> str:
    """Return an HTML page with the table and the charts.

    :param ideal: seconds that an ideal scheduler takes, as from ``clairvoyant``
    """
    body = (
        f"<h1>os-retries simulate</h1>\n<p>{text(describe(scenario))}</p>\n{numbers(_COLUMNS, rows(results))}"
        f"<p>A scheduler that knows the service's capacity would have drained it in {ideal:.0f} s.</p>\n{charts_here()}"
    )
    return html_page("os-retries simulate", body, charts(scenario, results))


def charts(scenario: Scenario, results: Mapping[str, Result]) -> Charts:
    """Return the charts of a page, with a curve for each policy.

    Of many seconds a curve has the highest numbers of every few.
    """
    length = max(len(result.seconds) for result in results.values())
    step = -(-length // _POINTS)
    limit = (scenario.capacity, "what the service can take")
    return Charts(
        policies=list(results),
        seconds=range(0, length, step),
        charts=[
            Chart(
                title=title,
                curves=[_curve(result, what, length, step) for result in results.values()],
                limit=limit if what == "attempts" else None,
            )
            for what, title in PICTURES.items()
        ],
        trouble=[(scenario.begins, scenario.ends)] if scenario.lasts else [],
    )


def _curve(result: Result, what: str, length: int, step: int) -> list[int]:
    values = series(result, what)
    values += [values[-1] if what == "given_up" else 0] * (length - len(values))
    return [max(values[at : at + step]) for at in range(0, length, step)]


def series(result: Result, what: str) -> list[int]:
    """Return one number of each second.

    :param what: ``attempts``, ``waiting`` or ``given_up`` (in total)
    """
    values: list[int] = [getattr(each, what) for each in result.seconds]
    return list(itertools.accumulate(values)) if what == "given_up" else values
