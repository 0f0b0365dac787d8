"""The pacers of this process: one for each endpoint that has failed recently.

A call that succeeds only reads ``pacers.watching``, unless some call has failed in the last seconds.  A call that waits
for a slot is not woken up: it sleeps, with the sleep function of the program, and asks again.

This module is loaded with the package, so it imports what only a failed call needs inside the functions that need it.
"""

from __future__ import annotations

import itertools
import time

from os_retries import forks

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from os_retries.pacing.local import LocalPacer, Pacer, Turn

    class Target(Protocol):
        """The part of a target that the pacers use."""

        def endpoint(self, outcome: object) -> str | None:
            """Return the endpoint that an outcome comes from; None if it is not known."""


_LIMIT = 1000  # endpoints whose pacers are kept, at most


class Locked:
    """A LocalPacer that several threads may use."""

    def __init__(self, pacer: LocalPacer) -> None:
        self._pacer = pacer
        self._lock = forks.Lock()

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Record outcomes."""
        with self._lock:
            self._pacer.note(now, succeeded, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: return 0 if there is one, or the seconds after which to ask again."""
        with self._lock:
            return self._pacer.ask(now, who, age)

    def stop_waiting(self, now: float, who: int) -> None:
        """Record that a call no longer waits."""
        with self._lock:
            self._pacer.stop_waiting(now, who)

    def call_failed(self) -> None:
        """Record that a call has failed for the first time."""
        with self._lock:
            self._pacer.call_failed()

    def call_ended(self) -> None:
        """Record that a call that had failed has ended."""
        with self._lock:
            self._pacer.call_ended()

    def slots(self) -> float | None:
        """Return the rate of slots per second; None if the endpoint is not in trouble."""
        with self._lock:
            return self._pacer.rate if self._pacer.trouble else None

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be discarded."""
        with self._lock:
            return self._pacer.idle(now)


class Pacers:
    """The pacers of one process, by endpoint.

    :param clock: returns the time in seconds; it must be monotonic
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        #: Whether any call has failed recently.
        self.watching = False
        #: Returns the shared pacer of an endpoint, given the endpoint and the ``pacing_url``.
        self.shared: Callable[[str, str], Pacer] | None = None
        self.clock = clock
        # By endpoint, then by pacing_url: two policies whose pacing_url differ do not discard each other's pacer.
        self._pacers: dict[str, dict[str | None, Pacer]] = {}
        self._last_failure = 0.0
        self._lock = forks.Lock()
        self._numbers = itertools.count(1)

    def pacer_of(self, endpoint: str, url: str | None) -> Pacer:
        """Return the pacer of an endpoint at which a call has just failed.

        :param url: the ``pacing_url`` through which several processes share it; None for a pacer of this process alone
        """
        now = self.clock()
        with self._lock:
            self._last_failure = now
            self.watching = True
            pacers = self._pacers.get(endpoint)
            pacer = None if pacers is None else pacers.get(url)
            if pacer is None:
                pacer = self._new(endpoint, url, now)
                self._pacers.setdefault(endpoint, {})[url] = pacer
            return pacer

    def _new(self, endpoint: str, url: str | None, now: float) -> Pacer:
        for key in [key for key, its in self._pacers.items() if all(each.idle(now) for each in its.values())]:
            del self._pacers[key]
        if len(self._pacers) >= _LIMIT:  # discard the oldest pacer; calls that use it keep a reference to it
            del self._pacers[next(iter(self._pacers))]
        if url is not None and self.shared is not None:
            return self.shared(endpoint, url)
        from os_retries.pacing.local import LocalPacer

        return Locked(LocalPacer(now))

    def note_answer(self, target: Target, outcome: object) -> None:
        """Record a success, or an error that shows that the service works.  It is called while ``watching``."""
        try:
            endpoint = target.endpoint(outcome)
            if endpoint is not None:
                self.note_success(endpoint)
        except Exception:  # an error in os-retries must not hide the client's result
            import logging

            logging.getLogger("os_retries").exception("a success could not be counted")

    def note_success(self, endpoint: str) -> None:
        """Record an attempt that has succeeded.  It is called while ``watching``."""
        now = self.clock()
        for pacer in tuple(self._pacers.get(endpoint, {}).values()):
            pacer.note(now, 1, 0)
        from os_retries.pacing.local import FADING

        if now - self._last_failure > FADING:
            with self._lock:
                # A call that waits for a slot has not failed recently, but the pacer must still hear of successes.
                self.watching = not all(each.idle(now) for its in self._pacers.values() for each in its.values())

    def slots(self) -> dict[str, float]:
        """Return the slots per second of each endpoint in trouble; endpoints with a shared pacer are left out."""
        found: dict[str, float] = {}
        for endpoint, its in tuple(self._pacers.items()):
            for pacer in tuple(its.values()):
                rate = pacer.slots() if isinstance(pacer, Locked) else None
                if rate is not None:
                    found[endpoint] = rate
        return found

    def turn(self) -> Turn:
        """Return a new Turn for a call that has failed for the first time."""
        from os_retries.pacing.local import Turn

        return Turn(next(self._numbers))

    def forget(self) -> None:
        """Discard all pacers.  In a child process the calls of the parent do not wait."""
        self._pacers.clear()
        self.watching = False


pacers = Pacers(time.monotonic)
forks.in_child(pacers.forget)


class Place:
    """The place of a call in the queue of its endpoint.  The call gets it at its first failure."""

    def __init__(self, of: Pacers = pacers) -> None:
        self._pacers = of
        self._pacer: Pacer | None = None
        self._turn: Turn | None = None

    def failed(self, endpoint: str, url: str | None, back: float) -> None:
        """Record a failure of the call.

        :param url: as for :meth:`Pacers.pacer_of`
        :param back: seconds after which the call will try again
        """
        pacer = self._pacers.pacer_of(endpoint, url)
        if self._pacer is None:
            self._pacer, self._turn = pacer, self._pacers.turn()
            pacer.call_failed()
        pacer.note(self._pacers.clock(), 0, 1, back)

    def wait(self, sleep: Callable[[float], bool], extra_left: float, tell: Callable[[], object]) -> tuple[bool, float]:
        """Wait for a slot; return whether the call has got one, and the seconds waited.

        If the sleep returns too early, the wait ends: with a sleep that a test has replaced, the loop must neither spin
        nor hang.

        :param sleep: sleeps that many seconds, and returns whether time has passed
        :param extra_left: seconds to wait at most
        :param tell: called once, if the call has to wait
        """
        if self._pacer is None or self._turn is None:
            return True, 0.0
        clock = self._pacers.clock
        began = now = clock()
        self._turn.start_waiting(now, extra_left)
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
                if asleep:  # the sleep was interrupted, or did not wait
                    self._pacer.stop_waiting(clock(), self._turn.who)
            now = now + nap if asleep else clock()
            nap = 0.0 if asleep else self._turn.ask(self._pacer, now)
        return nap is not None, now - began

    def close(self) -> None:
        """Give up the place, because the call has ended."""
        if self._pacer is not None:
            self._pacer.call_ended()
