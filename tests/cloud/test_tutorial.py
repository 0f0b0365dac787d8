"""The commands of docs/tutorial.md and operations.md run on the sandbox as written, and print what the pages show."""

import os
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS, run_commands

pytestmark = pytest.mark.cloud
TOP = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path, cloud):
    """A folder that stands for the checkout in which the reader types.

    It leads to this one, but its sandbox is that of these tests, and the files that the reader makes stay out of the
    repository.
    """
    (tmp_path / "Makefile").write_text(f"env:\n\t@$(MAKE) --no-print-directory -C '{TOP}' env\n")
    (tmp_path / ".venv").symlink_to(TOP / ".venv")
    command = tmp_path / "sandbox" / "cloud"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec '{TOP}/sandbox/cloud' \"$@\" --state '{cloud.state}'\n")
    command.chmod(0o755)
    return tmp_path


def test_the_tutorial_runs_as_it_is_typed(checkout):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    blocks = [block for block in BLOCKS if block.page.name == "tutorial.md" and not block.reason]
    run_commands(blocks, checkout, environment)


def test_the_guide_of_operations_runs_as_it_is_typed(checkout):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {"OS_CLIENT_CONFIG_FILE": os.environ["OS_CLIENT_CONFIG_FILE"]}
    environment["PATH"] = f"{TOP / '.venv/bin'}{os.pathsep}{environment['PATH']}"
    blocks = [
        block
        for block in BLOCKS
        if block.page.name == "operations.md" and not block.reason and block.language != "text"
    ]
    run_commands(blocks, checkout, environment)
