"""The report of a rehearsal as one HTML page, which needs nothing else: no script, no picture, no other host."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from os_retries.rehearse.report import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from os_retries.rehearse.report import Report
    from os_retries.rehearse.results import Way

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1e7a34; --bad: #b3261e; --bar: #4a7fb5; }
@media (prefers-color-scheme: dark) { :root { --good: #6fcf85; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.bar { display: inline-block; height: .7em; background: var(--bar); }
.wide { overflow-x: auto; }
"""


def as_html(report: Report) -> str:
    """Return the page."""
    verdict = "bad" if not report.passed else "good"
    words = (
        "Every run with os-retries succeeded and left nothing behind."
        if report.passed
        else "Not every run with os-retries succeeded, or something was left behind."
    )
    sums = _table(
        ("", "without", "with os-retries"),
        [(_text(name), _text(without), _text(attached)) for name, without, attached in rows(report)],
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Rehearsal of {_text(report.line)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Rehearsal</h1>\n<p><code>{_text(report.line)}</code></p>\n"
        f"<p>Faults: {_text(report.faults)}; seed {report.seed}</p>\n"
        f'<p class="{verdict}"><strong>{words}</strong></p>\n{sums}'
        f"<h2>Without os-retries</h2>\n{_calls(report.without)}{_left(report.without)}"
        f"<h2>With os-retries</h2>\n{_calls(report.attached)}{_left(report.attached)}</body>\n</html>\n"
    )


def _calls(way: Way) -> str:
    most = max((call.requests for call in way.calls.values()), default=1) or 1
    return _table(
        ("service", "request", "requests", "faults", "failed", "retries", "found", "given up"),
        [
            (
                _text(service),
                f"<code>{_text(request)}</code>",
                f'{call.requests} <span class="bar" style="width:{call.requests / most * 4:.2f}rem"></span>',
                "<br>".join(f"{_text(fault)} &times; {number}" for fault, number in call.faults.items()),
                *(str(number) for number in (call.failed, call.retries, call.found, call.given_up)),
            )
            for (service, request), call in sorted(way.calls.items())
        ],
    )


def _left(way: Way) -> str:
    if not way.left:
        return "<p>Nothing was left behind.</p>\n"
    return "<p>Left behind on the cloud:</p>\n" + _table(
        ("service", "request", "id"),
        [
            (_text(each.service or ""), f"<code>{_text(each.request)}</code>", f"<code>{_text(each.id)}</code>")
            for each in way.left
        ],
    )


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    cells = "".join(f"<th>{each}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in line) + "</tr>\n" for line in lines)
    return f'<div class="wide"><table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n'


def _text(value: str) -> str:
    return html.escape(value)
