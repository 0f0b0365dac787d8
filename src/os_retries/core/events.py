"""The events: what happens to a call that fails, as one stream of records for sinks.

A sink gets each event in the thread of the call, at the instant at which it happens.  This module is loaded only when
there is a sink and a call has failed.  It holds records only; ``hooks`` passes them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from os_retries.core.evidence import Evidence, LookedUp, Retry
    from os_retries.core.failure import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the events have in common.

    ``name``
        The name of the event, such as ``retry``; an attribute of the class.
    ``service``
        The service type, such as ``compute``; None if it is not known.
    ``method``
        The name of the call: ``GET /servers/<id>`` on an attached session, else ``ServerManager.list``.  It may contain
        ids and names of resources.
    ``verb``
        The HTTP verb; None if the call is not a request of an attached session.
    ``path``
        The path without ids and names, such as ``/servers/{id}``; None where ``verb`` is None.
    ``attempt``
        The number of the attempt that the event is about, from 1.
    ``status``
        The HTTP status of that attempt; None if it had none, or if it has succeeded.
    ``kind``
        What the failure says about the request; None for an attempt that has succeeded.
    ``what``
        A short description of a failure without a status, such as ``connection refused``.
    ``request_id``
        The request id that the service sent; None if it is not known.
    ``operation``
        The key of the operation that the call belongs to; None outside of operations.
    """

    name: ClassVar[str] = ""

    service: str | None
    method: str
    verb: str | None = None
    path: str | None = None
    attempt: int = 1
    status: int | None = None
    kind: Kind | None = None
    what: str = ""
    request_id: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt has failed, and the call is repeated, found by a look-up, given up, or answered by its error.

    If the first attempt of a call fails with an error that no repeat can help with, such as a 404, there is no event.
    """

    name: ClassVar[str] = "attempt_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying(Event):
    """The call will be repeated after a wait, which begins now.  ``Waited`` follows at the end of the wait.

    ``attempts``
        How many attempts the policy allows.
    ``wait``
        The wait, in seconds.
    ``source``
        Where the wait comes from: ``retry_after`` (the configuration) or ``Retry-After`` (the service).
    ``retry``
        The same as the record that ``on_retry`` gets.
    """

    name: ClassVar[str] = "retry"

    attempts: int
    wait: float
    source: str
    retry: Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced(Event):
    """The call has had its own wait, and now waits for a slot at a service in trouble.  ``Waited`` follows at the end.

    ``wait``
        The longest that the call may wait for the slot, in seconds.
    ``retry``
        The same as the record that ``on_retry`` gets.
    """

    name: ClassVar[str] = "paced"

    wait: float
    retry: Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited(Event):
    """The wait of a ``Retrying`` or of a ``Paced`` is over: it has passed, or it was interrupted.

    ``seconds``
        The seconds that have passed.
    ``source``
        ``retry_after``, ``Retry-After``, or ``pacing`` for the wait of a ``Paced``.
    """

    name: ClassVar[str] = "waited"

    seconds: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLookedUp(Event):
    """A create whose answer was lost is looked up, or was looked up.

    ``outcome``
        ``looking`` (before the first wait), ``found``, ``not there``, ``unclear`` or ``late duplicate``.
    ``ids``
        The ids of what was found.
    ``record``
        The same as the record that the log carries.
    """

    name: ClassVar[str] = "look_up"

    outcome: str
    ids: tuple[str, ...]
    record: LookedUp


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Event):
    """The call is given up: its last error is raised.

    ``evidence``
        Why, and all attempts: the same as the attribute ``os_retries`` of the exception.
    """

    name: ClassVar[str] = "give_up"

    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Event):
    """After retries the call has ended with an error that is a proper answer, such as a 404; nothing was given up.

    ``evidence``
        All attempts: the same as the attribute ``os_retries`` of the exception.
    """

    name: ClassVar[str] = "answered"

    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded(Event):
    """The call has succeeded after at least one failed attempt, by itself or because a look-up has found its resource.

    Calls that succeed at once have no events.

    ``waited``
        The seconds waited between the attempts.
    """

    name: ClassVar[str] = "succeeded"

    waited: float = 0.0
