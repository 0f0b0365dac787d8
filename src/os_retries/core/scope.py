"""Nested calls: the state that a call shares with the calls inside it.

A wrapped method may send several requests of an attached session, and a request may be made inside another call.  All
of them belong to one *scope*, the scope of the outermost call in this context.  They share one ``retry_max_wait``.  An
outer call does not repeat what an inner call has given up, so attempts never multiply.
"""

from __future__ import annotations

from contextvars import ContextVar


class Scope:
    """The state that the outermost call in this context shares with the calls inside it.

    The defaults are class attributes, so that a call that succeeds need not set them.
    """

    #: Seconds waited beyond the configured waits, by this call and the calls inside it.
    extra_waited = 0.0
    #: True after the call has ended.  A thread or a task that was started inside the call may still have its context.
    finished = False
    #: The ordinal and the status of the last call in this scope that was given up, and its thread.  Threads may share a
    #: scope: asyncio.to_thread copies the context.
    given_up: tuple[int, int | None, int] = (0, None, 0)
    #: The ordinal of the last request in this scope that must not be repeated, because a repeat could do it twice.
    not_repeatable = 0


class Count:
    """How many calls this process has given up.

    The evidence on an exception has this number as its ordinal.  An ordinal that is higher than the number was at the
    start of an attempt shows that a call was given up during the attempt, in any thread.
    """

    __slots__ = ("given_up",)  # each call reads it

    def __init__(self) -> None:
        self.given_up = 0


count = Count()
_nobody = Scope()
_nobody.finished = True
#: The scope of the outermost call in this context.  A finished scope stays until the next call replaces it.
running: ContextVar[Scope] = ContextVar("os_retries.scope", default=_nobody)


def current_scope() -> Scope:
    """Return the scope of the outermost call in this context."""
    return running.get()
