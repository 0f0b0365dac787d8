"""Every test that docs/design/promises.md names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| .+ \| `([\w/.]+)`(?: `(\w+)`)? \|$")


def rows() -> list[tuple[str, str | None]]:
    lines = (TOP / "docs/design/promises.md").read_text().splitlines()
    return [(match[1], match[2]) for line in lines if (match := ROW.match(line))]


def test_the_page_has_a_row_for_each_promise():
    lines = [line for line in (TOP / "docs/design/promises.md").read_text().splitlines() if line.startswith("| ")]
    headers = sum(line == "| promise | test |" for line in lines)
    assert len(rows()) == len(lines) - headers > 40


@pytest.mark.parametrize(("file", "test"), rows())
def test_the_named_test_exists(file, test):
    text = (TOP / file).read_text()
    assert test is None or f"def {test}(" in text
