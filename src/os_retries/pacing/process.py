"""The pacers of this process: one for each endpoint that has failed lately.

A call that succeeds looks at ``pacers.watching`` and no further, unless some call has failed in the last seconds.
Nobody is woken up.  A call that waits for a slot sleeps, with whatever sleep the program has, and asks again.

This module is loaded with the package, so what only a failed call needs is imported where it is needed.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from os_retries import forks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from os_retries.pacing.local import LocalPacer, Pacer, Turn

    class Target(Protocol):
        """What is called."""

        def endpoint(self, outcome: object) -> str | None:
            """Return the endpoint that an outcome comes from; None where it cannot be told."""


_LIMIT = 1000  # endpoints whose pacers are kept


class Locked:
    """A LocalPacer that several threads may use."""

    def __init__(self, pacer: LocalPacer) -> None:
        self._pacer = pacer
        self._lock = forks.Lock()

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes."""
        with self._lock:
            self._pacer.note(now, succeeded, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""
        with self._lock:
            return self._pacer.ask(now, who, age)

    def stop_waiting(self, now: float, who: int) -> None:
        """Take note that a call waits no longer."""
        with self._lock:
            self._pacer.stop_waiting(now, who)

    def call_failed(self) -> None:
        """Take note of a call that has failed for the first time."""
        with self._lock:
            self._pacer.call_failed()

    def call_ended(self) -> None:
        """Take note that such a call has ended."""
        with self._lock:
            self._pacer.call_ended()

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be forgotten."""
        with self._lock:
            return self._pacer.idle(now)


class Pacers:
    """The pacers of one process, by endpoint.

    :param clock: returns the time in seconds, and never goes back
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        #: Whether any call has failed lately.
        self.watching = False
        #: Makes the pacer of an endpoint that several processes share, given the endpoint and ``pacing_url``.
        self.shared: Callable[[str, str], Pacer] | None = None
        self.clock = clock
        # By endpoint, then by pacing_url: two policies whose pacing_url differ do not discard each other's pacer.
        self._pacers: dict[str, dict[str | None, Pacer]] = {}
        self._last_failure = 0.0
        self._lock = forks.Lock()
        self._numbers = itertools.count(1)

    def pacer_of(self, endpoint: str, url: str | None) -> Pacer:
        """Return the pacer of an endpoint at which a call has just failed.

        :param url: where several processes share it; None for a pacer of this process alone
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
        if len(self._pacers) >= _LIMIT:  # the oldest; a call that uses it keeps it until the call ends
            del self._pacers[next(iter(self._pacers))]
        if url is not None and self.shared is not None:
            return self.shared(endpoint, url)
        from os_retries.pacing.local import LocalPacer

        return Locked(LocalPacer(now))

    def note_answer(self, target: Target, outcome: object) -> None:
        """Take note of a success, or of an error that shows a service at work; called while ``watching``."""
        try:
            endpoint = target.endpoint(outcome)
            if endpoint is not None:
                self.note_success(endpoint)
        except Exception:  # a fault of ours must not hide the client's result
            import logging

            logging.getLogger("os_retries").exception("a success could not be counted")

    def note_success(self, endpoint: str) -> None:
        """Take note of an attempt that has succeeded; called while ``watching``."""
        now = self.clock()
        for pacer in tuple(self._pacers.get(endpoint, {}).values()):
            pacer.note(now, 1, 0)
        from os_retries.pacing.local import FADING

        if now - self._last_failure > FADING:
            with self._lock:
                # Calls that wait for a slot have not failed for a while, and still need to know.
                self.watching = not all(each.idle(now) for its in self._pacers.values() for each in its.values())

    def turn(self) -> Turn:
        """Return a turn for a call that has failed for the first time."""
        from os_retries.pacing.local import Turn

        return Turn(next(self._numbers))

    def forget(self) -> None:
        """Forget everything: the calls of the parent do not wait in a child process."""
        self._pacers.clear()
        self.watching = False


pacers = Pacers(time.monotonic)
forks.in_child(pacers.forget)


class Place:
    """The place of a call in the queue of its endpoint; the call takes it when it has failed."""

    def __init__(self, of: Pacers = pacers) -> None:
        self._pacers = of
        self._pacer: Pacer | None = None
        self._turn: Turn | None = None

    def failed(self, endpoint: str, url: str | None, back: float) -> None:
        """Take note of a failure whose call will be back in ``back`` seconds.

        :param url: as for :meth:`Pacers.pacer_of`
        """
        pacer = self._pacers.pacer_of(endpoint, url)
        if self._pacer is None:
            self._pacer, self._turn = pacer, self._pacers.turn()
            pacer.call_failed()
        pacer.note(self._pacers.clock(), 0, 1, back)

    def wait(self, sleep: Callable[[float], bool], extra_left: float, tell: Callable[[], object]) -> tuple[bool, float]:
        """Wait for a slot, ``extra_left`` seconds at most; return whether there is one, and the seconds waited.

        A sleep that returns too early counts as the whole wait.  A sleep that a test has replaced must neither spin nor
        hang.

        :param sleep: sleeps, and returns whether time has passed
        :param tell: called once, if there is anything to wait for
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
                if asleep:  # interrupted, or no sleep at all
                    self._pacer.stop_waiting(clock(), self._turn.who)
            now = now + nap if asleep else clock()
            nap = 0.0 if asleep else self._turn.ask(self._pacer, now)
        return nap is not None, now - began

    def close(self) -> None:
        """Give the place back: the call has ended."""
        if self._pacer is not None:
            self._pacer.call_ended()
