"""For the tests of programs that use os_retries: no waits, and a record of every attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from os_retries.core import hooks

if TYPE_CHECKING:
    from os_retries.core.events import Event
    from os_retries.core.evidence import Attempt, Evidence, Retry

__all__ = ["NoWaits"]


class NoWaits:
    """A context manager under which no thread waits between attempts, and every attempt is recorded.

    It is also a fixture for ``fixtures.TestWithFixtures.useFixture``::

        @pytest.fixture
        def recorded():
            with os_retries.testing.NoWaits() as recorded:
                yield recorded

        def test_a_refused_boot_is_repeated(recorded): ...
            assert recorded.waits == [10.0]

    ``retries``
        A :class:`~os_retries.evidence.Retry` for each retry.
    ``given_up``
        An :class:`~os_retries.evidence.Evidence` for each call that was given up.
    ``attempts``
        All failed attempts, in the order in which they ended.
    ``waits``
        The seconds that would have been waited, in order.
    """

    def __init__(self) -> None:
        self.retries: list[Retry] = []
        self.given_up: list[Evidence] = []
        self.attempts: list[Attempt] = []
        self._before: list[Any] = []  # a stack, because the same object may be entered again inside itself

    @property
    def waits(self) -> list[float]:
        """The seconds that would have been waited, in order."""
        return [retry.attempt.wait or 0.0 for retry in self.retries]

    def _retry(self, retry: Retry) -> None:
        self.retries.append(retry)
        self.attempts.append(retry.attempt)

    def _note(self, event: Event) -> None:
        evidence: Evidence | None = getattr(event, "evidence", None)
        if evidence is not None and hooks.instead_of_sleep == self._retry:  # and not inside another one
            self.given_up.append(evidence)
            self.attempts.append(evidence.attempts[-1])

    def __enter__(self) -> Self:
        if not self._before:
            hooks.add(self._note)
        self._before.append(hooks.instead_of_sleep)
        hooks.instead_of_sleep = self._retry
        return self

    def __exit__(self, *_: object) -> None:
        hooks.instead_of_sleep = self._before.pop()
        if not self._before:
            hooks.remove(self._note)

    # python-fixtures' protocol

    def setUp(self) -> None:
        """Start recording, for ``useFixture``."""
        self.__enter__()

    def cleanUp(self) -> None:  # noqa: N802
        """Stop recording, for ``useFixture``."""
        self.__exit__()

    def getDetails(self) -> dict[str, object]:  # noqa: N802
        """Return nothing to add to the report of a failing test, for ``useFixture``."""
        return {}
