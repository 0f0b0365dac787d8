"""RetryPolicy: the validated values of ``[timeouts]``, and the decision that follows from them.

The decision is a pure function: the random number and the rest of ``retry_max_wait`` are arguments.
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
    """How often a failed call is retried, and how long it waits.  The defaults are those of Sahara's specification.

    :param retries_number: retries after the first attempt
    :param retry_after: seconds between two attempts, unless the service sends a Retry-After
    :param retry_codes: the HTTP statuses after which a call is retried
    :param retry_backoff: factor by which the wait grows with each retry; 1.0 is the constant wait of the specification.
        A wait does not grow beyond an hour, unless ``retry_after`` itself is longer.
    :param retry_jitter: share of the wait, from 0 to 1, that is drawn at random and added to it
    :param retry_max_wait: the maximum extra wait of one call, in seconds.  Extra waits are the part of a Retry-After
        beyond the configured wait, waits for a slot at a service in trouble, and the look-up of a create.  If a
        Retry-After would exceed this maximum, the call fails at once.
    :param attempt_timeout: timeout in seconds for each request of an attached session whose caller set none (the
        ``timeout`` of the Requests library, which limits the connection and the time between two bytes of the
        answer); None for no timeout
    :param safe_creates: whether an attached session marks each create, looks it up if its answer is lost, and sends it
        again if it certainly did not take effect
    :param settle_time: settle time in seconds after a lost connection, a 500, a 502 or an incomplete answer: a create
        that is not found may still appear during this time
    :param settle_time_after_timeout: settle time in seconds after a 504, a 408 or a timeout.  In these cases the
        service may still be working on the request.
    :param reap_late_duplicates: whether a duplicate that appears after the settle time is deleted, and not only
        reported
    :param single_writer: True if no other client creates resources of the same kind in this project.  A create without
        room for a marker is then recognized if it is new and equal to the request.
    :param pacing: whether the retries of all calls to a service in trouble form one queue (see
        :mod:`os_retries.pacing`)
    :param pacing_url: who shares that queue: ``host`` for all processes of this user on this machine, or the URL of a
        Redis for all processes that use it; None or ``process`` for one queue in each process
    :param sleep: called with the seconds to wait, instead of ``time.sleep``.  If it returns True, as
        ``threading.Event.wait`` does when the event is set, the call is given up at once.  Its exceptions propagate
        to the caller.
    :param on_retry: called with a :class:`~os_retries.evidence.Retry` before each wait.  Its exceptions are logged, and
        the call continues.
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
        if self.pacing_url in ("", "process"):
            object.__setattr__(self, "pacing_url", None)
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
        """Decide what follows a failed attempt: return the wait before the next one, or why there is none.

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
        # Whether the wait is allowed depends on the Retry-After alone, not on the random jitter.
        if max(0.0, failure.retry_after - own) > extra_left:
            return GiveUp.MAX_WAIT
        return Wait(asked, "Retry-After", extra)

    def own_wait(self, attempt: int) -> float:
        """Return the configured wait after an attempt, in seconds, without the jitter and without a Retry-After.

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


_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text such as host or redis://host"}


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
    """The source of the policies that no caller has given explicitly.  ``configure`` changes it."""

    @functools.cached_property
    def specification(self) -> RetryPolicy:
        return RetryPolicy()

    provider: Callable[[str | None], RetryPolicy] | None = None


_defaults = _Defaults()


def policy_for(service: str | None) -> RetryPolicy:
    """Return the present policy for calls to ``service`` (a service type, or None if it is not known)."""
    provider = _defaults.provider
    return _defaults.specification if provider is None else provider(service)


def attempt_timeout_for(service: Callable[[], str | None]) -> float | None:
    """Return the present ``attempt_timeout``, in seconds; None for no timeout.

    It is needed before each request, so the other options are not read.

    :param service: returns the service type; called only if a provider is set
    """
    provider = _defaults.provider
    if provider is None:
        return None
    alone: Callable[[str | None], float | None] | None = getattr(provider, "attempt_timeout", None)
    return provider(service()).attempt_timeout if alone is None else alone(service())


def provide(provider: Callable[[str | None], RetryPolicy] | None) -> None:
    """Ask ``provider`` for each policy from now on; None restores the specification's policy."""
    _defaults.provider = provider
