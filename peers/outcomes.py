"""What a test run said, and how two runs of the same tests differ from what the repository expects."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import subunit
import testtools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PASSED = "passed"
SKIPPED = "skipped"
NOT_RUN = "NotRun: the process ended before this test did"
_OUTCOMES = {"success": PASSED, "xfail": PASSED, "skip": SKIPPED}

# The parts of a failure's text that are drawn at random or depend on the machine.
_VARIABLE = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{16,}\b"), "<hex>"),
    (re.compile(r"id='\d+'"), "id='…'"),
    (re.compile(r"\[\d+ chars\]"), "[… chars]"),
    (re.compile(r"('(?:adminPass|secret)': )'[^']*'"), r"\1<random>"),
    (re.compile(r"\b\d+\.\d{3,}\b"), "<number>"),
)
_NO_NEWS = ("Diff is ",)  # unittest's hint at a longer diff, with the number of its characters
# The line of a traceback that names the exception.
_HEAD = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Exit|Interrupt|Failure|Timeout|NotFound|Unauthorized))(?=:|$)")
_LONGEST = 120  # characters that are kept of the exception, and of the end of the text


def read(path: Path, texts: dict[str, str] | None = None) -> dict[str, str]:
    """Read a subunit stream: the outcome of each test by its id. Put the texts of failures into ``texts``.

    An outcome is PASSED, SKIPPED, or the gist of the failure's text. A test that ran more than once under one id
    has failed if any run of it has.
    """
    outcomes: dict[str, str] = {}

    def note(test: dict[str, Any]) -> None:
        text = _text(test)
        outcome = gist(text) if text is not None else _OUTCOMES.get(test["status"], NOT_RUN)
        if texts is not None and text is not None:
            texts[test["id"]] = text
        if outcomes.get(test["id"], NOT_RUN) in (NOT_RUN, PASSED, SKIPPED):
            outcomes[test["id"]] = outcome

    result = testtools.StreamToDict(note)
    result.startTestRun()
    with path.open("rb") as stream:
        subunit.ByteStreamToStreamResult(stream, non_subunit_name="stdout").run(result)
    result.stopTestRun()
    # A test with scenarios is announced by its own name, and runs under that name followed by "(scenario)".
    ran = {test.partition("(")[0] for test, outcome in outcomes.items() if outcome != NOT_RUN}
    return {test: outcome for test, outcome in outcomes.items() if outcome != NOT_RUN or test not in ran}


def _text(test: Mapping[str, Any]) -> str | None:
    """Return the text of a failure; None if the test has not failed."""
    if test["status"] not in ("fail", "uxsuccess"):
        return None
    texts = [content.as_text() for name, content in test["details"].items() if name.startswith("traceback")]
    return texts[0] if texts else f"without a traceback: {test['status']}"


def gist(text: str) -> str:
    """Return the exception and the end of a failure's text: they tell if a test fails for another reason than it did.

    The end is the last line, or, where testtools prints two values, the lines of the second one that the first one
    lacks. What changes from run to run is replaced.
    """
    for pattern, instead in _VARIABLE:
        text = pattern.sub(instead, text)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(_NO_NEWS)]
    end = lines[-1] if lines else ""
    _, _, values = text.rpartition("\nreference = ")
    reference, found, actual = values.partition("\nactual    = ")
    if found:
        known = {_bare(each) for each in reference.splitlines()} | {""}
        end = " ".join(each for each in map(_bare, actual.splitlines()) if each not in known) or end
    heads = [line.strip() for line in text.splitlines() if _HEAD.match(line)]
    parts = [heads[-1], end] if heads and heads[-1] != end else [end]
    return " … ".join(_cut(_HEAD.sub(r"\1", part)) for part in parts)


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _bare(line: str) -> str:
    """Return a line of a printed dictionary without what tells where in the dictionary it is."""
    return line.strip(" {},\\")


@dataclass
class Comparison:
    """How the attached run of one suite differs from the plain run, and that from the list."""

    tests: int
    fail_plain_too: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)
    #: id -> the outcome in the list, and the one of this run
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: id -> the reason in the list
    stale: dict[str, str] = field(default_factory=dict)

    @property
    def is_red(self) -> bool:
        """Whether anything differs from the list."""
        return bool(self.new or self.changed or self.stale)


def compare(plain: Mapping[str, str], attached: Mapping[str, str], expected: Expected) -> Comparison:
    """Compare both runs of a suite with the list of its expected differences."""
    comparison = Comparison(len(plain))
    for test, was, now in _pairs(plain, attached):
        listed = expected.lines.get(test)
        if was not in (PASSED, SKIPPED) and now not in (PASSED, SKIPPED):
            comparison.fail_plain_too[test] = was
        if _same(was, now):
            if listed is not None:
                comparison.stale[test] = expected.reasons[test]
        elif listed is None:
            comparison.new[test] = now
        elif listed != now:
            comparison.changed[test] = (listed, now)
        else:
            comparison.expected[test] = expected.reasons[test]
    for test in expected.lines.keys() - plain.keys() - attached.keys():
        comparison.stale[test] = expected.reasons[test]
    return comparison


def _pairs(plain: Mapping[str, str], attached: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield each test with its outcomes. A test that one of the runs does not know has not run there."""
    for test in sorted(plain.keys() | attached.keys()):
        yield test, plain.get(test, NOT_RUN), attached.get(test, NOT_RUN)


def _same(was: str, now: str) -> bool:
    """Whether two outcomes are alike: a test that fails both ways tells nothing about us, whatever its text."""
    if was in (PASSED, SKIPPED) or now in (PASSED, SKIPPED):
        return was == now
    return True


@dataclass(frozen=True)
class Expected:
    """The list of the differences that are expected of one suite."""

    lines: Mapping[str, str]  # id -> the gist of the failure, or PASSED
    reasons: Mapping[str, str]  # id -> why


def read_expected(path: Path) -> Expected:
    """Read a list: a table for each reason, in it the id of each test and the gist of its failure.

    :raises ValueError: for a test that is listed twice
    """
    lines: dict[str, str] = {}
    reasons: dict[str, str] = {}
    tables = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    for reason, tests in tables.items():
        for test, line in tests.items():
            if test in lines:
                raise ValueError(f"{path.name}: {test} is listed twice")
            lines[test], reasons[test] = line, reason
    return Expected(lines, reasons)


def as_toml(test: str, line: str) -> str:
    """Write an entry of a list."""
    return f"{_quoted(test)} = {_quoted(line)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
