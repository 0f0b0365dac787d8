"""What can go wrong with one request."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Symptom(enum.StrEnum):
    """What the caller meets."""

    STATUS = "status"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    STALL = "stall"
    CUT = "cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Made by :meth:`refused`, :meth:`lost`, :meth:`unreachable`, :meth:`reset`, :meth:`stall`, :meth:`cut` and
    :meth:`late`.  ``processed`` says whether the service got the request and did what it asks for before the fault;
    ``after`` that it gets it so many seconds after the fault.
    """

    symptom: Symptom
    processed: bool = False
    status: int | None = None
    retry_after: str | None = None
    html: bool = False
    after: float | None = None

    @classmethod
    def refused(cls, status: int = 503, *, retry_after: float | str | None = None, html: bool = False) -> Fault:
        """Answer with ``status`` instead of the service, which never sees the request.

        :param retry_after: the header's value: seconds, or any text; None sends no header
        :param html: a balancer's page instead of an error in the dialect of the service
        :raises ValueError: for a status that is none of an error
        """
        check_status(status)
        return cls(symptom=Symptom.STATUS, status=status, retry_after=header_text(retry_after), html=html)

    @classmethod
    def lost(cls, status: int = 504, *, retry_after: float | str | None = None, html: bool = True) -> Fault:
        """Let the service process the request, and answer with ``status`` instead of its answer.

        :raises ValueError: for a status that is none of an error
        """
        check_status(status)
        return cls(
            symptom=Symptom.STATUS, processed=True, status=status, retry_after=header_text(retry_after), html=html
        )

    @classmethod
    def unreachable(cls) -> Fault:
        """Refuse the connection: the request was never sent."""
        return cls(symptom=Symptom.UNREACHABLE)

    @classmethod
    def reset(cls, *, processed: bool = False) -> Fault:
        """Reset the connection while the answer is awaited."""
        return cls(symptom=Symptom.RESET, processed=processed)

    @classmethod
    def stall(cls, *, processed: bool = False) -> Fault:
        """Answer nothing until the request's timeout is over.

        Nobody waits: the timeout's error comes at once.  A request without a timeout would wait for ever; it gets
        the same error.
        """
        return cls(symptom=Symptom.STALL, processed=processed)

    @classmethod
    def cut(cls) -> Fault:
        """Let the service process the request, and close the connection in the middle of its answer's body.

        An answer that is an error, or has no body, is lost altogether.
        """
        return cls(symptom=Symptom.CUT, processed=True)

    @classmethod
    def late(cls, seconds: float, status: int = 504) -> Fault:
        """Answer with ``status`` at once, and hand the request to the service that many seconds later.

        As a proxy does that does not wait any longer for a service which goes on working.  The request is sent from a
        thread; :meth:`Faults.wait` waits for it.

        :raises ValueError: for a status that is none of an error, and for a time that is none
        """
        check_status(status)
        given: object = seconds
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
        return cls(symptom=Symptom.STATUS, status=status, html=True, after=seconds)

    def __str__(self) -> str:
        text = str(self.status) if self.symptom is Symptom.STATUS else str(self.symptom)
        text += f" (Retry-After: {self.retry_after})" if self.retry_after is not None else ""
        text += f", {self.after:g} s before processing" if self.after is not None else ""
        return text + (" after processing" if self.processed else "")


def check_status(status: object) -> None:
    """Check that a value is the status of an error.

    :raises ValueError: if it is not
    """
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        raise ValueError(f"{status!r} is not the status of an error (400 to 599)")


def header_text(value: object) -> str | None:
    """Return the text of a Retry-After header for seconds, a text or None.

    :raises ValueError: for any other value
    """
    if value is None or (isinstance(value, str) and value.isprintable()):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    raise ValueError(f"retry_after must be seconds, a text or None, not {value!r}")
