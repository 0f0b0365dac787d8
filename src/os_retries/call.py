"""One logical call that has failed: its attempts, its waits, its evidence, and what is said of it.

Sleep, dice and the time of day come from outside; the policy is asked, and is not known here.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from os_retries import loop, slots
from os_retries.evidence import Attempt, Evidence, GiveUp, LookedUp, Retry, Wait
from os_retries.http import Kind
from os_retries.interrupts import deadline_in
from os_retries.reading import chain, get

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import NoReturn, Protocol

    from os_retries.http import Failure
    from os_retries.loop import Call, Stream
    from os_retries.policy import RetryPolicy

    class Target(Protocol):
        """What the loop wants to know of a call when it has failed, and not before."""

        def begin(self, call: Call, streams: Sequence[Stream], handled: BaseException | None) -> Retries:
            """Begin to repeat: the call has failed for the first time."""

        def name(self) -> str:
            """Name the method, for people."""

        def service(self) -> str | None:
            """Name the service type, where it can be told."""

        def endpoint(self, outcome: object) -> str | None:
            """Name the endpoint that an outcome, a result or an exception, comes from: those of one are paced together.

            None where it cannot be told.
            """

        def policy(self) -> RetryPolicy:
            """Return the policy that holds now."""

        def read(self, error: Exception, policy: RetryPolicy, handled: BaseException | None) -> Failure:
            """Class the failure that ``error`` stands for; ``handled`` is no part of it but the caller's business."""

        def leave(self, error: Exception, evidence: Evidence) -> None:
            """Leave the evidence on ``error``, which is about to go up."""

        def repeated_by_client(self, status: int) -> bool:
            """Whether the client has repeated a request with this answer by itself."""

        def waiting(self) -> AbstractContextManager[None]:
            """Surround each wait: let go of what must not be held meanwhile."""


log = logging.getLogger("os_retries")


_given_up_lock = threading.Lock()

#: Set by os_retries.testing alone: called instead of sleeping.
instead_of_sleep: Callable[[Retry], None] | None = None
#: Set by os_retries.testing and by the launcher: told of each call given up.
on_give_up: Callable[[Evidence], None] | None = None
#: Set by the launcher: told of each create that is looked up, as the log is.
on_look_up: Callable[[LookedUp], None] | None = None


