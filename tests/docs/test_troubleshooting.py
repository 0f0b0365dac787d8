"""docs/troubleshooting.md quotes the messages of the code correctly, and has every reason for giving up."""

import ast
import re
from pathlib import Path

import pytest

from os_retries import GiveUp

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "troubleshooting.md").read_text()
MESSAGES = [
    line for block in re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def _texts():
    """Every text in the code; of one with values in it, the parts between them."""
    for path in (TOP / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


TEXTS = list(_texts())


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_on_the_page_is_one_of_the_code(message):
    parts = [part.strip(" ·") for part in message.split("…")]
    for part in filter(None, parts):
        assert any(part in text for text in TEXTS), f"no message has {part!r}"


def test_the_page_says_what_to_do_about_every_reason_for_giving_up():
    rows = re.findall(r"^\| `([^`]+)` \| .+ \|$", PAGE, flags=re.MULTILINE)
    assert rows == [str(reason) for reason in GiveUp]
