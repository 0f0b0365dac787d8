"""The list of sinks, which receive the events, and the hook by which a test removes the waits.

Each event of a call that fails is passed to every sink.  The sinks are those of ``os_retries.observe``, the reports of
``os-retries run``, and ``os_retries.testing``.  A call that succeeds at once has no events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries import forks
from os_retries.core.deadlines import deadline_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.events import Event
    from os_retries.core.evidence import Attempt, Evidence, LookedUp, Retry

    Sink = Callable[[Event], object]

#: Called before each retry, instead of the sleep.  Only ``os_retries.testing`` sets it.
instead_of_sleep: Callable[[Retry], None] | None = None
#: The sinks, without duplicates.  The tuple is replaced and never changed, so that it can be read without a lock.
sinks: tuple[Sink, ...] = ()
#: Returns the key of the operation that the calls of this context belong to; None outside of operations.
operation_key: Callable[[], str | None] = lambda: None  # noqa: E731

_lock = forks.Lock()
_added: list[Sink] = []  # the sinks, one entry for each ``add``
_have_failed: set[int] = set()  # ids of sinks whose error has been logged


def add(sink: Sink) -> None:
    """Pass each event to ``sink`` from now on."""
    with _lock:
        _added.append(sink)
        _list_them()


def remove(sink: Sink) -> None:
    """Undo one ``add``.  A sink that was added twice gets each event once, until it has been removed twice."""
    with _lock:
        if sink in _added:
            _added.remove(sink)
        if sink not in _added:
            _have_failed.discard(id(sink))
        _list_them()


def _list_them() -> None:
    global sinks  # noqa: PLW0603
    sinks = tuple(each for index, each in enumerate(_added) if each not in _added[:index])


def tell(name: str, of: Retry | Evidence | LookedUp, attempt: Attempt | LookedUp | int, /, **more: Any) -> None:
    """Pass an event to the sinks.

    :param name: the name of a class of ``os_retries.core.events``
    :param of: a record with the name and the service of the call
    :param attempt: the failed attempt that the event is about; the number of an attempt that has succeeded
    :param more: the other fields of the event
    """
    if not sinks:
        return
    try:
        event = _make(name, of, attempt, more)
    except Exception as error:  # an error in os-retries must not hide the client's result
        if deadline_in(error) is not None:
            raise
        _log_once(tell, "an event could not be reported; the call continues", error)
        return
    for sink in sinks:
        try:
            sink(event)
        except Exception as error:  # nor must an error in a sink
            if deadline_in(error) is not None:
                raise
            _log_once(sink, "a sink raised an error, and its next ones are not logged; the call continues", error)


def _make(name: str, of: Retry | Evidence | LookedUp, attempt: Attempt | LookedUp | int, more: dict[str, Any]) -> Event:
    # Imported here, because a program without sinks does not need them.
    from os_retries.core import events
    from os_retries.core.paths import verb_and_template

    verb, path = verb_and_template(of.method)
    fields: dict[str, Any] = {"service": of.service, "method": of.method, "verb": verb, "path": path}
    if isinstance(attempt, int):
        fields["attempt"] = attempt
    else:
        fields["attempt"] = getattr(attempt, "number", 1)
        fields |= {name: getattr(attempt, name) for name in ("status", "kind", "what", "request_id")}
    made: Event = getattr(events, name)(**(fields | {"operation": operation_key()} | more))
    return made


def _log_once(source: object, text: str, error: Exception) -> None:
    if id(source) not in _have_failed:
        _have_failed.add(id(source))
        import logging

        logging.getLogger("os_retries").error(text, exc_info=error)