class Retries:
    """What the loop remembers of a call that has failed at least once."""

    def __init__(self, call: Call, target: Target, streams: Sequence[Stream], handled: BaseException | None) -> None:
        self.call = call
        self.target = target
        self.streams = streams
        self.handled = handled
        self.attempts: list[Attempt] = []
        self.sleep_with: Callable[[float], object] | None = None
        self.dice = random.random
        #: What is repeated after the wait that goes on now.
        self.waiting_with: tuple[Exception, RetryPolicy, Failure] | None = None
        self.place = slots.Place()

    def after(self, error: Exception, since: int) -> Retry | None:
        """Decide what follows the attempt that ended with ``error``: a retry, or None when the error goes up."""
        try:
            return self._after(error, since)
        except Exception as fault:  # a fault of ours must not hide the client's own error
            if deadline_in(fault) is not None:
                raise
            log.exception("%s could not be judged, and is not repeated", type(error).__name__)
            return None

    def _after(self, error: Exception, since: int) -> Retry | None:
        if disabled() or deadline_in(error) is not None:
            return None
        policy = self.target.policy()
        self.sleep_with = policy.sleep
        failure = self.target.read(error, policy, self.handled)
        if self._given_up_inside(error, failure.status, since):
            return None
        if failure.kind is Kind.PERMANENT:
            # A call's first error that is not ours to repeat goes up untouched; after retries it is how they ended.
            # One of our statuses that is permanent, a quota's 413, is marked, so that no outer call repeats it.
            if failure.status is not None and slots.watching:
                slots.take_note(self.target, error)  # the service answers
            if self.attempts or failure.status in policy.retry_codes:
                self._give_up(error, policy, failure, GiveUp.PERMANENT)
            return None
        decision = self._decide(policy, failure)
        if isinstance(decision, GiveUp):
            if not failure.held_back:
                self._failed(error, policy)
            self._give_up(error, policy, failure, decision)
            return None
        self._failed(error, policy, decision.seconds)
        self.call.extra_waited += decision.extra
        self.waiting_with = error, policy, failure
        return self._tell(policy, failure, decision)

    def _failed(self, error: Exception, policy: RetryPolicy, back: float = 0.0) -> None:
        """Tell the pacer of a failure whose call will be back in that many seconds."""
        if not policy.pacing or instead_of_sleep is not None:  # where nothing waits nothing is paced
            return
        endpoint = self.target.endpoint(error)
        if endpoint is not None:
            self.place.failed(endpoint, policy.pacing_url, back)

    def _decide(self, policy: RetryPolicy, failure: Failure) -> Wait | GiveUp:
        if failure.status is not None and self.target.repeated_by_client(failure.status):
            return GiveUp.CLIENT
        decision = policy.wait_after(
            failure,
            attempt=len(self.attempts) + 1,
            extra_left=policy.retry_max_wait - self.call.extra_waited,
            dice=self.dice(),
        )
        unread = failure.kind is Kind.NOT_SENT  # what was not sent was not read either
        if isinstance(decision, Wait) and not unread and not all(stream.rewind() for stream in self.streams):
            return GiveUp.BODY
        return decision

    def _tell(self, policy: RetryPolicy, failure: Failure, wait: Wait) -> Retry:
        attempt = self._add(failure, wait.seconds)
        attempts = policy.retries_number + 1
        retry = Retry(self.target.name(), self.target.service(), attempt, attempts, wait.source)
        log.warning(
            "%s %s%s; attempt %d of %d, next in %s s (%s)",
            *_who(retry, attempt),
            attempt.number,
            attempts,
            f"{wait.seconds:.3g}" if wait.seconds < 100 else f"{wait.seconds:.0f}",
            wait.source,
            extra={"os_retries": retry},
        )
        _call_hook(policy, retry)
        return retry

    def _give_up(self, error: Exception, policy: RetryPolicy, failure: Failure, reason: GiveUp) -> None:
        """Leave the evidence on ``error``, which the caller is about to raise, and in the log."""
        with _given_up_lock:
            loop.given_up += 1
            ordinal = loop.given_up
        unsent = reason is GiveUp.PACED or failure.held_back
        attempt = self.attempts[-1] if unsent else self._add(failure)
        detail = f" (Retry-After: {failure.retry_after:.0f} s)" if reason is GiveUp.MAX_WAIT else ""
        detail += f" ({failure.note})" if failure.note else ""
        who = self.target.name(), self.target.service()
        evidence = Evidence(*who, tuple(self.attempts), reason, detail, ordinal, failure.found)
        self.call.given_up = (ordinal, attempt.status)
        if reason is GiveUp.NOT_REPEATABLE:
            self.call.not_repeatable = ordinal
        self.target.leave(error, evidence)
        log.warning(
            "%s %s%s; attempt %d of %d, giving up: %s%s",
            *_who(evidence, attempt),
            attempt.number,
            policy.retries_number + 1,
            reason,
            detail,
            extra={"os_retries": evidence},
        )
        if on_give_up is not None:
            on_give_up(evidence)

    def _add(self, failure: Failure, wait: float | None = None) -> Attempt:
        number = len(self.attempts) + 1
        attempt = Attempt(number, failure.status, failure.request_id, wait, failure.kind, failure.what)
        self.attempts.append(attempt)
        return attempt

    def wait(self, retry: Retry) -> None:
        """Wait before the next attempt: first the call's own wait, and then, at a service in trouble, for a slot.

        :raises Exception: that of the last attempt, if ``retry_max_wait`` is over and there is no slot
        """
        with self.target.waiting():
            if instead_of_sleep is not None:
                instead_of_sleep(retry)
                return
            time_passes = self._sleep(retry.attempt.wait or 0.0)
            has_slot = not time_passes or self._has_slot(retry)
        if not has_slot:
            held = [cast("tuple[Exception, RetryPolicy, Failure]", self.waiting_with)[0]]
            self.waiting_with = None
            raise_again(held)

    def _sleep(self, seconds: float) -> bool:
        """Sleep; whether time has passed, which it has not where a test has replaced the sleep.

        ``time.sleep`` is looked up now: eventlet, gevent or a test may have replaced it.
        """
        began = time.monotonic()
        (self.sleep_with or time.sleep)(seconds)
        return time.monotonic() - began >= seconds / 2

    def _has_slot(self, retry: Retry) -> bool:
        """Wait for a slot, as long as ``retry_max_wait`` allows; whether there is one."""
        if self.waiting_with is None:
            return True
        error, policy, failure = self.waiting_with
        extra_left = max(0.0, policy.retry_max_wait - self.call.extra_waited)
        has_slot, waited = self.place.wait(
            self._sleep, extra_left, lambda: self._tell_of_pacing(policy, replace(retry, source="pacing"), extra_left)
        )
        if waited > 0.0:
            self.call.extra_waited += waited
            attempt = self.attempts[-1]
            self.attempts[-1] = replace(attempt, wait=(attempt.wait or 0.0) + waited)
        if not has_slot:
            self._give_up(error, policy, failure, GiveUp.PACED)
        return has_slot

    def _tell_of_pacing(self, policy: RetryPolicy, retry: Retry, at_most: float) -> None:
        retry = replace(retry, attempt=replace(retry.attempt, wait=at_most))
        who, what, request_id = _who(retry, retry.attempt)
        log.warning(
            "%s %s%s; attempt %d of %d, next when the service can take it, in %.0f s at most (pacing)",
            who,
            what,
            request_id,
            retry.attempt.number,
            retry.attempts,
            at_most,
            extra={"os_retries": retry},
        )
        _call_hook(policy, retry)

    def over(self) -> None:
        """Let go: the call is over."""
        self.waiting_with = None
        self.place.over()

    def _given_up_inside(self, error: Exception, status: int | None, since: int) -> bool:
        """Whether this failure was given up within the attempt that just ended.

        By the mark on the exception or on what it came from, which crosses threads; else by the context, for clients
        that drop the chain.  Another status is another answer: of the request that followed in an except block.
        """
        for part in chain(error, self.handled):
            mark = get(part, "os_retries") or get(get(part, "response"), "os_retries")
            if isinstance(mark, Evidence) and mark.ordinal > since and mark.attempts[-1].status == status:
                return True
        if self.call.not_repeatable > since:  # whatever the client has made of it: a repeat would do it twice
            return True
        ordinal, given_up_status = self.call.given_up
        return ordinal > since and given_up_status == status


