"""Sahara itself: `make demo-sahara` in its short form, one way under one seed, on the sandbox of the tests."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.cloud

TOP = Path(__file__).parents[2]
DEMO = TOP / "bench/sahara_demo.py"
SEED = 1


@pytest.fixture
def demo(monkeypatch):
    """The demo as a module."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(DEMO.parent)])
    import sahara_demo

    return sahara_demo


def run(cloud, *ways):
    chosen = [part for way in ways for part in ("--only", way)]
    command = [sys.executable, DEMO, "--state", cloud.state, "--keep", "--seed", str(SEED), *chosen]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)


def test_under_run_sahara_makes_scales_and_deletes_a_cluster_and_leaves_nothing(cloud):
    done = run(cloud, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = (line.split("  ") for line in done.stdout.splitlines() if line.startswith("run "))
    cells = [cell.strip() for cell in row if cell.strip()]
    assert cells[:5] == ["run", "Active", "Active", "gone", "nothing"]
    assert int(cells[6].split()[0]) > 5, "so few failures prove nothing"


def ended(demo, way, *outcome, left=()):
    return demo.Result(way, dict(zip(demo.STEPS, outcome, strict=True)), Counter(left), 100, Counter(lost=9))


GOOD = ("Active", "Active", "gone")


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (("Error", "-", "gone"), ()),
        (("Active", "not scaled", "gone"), ()),
        (("Active", "Active", "still Deleting"), ()),
        (GOOD, ["trust"]),
    ],
    ids=["not made", "not scaled", "not deleted", "a trust is left"],
)
def test_the_demo_fails_when_the_promise_is_broken(demo, outcome, left):
    assert demo.verdict([ended(demo, "run", *GOOD)])[1] == 0
    text, status = demo.verdict([ended(demo, "run", *GOOD), ended(demo, "both", *outcome, left=left)])
    assert (status, text) == (1, "The promise is broken: see both.")


def test_what_happens_without_os_retries_does_not_make_the_demo_fail(demo):
    plain = ended(demo, "as it is", "Error", "-", "gone", left=["trust"])
    assert demo.verdict([plain, ended(demo, "run", *GOOD)])[1] == 0


def test_a_run_without_faults_proves_nothing(demo):
    result = ended(demo, "run", *GOOD)
    result.faults.clear()
    assert demo.verdict([result])[1] == 1
