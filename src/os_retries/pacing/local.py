"""The pacer: how fast the calls that have failed may ask a struggling service again.

The clock is an argument, and nothing here waits, locks or logs.  There is one pacer for each endpoint.  While most
attempts succeed, the pacer is at rest and no call waits for it.  If the failures outnumber the successes by ten among
the latest outcomes, the endpoint is *in trouble*.  A call whose own wait is over then asks for a *slot*, and waits
until it gets one, or until its ``retry_max_wait`` is used up.  First attempts never wait.

The rules, and the reason for each:

* *The rate follows the capacity of the service.*  At the end of each second the pacer evaluates the outcomes of that
  second.  After few failures the rate grows by a share of the successes; at first it doubles, but grows by ten a second
  at most.  So the load exceeds the capacity by no more than that share.  After too many failures the rate shrinks to
  0.7 of its value, or by the number of failures if that is more.
* *Too many* means a little more than the usual share of failures while the queue gets shorter, and three tenths while
  it gets longer.  The usual share is learned from the seconds in which less was sent.  If a service fails a fifth of
  all requests at any load, the queue must still advance.  While the queue gets shorter, the pacer need not provoke
  failures to find the limit of the service.
* *Trouble lasts until the calls that failed in it have tried again.*  Otherwise all of them would try at the same time
  at the end of an outage.
* *A call that has used a slot in vain queues as if it had arrived 30 seconds later.*  So while the service is down each
  slot goes to another call, and no call uses up its attempts.

:class:`LocalPacer` is the pacer of one process.  A shared pacer has the same methods.  The loop calls them with the
monotonic clock of its own process.  A shared pacer has its own clock, and uses ours only while its state cannot be
reached.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import Protocol

MARGIN = 10.0  # an endpoint is in trouble if failures outnumber successes by this many
MEMORY = 50.0  # outcomes that are remembered, at most
FADING = 10.0  # seconds after which an outcome counts 1/e
STEP = 0.05  # seconds between two updates of this weight, at least
START = 10.0  # slots a second, when trouble begins
LOWEST = 1.0  # slots a second
BURST = 10.0  # slots that may be saved up; also the number of failed calls that need no slots
CUT = 0.7  # factor by which the rate shrinks after too many failures
FAST, SLOW = 0.15, 0.03  # share of the last second's successes by which the rate grows
DRAINING, GROWING = 0.03, 0.3  # share of failures that is too many, while the queue gets shorter, and longer
LONGEST_BACK = 60.0  # seconds that trouble lasts, at most, for calls that have not tried again
LATER = 30.0  # seconds by which a call moves back in the queue after a slot used in vain
NAP = 0.02, 0.5, 10.0  # seconds between two questions: at least; at most if few wait; at most if many wait
MANY = 1000.0  # questions a second that the pacer accepts
JUMP = 5.0  # seconds: a clock that goes back further was set; smaller steps back come from threads in a race


class Pacer(Protocol):
    """What the loop needs from a pacer.

    No method raises an exception.  Every implementation except :class:`LocalPacer` is thread-safe; ``process.Locked``
    makes a LocalPacer thread-safe.  ``now`` is the time in seconds by the monotonic clock of the process.
    """

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Record outcomes.

        A shared pacer may keep successes, and report them with the next failure or question.

        :param succeeded: how many attempts have succeeded
        :param failed: how many attempts have failed
        :param back: seconds after which the calls that failed will try again
        """

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot, and take it if there is one.

        :param who: a number that identifies the waiting call
        :param age: seconds for which the call has been asking for slots; see :class:`Turn`
        :returns: 0 if the call has got a slot, or the seconds after which to ask again
        """

    def stop_waiting(self, now: float, who: int) -> None:
        """Record that a call no longer waits, because it was interrupted or given up."""

    def call_failed(self) -> None:
        """Record that a call has failed for the first time.

        Up to ten such calls in a process need no slots.  A shared pacer only passes this to its local pacer.
        """

    def call_ended(self) -> None:
        """Record that a call that had failed has ended."""

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be discarded.

        It can be if no call waits, no call that has failed is still in progress, and nothing has failed for a while.
        """


