"""Make swiftclient's own loop ask the policy, because its requests do not go through a session.

``Connection._retry`` is a loop of attempts.  It renews tokens and seeks back in bodies, so it stays.  Three parts of it
are replaced:

- the function that it calls for each attempt, and ``get_auth``: they remember the error by which the attempt ends
- its ``sleep``: it asks the policy what follows that error.  It waits as long as the policy, the service's Retry-After
  and the pacer say, and returns; or there is no further attempt, and it raises the error, which ends the loop
- ``_retry`` itself: it keeps a ``_Loop`` in a context variable, in which the others find what the loop is about, and
  reports the end
"""

from __future__ import annotations

import dataclasses
import functools
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from os_retries.core.deadlines import deadline_in
from os_retries.core.evidence import Attempt, Evidence, GiveUp, Retry
from os_retries.core.exceptions import chain, get, read_failure
from os_retries.core.failure import RETRY_CODES, Failure, Kind, kind_of
from os_retries.core.scope import count
from os_retries.pacing.process import Place, pacers
from os_retries.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.run.report import Reporter

_SERVICE = "object-store"
_RATE_LIMIT = 498  # swift's own, beside 429


class _Loop:
    """One call of ``_retry``: what it is about, and how its attempts have ended."""

    def __init__(self, connection: Any, name: str, *, rewindable: bool) -> None:
        self.connection = connection
        self.name = name
        self.rewindable = rewindable
        self.error: Exception | None = None
        self.token_error: Exception | None = None  # the same, if it comes from a token's request
        self.attempts: list[Attempt] = []
        self.extra_waited = 0.0
        self.reason = GiveUp.ATTEMPTS
        self.place = Place()

    @property
    def endpoint(self) -> str:
        """The endpoint whose retries form one queue; it has the name that an attached session gives it."""
        url = getattr(self.connection, "url", None)
        service, url = (_SERVICE, url) if url else ("identity", getattr(self.connection, "authurl", None))
        return f"{urlsplit(url).netloc.rpartition('@')[2]} {service}" if isinstance(url, str) else service

    def ended(self, failure: Failure, wait: float | None = None) -> Attempt:
        number = len(self.attempts) + 1
        attempt = Attempt(number, failure.status, failure.request_id, wait, failure.kind, failure.what)
        self.attempts.append(attempt)
        return attempt


_loop: ContextVar[_Loop | None] = ContextVar("os_retries.run.swift", default=None)


def configure(connection: Any) -> None:
    """Set the numbers of the policy on a new Connection, in the place of those that its caller asked for."""
    policy = policy_for(_SERVICE)
    connection.retries = policy.retries_number
    if 429 in policy.retry_codes:  # if not, its caller's choice stands, which goes for 498, too
        connection.retry_on_ratelimit = True
    if connection.timeout is None:
        connection.timeout = policy.attempt_timeout


def obey(module: Any, reporter: Reporter) -> None:
    """Replace the parts of ``swiftclient.client`` that this module is about."""
    connection = module.Connection
    connection._retry = _observed(connection._retry, reporter)  # noqa: SLF001
    connection.get_auth = _noted(connection.get_auth, for_token=True)
    module.sleep = functools.partial(_wait, reporter)


