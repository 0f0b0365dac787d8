"""One call that has failed: its attempts, its waits, its evidence and its log lines.

The clock, the dice, the sleep and the policy are arguments.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace
from threading import get_ident
from typing import TYPE_CHECKING, cast

from os_retries import forks
from os_retries.core import hooks
from os_retries.core.deadlines import deadline_in
from os_retries.core.evidence import Attempt, Evidence, GiveUp, Retry, Wait
from os_retries.core.exceptions import chain, get
from os_retries.core.failure import Kind
from os_retries.core.scope import count, current_scope
from os_retries.core.switch import disabled
from os_retries.pacing.process import Place, pacers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from os_retries.core.failure import Failure
    from os_retries.core.protocols import Policy, Target
    from os_retries.core.scope import Scope
    from os_retries.core.streams import Stream

log = logging.getLogger("os_retries")
_given_up_lock = forks.Lock()


class FailedCall:
    """A call that has failed at least once, and what the loop remembers about it."""

    def __init__(
        self,
        scope: Scope,
        target: Target,
        streams: Sequence[Stream],
        handled: BaseException | None,
        *,
        clock: Callable[[], float] | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.scope = scope
        self.target = target
        self.streams = streams
        self.handled = handled
        self.clock = clock or pacers.clock
        self.dice = dice
        self.attempts: list[Attempt] = []
        self.sleep_with: Callable[[float], object] | None = None
        #: Whether the program has ended a wait.
        self.stopped = False
        #: The failure that led to the present wait: its error, the policy, and what was read from the error.
        self.waiting_with: tuple[Exception, Policy, Failure] | None = None
        self.last_retry: Retry | None = None
        #: The wait that was last reported to the sinks, and when it began.
        self.told_wait: tuple[Retry, float] | None = None
        self.place = Place()

    def after(self, error: Exception, since: int) -> Retry | None:
        """Decide what follows the attempt that ended with ``error``: return a retry, or None to raise ``error``.

        :param since: the value of ``count.given_up`` before the attempt
        """
        try:
            return self._after(error, since)
        except Exception as fault:  # an error in os-retries must not hide the client's own error
            if deadline_in(fault) is not None:
                raise
            log.exception("the call is not repeated, because its %s could not be read", type(error).__name__)
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
            # If the first error of a call is permanent, it is raised untouched.  After retries it gets the evidence.  A
            # permanent failure with one of the policy's statuses, such as the 413 of a quota, gets the evidence too, so
            # that no outer call repeats it.
            if failure.status is not None and pacers.watching:
                pacers.note_answer(self.target, error)  # for the pacer it is a success: the service answers
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
        self.scope.extra_waited += decision.extra
        self.waiting_with = error, policy, failure
        return self._tell(policy, failure, decision)

    def _failed(self, error: Exception, policy: Policy, back: float = 0.0) -> None:
        """Report a failure to the pacer; the call will try again in ``back`` seconds."""
        if not policy.pacing or hooks.instead_of_sleep is not None:  # a call that does not wait is not paced
            return
        endpoint = self.target.endpoint(error)
        if endpoint is not None:
            self.place.failed(endpoint, policy.pacing_url, back)

    def _decide(self, policy: Policy, failure: Failure) -> Wait | GiveUp:
        if failure.status is not None and self.target.repeated_by_client(failure.status):
            return GiveUp.CLIENT
        decision = policy.wait_after(
            failure,
            attempt=len(self.attempts) + 1,
            extra_left=policy.retry_max_wait - self.scope.extra_waited,
            dice=self.dice(),
        )
        unread = failure.kind is Kind.NOT_SENT  # a body that was not sent was not read either
        if isinstance(decision, Wait) and not unread and not all(stream.rewind() for stream in self.streams):
            return GiveUp.BODY
        return decision

    def _tell(self, policy: Policy, failure: Failure, wait: Wait) -> Retry:
        attempt = self._add(failure, wait.seconds)
        attempts = policy.retries_number + 1
        retry = Retry(self.target.name(), self.target.service(), attempt, attempts, wait.source)
        hooks.tell("AttemptFailed", retry, attempt)
        log.warning(
            "%s %s%s; attempt %d of %d, next in %s s (%s)",
            *_label(retry, attempt),
            attempt.number,
            attempts,
            f"{wait.seconds:.3g}" if wait.seconds < 100 else f"{wait.seconds:.0f}",
            wait.source,
            extra={"os_retries": retry},
        )
        self._begin_wait(policy, retry, "Retrying", attempts=attempts, wait=wait.seconds, source=wait.source)
        return retry

    def _begin_wait(self, policy: Policy, retry: Retry, event: str, **more: Any) -> None:
        hooks.tell(event, retry, retry.attempt, retry=retry, **more)
        self.last_retry, self.told_wait = retry, (retry, self.clock())
        _call_hook(policy, retry)

    def _end_wait(self) -> None:
        """Tell the sinks that the wait is over, if a wait was reported to them."""
        if self.told_wait is not None:
            (retry, began), self.told_wait = self.told_wait, None
            passed = 0.0 if hooks.instead_of_sleep is not None else self.clock() - began
            hooks.tell("Waited", retry, retry.attempt, seconds=passed, source=retry.source)

    def _give_up(self, error: Exception, policy: Policy, failure: Failure, reason: GiveUp) -> None:
        """Leave the evidence on ``error``, which is about to be raised, and in the log."""
        with _given_up_lock:
            count.given_up += 1
            ordinal = count.given_up
        unsent = reason in (GiveUp.PACED, GiveUp.STOPPED) or failure.held_back
        attempt = self.attempts[-1] if unsent else self._add(failure)
        detail = f" (Retry-After: {failure.retry_after:.0f} s)" if reason is GiveUp.MAX_WAIT else ""
        detail += f" ({failure.note})" if failure.note else ""
        who = self.target.name(), self.target.service()
        evidence = Evidence(*who, tuple(self.attempts), reason, detail, ordinal, failure.found)
        self.scope.given_up = (ordinal, attempt.status, get_ident())
        if reason is GiveUp.NOT_REPEATABLE:
            self.scope.not_repeatable = ordinal
        self.target.add_evidence(error, evidence)
        if not unsent:
            hooks.tell("AttemptFailed", evidence, attempt)
        answered = evidence.is_answer(policy.retry_codes)
        if answered:
            retries = attempt.number - 1
            words = "retry" if retries == 1 else "retries"
            log.info("%s %s%s after %d %s", *_label(evidence, attempt), retries, words, extra={"os_retries": evidence})
        else:
            log.warning(
                "%s %s%s; attempt %d of %d, giving up: %s%s",
                *_label(evidence, attempt),
                attempt.number,
                policy.retries_number + 1,
                reason,
                detail,
                extra={"os_retries": evidence},
            )
        hooks.tell("Answered" if answered else "GivenUp", evidence, attempt, evidence=evidence)

    def _add(self, failure: Failure, wait: float | None = None) -> Attempt:
        number = len(self.attempts) + 1
        attempt = Attempt(number, failure.status, failure.request_id, wait, failure.kind, failure.what)
        self.attempts.append(attempt)
        return attempt

    def wait(self, retry: Retry) -> None:
        """Wait before the next attempt: first the call's own wait, then for a slot if the service is in trouble.

        :raises Exception: the error of the last attempt, if no slot became free within ``retry_max_wait``, or if the
            program has ended the wait
        """
        with self.target.waiting():
            if hooks.instead_of_sleep is not None:
                hooks.instead_of_sleep(retry)
                self._end_wait()
                return
            time_passes = self._sleep(retry.attempt.wait or 0.0)
            self._end_wait()
            goes_on = not self.stopped and (not time_passes or self._has_slot(retry))
        if not goes_on:
            error, policy, failure = cast("tuple[Exception, Policy, Failure]", self.waiting_with)
            if self.stopped:
                self._give_up(error, policy, failure, GiveUp.STOPPED)
            self.waiting_with = None
            held = [error]
            del error
            raise_again(held)

    def _sleep(self, seconds: float) -> bool:
        """Sleep, and return whether time has passed.  It has not if a test has replaced the sleep.

        ``time.sleep`` is looked up at each call, because eventlet, gevent or a test may have replaced it.
        """
        began = self.clock()
        if (self.sleep_with or time.sleep)(seconds) is True:  # as Event.wait returns when the event is set
            self.stopped = True
            return False
        return self.clock() - began >= seconds / 2

    def _has_slot(self, retry: Retry) -> bool:
        """Wait for a slot, as long as ``retry_max_wait`` allows; return whether the call may go on."""
        if self.waiting_with is None:
            return True
        error, policy, failure = self.waiting_with
        extra_left = max(0.0, policy.retry_max_wait - self.scope.extra_waited)
        has_slot, waited = self.place.wait(
            self._sleep, extra_left, lambda: self._tell_of_pacing(policy, replace(retry, source="pacing"), extra_left)
        )
        self._end_wait()
        if waited > 0.0:
            self.scope.extra_waited += waited
            attempt = self.attempts[-1]
            self.attempts[-1] = replace(attempt, wait=(attempt.wait or 0.0) + waited)
        if not has_slot:
            self._give_up(error, policy, failure, GiveUp.PACED)
        return has_slot and not self.stopped

    def _tell_of_pacing(self, policy: Policy, retry: Retry, at_most: float) -> None:
        retry = replace(retry, attempt=replace(retry.attempt, wait=at_most))
        who, what, request_id = _label(retry, retry.attempt)
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
        self._begin_wait(policy, retry, "Paced", wait=at_most)

    def succeeded(self) -> None:
        """Tell the sinks that the call has succeeded after retries."""
        if self.last_retry is not None:
            waited = sum(attempt.wait or 0.0 for attempt in self.attempts)
            hooks.tell("Succeeded", self.last_retry, len(self.attempts) + 1, waited=waited)

    def close(self) -> None:
        """End the call, and give up its place in the queue of the pacer."""
        self._end_wait()  # a wait that was interrupted
        self.waiting_with = None
        self.place.close()

    def _given_up_inside(self, error: Exception, status: int | None, since: int) -> bool:
        """Return whether a call inside the attempt that just ended has given up this failure already.

        The evidence on the exception, or on an exception in its chain, shows this, even if the call was in another
        thread.  For clients that drop the chain of exceptions, the scope shows it.  If the status differs, the failure
        belongs to another request, which was sent in an except block.
        """
        for part in chain(error, self.handled):
            mark = get(part, "os_retries") or get(get(part, "response"), "os_retries")
            if isinstance(mark, Evidence) and mark.ordinal > since and mark.attempts[-1].status == status:
                return True
        if self.scope.not_repeatable > since:  # a repeat could take effect twice, whatever error the client has raised
            return True
        ordinal, *given_up = self.scope.given_up
        return ordinal > since and given_up == [status, get_ident()]


def raise_again(held: list[Exception]) -> NoReturn:
    """Raise the error of an attempt again, and keep its context.

    A raise statement would set the context to the exception that the caller is handling.

    :param held: a list with the error as its only item.  The item is removed, because a frame that refers to an
        exception whose traceback refers to the frame is a cycle, which only the garbage collector frees.
    """
    error = held.pop()
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def pause(seconds: float, sleep: Callable[[float], object] | None) -> bool:
    """Wait inside an attempt, and count the wait against ``retry_max_wait``.

    Under ``os_retries.testing.NoWaits`` it returns at once.

    :param seconds: how long to wait
    :param sleep: the policy's ``sleep``; None for ``time.sleep``
    :returns: whether the program has ended the wait; see :attr:`RetryPolicy.sleep`
    """
    current_scope().extra_waited += seconds
    if hooks.instead_of_sleep is not None:
        return False
    return (sleep or time.sleep)(seconds) is True


def _call_hook(policy: Policy, retry: Retry) -> None:
    if policy.on_retry is not None:
        try:
            policy.on_retry(retry)
        except Exception as error:
            if deadline_in(error) is not None:
                raise
            log.exception("on_retry raised an error; the call continues")


def _label(of: Retry | Evidence, attempt: Attempt) -> tuple[str, str, str]:
    return (
        f"{of.service}: {of.method}" if of.service else of.method,
        f"failed ({attempt.what})" if attempt.status is None else f"answered {attempt.status}",
        f" [{attempt.request_id}]" if attempt.request_id else "",
    )
