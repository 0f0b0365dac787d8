"""RetryPolicy: the numbers of ``[timeouts]``, validated, and the decision that follows from them.

The decision is pure: the dice and what is left of the allowance are arguments.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from types import CoroutineType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from os_retries.core.evidence import GiveUp, Wait
from os_retries.core.failure import Kind
from os_retries.core.loop import refuse_coroutine, run_attempts
from os_retries.core.target import MethodTarget
from os_retries.options import BY_NAME, LONGEST_GROWN, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from os_retries.core.evidence import Retry
    from os_retries.core.failure import Failure
    from os_retries.options import Option

P = ParamSpec("P")
R = TypeVar("R")


def _default(name: str) -> Any:
    return BY_NAME[name].default


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how fast a failed call is repeated.  The defaults are the specification's.

    :param retries_number: retries after the first attempt
    :param retry_after: seconds between two attempts, unless the service asks for another wait by its Retry-After
    :param retry_codes: the HTTP statuses that are repeated
    :param retry_backoff: factor by which the wait grows with each retry; 1.0 is the constant wait of the specification.
        A wait does not grow beyond an hour, unless ``retry_after`` itself is longer.
    :param retry_jitter: share of the wait, from 0 to 1, that is drawn at random and added to it
    :param retry_max_wait: seconds that one call may wait beyond its configured waits: because a service asks for longer
        ones, because it is in trouble and the call is paced, or because a create is looked up.  A Retry-After that
        would go beyond is not waited for: the call fails at once.
    :param attempt_timeout: seconds that a request of an attached session may hear nothing, where its caller set no
        timeout (the ``timeout`` of requests: for the connection, and between two bytes of the answer); None sets none
    :param safe_creates: whether an attached session marks creates, looks up what became of one whose answer was lost,
        and sends it again when it is surely not there
    :param settle_time: seconds during which a create that is not found may still appear, after a lost connection, a
        500, a 502 or an answer cut off
    :param settle_time_after_timeout: the same after a 504, a 408 and a request that was not answered in time, for which
        nobody has stopped working
    :param reap_late_duplicates: whether a duplicate that appeared later than that is deleted when it is seen, and not
        only reported
    :param single_writer: whether no other client creates resources of the same kind in this project, so that a create
        without room for a marker is found by being new and equal in all that was asked for
    :param pacing: whether the retries of a service in trouble are one queue (see :mod:`os_retries.pacing`)
    :param pacing_url: where several processes share that queue; None for a queue of each process's own
    :param sleep: waits that many seconds, instead of ``time.sleep``.  If it returns True, as ``threading.Event.wait``
        does when the event is set, the call is given up at once.  What it raises goes up to the caller.
    :param on_retry: told of each retry before its wait; what it raises is logged, and the call goes on
    :raises ValueError: for a number outside its range
    :raises TypeError: for a value of another type
    """

    retries_number: int = _default("retries_number")
    retry_after: float = _default("retry_after")
    retry_codes: Collection[int] = _default("retry_codes")
    retry_backoff: float = _default("retry_backoff")
    retry_jitter: float = _default("retry_jitter")
    retry_max_wait: float = _default("retry_max_wait")
    attempt_timeout: float | None = _default("attempt_timeout")
    safe_creates: bool = _default("safe_creates")
    settle_time: float = _default("settle_time")
    settle_time_after_timeout: float = _default("settle_time_after_timeout")
    reap_late_duplicates: bool = _default("reap_late_duplicates")
    single_writer: bool = _default("single_writer")
    pacing: bool = _default("pacing")
    pacing_url: str | None = field(default=_default("pacing_url"), repr=False)  # it may hold a password
    sleep: Callable[[float], object] | None = None
    on_retry: Callable[[Retry], object] | None = None

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = getattr(self, option.name)
            if option.kind is list:
                object.__setattr__(self, option.name, _statuses(value))
            elif not (value is None and option.optional):
                _check(option, value)
        for name in ("sleep", "on_retry"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function or None, not {value!r}")

    def execute(self, method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``method(*args, **kwargs)`` as ``execute_with_retries`` does, under this policy.

        :raises TypeError: if ``method`` is an async function, whose errors come only when it is awaited
        :raises Exception: the method's own last exception, the same object
        """
        result: R = run_attempts(self._target, method, args, kwargs)
        if type(result) is CoroutineType:
            refuse_coroutine(result)
        return result

    def wait_after(self, failure: Failure, *, attempt: int, extra_left: float, dice: float) -> Wait | GiveUp:
        """Decide what follows a failed attempt: how long to wait for the next one, or why there is none.

        :param attempt: the number of the failed attempt, from 1
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
        # Whether a wait fits depends on what the service asked for, not on the dice.
        if max(0.0, failure.retry_after - own) > extra_left:
            return GiveUp.MAX_WAIT
        return Wait(asked, "Retry-After", extra)

    def own_wait(self, attempt: int) -> float:
        """Return the seconds between an attempt and the next one, before the jitter, if the service asks for nothing.

        :param attempt: the number of the failed attempt, from 1
        """
        if not self.retry_after:
            return 0.0
        try:
            grown = self.retry_after * self.retry_backoff ** (attempt - 1)
        except OverflowError:
            grown = math.inf
        return min(grown, max(LONGEST_GROWN, self.retry_after))

    def _target(self, method: Callable[..., object]) -> MethodTarget:
        return MethodTarget(method, self._whatever_the_service)

    def _whatever_the_service(self, _service: str | None) -> RetryPolicy:
        return self


_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text such as redis://host"}


def _check(option: Option, value: Any) -> None:
    """Check the type and the range of a value.

    :raises TypeError: for a value of another type
    :raises ValueError: for a number outside its range
    """
    kinds = (int, float) if option.kind is float else (option.kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and option.kind is not bool):
        shown = type(value).__name__ if option.secret else repr(value)
        raise TypeError(f"{option.name} must be {_NAMES[option.kind]}{' or None' * option.optional}, not {shown}")
    number: Any = value
    if option.kind in (int, float) and not (option.low <= number <= option.high and math.isfinite(number)):
        raise ValueError(f"{option.name} must be from {option.low:g} to {option.high:g}, not {value!r}")


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
    """Where ``execute_with_retries`` gets its policy; ``configure`` changes nothing else."""

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
    """Return the ``attempt_timeout`` that holds now, in seconds.

    It is asked for before each request, so it does not read the other options.

    :param service: returns the service type; called only where it matters
    """
    provider = _defaults.provider
    if provider is None:
        return None
    alone: Callable[[str | None], float | None] | None = getattr(provider, "attempt_timeout", None)
    return provider(service()).attempt_timeout if alone is None else alone(service())


def provide(provider: Callable[[str | None], RetryPolicy] | None) -> None:
    """Ask ``provider`` for the policy from now on; None goes back to the specification's."""
    _defaults.provider = provider
