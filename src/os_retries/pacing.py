"""How fast a struggling service may be asked again: the retries of all calls to it are one queue.

Pure: the clock is an argument, and nothing here waits, locks or logs.  There is one pacer for each endpoint.  It is at
rest while most of what is sent succeeds, and then nobody waits for it.  When the failures outnumber the successes by
ten among the latest outcomes, the endpoint is *in trouble*: a call whose own wait is over then asks for a *slot*, and
waits until it gets one, or until its ``retry_max_wait`` is used up.  First attempts are never held.

Two things that act alike are pacers: :class:`LocalPacer`, for the calls of this process, and the one that a fleet
shares.  The loop uses these methods, each with the caller's monotonic clock (a shared pacer has its own, and only
takes ours when it has to do without):

None raises.  All may be called from several threads, but those of :class:`LocalPacer`, which ``slots`` locks.

``note(now, succeeded, failed, back)``
    So many attempts have ended; of those that failed the call will be back in ``back`` seconds.  A shared pacer may
    collect successes and send them along with the next failure or question.
``ask(now, who, age) -> seconds``
    0: there is a slot, and it is now taken.  More: ask again after that many seconds.  ``who`` is any number that no
    other waiting call has; ``age`` says since how many seconds the call has been asking for slots (see :class:`Turn`).
``leave(now, who)``
    The call waits no longer: it was interrupted, or has given up.
``begin()``, ``end()``
    A call has failed for the first time; such a call has ended.  Up to ten such calls in a process need no slots.  A
    shared pacer has nothing to do here but to tell the local one that it may fall back on.
``idle(now)``
    Whether it can be forgotten: nobody waits, no such call is on its way, and nothing has failed for a while.

Why it is as it is:

* *The rate follows what the service carries.*  Each second looks back on all that was sent.  Few failures: the rate
  grows by a share of what has succeeded (at first it doubles, up to ten a second more), so that the whole load cannot
  overshoot the capacity by more than that share.  Too many: it shrinks to 0.7 of itself, or, when it is bad, by what
  has failed.
* *Too many* is little more than usual while the queue gets shorter, and three tenths while it gets longer.  What is
  usual is learned from the seconds in which less was sent: a service that fails a fifth of all requests whatever the
  load must not starve the queue, and a service that drains it needs no failures.
* *Trouble lasts until those who failed in it have come back*, or the end of an outage would be a stampede.
* A call that has used a slot in vain queues as if it had come 30 seconds later: while the service is down each probe is
  another call's, and nobody's attempts are used up.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import Protocol

MARGIN = 10.0  # failures more than successes: the endpoint is in trouble
MEMORY = 50.0  # outcomes that are remembered at most
FADING = 10.0  # seconds after which an outcome counts 1/e
STEP = 0.05  # seconds, as finely as that is reckoned
START = 10.0  # slots a second, when trouble begins
LOWEST = 1.0  # slots a second
BURST = 10.0  # slots that may be saved up; and calls in trouble that need none
CUT = 0.7  # what is left of the rate when too much has failed
FAST, SLOW = 0.15, 0.03  # of the successes of the last second, by which the rate grows
DRAINING, GROWING = 0.03, 0.3  # the share of failures that is too much, while the queue gets shorter, and longer
LONGEST_BACK = 60.0  # seconds that trouble lasts at most for those who have not come back
LATER = 30.0  # seconds of seniority that a slot costs that was used in vain
NAP = 0.02, 0.5, 10.0  # seconds between two questions: at least; at most with few waiting; at most with many
MANY = 1000.0  # questions a second that are not too many
JUMP = 5.0  # seconds by which a clock that goes back has been set, and not just read by two at once


class Pacer(Protocol):
    """What the loop wants of a pacer; see the module."""

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes."""

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""

    def leave(self, now: float, who: int) -> None:
        """Stop waiting."""

    def begin(self) -> None:
        """Take note of a call that has failed for the first time."""

    def end(self) -> None:
        """Take note that such a call is over."""

    def idle(self, now: float) -> bool:
        """Whether nobody would miss this pacer."""


