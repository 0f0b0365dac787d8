"""Make swiftclient's own loop ask the policy, because its requests do not go through a session.

``Connection._retry`` is a loop of attempts.  It renews tokens and rewinds bodies, so it stays.  Four parts of it are
replaced:

- The function that the loop calls for each attempt, and ``get_auth``: the replacements remember the error of the
  attempt.
- The ``sleep`` of the loop: the replacement passes that error to a ``FailedCall``, as the loop of every other call
  does.  Then it waits as long as the policy, the Retry-After and the pacer say, and returns.  If there is no further
  attempt, it raises the error instead, which ends the loop.
- The exception of each attempt: an answer that was cut off becomes an error that the loop repeats.  The 404 of a DELETE
  becomes a success if an earlier attempt may have been processed.
- ``_retry`` itself: the replacement keeps a ``_Loop`` in a context variable, where the other parts find the state of
  the call.  If the loop ends by its own rules, it gives the call up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from os_retries.core.deadlines import deadline_in
from os_retries.core.exceptions import chain, get, read_failure
from os_retries.core.failure import RETRY_CODES, Failure, Kind, kind_of
from os_retries.core.retries import FailedCall
from os_retries.core.scope import Scope, count
from os_retries.core.streams import Stream
from os_retries.pacing.process import pacers
from os_retries.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.evidence import Evidence
    from os_retries.core.protocols import Policy
    from os_retries.run.report import Reporter

_SERVICE = "object-store"
_RATE_LIMIT = 498  # swift's own status for a rate limit, in addition to 429


class _Loop:
    """One call of ``_retry``, as a target of the core: its name, its policy, and the errors of its attempts."""

    def __init__(self, connection: Any, name: str, reporter: Reporter, *, rewindable: bool) -> None:
        self.connection = connection
        self.error: Exception | None = None  # the error of the attempt that has ended
        self.token_error: Exception | None = None  # the same error, if it comes from a token request
        self.stand_in: Exception | None = None  # what the loop sees instead, if it would not repeat that error
        self.begun = count.given_up
        self.over = False  # whether swiftclient has left its loop
        self.ended = False  # whether the call has been given up, or has failed for good
        self._name = name
        # For a body that cannot be read twice, the stream has no position to rewind to.
        streams = () if rewindable else (Stream(None),)
        self.failed = FailedCall(Scope(), self, streams, None, dice=reporter.dice)

    def name(self) -> str:
        """Return the name of the function that the loop calls, with the container and the object."""
        return self._name

    def service(self) -> str:
        """Return the service type."""
        return _SERVICE

    def endpoint(self, outcome: object) -> str:  # noqa: ARG002
        """Return the endpoint, under the same name as on an attached session, so that they share one queue."""
        url = getattr(self.connection, "url", None)
        service, url = (_SERVICE, url) if url else ("identity", getattr(self.connection, "authurl", None))
        return f"{urlsplit(url).netloc.rpartition('@')[2]} {service}" if isinstance(url, str) else service

    def policy(self) -> Policy:
        """Return the policy that holds now."""
        return policy_for(_SERVICE)

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:  # noqa: ARG002
        """Classify the failure.  If the token request has failed, the loop's own request was not sent."""
        failure = _read_error(error)
        if error is not self.token_error or failure.kind is Kind.PERMANENT:
            return failure
        return dataclasses.replace(failure, kind=Kind.NOT_SENT, what=f"token: {failure.what or failure.status}")

    def add_evidence(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on the error, which is about to be raised."""
        with contextlib.suppress(Exception):  # an exception that refuses attributes is still the client's own
            error.os_retries = evidence  # type: ignore[attr-defined]

    def repeated_by_client(self, status: int) -> bool:  # noqa: ARG002
        """Return whether the loop has ended by swiftclient's own rules, and not because no attempts were left."""
        return self.over and len(self.failed.attempts) < self.policy().retries_number

    def has_removed(self, error: Exception) -> bool:
        """Return whether a DELETE has taken effect: an earlier attempt may have, and swift itself now answers 404."""
        return (
            self._name.startswith(("delete_object ", "delete_container "))
            and get(error, "http_status") == 404
            and bool(get(error, "transaction_id"))
            and any(attempt.kind is Kind.MAYBE_PROCESSED for attempt in self.failed.attempts)
        )

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Return a context manager that does nothing: swiftclient holds no lock during a wait."""
        return contextlib.nullcontext()

    def wait_or_raise(self, error: Exception) -> None:
        """Wait before the next attempt; raise the error of the last attempt if there is no next one."""
        retry = self.failed.after(error, self.begun)
        if retry is None:
            self.ended = True
            raise error
        try:
            self.failed.wait(retry)
        except BaseException:
            self.ended = True
            raise


_loop: ContextVar[_Loop | None] = ContextVar("os_retries.run.swift", default=None)


def configure(connection: Any) -> None:
    """Set the numbers of the policy on a new Connection, instead of the numbers that its caller asked for."""
    policy = policy_for(_SERVICE)
    connection.retries = policy.retries_number
    if 429 in policy.retry_codes:  # otherwise the caller's choice stays, which applies to 498 too
        connection.retry_on_ratelimit = True
    if connection.timeout is None:
        connection.timeout = policy.attempt_timeout


def obey(module: Any, reporter: Reporter) -> None:
    """Replace the parts of ``swiftclient.client`` that the module's docstring lists."""
    connection = module.Connection
    connection._retry = _observed(connection._retry, module.RequestException, reporter)  # noqa: SLF001
    connection.get_auth = _noted(connection.get_auth, for_token=True)
    module.sleep = _wait


def _noted(function: Callable[..., Any], *, for_token: bool = False) -> Callable[..., Any]:
    """Wrap the function of an attempt: remember its error, because the loop does not pass the error to its sleep."""

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


def _attempting(function: Callable[..., Any], repeated: Callable[[str], Exception]) -> Callable[..., Any]:
    """Wrap the function of an attempt, for a DELETE that an earlier attempt has done and for answers that are cut off.

    :param repeated: makes an exception of a class that the loop repeats
    """

    @functools.wraps(function)
    def attempting(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            loop = _loop.get()
            if loop is not None and loop.has_removed(error):
                return None
            if loop is not None and _is_cut_off(error):
                loop.stand_in = repeated(str(error))
                raise loop.stand_in from error
            raise

    return attempting


def _observed(
    original: Callable[..., Any], repeated: Callable[[str], Exception], reporter: Reporter
) -> Callable[..., Any]:
    """Wrap ``_retry``: keep a ``_Loop`` while it runs, and give the call up if the loop ends by its own rules."""

    @functools.wraps(original)
    def _retry(self: Any, reset_func: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        what = "/".join(each for each in args[:2] if isinstance(each, str))
        # For a body that cannot be read twice, put_object passes a reset_func that fails after the wait, so that the
        # error of the attempt would be lost.
        rewindable = getattr(reset_func, "__name__", "") != "_default_reset"
        loop = _Loop(self, f"{func.__name__} {what}".strip(), reporter, rewindable=rewindable)
        token = _loop.set(loop)
        try:
            result = original(self, reset_func, _attempting(_noted(func), repeated), *args, **kwargs)
        except Exception as error:
            loop.over = True
            own = error if error is not loop.stand_in or loop.error is None else loop.error
            if not loop.ended:
                loop.failed.after(own, loop.begun)
            if own is error:
                raise
            raise own from own.__cause__
        else:
            if pacers.watching:
                pacers.note_success(loop.endpoint(result))
            loop.failed.succeeded()
            return result
        finally:
            loop.failed.close()
            _loop.reset(token)

    return _retry


def _wait(seconds: float) -> None:
    """Replace the loop's sleep."""
    loop = _loop.get()
    if loop is None or loop.error is None:  # this is not the sleep after an attempt
        time.sleep(seconds)
        return
    error, loop.error = loop.error, None
    if _read_error(error).status == 401 and deadline_in(error) is None:
        loop.connection.attempts -= 1  # the same request with a new token is not a retry
        time.sleep(seconds)
        return
    loop.wait_or_raise(error)


def _read_error(error: Exception) -> Failure:
    """Classify a failure.  All requests of swift are idempotent, so it does not matter how a connection broke."""
    failure = read_failure(error)
    if failure.status is not None:
        return dataclasses.replace(failure, kind=_kind_of(failure.status))
    innermost = list(chain(error))[-1]
    lost = (
        any(isinstance(part, OSError) for part in chain(error)) and "CertVerification" not in type(innermost).__name__
    )
    if not lost and _is_cut_off(error):
        return Failure(None, kind=Kind.MAYBE_PROCESSED, what="answer cut off")
    return Failure(None, kind=Kind.MAYBE_PROCESSED if lost else Kind.PERMANENT, what=_how(innermost))


def _is_cut_off(error: BaseException) -> bool:
    """Return whether the answer ended too early.

    swiftclient reads the answer with urllib3, whose errors its loop does not repeat.  The errors of requests are
    OSErrors.
    """
    if isinstance(error, OSError):
        return False
    return any("ProtocolError" in (kind.__name__ for kind in type(part).__mro__) for part in chain(error))


def _kind_of(status: int) -> Kind:
    """Classify a status: by the policy if it is one of the specification's statuses, else by swiftclient's own rule.

    A policy with the specification's statuses says nothing about 498, 499, 501, 505 and 507, which swiftclient repeats
    by itself.  It includes 413, which in swift means a quota or a body that is too large.  Neither swiftclient nor
    os_retries repeats it.
    """
    if not _repeated_by_swift(status):
        return Kind.PERMANENT
    if status not in RETRY_CODES:
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
