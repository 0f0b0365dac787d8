"""The dashboard docs/grafana.json, in a real Prometheus.  Without one on this machine the test is skipped."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no prometheus on this machine")
def test_each_panel_has_data_and_the_calls_given_up_are_those_of_the_programs():
    done = subprocess.run(
        [sys.executable, TOP / "bench/dashboard.py", "--seconds", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
