"""The pacer: how fast the calls that have failed may ask a struggling service again.

Pure: the clock is an argument, and nothing here waits, locks or logs.  There is one pacer for each endpoint.  It rests
while most of what is sent succeeds, and then no call waits for it.  When the failures outnumber the successes by ten
among the latest outcomes, the endpoint is *in trouble*.  A call whose own wait is over then asks for a *slot*, and
waits until it gets one, or until its ``retry_max_wait`` is used up.  First attempts are never held.

The rules, and the reason of each:

* *The rate follows what the service carries.*  At the end of each second the pacer looks back at what was sent.  After
  few failures the rate grows by a share of what has succeeded; at first it doubles, but by ten a second at most.  So
  the whole load overshoots the capacity by no more than that share.  After too many failures the rate shrinks to 0.7 of
  itself, or by the number of failures if that is more.
* *Too many* means a little more than usual while the queue gets shorter, and three tenths while it gets longer.  What
  is usual is learned from the seconds in which less was sent.  A service that fails a fifth of all requests at any load
  must not starve the queue, and a service that drains the queue needs no failures to show its limit.
* *Trouble lasts until the calls that failed in it have come back.*  Otherwise the end of an outage would be a stampede.
* *A call that has used a slot in vain queues as if it had come 30 seconds later.*  While the service is down each slot
  goes
  to another call, and no call uses up its attempts.

:class:`LocalPacer` is the pacer of one process.  A shared pacer has the same methods, which the loop calls with the
monotonic clock of its own process; a shared pacer has a clock of its own and uses ours only when it has to do without.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import Protocol

MARGIN = 10.0  # by which failures must outnumber successes for an endpoint to be in trouble
MEMORY = 50.0  # outcomes that are remembered, at most
FADING = 10.0  # seconds after which an outcome counts 1/e
STEP = 0.05  # seconds between two computations of it, at least
START = 10.0  # slots a second, when trouble begins
LOWEST = 1.0  # slots a second
BURST = 10.0  # slots that may be saved up; also calls in trouble that need none
CUT = 0.7  # share of the rate that is left when too much has failed
FAST, SLOW = 0.15, 0.03  # share of the last second's successes by which the rate grows
DRAINING, GROWING = 0.03, 0.3  # share of failures that is too much, while the queue gets shorter, and longer
LONGEST_BACK = 60.0  # seconds that trouble lasts, at most, for calls that have not come back
LATER = 30.0  # seconds by which a slot used in vain puts a call back in the queue
NAP = 0.02, 0.5, 10.0  # seconds between two questions: at least; at most if few wait; at most if many wait
MANY = 1000.0  # questions a second that are not too many
JUMP = 5.0  # seconds: a clock that goes back further has been set, and was not just read by two threads at once


class Pacer(Protocol):
    """What the loop needs of a pacer.

    No method raises an exception.  Several threads may call all of them, except for those of :class:`LocalPacer`, which
    ``process.Locked`` locks.
    """

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note that so many attempts have succeeded and failed.

        A shared pacer may keep successes, and report them with the next failure or question.

        :param back: seconds after which the calls that failed will ask again
        """

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0 if there is one, which is now taken, or the seconds after which to ask again.

        :param who: a number that no other waiting call has
        :param age: seconds since which the call has been asking for slots; see :class:`Turn`
        """

    def stop_waiting(self, now: float, who: int) -> None:
        """Take note that a call waits no longer: it was interrupted, or has given up."""

    def call_failed(self) -> None:
        """Take note of a call that has failed for the first time.

        Up to ten such calls in a process need no slots.  A shared pacer only passes this on to the local one that it
        falls back on.
        """

    def call_ended(self) -> None:
        """Take note that such a call has ended."""

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be forgotten.

        It can if no call waits, no call that has failed is under way, and nothing has failed for a while.
        """


