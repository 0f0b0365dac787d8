"""The report of ``os-retries check``: as text, and as JSON."""

from __future__ import annotations

import json
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from os_retries.check.recording import HANDED_OVER
from os_retries.run.text import printable
from os_retries.terminal.stream import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from os_retries.check.clients import Case
    from os_retries.check.program import Program
    from os_retries.terminal.stream import Paint

_HEADINGS = ("one call", "in a loop", "a create", "Retry-After")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of one client.

    ``calls``
        The requests that one call has sent, by failure: a status, or ``lost``.
    ``looped``
        The requests of one call with a loop of six attempts around it.
    ``verb``, ``creates``
        The verb of a create whose answer was lost, and how often it was sent.
    ``retry_after``
        Whether the exception has the Retry-After of the answer.
    ``error``
        Why the client could not be measured; empty if it could.
    """

    calls: Mapping[str, int]
    looped: int = 0
    verb: str = ""
    creates: int = 0
    retry_after: bool = False
    error: str = ""

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Return the numbers that the child process has printed."""
        return cls(**{"calls": {}, **value})

    @property
    def worst(self) -> int:
        """The requests of one call with the failure that causes the most of them."""
        return max(self.calls.values(), default=0)


@dataclass(frozen=True, slots=True)
class Row:
    """One client with one setting: without os-retries, and with it."""

    case: Case
    version: str
    without: Numbers
    attached: Numbers

    @property
    def multiplies(self) -> bool:
        """Whether one call sends more than one request while the service fails."""
        return self.without.worst > 1

    @property
    def error(self) -> str:
        """Why it could not be measured; empty if it could."""
        return self.without.error or self.attached.error


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in an environment.

    ``others``
        The other packages that use keystoneauth, and their versions.
    ``program``
        The program that was run; None if there was none.
    """

    python: str
    version: str
    rows: tuple[Row, ...]
    others: Mapping[str, str]
    program: Program | None = None

    @property
    def status(self) -> int:
        """The exit status: 2 if a client could not be measured, 1 if the report shows a problem, else 0.

        A problem is a client that repeats by default, a program that failed, or a request that is handed over.
        """
        if any(row.error for row in self.rows):
            return 2
        ran = self.program
        return 1 if self.multiplying or (ran is not None and (ran.status or ran.handed_over)) else 0

    @property
    def defaults(self) -> list[Row]:
        """The clients with their defaults."""
        return [row for row in self.rows if not row.case.setting]

    @property
    def multiplying(self) -> list[Row]:
        """The clients that repeat by default."""
        return [row for row in self.defaults if row.multiplies]


def as_text(report: Report, *, width: int | None = None, paint: Paint = plain) -> str:
    """Return the report for people.

    :param width: the number of columns into which it should fit; None for no limit
    """
    painted: list[str] = []
    for line, style in _lines(report, width):
        text = printable(line.rstrip())
        pieces = [text] if width is None or len(text) <= width else textwrap.wrap(text, width, subsequent_indent="    ")
        painted += [paint(piece, style) for piece in pieces]
    return "".join(f"{line}\n" for line in painted)


def _lines(report: Report, width: int | None) -> Iterator[tuple[str, str]]:
    """Yield each line and its style."""
    yield f"os-retries {report.version}, Python {report.python}", ""
    yield "How often a request is sent while the service fails, measured on 127.0.0.1. A loop makes 6 attempts.", ""
    yield (
        "36 -> 6: 36 times today, 6 times under os-retries run (in a loop: with execute_with_retries as the loop).",
        "",
    )
    yield from _table("clients with their defaults", report.defaults, width)
    yield from _table("loops that a program may switch on", [row for row in report.rows if row.case.setting], width)
    yield "", ""
    for row in report.rows:
        if row.error:
            yield f"not measured: {_name(row)}: {row.error}", "red"
    if report.others:
        names = (f"{name} {version}" for name, version in sorted(report.others.items()))
        yield f"not measured, but uses keystoneauth: {', '.join(names)}", ""
    yield from _verdict(report)
    if report.program is not None:
        yield "", ""
        yield from _program(report.program)


def _program(program: Program) -> Iterator[tuple[str, str]]:
    """Say of each request by which the program changed something what happens if its answer is lost."""
    yield f"if an answer is lost: {shlex.join(program.command)} (exit status {program.status})", "bold"
    if not program.writes:
        yield (
            "No request that changes something was seen: the program sent none, or Python below it was not reached.",
            "",
        )
    for write, number in sorted(program.writes.items()):
        what = f"{write.service} {write.request}".strip() + (f" x {number}" if number > 1 else "")
        style = "red" if write.verdict == HANDED_OVER else ""
        yield f"  {what}: {write.verdict}" + (f" ({write.reason})" if write.reason else ""), style


def _table(title: str, rows: list[Row], width: int | None) -> Iterator[tuple[str, str]]:
    """Yield the lines of a table.  Where they are too long, the numbers are below the names."""
    lines = [(title, *_HEADINGS), *(_cells(row) for row in rows if not row.error)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    below = width is not None and sum(widths) + 2 * len(_HEADINGS) > width
    yield "", ""
    for at, (first, *others) in enumerate(lines):
        style = "" if at else "bold"
        if below:
            yield first, style
            yield "  ".join(["  ", *map(str.rjust, others, widths[1:])]), style
        else:
            yield "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]), style


def _name(row: Row) -> str:
    return f"{row.case.name} {row.case.setting or row.version}"


def _cells(row: Row) -> tuple[str, ...]:
    without, attached = row.without, row.attached
    return (
        f"  {_name(row)}",
        _change(without.worst, attached.worst),
        _change(without.looped, attached.looped),
        _change(without.creates, attached.creates),
        "kept" if without.retry_after else "lost",
    )


def _change(without: int, attached: int) -> str:
    return str(without) if without == attached else f"{without} -> {attached}"


def _verdict(report: Report) -> Iterator[tuple[str, str]]:
    for row in report.multiplying:
        loop = f", {row.case.loop}" if row.case.loop else ""
        yield f"{row.case.name} repeats by default{loop}: {row.without.looped} requests for one call in a loop", "red"
    for row in report.defaults:
        if row.without.verb == "POST" and row.without.creates > 1:
            text = f"{row.case.name} sends a create whose answer was lost {row.without.creates} times: duplicates"
            yield text, "red"
    losing = sorted({row.case.name for row in report.defaults if not row.error and not row.without.retry_after})
    if losing:
        for line in textwrap.wrap(f"Retry-After is lost by {', '.join(losing)}", 100, subsequent_indent="  "):
            yield line, ""
    if not report.multiplying:
        yield "no client repeats by default: nothing multiplies", "green"


def as_json(report: Report) -> str:
    """Return the report for programs.  docs/check.md lists the fields."""
    value = {
        "os_retries": report.version,
        "python": report.python,
        "multiplies": bool(report.multiplying),
        "clients": [_row(row) for row in report.rows],
        "not_measured": dict(sorted(report.others.items())),
        "program": None if report.program is None else _ran(report.program),
    }
    return json.dumps(value, indent=2) + "\n"


def _ran(program: Program) -> dict[str, Any]:
    writes = [
        {
            "service": write.service or None,
            "request": write.request,
            "times": number,
            "verdict": write.verdict,
            "reason": write.reason or None,
        }
        for write, number in sorted(program.writes.items())
    ]
    return {"command": list(program.command), "status": program.status, "writes": writes}


def _row(row: Row) -> dict[str, Any]:
    return {
        "package": row.case.distribution,
        "version": row.version,
        "part": row.case.part or None,
        "setting": row.case.setting or None,
        "error": row.error or None,
        "multiplies": row.multiplies,
        "without": _numbers(row.without),
        "with": _numbers(row.attached),
    }


def _numbers(numbers: Numbers) -> dict[str, Any]:
    return {
        "call": dict(numbers.calls),
        "loop": numbers.looped,
        "create": {"verb": numbers.verb or None, "sent": numbers.creates},
        "retry_after": numbers.retry_after,
    }
