"""What happened to a call: the words that the log, the hooks and ``exception.os_retries`` speak in.

Records only: no decision is made here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from os_retries.http import Kind


class GiveUp(enum.StrEnum):
    """Why no further attempt was made."""

    ATTEMPTS = "no attempts left"
    PERMANENT = "the last error is not one that a repeat can help"
    MAX_WAIT = "the service asks for a longer wait than retry_max_wait allows"
    BODY = "the request's body cannot be read a second time"
    CLIENT = "the client itself has repeated the request already"
    PACED = "the service is in trouble, and retry_max_wait is over"
    NOT_REPEATABLE = "the service may have done it, and a repeat could do it twice"


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait before the next attempt, in seconds, and who said so.

    ``extra`` is the part of it that counts against ``retry_max_wait``.
    """

    seconds: float
    source: str
    extra: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed attempt.  ``number`` is 1-based, the first attempt included.

    ``wait`` is the number of seconds waited after it, None for the last one (unless it was the pacer's that was too
    long); ``kind`` the class of the failure;
    ``what`` names one that has no status.
    """

    number: int
    status: int | None
    request_id: str | None = None
    wait: float | None = None
    kind: Kind = Kind.PERMANENT
    what: str = ""

    @property
    def answer(self) -> str:
        """The failure in a word or two: the status, or what happened instead of an answer."""
        return str(self.status) if self.status is not None else self.what


@dataclass(frozen=True, slots=True)
class Retry:
    """Told to ``on_retry`` before each wait: ``attempt`` has failed, another one follows.

    ``method`` and ``service`` (a service type such as ``compute``, or None) name the call; ``attempts`` is the
    number of attempts that the policy allows; ``source`` says where the wait comes from: ``retry_after`` (the
    configuration) or ``Retry-After`` (the service).  ``pacing`` is a second wait after the same attempt, for a slot
    at a service in trouble; how long it takes nobody knows, and ``attempt.wait`` is what it may take at most.
    """

    method: str
    service: str | None
    attempt: Attempt
    attempts: int
    source: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Left as ``os_retries`` on the exception of a call that was given up: its attempts, and why there were no more."""

    method: str
    service: str | None
    attempts: tuple[Attempt, ...]
    reason: GiveUp
    #: What the reason is about, such as the Retry-After that was too long.
    detail: str = ""
    #: When in the life of the process the call was given up; tells a fresh mark from one of an earlier call.
    ordinal: int = field(default=0, repr=False, compare=False)
    #: The ids of what a look-up of a create has found and could not take for the answer.
    found: tuple[str, ...] = ()

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
    """Goes with the line of the log about a create that was looked up.

    ``outcome`` is ``looking`` (before the first wait), ``found``, ``not there``, ``unclear`` or ``late duplicate``;
    ``ids`` names what was found; ``status``, ``what``, ``request_id`` and ``kind`` are those of the failed attempt.
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
