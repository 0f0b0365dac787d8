"""What a failed attempt says of the request: the four kinds, and the facts that decide what follows.

Plain values, nothing else: no client, no session and no clock come in here.
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
    """What a failure says of the request."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    MAYBE_PROCESSED = "maybe processed"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, as the policy sees it.

    ``status``
        The HTTP status; None where the failure has none.
    ``retry_after``
        The wait that the service asked for, in seconds; None where it asked for none that can be read.
    ``request_id``
        The service's id of the request; None where it is not known.
    ``kind``
        Whether the request was not sent, was refused, may have been processed, or failed for good.
    ``what``
        A few words for a failure without a status, such as ``connection refused``.
    ``repeatable``
        False where a repeat could do twice what was asked for once.
    ``note``
        More about that, for people.
    ``found``
        The ids of what a look-up has found and could not take for the answer.
    ``held_back``
        True if this attempt was not sent, because a look-up stopped it.  The other fields describe the previous one.
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
    """Class a failure by its status alone, where nothing else is known.

    A service answers 429 and 413 instead of processing the request.  Any other status may come from a proxy, in front
    of a service that goes on working.
    """
    if status is None or status not in retry_codes:
        return Kind.PERMANENT
    return Kind.REFUSED if status in {413, 429} else Kind.MAYBE_PROCESSED
