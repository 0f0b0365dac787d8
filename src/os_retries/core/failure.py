"""What is known about a failed attempt: its kind, one of four, and the facts that decide what follows.

This module holds plain values only.  It must not import a client, a session or a clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from os_retries.core import statuses

if TYPE_CHECKING:
    from collections.abc import Container

RETRY_CODES = statuses.RETRY_CODES


class Kind(enum.StrEnum):
    """What a failure says about the request: whether it may have been processed, and whether a repeat can help."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    MAYBE_PROCESSED = "maybe processed"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, as the policy sees it.

    ``status``
        The HTTP status; None if the failure has none.
    ``retry_after``
        The wait in seconds that the service asked for; None if there is no valid Retry-After.
    ``request_id``
        The request id that the service sent; None if it is not known.
    ``kind``
        Whether the request was not sent, was refused, may have been processed, or failed permanently.
    ``what``
        A short description of a failure without a status, such as ``connection refused``.
    ``repeatable``
        False if a repeat could take effect twice, such as creating a second resource.
    ``note``
        Details of the failure for the log and the evidence, such as the result of a look-up.
    ``found``
        The ids of the resources that a look-up found but could not accept as the result of the create.
    ``held_back``
        True if this attempt was not sent, because a look-up stopped it. The other fields then describe the previous
        attempt.
    """

    status: int | None
    retry_after: float | None = None
    request_id: str | None = None
    kind: Kind = Kind.PERMANENT
    what: str = ""
    repeatable: bool = True
    note: str = ""
    found: tuple[str, ...] = ()
    held_back: bool = False


def kind_of(status: int | None, retry_codes: Container[int]) -> Kind:
    """Classify a failure of which only the status is known.

    A service answers 429 and 413 instead of processing the request. Any other of the ``retry_codes`` may come from a
    proxy whose service is still processing the request.
    """
    if status is None or status not in retry_codes:
        return Kind.PERMANENT
    return Kind.REFUSED if status in {413, 429} else Kind.MAYBE_PROCESSED
