"""A pacer that several processes share, whatever keeps its state: a Redis (``fleet``) or a file (``host``).

It follows the same rules as :class:`os_retries.pacing.local.LocalPacer`.  Each decision is one step of the shared
state.  Only failing calls take part.  Successes are counted here, and reported with the next failure, with the next
question, or when a call that had failed ends.

No call depends on the shared state.  Each endpoint has a local pacer too, to which all outcomes are reported.  While
the state is unavailable, the local pacer decides, and one call at a time tries the state again at growing intervals.
Outcomes that cannot be reported are dropped, because they are soon out of date.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any, NamedTuple

from os_retries import forks
from os_retries.pacing import local
from os_retries.pacing.local import LocalPacer

AGAIN = 1.0, 30.0  # seconds until the state is tried again: at first, and at most
GRACE = 5.0  # seconds by which a waiting call may be late with its next question before it loses its place
#: How many successes are reported at once, at most, while the endpoint is not in trouble.  All of them would be too
#: many: they may be old, and at the start of an outage every process would report its own.
SUCCESSES = 4
WATCH = 60.0  # seconds after a failure during which a process counts its successes

log = logging.getLogger("os_retries.fleet")


class Step(NamedTuple):
    """What a process tells the shared state, and what it asks.

    ``succeeded``, ``failed``
        How many attempts have succeeded, and how many have failed.
    ``back``
        Seconds after which the calls that failed will try again.
    ``aware``
        Whether the process knew of the trouble, and so has reported all its successes since it began.
    ``what``
        ``ask`` for a slot, ``leave`` the queue, or empty.
    ``who``, ``age``
        The number of the call that asks or leaves, and the seconds for which it has been asking.
    """

    succeeded: int
    failed: int
    back: float
    aware: bool
    what: str = ""
    who: int = 0
    age: float = 0.0


class Store:
    """The place where several processes keep the state of their pacers.

    One call at a time uses it.  While it is unavailable, it is tried only from time to time.
    """

    timeout: float  # seconds after which the local pacer decides

    def __init__(self) -> None:
        self._away = False
        self._again = self._back = float("-inf")  # when to try it again; since when it has been available again
        self._interval = AGAIN[0]
        self.renew()

    def renew(self) -> None:
        """Get a name and a lock of its own for a child process, because a thread of the parent may hold the lock."""
        self.name = os.urandom(8).hex()  # the numbers of calls are unique in one process only
        self._lock = threading.Lock()
        self._owner = 0  # the thread that holds it

    def close(self) -> None:
        """Give up what the next decision would find as it is, such as a connection."""

    def key(self, endpoint: str) -> Any:
        """Return what ``evaluate`` needs to know of an endpoint."""
        return endpoint

    def evaluate(self, key: Any, step: Step) -> tuple[float, bool | None]:
        """Take one step; return the seconds until the next question, and whether there is trouble (None: not known).

        :raises Exception: if the store is unavailable
        """
        raise NotImplementedError

    def busy(self, step: Step) -> tuple[float, bool | None] | None:  # noqa: ARG002
        """Return the answer to a step that was not taken because other calls use the store; None: as if unavailable."""
        return None

    def lost(self, error: Exception) -> str:
        """Return the warning that the store is unavailable."""
        raise NotImplementedError

    def found(self) -> str:
        """Return the message that the store is available again."""
        raise NotImplementedError

    def decide(self, now: float, key: Any, step: Step) -> tuple[float, bool | None] | None:
        """Take one step as ``evaluate`` does.

        :param now: the time in seconds by this process's monotonic clock
        :returns: None if the store is unavailable
        """
        if now < self._again:
            return None
        # While the store is unavailable, one call at a time tries it again, and the other calls do not wait for that.
        if not self._lock.acquire(timeout=0 if self._away else self.timeout):
            # A signal handler must not wait for the call that it has interrupted.
            return None if self._away or self._owner == threading.get_ident() else self.busy(step)
        self._owner = threading.get_ident()
        try:
            if now < self._again:  # another call has just tried it in vain
                return None
            try:
                answer = self.evaluate(key, step)
            except Exception as error:  # no error of the store may reach the caller
                self._lost(now, error)
                return None
            if self._away:
                self._away, self._back = False, now
                log.info("%s", self.found())
            return answer
        finally:
            self._owner = 0
            self._lock.release()

    def _lost(self, now: float, error: Exception) -> None:
        steady = not self._away and now - self._back > AGAIN[1]
        self._interval = AGAIN[0] if steady else min(2 * self._interval, AGAIN[1])
        self._again = now + self._interval
        self.close()
        if not self._away:
            self._away = True
            log.warning("%s", self.lost(error))


class SharedPacer:
    """The pacer of one endpoint, for all processes that use the same store.  Several threads may use it."""

    def __init__(self, store: Store, endpoint: str, now: float) -> None:
        self.local = LocalPacer(now)
        self._store = store
        self._key = store.key(endpoint)
        self._lock = forks.Lock()
        self._now = now
        self._failed_at: float | None = None
        self._succeeded = 0  # successes that are not reported yet
        self._trouble = False  # according to the last answer of the store
        self._told = now

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Record outcomes.  Successes are not reported until something fails or a call asks for a slot."""
        with self._lock:
            self._now = now
            self.local.note(now, succeeded, failed, back)
            self._succeeded += succeeded
            if not failed:
                return
            last, self._failed_at = self._failed_at, now
            # Successes were not counted during that time.  If there were any before, the endpoint is assumed to have
            # worked until now.  Nothing is known about a new endpoint.
            if last is None or now - last > WATCH:
                self._succeeded = max(self._succeeded, SUCCESSES if self._succeeded else 1)
        self._tell(now, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: return 0 if there is one, or the seconds after which to ask again."""
        nap = self._tell(now, what="ask", who=who, age=age)
        with self._lock:
            if nap is None:
                return self.local.ask(now, who, age)
            self.local.stop_waiting(now, who)  # the call may have waited there while the store was unavailable
            return nap

    def stop_waiting(self, now: float, who: int) -> None:
        """Record that a call no longer waits."""
        with self._lock:
            self.local.stop_waiting(now, who)
        self._tell(now, what="leave", who=who)

    def call_failed(self) -> None:
        """Record that a call has failed for the first time."""
        with self._lock:
            self.local.call_failed()

    def call_ended(self) -> None:
        """Record that a call that had failed has ended, and report successes that the store does not know yet."""
        with self._lock:
            self.local.call_ended()
            untold = self._succeeded
        if untold:
            self._tell(self._now)

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be discarded."""
        return self.local.idle(now) and (self._failed_at is None or now - self._failed_at > WATCH)

    def _aware(self, now: float) -> bool:
        """Return whether this process knows of the trouble, and so has reported all its successes since it began."""
        return self._trouble and now - self._told < local.NAP[2] + GRACE  # a waiting call asks at least this often

    def _tell(
        self, now: float, failed: int = 0, back: float = 0.0, *, what: str = "", who: int = 0, age: float = 0.0
    ) -> float | None:
        with self._lock:
            aware = self._aware(now)
            succeeded, self._succeeded = self._succeeded if aware else min(self._succeeded, SUCCESSES), 0
        answer = self._store.decide(now, self._key, Step(succeeded, failed, back, aware, what, who, age))
        if answer is None:
            return None
        nap, trouble = answer
        if trouble is not None:
            with self._lock:
                self._trouble, self._told = trouble, now
        return nap
