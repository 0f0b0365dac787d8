"""docs/tutorial.md runs as it is typed, on the sandbox, and prints what it shows."""

import os
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS, run_commands

pytestmark = pytest.mark.cloud
TOP = Path(__file__).parents[2]
BLOCKS = [block for block in BLOCKS if block.page.name == "tutorial.md" and not block.reason]
FILES = [block.file for block in BLOCKS if block.file]


@pytest.fixture
def files_taken_away():
    """The tutorial is typed in the checkout, and so are its files."""
    for name in FILES:
        assert not (TOP / name).exists(), f"{name} is there before the tutorial has made it"
    yield
    for path in [TOP / name for name in FILES]:
        path.unlink(missing_ok=True)


@pytest.mark.usefixtures("cloud", "files_taken_away")
def test_the_tutorial_runs_as_it_is_typed():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    run_commands(BLOCKS, TOP, environment)
