"""What ``import os_retries`` imports.  bench/import_time.py measures how long it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import os_retries

SOURCE = Path(os_retries.__file__).parents[1]


def loaded_by(statement, *, options=("-I", "-S")):
    """The modules that the statement adds to those of a fresh interpreter; ``-S`` leaves site-packages out."""
    program = f"import sys; before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, *options, "-c", f"import sys; sys.path.append({str(SOURCE)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["os_retries", "os_retries.testing"])
def test_the_import_needs_nothing_but_the_standard_library(module):
    """Also where other packages are there to be imported."""
    packages = {name.partition(".")[0] for name in loaded_by(f"import {module}", options=["-I"])}
    assert packages - sys.stdlib_module_names == {"os_retries"}


def test_what_only_a_failed_call_needs_is_not_loaded_by_the_import():
    loaded = loaded_by("import os_retries")
    assert loaded.isdisjoint({"random", "hashlib", "email", "socket", "urllib", "datetime", "oslo_config"})
    assert loaded.isdisjoint(
        {"logging", "dataclasses", "os_retries.core.retries", "os_retries.policy", "os_retries.pacing.local"}
    )


def test_it_runs_without_any_other_package():
    """The fresh interpreter has no site-packages: a call, its retry and the policy need none."""
    loaded_by(
        "import os_retries\n"
        "class Error(Exception): code = 503\n"
        "outcomes = [Error(), 'result']\n"
        "def method():\n"
        "    outcome = outcomes.pop(0)\n"
        "    if isinstance(outcome, str): return outcome\n"
        "    raise outcome\n"
        "assert os_retries.RetryPolicy(sleep=lambda seconds: None).execute(method) == 'result'\n"
        "assert outcomes == []\n"
    )


def test_where_no_file_can_be_opened_any_more_the_callers_error_is_its_own_and_later_ones_are_repeated():
    """What only a failed call needs is loaded then, and an outage is when a program runs out of file descriptors."""
    loaded_by(
        "import os, resource, os_retries\n"
        "class Error(Exception): code = 503\n"
        "def fail(): raise Error\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (32, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "taken = []\n"
        "try:\n"
        "    while True: taken.append(os.open('/', os.O_RDONLY))\n"
        "except OSError: pass\n"
        "try: os_retries.execute_with_retries(fail)\n"
        "except Error: pass\n"
        "assert 'os_retries.core.retries' not in sys.modules\n"
        "for each in taken: os.close(each)\n"
        "import os_retries.core.retries, os_retries.testing\n"
        "with os_retries.testing.NoWaits() as waits:\n"
        "    try: os_retries.execute_with_retries(fail)\n"
        "    except Error as error: assert len(error.os_retries.attempts) == 6\n"
    )