class LocalPacer:
    """The pacer of one endpoint, for the calls of one process.

    The state is the numbers below and the queue; each method is one step.  The queue holds the waiting calls, ordered
    by arrival, as a sorted set in Redis does.
    """

    __slots__ = (
        "back",
        "bad",
        "calls",
        "faded",
        "failed",
        "fast",
        "good",
        "now",
        "places",
        "queue",
        "rate",
        "second",
        "succeeded",
        "tokens",
        "trouble",
        "usual",
        "went",
    )

    def __init__(self, now: float) -> None:
        self.now = self.faded = now
        self.calls = 0  # that have failed and have not ended
        self.succeeded = self.failed = 0.0  # the latest outcomes, fading
        self.places: dict[int, float] = {}  # by waiting call: minus the instant since which it waits
        self.queue: list[float] = []  # the places; the first in the queue is last, where taking it is cheap
        self._rest()

    def _rest(self) -> None:
        self.trouble = False
        self.back = self.second = self.now
        self.rate, self.tokens, self.fast = START, BURST, True
        self.good = self.bad = self.went = 0  # outcomes and slots of the present second
        self.usual = 0.0  # the share of failures at any rate

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes; the calls that failed will ask again after ``back`` seconds."""
        self._advance(now)
        self.succeeded += succeeded
        self.failed += failed
        too_many = (self.succeeded + self.failed) / MEMORY
        if too_many > 1.0:
            self.succeeded /= too_many
            self.failed /= too_many
        if not self.trouble and self.failed - self.succeeded >= MARGIN:
            self._rest()
            self.trouble = True
        if self.trouble:
            self.good += succeeded
            self.bad += failed
            if failed and self.failed > self.succeeded:
                self.back = max(self.back, self.now + min(back, LONGEST_BACK))

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""
        self._advance(now)
        place = self.places.get(who)
        if not self.trouble or self.calls <= BURST:
            self.tokens = max(0.0, self.tokens - 1.0)
            return self._go(who, place)
        if place is None:
            # No two places are equal: calls that come at the same instant queue by their numbers.
            place = self.places[who] = age - self.now - who % 1_000_000 * 1e-9
            insort(self.queue, place)
        waiting = len(self.queue)
        ahead = waiting - 1 - bisect_left(self.queue, place)
        least, longest, most = NAP
        if waiting > longest * MANY:
            longest = waiting / MANY if waiting < most * MANY else most
        tokens, rate = self.tokens, self.rate
        # A call that would get a slot before it asks again may take a free one: the call in front may be asleep.
        if tokens >= 1.0 and ahead < tokens + rate * longest:
            self.tokens = tokens - 1.0
            return self._go(who, place)
        # Less than the time that it takes at this rate, for the rate may rise.
        nap = 0.7 * (ahead + 1.0 - tokens) / rate
        return least if nap < least else min(longest, nap)

    def stop_waiting(self, now: float, who: int) -> None:
        """Take note that a call waits no longer."""
        self._advance(now)
        self._remove(who, self.places.get(who))

    def call_failed(self) -> None:
        """Take note of a call that has failed for the first time."""
        self.calls += 1

    def call_ended(self) -> None:
        """Take note that such a call has ended."""
        self.calls -= 1

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be forgotten: a new one would do as well."""
        return not self.calls and not self.queue and self.failed * math.exp((self.faded - now) / FADING) < 0.5

    def _go(self, who: int, place: float | None) -> float:
        self.went += 1
        self._remove(who, place)
        return 0.0

    def _remove(self, who: int, place: float | None) -> None:
        if place is not None:
            del self.places[who]
            del self.queue[bisect_left(self.queue, place)]

    def _advance(self, now: float) -> None:
        """Account for the time that has passed since the last step."""
        passed = now - self.now
        if passed <= 0.0:
            if passed < -JUMP:  # the clock was set back: go on from there, and lose this step only
                self.now = self.second = self.faded = now
                self.back = min(self.back, now + LONGEST_BACK)
            return
        self.now = now
        if self.trouble:
            tokens = self.tokens + self.rate * passed
            most = self.rate / 10.0
            most = max(most, BURST)
            self.tokens = min(most, tokens)
            if now - self.second >= 1.0:
                self._look_back()
        if now - self.faded >= STEP:
            self._fade()

    def _fade(self) -> None:
        """Let old outcomes fade, and see whether the trouble is over."""
        fade = math.exp((self.faded - self.now) / FADING)
        self.faded = self.now
        self.succeeded *= fade
        self.failed *= fade
        if self.trouble and not self.queue and self.now >= self.back and self.failed <= self.succeeded + 2.0:
            self._rest()

    def _look_back(self) -> None:
        """Set the rate by the outcomes of the second that has passed."""
        took = self.now - self.second
        outcomes = self.good + self.bad
        # What chance can explain is no sign of overload.
        failing = (self.bad - 1.0 - 0.5 * math.sqrt(outcomes)) / outcomes if outcomes else 0.0
        too_much = GROWING if self.bad > self.went else min(GROWING, DRAINING + 1.25 * self.usual)
        if outcomes and failing <= GROWING:
            self.usual = max(0.0, self.usual + (failing - self.usual) * (0.1 if failing > self.usual else 0.5))
        if failing > too_much:
            rate = self.rate * CUT if failing <= GROWING else min(self.rate * CUT, self.rate - self.bad / took)
            self.rate = max(LOWEST, rate)
            self.fast = self.rate == LOWEST
        elif (
            self.good and self.queue and self.went >= 0.5 * self.rate * took
        ):  # the calls wait for the rate, and not only for the end of their naps
            carried = self.good / took
            self.rate += max(FAST * carried, min(self.rate, BURST)) if self.fast else SLOW * carried
        self.second = self.now
        self.good = self.bad = self.went = 0


class Turn:
    """How one call asks for slots, over all its retries.

    ``since`` is the instant of its first question.  Each slot that the call has used in vain makes it ``LATER`` seconds
    later.
    """

    __slots__ = ("since", "until", "who")

    def __init__(self, who: int) -> None:
        self.who = who
        self.since: float | None = None
        self.until = 0.0

    def start_waiting(self, now: float, extra_left: float) -> None:
        """Start to wait for a slot, for ``extra_left`` seconds at most."""
        self.since = now if self.since is None else self.since + LATER
        self.until = now + extra_left

    def ask(self, pacer: Pacer, now: float) -> float | None:
        """Ask for a slot: 0 if there is one, the seconds after which to ask again, or None when the time is used up."""
        nap = pacer.ask(now, self.who, now - (now if self.since is None else self.since))
        if nap == 0.0:
            return nap
        left = self.until - now
        if left <= 0.0:
            pacer.stop_waiting(now, self.who)
            return None
        return min(nap, left)
