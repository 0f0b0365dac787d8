"""One HTML page: a heading, the numbers of each policy in a table, charts, and more tables."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from os_retries.pages.chart import Charts

# The browser itself keeps the page from requesting anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

# A Chromium in the locale C has a language that its own Intl refuses, and uPlot asks for the numbers of that language.
_LANGUAGE = (
    "try { Intl.getCanonicalLocales(navigator.language) }"
    " catch { Object.defineProperty(navigator, 'language', {value: 'en'}) }"
)


def page(title: str, body: str, charts: Charts) -> str:
    """Return the page.

    :param title: the title, as text
    :param body: what the page shows, as HTML; it has ``charts_here()`` where the charts are to be
    """
    # "<" begins the end of a script in HTML, and is nothing but a character in JSON.
    data = json.dumps(charts.as_data(), separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n"
        f"<style>\n{_part('uplot/uPlot.min.css')}\n{_part('page.css')}</style>\n</head>\n<body>\n{body}"
        f'<script type="application/json" id="numbers">{data}</script>\n'
        f"<!-- uPlot:\n{_part('uplot/LICENSE')}\n-->\n"
        f"<script>{_LANGUAGE}</script>\n<script>{_part('uplot/uPlot.iife.min.js')}</script>\n"
        f"<script>\n{_part('page.js')}</script>\n</body>\n</html>\n"
    )


def charts_here() -> str:
    """Return the place of the charts.  The script puts the buttons and the charts there."""
    return '<div id="charts"><p class="help">The charts need JavaScript.</p></div>\n'


def numbers(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return the table of the policies as HTML: a line for each one, in the order of the curves.

    The script puts a box before each name, which shows the policy in all charts or hides it.

    :param head: the heads of the columns behind the name, as text
    :param lines: the name of each policy and its numbers, as text
    """
    cells = "".join(f"<th>{text(each)}</th>" for each in ("", *head))
    body = "".join(
        f'<tr data-policy="{number}"><th scope="row">{text(name)}</th>'
        + "".join(f"<td>{text(each)}</td>" for each in rest)
        + "</tr>\n"
        for number, (name, *rest) in enumerate(lines)
    )
    return (
        f'<div class="wide"><table class="numbers">\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}</tbody>\n'
        "</table></div>\n"
    )


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML.

    :param head: the heads of the columns, as text
    :param lines: the cells of each line, as HTML
    """
    cells = "".join(f"<th>{text(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in line) + "</tr>\n" for line in lines)
    return f'<div class="wide"><table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n'


def text(value: str) -> str:
    """Return a text as HTML."""
    return html.escape(value)


def _part(name: str) -> str:
    return resources.files("os_retries.pages").joinpath(name).read_text(encoding="utf-8")
