"""Nested calls: what the calls that run inside one call share.

A wrapped method may send several requests of an attached session, and a request may be made inside another call.  All
of them belong to one *scope*, that of the outermost call in this context.  They share its allowance of extra waiting.
What an inner call has given up no outer call repeats, so attempts never multiply.
"""

from __future__ import annotations

from contextvars import ContextVar


class Scope:
    """The outermost call that runs in this context.

    The defaults are class attributes, so that a call that succeeds pays nothing for them.
    """

    #: Seconds waited beyond the configured waits, by this call and the calls inside it.
    extra_waited = 0.0
    #: True when the call has ended.  A context may outlive its call, in a thread or a task that was started inside.
    finished = False
    #: The ordinal and the status of the call inside this one that was given up last.
    given_up: tuple[int, int | None] = (0, None)
    #: The ordinal of the last request inside that must not be repeated, because a repeat could do it twice.
    not_repeatable = 0


class Count:
    """How many calls this process has given up.

    Each mark on an exception has this number as its ordinal.  A mark was made during the attempt that just failed, in
    whichever thread, if its ordinal is higher than the number was at the start of the attempt.
    """

    given_up = 0


count = Count()
_nobody = Scope()
_nobody.finished = True
#: The scope of the outermost call of this context.  A finished one stays until the next call takes its place.
running: ContextVar[Scope] = ContextVar("os_retries.scope", default=_nobody)


def current_scope() -> Scope:
    """Return the scope of the outermost call that runs in this context."""
    return running.get()
