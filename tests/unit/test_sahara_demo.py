"""The verdict of `make demo-sahara`.  CI runs the demo itself."""

import sys
from collections import Counter
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DEMO = TOP / "bench/sahara_demo.py"


@pytest.fixture
def demo(monkeypatch):
    """The demo as a module."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(DEMO.parent)])
    import sahara_demo

    return sahara_demo


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
