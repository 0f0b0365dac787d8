"""Options of all tests: how much is tried, and of what seed."""

import secrets
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("os-retries")
    group.addoption("--full", action="store_true", help="try what is left out otherwise: make test-full")
    group.addoption("--repeat", type=int, default=3, metavar="N", help="how often, of what --full draws (%(default)s)")
    group.addoption("--seed", type=int, metavar="N", help="of what is drawn at random (default: drawn with --full)")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(1_000_000) if config.option.full else 4711


def pytest_report_header(config: pytest.Config) -> str:
    return f"os-retries: --seed {config.option.seed}{', everything' if config.option.full else ''}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests import parallel

    return parallel.number_of_workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out the tests as tests/parallel.py says, unless --dist says otherwise."""
    from tests import parallel

    return parallel.Scheduling(config, log) if config.option.dist == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``full``, and with --full keep nothing else; in a worker, begin with what is long."""
    wanted = [item for item in items if config.option.full or item.get_closest_marker("full") is None]
    left_out = [item for item in items if item not in wanted] if len(wanted) < len(items) else []
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = wanted
    if hasattr(config, "workerinput"):
        from tests import parallel

        items.sort(key=lambda item: parallel.place(item.nodeid))
