"""Our execute_with_retries passes Sahara 19.0.0's own tests, through the shim that the documentation shows."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
HERE = Path(__file__).parent
SHIM = HERE / "sahara_shim.py"
GUIDE = TOP / "docs" / "migrate-from-sahara.md"

# What Sahara's ExecuteWithRetryTest holds: each client's errors that are repeated, and those that are not.
CLIENTS = ("cinder", "heat", "keystone", "neutron", "nova")


@pytest.fixture(scope="module")
def sahara_python():
    """Sahara's environment, made when it is not there yet; it has an oslo.config of its own."""
    subprocess.run([TOP / "tools" / "venv", ".venv-sahara", "tests/sahara/requirements.txt"], cwd=TOP, check=True)
    return TOP / ".venv-sahara" / "bin" / "python"


def run_sahara_tests(python, **environment):
    done = subprocess.run(
        [python, HERE / "run_with_shim.py"],
        env=os.environ | {"PYTHONPATH": str(TOP / "src"), "PYTHONWARNINGS": "ignore"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_sahara_s_own_tests_pass_with_our_function_in_place_of_its_own(sahara_python):
    result, output = run_sahara_tests(sahara_python)
    assert result == {"run": 2 * len(CLIENTS), "failed": [], "skipped": 0}, output


def test_sahara_s_own_tests_notice_when_nothing_is_repeated(sahara_python):
    """The check above can fail: with our retries switched off, each client's test of them does."""
    result, _ = run_sahara_tests(sahara_python, OS_RETRIES_DISABLED="1")
    assert result["failed"] == [f"test_{client}client_calls_with_retry" for client in CLIENTS]


def test_the_guide_shows_the_very_shim_that_sahara_s_tests_ran_with():
    assert SHIM.read_text() in re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_shim_is_at_most_15_lines():
    assert len(SHIM.read_text().splitlines()) <= 15