def _noted(function: Callable[..., Any], *, for_token: bool = False) -> Callable[..., Any]:
    """Remember the error by which an attempt ends, because the loop does not pass it to its sleep."""

    @functools.wraps(function)
    def noted(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            loop = _loop.get()
            if loop is not None:
                loop.error = error
                loop.token_error = error if for_token else None
            raise

    return noted


def _observed(original: Callable[..., Any], reporter: Reporter) -> Callable[..., Any]:
    """Wrap ``_retry``: keep a ``_Loop`` while it runs, and report its end."""

    @functools.wraps(original)
    def _retry(self: Any, reset_func: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        what = "/".join(each for each in args[:2] if isinstance(each, str))
        # put_object passes this function for a body that cannot be read twice.  It fails after the wait, and the error
        # of the attempt is lost.
        rewindable = getattr(reset_func, "__name__", "") != "_default_reset"
        loop = _Loop(self, f"{func.__name__} {what}".strip(), rewindable=rewindable)
        begun = count.given_up
        token = _loop.set(loop)
        try:
            result = original(self, reset_func, _noted(func), *args, **kwargs)
        except Exception as error:
            if not _given_up_inside(error, begun):  # the attached session has reported a token's request
                _tell_of_the_end(loop, error, reporter)
            raise
        else:
            if pacers.watching:
                pacers.note_success(loop.endpoint)
            return result
        finally:
            loop.place.close()
            _loop.reset(token)

    return _retry


def _tell_of_the_end(loop: _Loop, error: Exception, reporter: Reporter) -> None:
    """Tell the pacer and the operator that the loop ends with an error."""
    failure = Failure(None) if deadline_in(error) is not None else _read(error, loop)
    permanent = failure.kind is Kind.PERMANENT
    if not permanent:
        _failed(loop)
    elif pacers.watching and failure.status is not None:  # the service answers
        pacers.note_success(loop.endpoint)
    if permanent and not loop.attempts:
        return
    reason = GiveUp.PERMANENT if permanent else loop.reason
    if failure.status is not None and not loop.attempts and not _repeated_by_swift(failure.status):
        reason = GiveUp.CLIENT
    if reason is not GiveUp.PACED:
        loop.ended(failure)
    reporter.on_give_up(Evidence(loop.name, _SERVICE, tuple(loop.attempts), reason))


def _given_up_inside(error: Exception, since: int) -> bool:
    """Return whether an attached session has given up the request that ``error`` comes from, since that ordinal."""
    marks = (get(part, "os_retries") for part in chain(error))
    return any(isinstance(mark, Evidence) and mark.ordinal > since for mark in marks)


def _failed(loop: _Loop, back: float = 0.0) -> None:
    policy = policy_for(_SERVICE)
    if policy.pacing:
        loop.place.failed(loop.endpoint, policy.pacing_url, back)


def _wait(reporter: Reporter, seconds: float) -> None:
    """Take the place of the loop's sleep."""
    loop = _loop.get()
    if loop is None or loop.error is None:  # not the sleep after an attempt
        time.sleep(seconds)
        return
    error, loop.error = loop.error, None
    if deadline_in(error) is not None:
        raise error
    failure = _read(error, loop)
    if failure.status == 401:  # the same request with a new token, which is no retry
        loop.connection.attempts -= 1
        time.sleep(seconds)
        return
    policy = policy_for(_SERVICE)
    decision = policy.wait_after(
        failure,
        attempt=len(loop.attempts) + 1,
        extra_left=policy.retry_max_wait - loop.extra_waited,
        dice=reporter.dice(),
    )
    if not isinstance(decision, GiveUp) and not loop.rewindable:
        decision = GiveUp.BODY
    if isinstance(decision, GiveUp):
        loop.reason = decision
        raise error
    _failed(loop, decision.seconds)
    loop.extra_waited += decision.extra
    attempt = loop.ended(failure, decision.seconds)
    retry = Retry(loop.name, _SERVICE, attempt, policy.retries_number + 1, decision.source)
    reporter.on_retry(retry)

    def sleep(seconds: float) -> bool:
        began = time.monotonic()
        reporter.sleep(seconds)
        return time.monotonic() - began >= seconds / 2

    if not sleep(decision.seconds):  # a test has replaced it
        return
    left = max(0.0, policy.retry_max_wait - loop.extra_waited)
    at_most = dataclasses.replace(retry, source="pacing", attempt=dataclasses.replace(attempt, wait=left))
    has_slot, waited = loop.place.wait(sleep, left, lambda: reporter.on_retry(at_most))
    loop.extra_waited += waited
    loop.attempts[-1] = dataclasses.replace(attempt, wait=decision.seconds + waited)
    if not has_slot:
        loop.reason = GiveUp.PACED
        raise error


def _read(error: Exception, loop: _Loop) -> Failure:
    """Class a failure: of the loop's request, or of the request for its token, without which its own was not sent."""
    failure = _read_error(error)
    if error is not loop.token_error or failure.kind is Kind.PERMANENT:
        return failure
    return dataclasses.replace(failure, kind=Kind.NOT_SENT, what=f"token: {failure.what or failure.status}")


def _read_error(error: Exception) -> Failure:
    """Class a failure.  All requests of swift are idempotent, so it does not matter how a connection broke."""
    failure = read_failure(error)
    if failure.status is not None:
        return dataclasses.replace(failure, kind=_kind_of(failure.status))
    innermost = list(chain(error))[-1]
    lost = (
        any(isinstance(part, OSError) for part in chain(error)) and "CertVerification" not in type(innermost).__name__
    )
    return Failure(None, kind=Kind.MAYBE_PROCESSED if lost else Kind.PERMANENT, what=_how(innermost))


def _kind_of(status: int) -> Kind:
    """Class a status: by the policy if it is one of the specification's, by swiftclient's own rule if it is not.

    A policy that names the specification's statuses says nothing of 498, 499, 501, 505 and 507, which swiftclient has
    always repeated.
    """
    if status not in RETRY_CODES and _repeated_by_swift(status):
        return Kind.REFUSED if status == _RATE_LIMIT else Kind.MAYBE_PROCESSED
    return kind_of(status, policy_for(_SERVICE).retry_codes)


def _repeated_by_swift(status: int) -> bool:
    return status in (408, 429, _RATE_LIMIT, 499) or 500 <= status <= 599


def _how(error: BaseException) -> str:
    names = [kind.__name__ for kind in type(error).__mro__]
    known = (
        ("ConnectionRefusedError", "connection refused"),
        ("ConnectionResetError", "connection reset"),
        ("RemoteDisconnected", "closed without an answer"),
        ("TimeoutError", "no answer in time"),
        ("ReadTimeout", "no answer in time"),
        ("gaierror", "name not resolved"),
    )
    return next((words for name, words in known if name in names), "connection failed")