class LocalPacer:
    """The pacer of one endpoint, for the calls of one process.

    The state consists of the numbers below and the queue.  Each method is one step.  The queue holds the waiting calls,
    ordered by arrival, like a sorted set in Redis.
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
        "unaware",
        "usual",
        "went",
    )

    def __init__(self, now: float) -> None:
        self.now = self.faded = now
        self.calls = 0  # calls that have failed and have not ended
        self.succeeded = self.failed = 0.0  # the latest outcomes, weighted by their age
        self.places: dict[int, float] = {}  # by waiting call: the negative of the instant of its arrival
        self.queue: list[float] = []  # the places, with the first call at the end, where it is cheap to remove
        self._rest()

    def _rest(self) -> None:
        self.trouble = False
        self.back = self.second = self.now
        self.rate, self.tokens, self.fast = START, BURST, True
        self.good = self.bad = self.went = 0  # outcomes and slots of the present second
        self.unaware = 0  # failures in ``bad`` whose process did not report its successes (shared pacers only)
        self.usual = 0.0  # the usual share of failures, which does not depend on the rate

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0, *, aware: bool = True) -> None:
        """Record outcomes; the calls that failed will try again after ``back`` seconds.

        :param aware: whether all successes since the beginning of the trouble are reported too; see :class:`SharedPacer
            <os_retries.pacing.shared.SharedPacer>`
        """
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
            self.bad += failed
            if aware:
                self.good += succeeded
            else:
                self.unaware += failed
            if failed and self.failed > self.succeeded:
                self.back = max(self.back, self.now + min(back, LONGEST_BACK))

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: return 0 if there is one, or the seconds after which to ask again."""
        self._advance(now)
        place = self.places.get(who)
        if not self.trouble or self.calls <= BURST:
            self.tokens = max(0.0, self.tokens - 1.0)
            return self._go(who, place)
        if place is None:
            # No two places are equal: calls that arrive at the same instant are ordered by their numbers.
            place = self.places[who] = age - self.now - who % 1_000_000 * 1e-9
            insort(self.queue, place)
        waiting = len(self.queue)
        return self._nap(waiting, waiting - 1 - bisect_left(self.queue, place)) or self._go(who, place)

    def stop_waiting(self, now: float, who: int) -> None:
        """Record that a call no longer waits."""
        self._advance(now)
        self._remove(who, self.places.get(who))

    def call_failed(self) -> None:
        """Record that a call has failed for the first time."""
        self.calls += 1

    def call_ended(self) -> None:
        """Record that a call that had failed has ended."""
        self.calls -= 1

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be discarded, because a new one would behave in the same way."""
        return not self.calls and not self.queue and self.failed * math.exp((self.faded - now) / FADING) < 0.5

    def _nap(self, waiting: int, ahead: int) -> float:
        """Take a slot for a waiting call: return 0 if there is one, or the seconds after which to ask again.

        :param waiting: how many calls wait, with this one
        :param ahead: how many of them are in front of it
        """
        least, longest, most = NAP
        if waiting > longest * MANY:
            longest = waiting / MANY if waiting < most * MANY else most
        tokens, rate = self.tokens, self.rate
        # A call that would get a slot before its next question may take a free slot now, even if other calls are in
        # front, because they may be asleep.
        if tokens >= 1.0 and ahead < tokens + rate * longest:
            self.tokens = tokens - 1.0
            return 0.0
        # The nap is shorter than the time until its slot at this rate, because the rate may rise.
        nap = 0.7 * (ahead + 1.0 - tokens) / rate
        return least if nap < least else min(longest, nap)

    def _go(self, who: int, place: float | None) -> float:
        self.went += 1
        self._remove(who, place)
        return 0.0

    def _remove(self, who: int, place: float | None) -> None:
        if place is not None:
            del self.places[who]
            del self.queue[bisect_left(self.queue, place)]

    def _advance(self, now: float) -> None:
        """Update the state for the time that has passed since the last step."""
        passed = now - self.now
        if passed <= 0.0:
            if passed < -JUMP:  # the clock was set back: continue from there
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
        """Reduce the weight of old outcomes, and end the trouble if it is over."""
        fade = math.exp((self.faded - self.now) / FADING)
        self.faded = self.now
        self.succeeded *= fade
        self.failed *= fade
        if self.trouble and not self.queue and self.now >= self.back and self.failed <= self.succeeded + 2.0:
            self._rest()

    def _look_back(self) -> None:
        """Set the rate according to the outcomes of the past second."""
        took = self.now - self.second
        bad = self.bad - self.unaware
        outcomes = self.good + bad
        # Failures that chance can explain are subtracted, because they are no sign of overload.
        failing = (bad - 1.0 - 0.5 * math.sqrt(outcomes)) / outcomes if outcomes else 0.0
        too_much = GROWING if self.bad > self.went else min(GROWING, DRAINING + 1.25 * self.usual)
        if outcomes and failing <= GROWING:
            self.usual = max(0.0, self.usual + (failing - self.usual) * (0.1 if failing > self.usual else 0.5))
        if failing > too_much:
            rate = self.rate * CUT if failing <= GROWING else min(self.rate * CUT, self.rate - self.bad / took)
            self.rate = max(LOWEST, rate)
            self.fast = self.rate == LOWEST
        elif (
            self.good and self.queue and self.went >= 0.5 * self.rate * took
        ):  # the rate limits the calls, and not only their naps
            carried = self.good / took
            self.rate += max(FAST * carried, min(self.rate, BURST)) if self.fast else SLOW * carried
        self.second = self.now
        self.good = self.bad = self.went = self.unaware = 0


class Turn:
    """How one call asks for slots, over all its retries.

    ``since``
        The instant from which the call queues: that of its first question, plus ``LATER`` seconds for each slot that it
        has used in vain.
    ``until``
        The instant at which it gives up.
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
        """Ask for a slot.

        :returns: 0 if the call has got one, the seconds after which to ask again, or None if its time is used up
        """
        nap = pacer.ask(now, self.who, now - (now if self.since is None else self.since))
        if nap == 0.0:
            return nap
        left = self.until - now
        if left <= 0.0:
            pacer.stop_waiting(now, self.who)
            return None
        return min(nap, left)
