"""What the core needs from the packages above it: a policy, and a target that describes what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    from os_retries.core.evidence import Evidence, GiveUp, Retry, Wait
    from os_retries.core.failure import Failure


class Policy(Protocol):
    """The part of a RetryPolicy that the core uses: the numbers, and the decision that follows from them."""

    @property
    def retries_number(self) -> int:
        """How many retries may follow the first attempt."""

    @property
    def retry_codes(self) -> Collection[int]:
        """The HTTP statuses that are repeated."""

    @property
    def retry_max_wait(self) -> float:
        """How many seconds a call may wait beyond its configured waits."""

    @property
    def pacing(self) -> bool:
        """Whether the retries of a service in trouble are one queue."""

    @property
    def pacing_url(self) -> str | None:
        """Who shares that queue: ``host``, the URL of a Redis, or None for this process alone."""

    @property
    def sleep(self) -> Callable[[float], object] | None:
        """The function that waits, instead of ``time.sleep``."""

    @property
    def on_retry(self) -> Callable[[Retry], object] | None:
        """The function that is called before each retry."""

    def wait_after(self, failure: Failure, *, attempt: int, extra_left: float, dice: float) -> Wait | GiveUp:
        """Decide what follows a failed attempt."""


class Target(Protocol):
    """What the loop calls.  The loop asks it only after a failure, or while a pacer watches."""

    def name(self) -> str:
        """Return the name of the method for the log."""

    def service(self) -> str | None:
        """Return the service type; None if it is not known."""

    def endpoint(self, outcome: object) -> str | None:
        """Return the endpoint that a result or an exception comes from; None if it is not known.

        The retries of one endpoint are paced together.
        """

    def policy(self) -> Policy:
        """Return the policy that holds now."""

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:
        """Classify the failure that ``error`` stands for.

        :param handled: the exception that the caller was handling when it made the call; not part of the failure
        """

    def add_evidence(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on ``error``, which is about to be raised."""

    def repeated_by_client(self, status: int) -> bool:
        """Return whether the client itself has already repeated the request after this status."""

    def waiting(self) -> AbstractContextManager[None]:
        """Return a context manager for each wait, which releases the locks that must not be held during a wait."""
