"""Report to the operator what happens in a program: the status line, the lines of a log, and the file of --log-json.

This code runs inside the operator's program.  So it holds no lock, because a fork would copy a lock that is held.  If
something cannot be written, it is dropped.  ``sys.stderr`` may be any object, because the program may replace it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from os_retries.run.journal import append
from os_retries.run.messages import (
    answered_event,
    answered_line,
    give_up_event,
    give_up_line,
    look_up_event,
    look_up_line,
    not_covered_event,
    not_covered_line,
    retry_event,
    retry_line,
    status_line,
)
from os_retries.run.text import fitting, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from os_retries.core.evidence import Evidence, LookedUp, Retry
    from os_retries.run.messages import Event

_ERASE = "\r\x1b[K"

# The event that led to the wait in this context.  Each thread, task and greenlet has its own.
_about: ContextVar[Event | None] = ContextVar("os_retries.run", default=None)


class Reporter:
    """A sink of events, and the ``sleep`` of a RetryPolicy, which shows a countdown for the last event."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.quiet = bool(environ.get("OSRETRIES_QUIET"))
        self._journal = environ.get("OSRETRIES_JOURNAL")
        self._log_json = environ.get("OSRETRIES_LOG_JSON")
        self._waiting: dict[object, tuple[float, Event]] = {}  # the end of each wait, and the event that led to it
        self._reports: dict[str, Callable[[Any], None]] = {
            "retry": lambda event: self.on_retry(event.retry),
            "paced": lambda event: self.on_retry(event.retry),
            "answered": lambda event: self.on_answer(event.evidence),
            "give_up": lambda event: self.on_give_up(event.evidence),
            "look_up": lambda event: self.on_look_up(event.record),
        }

    dice = staticmethod(random.random)

    def on_event(self, event: Any) -> None:
        """Report an event, if it is one that the operator needs.

        Events are told apart by their names, because their classes are loaded only at the first failure.
        """
        report_it = self._reports.get(event.name)
        if report_it is not None:
            report_it(event)

    def on_retry(self, retry: Retry) -> None:
        """Report a retry, before its wait."""
        event = retry_event(retry)
        self._record(event)
        _about.set(event)
        if not _is_terminal():
            self._say(retry_line(event))

    def on_give_up(self, evidence: Evidence) -> None:
        """Report a request that was given up."""
        event = give_up_event(evidence)
        self._record(event)
        self._say(give_up_line(event))

    def on_answer(self, evidence: Evidence) -> None:
        """Report a request that ended, after retries, with an error that is a proper answer."""
        event = answered_event(evidence)
        self._record(event)
        self._say(answered_line(event))

    def on_look_up(self, record: LookedUp) -> None:
        """Report the look-up of a create whose answer was lost: its start or its outcome."""
        event = look_up_event(record)
        line = look_up_line(event)
        if record.outcome == "looking":  # there is no outcome yet, and a terminal shows a countdown
            _about.set(event)
            line = "" if _is_terminal() else line
        else:
            self._record(event)
        if line:
            self._say(line)

    def on_not_covered(self, service: str | None, request: str, reason: str) -> None:
        """Report a write that a later run of the operation cannot recognize."""
        event = not_covered_event(service, request, reason)
        self._record(event)
        self._say(not_covered_line(event))

    def complain(self, text: str) -> None:
        """Report that a part of os-retries does not work."""
        self._say(printable(f"os-retries: {text}"))

    def sleep(self, seconds: float) -> None:
        """Wait, with a countdown on a terminal.

        ``time.sleep`` is looked up at each call, because eventlet, gevent or a test may have replaced it.
        """
        event = _about.get()
        if self.quiet or event is None or not _is_terminal():
            time.sleep(seconds)
            return
        until = time.monotonic() + seconds
        me = object()
        self._waiting[me] = until, event
        try:
            while (left := until - time.monotonic()) > 0:
                self._count_down()
                time.sleep(min(left, 1.0))
        finally:  # even after Ctrl-C
            del self._waiting[me]
            _write(_ERASE)

    def _count_down(self) -> None:
        """Show the countdown of the wait that ends first; all threads share one line."""
        (until, event), *others = sorted(self._waiting.values(), key=lambda wait: wait[0])
        more = f" · and {len(others)} more waiting" if others else ""
        columns = 0
        with contextlib.suppress(Exception):
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
        # A terminal whose size was never set reports 0.
        _write(_ERASE + status_line(event, max(0.0, until - time.monotonic()), (columns or 80) - 1, more))

    def _say(self, line: str) -> None:
        if not self.quiet:
            _write((_ERASE if _is_terminal() else "") + line + "\n")

    def _record(self, event: Event) -> None:
        line = json.dumps(event, ensure_ascii=True).encode() + b"\n"
        if self._journal:  # the journal of `run` is removed when `run` ends, and must not be created again
            append(self._journal, line)
        if self._log_json:
            append(self._log_json, line, create=True, plain=False)


def _is_terminal() -> bool:
    """Return whether standard error is a terminal that can erase a line."""
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except Exception:  # None, closed, or no file at all
        return False


def _write(text: str) -> None:
    with contextlib.suppress(Exception):  # standard error may be closed or replaced, which must not stop the program
        sys.stderr.write(fitting(text, sys.stderr.encoding))
        sys.stderr.flush()


class Elsewhere(logging.Handler):
    """Passes the records of the os_retries logger to the program's own handlers, except those on standard error.

    On standard error the operator reads the lines of this module instead.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        for handler in logging.getLogger().handlers:
            stream = getattr(handler, "stream", None) if isinstance(handler, logging.StreamHandler) else None
            if record.levelno >= handler.level and (stream is None or stream not in (sys.stderr, sys.__stderr__)):
                handler.handle(record)

    @classmethod
    def install(cls) -> None:
        """Put this handler between the os_retries logger and the handlers of the root logger."""
        log = logging.getLogger("os_retries")
        log.propagate = False
        log.addHandler(cls())


class Complaints(logging.Handler):
    """Reports the warnings of one of our loggers to the operator, because the program may not log them anywhere."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record."""
        self._reporter.complain(record.getMessage())
