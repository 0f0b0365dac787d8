"""The rules of tests/unit/test_pacing.py, kept by the pacers that processes share: one suite, three pacers."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fleet.shared import File, Script, Shared
from tests.unit import test_pacing

TESTS = {
    name: test
    for name, test in vars(test_pacing).items()
    if name.startswith("test_") and "make" in inspect.signature(test).parameters
}
globals().update(TESTS)

SETTINGS = "_hypothesis_internal_use_settings"  # where hypothesis keeps the settings of a test


@pytest.fixture(params=["host", "redis"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Shared]]:
    """Return a function that makes a new shared pacer: that of another endpoint."""
    drawn = getattr(request.function, SETTINGS, None)
    if drawn is not None:  # a few examples, because each step takes a hundred times longer than in one process
        monkeypatch.setattr(request.function, SETTINGS, settings(drawn, max_examples=10))
    endpoints = (f"endpoint:{number}" for number in itertools.count())
    if request.param == "host":
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        yield lambda: Shared(File(next(endpoints)))
    else:
        with request.getfixturevalue("server").client() as client:
            yield lambda: Shared(Script(client, next(endpoints)))


def test_nearly_all_rules_of_a_single_process_hold_for_shared_pacers():
    """Two do not: fewer than eleven calls need no slots there.  Three queues of thousands would take minutes."""
    alone = {name for name in vars(test_pacing) if name.startswith("test_")} - set(TESTS)
    assert len(alone) == 5
    assert len(TESTS) > 20