def raise_again(held: list[Exception]) -> NoReturn:
    """Raise the error of an attempt once more, as it was: a raise makes a context of what the caller handles.

    ``held`` is emptied: were it held by a frame in its own traceback, neither would be freed before a collection.
    """
    error = held.pop()
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def pause(seconds: float, sleep: Callable[[float], object] | None) -> None:
    """Wait inside an attempt, of a call's allowance of extra waiting; not at all where a test has taken waits out."""
    loop.current().extra_waited += seconds
    if instead_of_sleep is None:
        (sleep or time.sleep)(seconds)


def _renew_lock() -> None:
    """Begin anew in a child process: the lock may be held by a thread that is not here."""
    global _given_up_lock  # noqa: PLW0603
    _given_up_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _call_hook(policy: RetryPolicy, retry: Retry) -> None:
    if policy.on_retry is not None:
        try:
            policy.on_retry(retry)
        except Exception as error:
            if deadline_in(error) is not None:
                raise
            log.exception("on_retry failed; the call goes on")


_SWITCHES = "OS_RETRIES_DISABLED", "OSRETRIES_DISABLED"
# As the environment's own dictionary has them: asking os.environ for what is not there raises and catches twice, which
# takes longer than all else that a request through an attached session costs in a function.
_RAW_SWITCHES = tuple(getattr(os.environ, "encodekey", str)(name) for name in _SWITCHES)


def disabled() -> bool:
    """Whether the environment switches retrying off: ``OS_RETRIES_DISABLED=1``, or ``OSRETRIES_DISABLED=1``.

    openstacksdk takes the first, as any variable that begins with ``OS_``, for the description of a cloud, which it
    prefers to that of clouds.yaml unless ``OS_CLOUD`` is set; hence the second.
    """
    raw = getattr(os.environ, "_data", None)
    if raw is not None and _RAW_SWITCHES[0] not in raw and _RAW_SWITCHES[1] not in raw:
        return False
    value = os.environ.get(_SWITCHES[0]) or os.environ.get(_SWITCHES[1])
    return value is not None and value.strip().lower() not in {"", "0", "false", "no", "off"}


def _who(of: Retry | Evidence, attempt: Attempt) -> tuple[str, str, str]:
    return (
        f"{of.service}: {of.method}" if of.service else of.method,
        f"failed ({attempt.what})" if attempt.status is None else f"answered {attempt.status}",
        f" [{attempt.request_id}]" if attempt.request_id else "",
    )
