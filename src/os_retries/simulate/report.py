"""The results of a simulation: a table for the terminal, and a page with diagrams that needs no network."""

from __future__ import annotations

import dataclasses
import html
import io
import json
from typing import TYPE_CHECKING, Any

from os_retries.terminal.stream import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from os_retries.simulate.scenario import Result, Scenario
    from os_retries.terminal.stream import Paint

_COLUMNS = ("failed", "attempts x normal", "peak/s", "drained in", "wait p50", "wait p99")
_SHORTEST = 10  # of a policy's name
_PICTURES = {
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
    """Return an HTML page with the table and the diagrams.

    :param ideal: seconds that an ideal scheduler takes, as from ``clairvoyant``

    :raises ImportError: if matplotlib is not installed
    """
    cells = [("", *_COLUMNS), *rows(results)]
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in row) + "</tr>" for row in cells)
    pictures = "\n".join(
        f"<h2>{html.escape(title)}</h2>\n{svg(picture(scenario, results, (what,)))}"
        for what, title in _PICTURES.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>os-retries simulate</title>\n'
        "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "td{padding:.2em 1em;text-align:right}td:first-child{text-align:left}svg{width:100%;height:auto}</style>\n"
        f"<h1>os-retries simulate</h1>\n<p>{html.escape(describe(scenario))}</p>\n<table>\n{body}\n</table>\n"
        f"<p>A scheduler that knows the service's capacity would have drained it in {ideal:.0f} s.</p>\n"
        f"{pictures}\n</html>\n"
    )


def picture(scenario: Scenario, results: Mapping[str, Result], what: Sequence[str]) -> Any:
    """Draw diagrams over time, with a curve for each policy.

    :param what: the diagrams: ``attempts``, ``waiting``, ``given_up``
    :raises ImportError: if matplotlib is not installed
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2 * len(what)), layout="constrained")
    for axes, kind in zip(figure.subplots(len(what), 1, sharex=True, squeeze=False)[:, 0], what, strict=True):
        axes.axvspan(scenario.begins, scenario.ends, color="0.9")
        for name, result in results.items():
            values = [getattr(each, kind) for each in result.seconds]
            if kind == "given_up":
                for at in range(1, len(values)):
                    values[at] += values[at - 1]
            axes.plot(values, label=name, linewidth=1.3)
        if kind == "attempts":
            axes.axhline(scenario.capacity, color="0.4", linestyle="--", linewidth=1)
        axes.set(ylim=(0, None), xlim=(0, None), ylabel=_PICTURES[kind].partition(" (")[0])
        axes.grid(alpha=0.3)
    axes.set_xlabel("seconds; grey: the service is in trouble; dashed: what it can take")
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return figure


def svg(figure: Any) -> str:
    """Return a figure as SVG.  Equal figures give equal texts."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.hashsalt": "os-retries", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
