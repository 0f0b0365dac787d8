"""The faults that a request may have."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Symptom(enum.StrEnum):
    """What the caller sees of a fault."""

    STATUS = "status"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    STALL = "stall"
    CUT = "cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Make it with :meth:`refused`, :meth:`lost`, :meth:`unreachable`, :meth:`reset`, :meth:`stall`, :meth:`cut` or
    :meth:`late`.

    ``symptom``
        What the caller sees.
    ``processed``
        Whether the service processes the request before the fault.
    ``status``, ``retry_after``, ``html``
        The status of the response, its Retry-After header, and whether it is the page of a load balancer.
    ``after``
        The seconds after which the service gets the request; None if it never does, or if it gets it before the fault.
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

        :param retry_after: the value of the header: seconds, or any text; None for no header
        :param html: whether the response is the page of a load balancer instead of an error in the service's format
        :raises ValueError: for a status that is not an error
        """
        check_status(status)
        return cls(symptom=Symptom.STATUS, status=status, retry_after=header_text(retry_after), html=html)

    @classmethod
    def lost(cls, status: int = 504, *, retry_after: float | str | None = None, html: bool = True) -> Fault:
        """Let the service process the request, and replace its answer by ``status``.

        The parameters are those of :meth:`refused`.

        :raises ValueError: for a status that is not an error
        """
        check_status(status)
        return cls(
            symptom=Symptom.STATUS, processed=True, status=status, retry_after=header_text(retry_after), html=html
        )

    @classmethod
    def unreachable(cls) -> Fault:
        """Refuse the connection, so that the request is never sent."""
        return cls(symptom=Symptom.UNREACHABLE)

    @classmethod
    def reset(cls, *, processed: bool = False) -> Fault:
        """Reset the connection while the caller waits for the answer.

        :param processed: whether the service processes the request first
        """
        return cls(symptom=Symptom.RESET, processed=processed)

    @classmethod
    def stall(cls, *, processed: bool = False) -> Fault:
        """Send no answer, so that the request times out.

        The error of the timeout is raised at once, without a wait, even if the request has no timeout.

        :param processed: whether the service processes the request first
        """
        return cls(symptom=Symptom.STALL, processed=processed)

    @classmethod
    def cut(cls) -> Fault:
        """Let the service process the request, and close the connection in the middle of its answer's body.

        If the answer is an error or has no body, the connection is closed before the answer.
        """
        return cls(symptom=Symptom.CUT, processed=True)

    @classmethod
    def late(cls, seconds: float, status: int = 504) -> Fault:
        """Answer with ``status`` at once, and send the request to the service later.

        This is like a proxy that no longer waits for a service which continues to work.  A thread sends the request;
        :meth:`Faults.wait` waits for the thread.

        :param seconds: how long the request is held back
        :raises ValueError: for a status that is not an error, or for negative or infinite seconds
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
    """Check that a value is the HTTP status of an error.

    :raises ValueError: if it is not
    """
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        raise ValueError(f"{status!r} is not the status of an error (400 to 599)")


def header_text(value: object) -> str | None:
    """Return the value of a Retry-After header for seconds or a text; None for None.

    :raises ValueError: for any other value
    """
    if value is None or (isinstance(value, str) and value.isprintable()):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    raise ValueError(f"retry_after must be seconds, a text or None, not {value!r}")
