"""The report of a rehearsal as one HTML page that needs nothing else: the sums, charts over time, and each call."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from os_retries.pages.chart import Chart, Charts, in_total, instants
from os_retries.pages.page import charts_here, numbers, page, table, text
from os_retries.rehearse.report import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.rehearse.report import Report
    from os_retries.rehearse.results import Run, Way

_WAYS = ("without os-retries", "with os-retries")


def as_html(report: Report) -> str:
    """Return the page."""
    verdict = "bad" if not report.passed else "good"
    words = (
        "Every run with os-retries succeeded and left nothing behind."
        if report.passed
        else "Not every run with os-retries succeeded, or something was left behind."
    )
    sums = rows(report)
    of_a_way = zip(*[(without, attached) for _, without, attached in sums], strict=True)
    body = (
        f"<h1>Rehearsal</h1>\n<p><code>{text(report.line)}</code></p>\n"
        f"<p>Faults: {text(report.faults)}; seed {report.seed}</p>\n"
        f'<p class="{verdict}"><strong>{words}</strong></p>\n'
        + numbers([name for name, _, _ in sums], [(name, *cells) for name, cells in zip(_WAYS, of_a_way, strict=True)])
        + charts_here()
        + "".join(
            f'<section data-policy="{number}">\n<h2>{name.capitalize()}</h2>\n{_calls(way)}{_left(way)}</section>\n'
            for number, (name, way) in enumerate(zip(_WAYS, _both(report), strict=True))
        )
    )
    return page(f"Rehearsal of {report.line}", body, charts(report))


def _both(report: Report) -> tuple[Way, Way]:
    return report.without, report.attached


def charts(report: Report) -> Charts:
    """Return the charts: what all runs of each way have sent, in seconds since the beginning of each run."""
    ways = _both(report)
    longest = max((run.seconds for way in ways for run in way.runs), default=0.0)
    seconds = instants(longest)

    def curves(times: Callable[[Run], list[float]]) -> list[list[int]]:
        return [in_total([at for run in way.runs for at in times(run)], seconds) for way in ways]

    return Charts(
        policies=_WAYS,
        seconds=seconds,
        charts=[
            Chart(title="requests (in total)", curves=curves(_sent)),
            Chart(title="requests that failed (in total)", curves=curves(_failed)),
            Chart(title="retries (in total)", curves=curves(_retried)),
        ],
        trouble=[(begin, min(end, longest)) for begin, end in report.outages if begin < longest],
    )


def _sent(run: Run) -> list[float]:
    return [each["time"] - run.began for each in run.requests if "time" in each]


def _failed(run: Run) -> list[float]:
    failed = [each for each in run.requests if each["status"] is None or each["status"] >= 400]
    return [each["time"] - run.began for each in failed if "time" in each]


def _retried(run: Run) -> list[float]:
    times = [_since_epoch(each.get("time")) for each in run.events if each["event"] == "retry"]
    return [at - run.began for at in times if at is not None]


def _since_epoch(time: object) -> float | None:
    try:
        return dt.datetime.fromisoformat(str(time)).timestamp()
    except ValueError:  # a full disk cuts lines short
        return None


def _calls(way: Way) -> str:
    most = max((call.requests for call in way.calls.values()), default=1) or 1
    return table(
        ("service", "request", "requests", "faults", "failed", "retries", "found", "given up"),
        [
            (
                text(service),
                f"<code>{text(request)}</code>",
                f'{call.requests} <span class="bar" style="width:{call.requests / most * 4:.2f}rem"></span>',
                "<br>".join(f"{text(fault)} &times; {number}" for fault, number in call.faults.items()),
                *(str(number) for number in (call.failed, call.retries, call.found, call.given_up)),
            )
            for (service, request), call in sorted(way.calls.items())
        ],
    )


def _left(way: Way) -> str:
    if not way.left:
        return "<p>Nothing was left behind.</p>\n"
    return "<p>Left behind on the cloud:</p>\n" + table(
        ("service", "request", "id"),
        [
            (text(each.service or ""), f"<code>{text(each.request)}</code>", f"<code>{text(each.id)}</code>")
            for each in way.left
        ],
    )