class LocalPacer:
    """The pacer of one endpoint, for the calls of one process.

    Its state is the numbers below and the queue, and each method is one step of it.  The queue is what a sorted set is
    in Redis: who waits, by the instant since which he does.
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
        self.calls = 0  # that have failed and are not over
        self.succeeded = self.failed = 0.0  # the latest outcomes, fading
        self.places: dict[int, float] = {}  # who waits, and minus the instant since which
        self.queue: list[float] = []  # the places, the first in the queue last: that end is cheap to take from
        self._rest()

    def _rest(self) -> None:
        self.trouble = False
        self.back = self.second = self.now
        self.rate, self.tokens, self.fast = START, BURST, True
        self.good = self.bad = self.went = 0  # outcomes and slots of the present second
        self.usual = 0.0  # the share of failures that comes with any rate

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes; ``back`` is the number of seconds after which those who failed will ask again."""
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
            # No two places are alike: who comes at the same instant queues by his number.
            place = self.places[who] = age - self.now - who % 1_000_000 * 1e-9
            insort(self.queue, place)
        waiting = len(self.queue)
        ahead = waiting - 1 - bisect_left(self.queue, place)
        least, longest, most = NAP
        if waiting > longest * MANY:
            longest = waiting / MANY if waiting < most * MANY else most
        tokens, rate = self.tokens, self.rate
        # Whoever would get a slot before he asks again may take one that is free: the one in front may be asleep.
        if tokens >= 1.0 and ahead < tokens + rate * longest:
            self.tokens = tokens - 1.0
            return self._go(who, place)
        # Not all of the time that it takes at this rate, for the rate may rise.
        nap = 0.7 * (ahead + 1.0 - tokens) / rate
        return least if nap < least else min(longest, nap)

    def leave(self, now: float, who: int) -> None:
        """Stop waiting."""
        self._advance(now)
        self._remove(who, self.places.get(who))

    def begin(self) -> None:
        """Take note of a call that has failed for the first time."""
        self.calls += 1

    def end(self) -> None:
        """Take note that such a call is over."""
        self.calls -= 1

    def idle(self, now: float) -> bool:
        """Whether nobody would miss this pacer: a new one would do as well."""
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
        """Let the time pass since the last step."""
        passed = now - self.now
        if passed <= 0.0:
            if passed < -JUMP:  # it was set back: go on from there, and lose no more than this step
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
        """Forget a little, and see whether the trouble is over."""
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
        # What chance may do is no sign of overload.
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
        ):  # they wait for the rate, and not just for their naps
            carried = self.good / took
            self.rate += max(FAST * carried, min(self.rate, BURST)) if self.fast else SLOW * carried
        self.second = self.now
        self.good = self.bad = self.went = 0


class Turn:
    """One call's asking for slots, over all its retries.

    ``since`` is the instant of its first question, later by ``LATER`` for each slot that it has used in vain.
    """

    __slots__ = ("since", "until", "who")

    def __init__(self, who: int) -> None:
        self.who = who
        self.since: float | None = None
        self.until = 0.0

    def begin(self, now: float, extra_left: float) -> None:
        """Begin to wait for a slot, for ``extra_left`` seconds at most."""
        self.since = now if self.since is None else self.since + LATER
        self.until = now + extra_left

    def ask(self, pacer: Pacer, now: float) -> float | None:
        """Ask: 0 for a slot, the seconds after which to ask again, or None: the extra wait is used up, give up."""
        nap = pacer.ask(now, self.who, now - (now if self.since is None else self.since))
        if nap == 0.0:
            return nap
        left = self.until - now
        if left <= 0.0:
            pacer.leave(now, self.who)
            return None
        return min(nap, left)
