"""What the core needs of the rooms above it: a policy, and a target that describes what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    from os_retries.core.evidence import Evidence, GiveUp, Retry, Wait
    from os_retries.core.failure import Failure


class Policy(Protocol):
    """The numbers, and the decision that follows from them: what a RetryPolicy is to the core."""

    @property
    def retries_number(self) -> int:
        """Retries after the first attempt."""

    @property
    def retry_codes(self) -> Collection[int]:
        """The statuses that are repeated."""

    @property
    def retry_max_wait(self) -> float:
        """Seconds that a call may wait beyond its configured waits."""

    @property
    def pacing(self) -> bool:
        """Whether the retries of a service in trouble are one queue."""

    @property
    def pacing_url(self) -> str | None:
        """Where several processes share that queue."""

    @property
    def sleep(self) -> Callable[[float], object] | None:
        """What waits, instead of ``time.sleep``."""

    @property
    def on_retry(self) -> Callable[[Retry], object] | None:
        """What is told of each retry."""

    def wait_after(self, failure: Failure, *, attempt: int, extra_left: float, dice: float) -> Wait | GiveUp:
        """Decide what follows a failed attempt."""


class Target(Protocol):
    """What is called.  It is asked when the call has failed, and not before."""

    def name(self) -> str:
        """Return the name of the method, for people."""

    def service(self) -> str | None:
        """Return the service type; None where it cannot be told."""

    def endpoint(self, outcome: object) -> str | None:
        """Return the endpoint that a result or an exception comes from; None where it cannot be told.

        The retries of one endpoint are paced together.
        """

    def policy(self) -> Policy:
        """Return the policy that holds now."""

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:
        """Class the failure that ``error`` stands for.

        :param handled: what the caller was handling when it made the call, which is no part of the failure
        """

    def add_evidence(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on ``error``, which is about to be raised."""

    def repeated_by_client(self, status: int) -> bool:
        """Return whether the client has repeated a request with this answer by itself."""

    def waiting(self) -> AbstractContextManager[None]:
        """Surround each wait: release what must not be held meanwhile."""
