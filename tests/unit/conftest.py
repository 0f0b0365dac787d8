"""Helpers of the pure tests: an error with a status, a fixture without waits, and a clean default policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from os_retries import policy
from os_retries.testing import NoWaits


class HttpError(Exception):
    """An error like those of clients, with the status in an attribute."""

    def __init__(self, code: object, **attributes: object) -> None:
        super().__init__(f"HTTP {code}")
        self.code = code
        vars(self).update(attributes)


class Scripted:
    """A method with planned outcomes: an exception is raised, and any other value is returned."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls.append((args, kwargs))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def recorded() -> Iterator[NoWaits]:
    with NoWaits() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def _specification() -> Iterator[None]:
    """Every test begins and ends with the specification's policy."""
    policy.provide(None)
    yield
    policy.provide(None)
