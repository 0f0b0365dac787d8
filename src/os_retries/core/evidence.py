"""What happened to a call: the records that the log, the hooks and ``exception.os_retries`` carry.

This module contains only records.  It makes no decision about a retry.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from os_retries.core.failure import Kind

if TYPE_CHECKING:
    from collections.abc import Container


class GiveUp(enum.StrEnum):
    """Why no further attempt was made."""

    ATTEMPTS = "no attempts left"
    PERMANENT = "the last error is permanent, so a repeat cannot succeed"
    MAX_WAIT = "the service asks for a longer wait than retry_max_wait allows"
    BODY = "the request's body cannot be read a second time"
    CLIENT = "the client has already retried the request itself"
    PACED = "no slot became free within retry_max_wait, because the service is in trouble"
    STOPPED = "the program has ended the wait"
    NOT_REPEATABLE = "the service may have processed the request, and a repeat could take effect twice"


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait before the next attempt, and where that wait comes from.

    ``seconds``
        The whole wait, in seconds.
    ``source``
        ``retry_after`` for the configured wait, ``Retry-After`` for a wait that the service asked for.
    ``extra``
        The extra wait: the part of the wait, in seconds, that counts against ``retry_max_wait``.
    """

    seconds: float
    source: str
    extra: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed attempt.

    ``number``
        1 for the first attempt, 2 for the first retry, and so on.
    ``status``
        The HTTP status of the answer; None if there was no answer.
    ``request_id``
        The request id that the service sent; None if it is not known.
    ``wait``
        Seconds waited after this attempt; None if no wait followed it.
    ``kind``
        Whether the request was not sent, was refused, may have been processed, or failed permanently.
    ``what``
        A short description of a failure without a status, such as ``connection refused``.
    """

    number: int
    status: int | None
    request_id: str | None = None
    wait: float | None = None
    kind: Kind = Kind.PERMANENT
    what: str = ""

    @property
    def answer(self) -> str:
        """A short description of the failure: the status, or ``what`` if there is no status."""
        return str(self.status) if self.status is not None else self.what


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry that is about to happen.  ``on_retry`` receives it before the wait.

    ``method``
        The name of the call: ``ServerManager.list``, or ``GET /servers`` on an attached session.
    ``service``
        The service type, such as ``compute``; None if it is not known.
    ``attempt``
        The attempt that has failed.
    ``attempts``
        How many attempts the policy allows.
    ``source``
        Where the wait comes from: ``retry_after`` (the configuration), ``Retry-After`` (the service) or ``pacing``.
        ``pacing`` is a second wait after the same attempt, for a slot at a service in trouble.  Its length is not
        known in advance, so ``attempt.wait`` is the longest that it may take.
    """

    method: str
    service: str | None
    attempt: Attempt
    attempts: int
    source: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a call was given up, and all its attempts.  The exception carries it as its attribute ``os_retries``.

    ``method``, ``service``
        The name of the call and its service type, as in :class:`Retry`.
    ``attempts``
        Every attempt, in order.
    ``reason``
        Why there was no further attempt.
    ``detail``
        More about the reason, such as the Retry-After that was too long.
    ``ordinal``
        A number that increases with each call that this process gives up.
    ``found``
        The ids of the resources that a look-up found but could not accept as the result of the create.
    """

    method: str
    service: str | None
    attempts: tuple[Attempt, ...]
    reason: GiveUp
    detail: str = ""
    ordinal: int = field(default=0, repr=False, compare=False)
    found: tuple[str, ...] = ()

    def is_answer(self, retry_codes: Container[int]) -> bool:
        """Return whether the call ended, after retries, with an error that is a proper answer, such as a 404.

        Such a call was answered and not given up.  An error with one of ``retry_codes`` is not a proper answer: it may
        be a symptom of the same trouble.
        """
        status = self.attempts[-1].status
        answered = status is not None and status not in retry_codes
        return self.reason is GiveUp.PERMANENT and answered and len(self.attempts) > 1

    def __str__(self) -> str:
        answers = ", ".join(attempt.answer for attempt in self.attempts)
        waited = sum(attempt.wait or 0.0 for attempt in self.attempts)
        number = len(self.attempts)
        return (
            f"os-retries: gave up after {number} attempt{'s' * (number > 1)} ({answers}; "
            f"{waited:g} s of waiting): {self.reason}{self.detail}"
        )


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The look-up of a create.  The log record about it carries this as its attribute ``os_retries``.

    ``method``, ``service``
        The name of the create and its service type, as in :class:`Retry`.
    ``outcome``
        ``looking`` (before the first wait), ``found``, ``not there``, ``unclear`` or ``late duplicate``.
    ``ids``
        The ids of what was found.
    ``detail``
        More about the outcome, for the log.
    ``status``, ``what``, ``request_id``, ``kind``
        Those of the failed attempt, as in :class:`Attempt`.
    """

    method: str
    service: str | None
    outcome: str
    ids: tuple[str, ...] = ()
    detail: str = ""
    status: int | None = None
    what: str = ""
    request_id: str | None = None
    kind: Kind = Kind.MAYBE_PROCESSED
