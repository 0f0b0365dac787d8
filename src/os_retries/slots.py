"""The pacers of this process: one for each endpoint that has failed lately, found, locked, and waited for.

A call that succeeds looks at ``watching`` and no further, unless some call has failed in the last seconds.  Nobody is
woken: whoever waits sleeps, with whatever sleep the program has, and asks again.

It is loaded with the package, so what only a failed call needs is imported where that is seen.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from os_retries.pacing import LocalPacer, Pacer, Turn

    class Target(Protocol):
        """What is called."""

        def endpoint(self, outcome: object) -> str | None:
            """Name the endpoint that an outcome comes from; None where it cannot be told."""


_LIMIT = 1000  # pacers that are kept

#: Whether any call has failed lately.
watching = False
#: Set by whoever knows how a fleet shares its pacers: makes the one of an endpoint, given ``pacing_url``.
shared: Callable[[str, str], Pacer] | None = None

_pacers: dict[str, tuple[Pacer, str | None]] = {}  # and where it is shared
_last_failure = 0.0
# Reentrant: a signal's handler may call a service while the same thread is in here.
_lock = threading.RLock()
_numbers = itertools.count(1)


class Locked:
    """A LocalPacer for several threads."""

    def __init__(self, pacer: LocalPacer) -> None:
        self._pacer = pacer
        self._lock = threading.RLock()

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes."""
        with self._lock:
            self._pacer.note(now, succeeded, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""
        with self._lock:
            return self._pacer.ask(now, who, age)

    def leave(self, now: float, who: int) -> None:
        """Stop waiting."""
        with self._lock:
            self._pacer.leave(now, who)

    def begin(self) -> None:
        """Take note of a call that has failed for the first time."""
        with self._lock:
            self._pacer.begin()

    def end(self) -> None:
        """Take note that such a call is over."""
        with self._lock:
            self._pacer.end()

    def idle(self, now: float) -> bool:
        """Whether nobody would miss this pacer."""
        with self._lock:
            return self._pacer.idle(now)


def pacer_of(endpoint: str, url: str | None) -> Pacer:
    """Return the pacer of an endpoint at which a call has just failed.

    :param url: where a fleet shares it; None: it is this process's own
    """
    global watching, _last_failure  # noqa: PLW0603
    now = time.monotonic()
    with _lock:
        _last_failure = now
        watching = True
        pacer, its_url = _pacers.get(endpoint, (None, None))
        if pacer is None or its_url != url:
            for key in [key for key, (each, _) in _pacers.items() if each.idle(now)]:
                del _pacers[key]
            if len(_pacers) >= _LIMIT:  # the oldest: who holds it keeps it until his call is over
                del _pacers[next(iter(_pacers))]
            from os_retries.pacing import LocalPacer  # noqa: PLC0415

            pacer = Locked(LocalPacer(now)) if url is None or shared is None else shared(endpoint, url)
            _pacers[endpoint] = pacer, url
        return pacer


def take_note(target: Target, outcome: object) -> None:
    """Take note of a success, or of another answer that shows a service at work; only while somebody is watching."""
    try:
        endpoint = target.endpoint(outcome)
        if endpoint is not None:
            succeeded(endpoint)
    except Exception:  # a fault of ours must not hide the client's result
        import logging  # noqa: PLC0415

        logging.getLogger("os_retries").exception("a success could not be counted")


def succeeded(endpoint: str) -> None:
    """Take note of an attempt that has succeeded, while somebody is watching."""
    global watching  # noqa: PLW0603
    now = time.monotonic()
    pacer, _ = _pacers.get(endpoint, (None, None))
    if pacer is not None:
        pacer.note(now, 1, 0)
    from os_retries.pacing import FADING  # noqa: PLC0415

    if now - _last_failure > FADING:
        with _lock:
            # Those who wait for a slot have not failed for long, and still want to know.
            watching = not all(each.idle(now) for each, _ in _pacers.values())


def turn() -> Turn:
    """Return a turn for a call that has failed for the first time."""
    from os_retries.pacing import Turn  # noqa: PLC0415

    return Turn(next(_numbers))


def forget() -> None:
    """Forget everything: in a child process that was forked the parent's calls do not wait."""
    global watching, _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _pacers.clear()
    watching = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
