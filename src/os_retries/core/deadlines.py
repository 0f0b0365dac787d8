"""Deadlines: exceptions that a program raises into whatever code runs at that moment.

For example, a handler of SIGALRM raises TimeoutError, Celery raises SoftTimeLimitExceeded, and rq raises
JobTimeoutException.  Such an exception is not a failure of the request that it interrupts.  After it, nothing is
repeated and nothing is looked up.
"""

from __future__ import annotations

import functools
import signal
import threading
from opcode import opmap
from typing import TYPE_CHECKING

from os_retries.core.exceptions import chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType

_RAISING = frozenset(opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))
# The packages whose exceptions a request of a session may raise, and those that a bug of os_retries may raise.
_OURS = frozenset({"keystoneauth1", "requests", "urllib3", "http", "json", "socket", "ssl", "email", "os_retries"})


def deadline_in(error: BaseException) -> BaseException | None:
    """Return the exception in the chain of ``error`` that a signal handler of the program raised; None without one.

    requests and keystoneauth wrap a TimeoutError of a handler in exceptions of their own, as if the socket had timed
    out.  The traceback of the TimeoutError still ends in the handler.
    """
    if threading.current_thread() is not threading.main_thread():  # Python runs signal handlers in the main thread only
        return None
    handlers: set[CodeType] | None = None
    for part in chain(error):
        if part.__traceback__ is not None:
            handlers = _handlers() if handlers is None else handlers
            if any(code in handlers for code in _codes(part.__traceback__)):
                return part
    return None


def let_through(error: Exception) -> None:
    """Raise ``error`` again if it is a deadline of the program; return if it is a failure or an error in os-retries.

    Every handler that continues after an exception of one of os_retries' own requests calls this first.  A deadline is
    raised by a signal handler, or by another thread (``PyThreadState_SetAsyncExc``), as rq's timer does.  Exceptions of
    the HTTP packages and built-in exceptions are failures, unless a signal handler raised them.  An exception of any
    other class was raised into this thread by other code of the program.
    """
    deadline = deadline_in(error)
    if deadline is not None:
        raise deadline
    if _is_injected(error):
        raise error


def _is_injected(error: BaseException) -> bool:
    """Return whether another thread has raised this exception here.

    Such an exception has not been raised by any statement of the code that it interrupts.  The same is true for an
    exception that C code raises, so built-in exceptions and those of the HTTP packages do not count.
    """
    kinds = type(error).__mro__
    if kinds[0].__module__ == "builtins" or any(kind.__module__.partition(".")[0] in _OURS for kind in kinds):
        return False
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    return traceback.tb_frame.f_code.co_code[traceback.tb_lasti] not in _RAISING


def _codes(traceback: TracebackType | None) -> Iterator[CodeType]:
    while traceback is not None:
        yield traceback.tb_frame.f_code
        traceback = traceback.tb_next


def _handlers() -> set[CodeType]:
    """Return the code objects of the functions that are signal handlers at present."""
    codes = set()
    for number in range(1, signal.NSIG):
        try:
            handler = signal.getsignal(number)
        except ValueError:  # this platform has no such signal
            continue
        while isinstance(handler, functools.partial):
            handler = handler.func
        if callable(handler):
            function = handler if hasattr(handler, "__code__") else getattr(handler, "__func__", type(handler).__call__)
            code = getattr(function, "__code__", None)
            if code is not None:
                codes.add(code)
    return codes
