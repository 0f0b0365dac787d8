"""The options of all tests: how much is tested, and the seed of the random numbers."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

#: The services of `sandbox/cloud up --with`.
ON_DEMAND = (
    "barbican",
    "designate",
    "octavia",
    "ironic",
    "manila",
    "mistral",
    "zaqar",
    "aodh",
    "masakari",
    "blazar",
    "watcher",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("os-retries")
    group.addoption("--full", action="store_true", help="run only the long tests (make test-full)")
    group.addoption("--repeat", type=int, default=3, metavar="N", help="with --full: number of seeds (%(default)s)")
    group.addoption(
        "--with",
        dest="extras",
        metavar="NAME,...",
        help="test the creates of these services of `sandbox/cloud up --with` (default: one of them, drawn anew in each run)",
    )
    group.addoption("--seed", type=int, metavar="N", help="seed of the random numbers (with --full: at random)")


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("FORCE_COLOR", None)  # the tests compare what the commands print, and CI often sets it
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(1_000_000) if config.option.full else 4711
    if config.option.extras is None:
        drawn = ",".join(ON_DEMAND) if config.option.full else secrets.choice(ON_DEMAND)
        # The workers of pytest-xdist configure themselves, and must collect the same tests.
        config.option.extras = os.environ.setdefault("TESTS_WITH", drawn)


@pytest.fixture(autouse=True)
def _a_host_of_its_own(_hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test shares the host's queue of retries with another test, or with the user's own programs."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", tempfile.mkdtemp(dir=_hosts))


@pytest.fixture(scope="session")
def _hosts() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
        yield folder


def pytest_report_header(config: pytest.Config) -> str:
    everything = ", everything" if config.option.full else ""
    return f"os-retries: --seed {config.option.seed} --with {config.option.extras}{everything}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests import parallel

    return parallel.number_of_workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute the tests with tests/parallel.py, unless --dist asks for another way."""
    from tests import parallel

    return parallel.Scheduling(config, log) if config.option.dist == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``full``, or with --full all others; in a worker, start with the longest tests."""
    wanted = [item for item in items if config.option.full or item.get_closest_marker("full") is None]
    left_out = [item for item in items if item not in wanted] if len(wanted) < len(items) else []
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = wanted
    if hasattr(config, "workerinput"):
        from tests import parallel

        items.sort(key=lambda item: parallel.place(item.nodeid))
