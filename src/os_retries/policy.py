"""RetryPolicy: the numbers of `[timeouts]`, validated, and the decision that follows from them.

The decision is pure: the dice and what is left of the allowance are arguments.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from os_retries.evidence import GiveUp, Wait
from os_retries.http import RETRY_CODES, Kind
from os_retries.loop import run
from os_retries.target import MethodTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from os_retries.evidence import Retry
    from os_retries.http import Failure

P = ParamSpec("P")
R = TypeVar("R")

_AGES = 1e9  # seconds: more than any sleep or socket takes
_LONGEST = 86_400.0  # seconds: retry_after * retry_backoff**n ends here, long before a float or time.sleep does


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how fast a failed call is repeated.  The defaults are the specification's.

    :param retries_number: retries after the first attempt
    :param retry_after: seconds between attempts, unless the service says otherwise by its Retry-After
    :param retry_codes: the HTTP statuses that are repeated
    :param retry_backoff: factor by which the wait grows with each retry; 1.0 is the constant wait of the specification
    :param retry_jitter: share of the wait, from 0 to 1, drawn at random on top of it
    :param retry_max_wait: seconds that one call may wait beyond its own ``retry_after`` waits, because a service asks
        for longer ones, or is in trouble and the call is paced.  A Retry-After that would go beyond is not begun: the
        call fails at once.
    :param attempt_timeout: seconds that a request of an attached session may hear nothing, where its caller set no
        timeout (the ``timeout`` of requests: for the connection, and between two bytes of the answer); None sets none
    :param safe_creates: whether an attached session marks creates, looks up what became of one whose answer was lost,
        and sends it again when it is surely not there
    :param settle_time: seconds during which a create that is not found may still appear, after a lost connection, a
        500, a 502 or an answer cut off
    :param settle_time_after_timeout: the same after a 504, a 408 and a request that was not answered in time, for
        which nobody has stopped working
    :param reap_late_duplicates: whether a duplicate that appeared later than that is deleted when it is seen, and not
        just reported
    :param single_writer: whether nobody else makes the like in this project, so that a create without room for a
        marker is found by being new and equal in all that was asked for
    :param pacing: whether the retries of a service in trouble are one queue (see ``os_retries.pacing``)
    :param pacing_url: where the processes of a fleet share that queue; None: each process has its own
    :param sleep: waits that many seconds instead of ``time.sleep``; what it raises goes up
    :param on_retry: told of each retry before its wait; what it raises is logged, and the call goes on
    :raises ValueError: for a number out of its range
    :raises TypeError: for what is no number at all
    """

    retries_number: int = 5
    retry_after: float = 10.0
    retry_codes: Collection[int] = RETRY_CODES
    retry_backoff: float = 1.0
    retry_jitter: float = 0.0
    retry_max_wait: float = 300.0
    attempt_timeout: float | None = None
    safe_creates: bool = True
    settle_time: float = 15.0
    settle_time_after_timeout: float = 120.0
    reap_late_duplicates: bool = False
    single_writer: bool = False
    pacing: bool = True
    pacing_url: str | None = field(default=None, repr=False)  # it may have a password in it
    sleep: Callable[[float], object] | None = None
    on_retry: Callable[[Retry], object] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.retries_number, bool) or not isinstance(self.retries_number, int):
            raise TypeError(f"retries_number must be a whole number, not {self.retries_number!r}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "attempt_timeout":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name} must be a number, not {value!r}")
            if not low <= value <= high or not math.isfinite(value):
                raise ValueError(f"{name} must be {_range_text(low, high)}, not {value!r}")
        object.__setattr__(self, "retry_codes", _statuses(self.retry_codes))
        for name in ("safe_creates", "reap_late_duplicates", "single_writer", "pacing"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        for name, fits, what in (
            ("sleep", callable, "a function"),
            ("on_retry", callable, "a function"),
            ("pacing_url", _is_text, "a text such as redis://host"),
        ):
            value = getattr(self, name)
            if value is not None and not fits(value):
                shown = type(value).__name__ if name == "pacing_url" else repr(value)  # it may have a password in it
                raise TypeError(f"{name} must be {what} or None, not {shown}")

    def execute(self, method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``method(*args, **kwargs)`` as ``execute_with_retries`` does, under this policy.

        :raises Exception: the method's own last one, the same object
        """
        result: R = run(self._target, method, args, kwargs)
        return result

    def wait_after(self, failure: Failure, *, attempt: int, extra_left: float, dice: float) -> Wait | GiveUp:
        """Decide what follows the failed ``attempt`` (1-based): how long to wait for the next, or why there is none.

        :param extra_left: seconds left of ``retry_max_wait``
        :param dice: a random number from 0 to 1
        """
        if failure.kind is Kind.PERMANENT:
            return GiveUp.PERMANENT
        if not failure.repeatable:
            return GiveUp.NOT_REPEATABLE
        if attempt > self.retries_number:
            return GiveUp.ATTEMPTS
        own = self.own_wait(attempt)
        jitter = 1.0 + self.retry_jitter * dice
        if failure.retry_after is None:
            return Wait(own * jitter, "retry_after")
        asked = failure.retry_after * jitter
        extra = max(0.0, asked - own)
        # The dice must not decide whether a wait fits: what the service asked for does.
        if max(0.0, failure.retry_after - own) > extra_left:
            return GiveUp.MAX_WAIT
        return Wait(asked, "Retry-After", extra)

    def own_wait(self, attempt: int) -> float:
        """Seconds between ``attempt`` (1-based) and the next when the service asks for nothing, before the jitter."""
        try:
            return min(self.retry_after * self.retry_backoff ** (attempt - 1), max(_LONGEST, self.retry_after))
        except OverflowError:
            return _LONGEST

    def _target(self, method: Callable[..., object]) -> MethodTarget:
        return MethodTarget(method, self._whatever_the_service)

    def _whatever_the_service(self, _service: str | None) -> RetryPolicy:
        return self


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_RANGES = {  # lowest, highest
    "retries_number": (0, 10_000),
    "retry_after": (0, _LONGEST),
    "retry_backoff": (1, 100),
    "retry_jitter": (0, 1),
    "retry_max_wait": (0, _AGES),
    "attempt_timeout": (0.001, _AGES),
    "settle_time": (0, _LONGEST),
    "settle_time_after_timeout": (0, _LONGEST),
}


def _range_text(low: float, high: float) -> str:
    return f"from {low:g} to {high:g}"


def _statuses(values: Collection[int]) -> frozenset[int]:
    if isinstance(values, str | bytes):
        raise TypeError(f"retry_codes must be a list of HTTP statuses, not {values!r}")
    try:
        statuses = frozenset(values)
    except TypeError as error:
        raise TypeError(f"retry_codes must be a list of HTTP statuses, not {values!r}") from error
    for status in sorted(statuses, key=repr):
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"retry_codes: {status!r} is not a number")
        if not 400 <= status <= 599:
            raise ValueError(f"retry_codes: {status} is not the status of an error (400 to 599)")
    return statuses


class _Defaults:
    """Where execute_with_retries gets its policy: the one thing that ``configure`` changes."""

    @functools.cached_property
    def specification(self) -> RetryPolicy:
        return RetryPolicy()

    provider: Callable[[str | None], RetryPolicy] | None = None


_defaults = _Defaults()


def policy_for(service: str | None) -> RetryPolicy:
    """Return the policy that holds now for calls of ``service`` (a service type, or None where it is not known)."""
    provider = _defaults.provider
    return _defaults.specification if provider is None else provider(service)


def attempt_timeout_for(service: Callable[[], str | None]) -> float | None:
    """Return the ``attempt_timeout`` that holds now, in seconds; for each request, so it does not read all the rest.

    :param service: asked for the service type, only where it matters
    """
    provider = _defaults.provider
    if provider is None:
        return None
    alone: Callable[[str | None], float | None] | None = getattr(provider, "attempt_timeout", None)
    return provider(service()).attempt_timeout if alone is None else alone(service())


def provide(provider: Callable[[str | None], RetryPolicy] | None) -> None:
    """Ask ``provider`` for the policy from now on; None goes back to the specification's."""
    _defaults.provider = provider
