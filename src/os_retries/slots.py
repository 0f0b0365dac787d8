"""The pacers of this process: one for each endpoint that has failed lately, found, locked, and waited for.

A call that succeeds looks at ``watching`` and no further, unless some call has failed in the last seconds.  Nobody is
woken: whoever waits sleeps, with whatever sleep the program has, and asks again.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import TYPE_CHECKING

from os_retries.pacing import FADING, LocalPacer, Pacer, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

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
            pacer = Locked(LocalPacer(now)) if url is None or shared is None else shared(endpoint, url)
            _pacers[endpoint] = pacer, url
        return pacer


def succeeded(endpoint: str) -> None:
    """Take note of an attempt that has succeeded, while somebody is watching."""
    global watching  # noqa: PLW0603
    now = time.monotonic()
    pacer, _ = _pacers.get(endpoint, (None, None))
    if pacer is not None:
        pacer.note(now, 1, 0)
    if now - _last_failure > FADING:
        with _lock:
            # Those who wait for a slot have not failed for long, and still want to know.
            watching = not all(each.idle(now) for each, _ in _pacers.values())


def turn() -> Turn:
    """Return a turn for a call that has failed for the first time."""
    return Turn(next(_numbers))


def forget() -> None:
    """Forget everything: in a child process that was forked the parent's calls do not wait."""
    global watching, _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _pacers.clear()
    watching = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
