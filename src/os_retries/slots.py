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

# By the endpoint, and by where a fleet shares it: policies that differ in that do not throw away each other's.
_pacers: dict[str, dict[str | None, Pacer]] = {}
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
        pacers = _pacers.get(endpoint)
        pacer = None if pacers is None else pacers.get(url)
        if pacer is None:
            for key in [key for key, its in _pacers.items() if all(each.idle(now) for each in its.values())]:
                del _pacers[key]
            if len(_pacers) >= _LIMIT:  # the oldest: who holds it keeps it until his call is over
                del _pacers[next(iter(_pacers))]
            from os_retries.pacing import LocalPacer  # noqa: PLC0415

            pacer = Locked(LocalPacer(now)) if url is None or shared is None else shared(endpoint, url)
            _pacers.setdefault(endpoint, {})[url] = pacer
        return pacer


class Place:
    """The place that a call which has failed takes in the queue of its endpoint; until then it takes none."""

    def __init__(self) -> None:
        self._pacer: Pacer | None = None
        self._turn: Turn | None = None

    def failed(self, endpoint: str, url: str | None, back: float) -> None:
        """Take note of a failure whose call will be back in ``back`` seconds; ``url`` as for :func:`pacer_of`."""
        pacer = pacer_of(endpoint, url)
        if self._pacer is None:
            self._pacer, self._turn = pacer, turn()
            pacer.begin()
        pacer.note(time.monotonic(), 0, 1, back)

    def wait(self, sleep: Callable[[float], bool], extra_left: float, tell: Callable[[], object]) -> tuple[bool, float]:
        """Wait for a slot, ``extra_left`` seconds at most; return whether there is one, and the seconds waited.

        A sleep that returns too early counts as the whole wait: what does not wait must neither spin nor hang.

        :param sleep: sleeps, and returns whether time has passed
        :param tell: called once, if there is anything to wait for
        """
        if self._pacer is None or self._turn is None:
            return True, 0.0
        began = now = time.monotonic()
        self._turn.begin(now, extra_left)
        nap = self._turn.ask(self._pacer, now)
        told = False
        while nap:
            asleep = True
            try:
                if not told:
                    told = True
                    tell()
                asleep = not sleep(nap)
            finally:
                if asleep:  # interrupted, or no sleep at all
                    self._pacer.leave(time.monotonic(), self._turn.who)
            now = now + nap if asleep else time.monotonic()
            nap = 0.0 if asleep else self._turn.ask(self._pacer, now)
        return nap is not None, now - began

    def over(self) -> None:
        """Let go: the call is over."""
        if self._pacer is not None:
            self._pacer.end()


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
    for pacer in tuple(_pacers.get(endpoint, {}).values()):
        pacer.note(now, 1, 0)
    from os_retries.pacing import FADING  # noqa: PLC0415

    if now - _last_failure > FADING:
        with _lock:
            # Those who wait for a slot have not failed for long, and still want to know.
            watching = not all(each.idle(now) for its in _pacers.values() for each in its.values())


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
