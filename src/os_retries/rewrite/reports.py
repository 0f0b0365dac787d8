"""The report of `os-retries rewrite`: lines for people, or one JSON or SARIF document for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from os_retries.rewrite.options import Options


class Row(NamedTuple):
    """One call in a file; lines and columns count from 1, columns in characters, and the end is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    call: str
    verdict: str  # wrap, attach, unsure
    reason: str
    creates: bool


class Hint(NamedTuple):
    """A place that may make clients and that the analysis could not follow, with the --client option to try."""

    path: str
    line: int
    text: str
    option: str


@dataclass
class Result:
    """The outcome of a run."""

    files: int = 0
    changed: int = 0
    rows: list[Row] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    tests: int = 0  # files left out
    unread: int = 0  # files of the project that could not be read

    def count(self, verdict: str) -> int:
        """Count the calls of a verdict."""
        return sum(row.verdict == verdict for row in self.rows)


def lines(rows: Iterable[Row], options: Options, out: TextIO, err: TextIO) -> None:
    """Write the calls of one file: those that --check found, and those left to the user."""
    for row in rows:
        place = f"{row.path}:{row.line}:{row.column}"
        if row.verdict != "wrap":
            label = "not sure" if row.verdict == "unsure" else "left alone"
            err.write(f"{place}: {label}: {row.call}() {row.reason}\n")
        elif options.mode == "check":
            out.write(f"{place}: {row.call}() is not wrapped in {options.wrapper.partition(':')[2]}\n")


def summary(options: Options, result: Result) -> str:
    """Return the last lines: hints, errors, a warning about creates, and the counts."""
    wrapped, unsure = result.count("wrap"), result.count("unsure")
    calls, changed = many(wrapped, "call"), many(result.changed, "file")
    did = {
        "diff": f"would wrap {calls} in {changed}",
        "write": f"wrapped {calls} in {changed}",
        "check": f"{calls} not wrapped",
    }[options.mode]
    parts = [many(result.files, "file"), did]
    if attach := result.count("attach"):
        parts.append(f"{attach} left to os_retries.attach")
    if unsure:
        told = all(row.reason.startswith("is already repeated") for row in result.rows if row.verdict == "unsure")
        parts.append(f"not sure of {unsure}{'' if told else ' (--client says where clients come from)'}")
    if result.tests:
        parts.append(f"{many(result.tests, 'test file')} left out (--tests includes them)")
    if result.unread:
        parts.append(f"{many(result.unread, 'file')} of the project could not be read")
    if result.errors:
        parts.append(many(len(result.errors), "error"))
    text = [f"{hint.path}:{hint.line}: {hint.text}: --client {hint.option}" for hint in result.hints]
    text += [f"os-retries rewrite: {message}" for message in result.errors]
    if creates := sum(row.creates for row in result.rows if row.verdict == "wrap"):
        text.append(
            f"os-retries rewrite: {creates} of the {calls} create something. A repeat after a lost answer creates it"
            " twice: use os_retries.attach(session) too, or leave these calls out with --no-creates."
        )
    text.append(f"os-retries rewrite: {', '.join(parts)}")
    return "".join(f"{line}\n" for line in text)


def many(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def as_json(options: Options, result: Result) -> str:
    """Return the run as one JSON object; docs/rewrite.md lists its fields."""
    verdicts = Counter(row.verdict for row in result.rows)
    document = {
        "version": 1,
        "mode": options.mode,
        "wrapper": options.wrapper,
        "summary": {
            "files": result.files,
            "changed": result.changed,
            **{verdict: verdicts[verdict] for verdict in ("wrap", "attach", "unsure")},
            "creates": sum(row.creates for row in result.rows if row.verdict == "wrap"),
            "tests_left_out": result.tests,
            "unread": result.unread,
        },
        "calls": [row._asdict() for row in result.rows],
        "hints": [hint._asdict() for hint in result.hints],
        "errors": result.errors,
    }
    return json.dumps(document, indent=2) + "\n"


_RULES = {
    "wrap": ("not-wrapped", "warning", "A call of an OpenStack client is not retried."),
    "attach": ("attach", "note", "A call whose session should be attached: wrapping it would not help."),
    "unsure": ("not-sure", "note", "A call that may be a client's call, or that is already inside a retry loop."),
    "hint": ("unknown-client", "note", "Clients may come from here, but the analysis could not follow them."),
}


def as_sarif(options: Options, result: Result) -> str:
    """Return the run as a SARIF 2.1.0 log, without the calls that --write has wrapped."""
    rows = [row for row in result.rows if row.verdict != "wrap" or options.mode != "write"]
    found = [_sarif(row.verdict, _message(row, options), row.path, _region(row)) for row in rows]
    found += [
        _sarif("hint", f"{hint.text}: --client {hint.option}", hint.path, {"startLine": hint.line})
        for hint in result.hints
    ]
    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for name, level, text in _RULES.values()
    ]
    notifications = [{"level": "error", "message": {"text": message}} for message in result.errors]
    run = {
        "tool": {"driver": {"name": "os-retries rewrite", "version": version("os-retries"), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {"executionSuccessful": not result.errors, "toolExecutionNotifications": notifications},
        ],
        "results": found,
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2) + "\n"


def _message(row: Row, options: Options) -> str:
    if row.verdict == "wrap":
        return f"{row.call}() is not wrapped in {options.wrapper.partition(':')[2]}"
    return f"{row.call}() {row.reason}"


def _region(row: Row) -> dict[str, int]:
    return {
        "startLine": row.line,
        "startColumn": row.column,
        "endLine": row.end_line,
        "endColumn": row.end_column,
    }


def _sarif(verdict: str, message: str, path: str, region: dict[str, int]) -> dict[str, Any]:
    name, level, _ = _RULES[verdict]
    uri = Path(path).as_uri() if Path(path).is_absolute() else quote(Path(path).as_posix())
    return {
        "ruleId": name,
        "ruleIndex": [rule[0] for rule in _RULES.values()].index(name),
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
    }
