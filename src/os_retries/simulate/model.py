"""The simulation: a service in trouble, its callers, and a virtual clock.

The real code makes the decisions: ``RetryPolicy.wait_after`` decides whether and when a call is repeated, and the
pacer of ``os_retries.pacing.local`` gives slots.  Only the service, the callers, the clock, and the file or Redis
through which processes share a pacer are simulated.
"""

from __future__ import annotations

import heapq
import sys
from collections import deque
from typing import TYPE_CHECKING, Literal

from os_retries.core.evidence import GiveUp
from os_retries.core.failure import Failure, Kind
from os_retries.pacing.local import LocalPacer, Turn
from os_retries.pacing.shared import SharedPacer, Store
from os_retries.simulate.scenario import Result, Second, drained

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.pacing.local import Pacer
    from os_retries.pacing.shared import Step
    from os_retries.policy import RetryPolicy
    from os_retries.simulate.scenario import Scenario

#: Which processes share a queue: none, those of each host, or all of them (as through Redis).
Queue = Literal["process", "host", "fleet"]

_FAILURE = Failure(503, kind=Kind.REFUSED)


class Service:
    """A service that accepts attempts up to its capacity, and refuses the rest at once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.dice = scenario.dice(1).random
        self.now = 0.0
        self.room = 0.0
        self.offered = 0.0  # recent attempts per second

    def capacity(self, now: float) -> float:
        """Return how many attempts per second the service can take at ``now``."""
        scenario = self.scenario
        capacity = scenario.capacity
        if now >= scenario.ends:
            capacity = capacity if scenario.after is None else scenario.after
        elif now >= scenario.begins:
            capacity *= scenario.share(now)
        if scenario.collapses and self.offered > capacity > 0.0:
            capacity *= capacity / self.offered
        return capacity

    def has_room(self, now: float) -> bool:
        """Return whether the service would accept an attempt at ``now``."""
        passed, self.now = now - self.now, now
        capacity = self.capacity(now)
        # The service accepts bursts of a tenth of a second's work, but of at least five attempts.
        self.room = min(self.room + passed * capacity, max(5.0, capacity / 10.0)) if capacity else 0.0
        self.offered *= max(0.0, 1.0 - passed)
        return self.room >= 1.0

    def takes(self, now: float) -> bool:
        """Accept or refuse one attempt; return whether it succeeds."""
        room = self.has_room(now)
        self.offered += 1.0
        if room:
            self.room -= 1.0
        return room and not (self.scenario.failing and self.dice() < self.scenario.failing)


class Call:
    """One call in progress."""

    __slots__ = ("attempts", "began", "extra", "process", "turn", "waits_since", "works")

    def __init__(self, began: float, process: int) -> None:
        self.began = began
        self.process = process
        self.attempts = 0
        self.works = False  # whether the current attempt will succeed
        self.extra = 0.0
        self.turn: Turn | None = None
        self.waits_since: float | None = None


class Contestant:
    """One way to repeat calls: a policy without a pacer.  Subclasses add a pacer or a quota."""

    def __init__(self, policy: RetryPolicy, dice: Callable[[], float]) -> None:
        self.policy = policy
        self.dice = dice

    def failed(self, call: Call, now: float) -> float | None:  # noqa: ARG002
        """Return the seconds to wait after a failed attempt; None if the call is given up."""
        policy = self.policy
        wait = policy.wait_after(
            _FAILURE, attempt=call.attempts, extra_left=policy.retry_max_wait - call.extra, dice=self.dice()
        )
        if isinstance(wait, GiveUp):
            return None
        call.extra += wait.extra
        return wait.seconds

    def may_go(self, call: Call, now: float) -> float | None:  # noqa: ARG002
        """Ask whether a call whose own wait is over may be attempted.

        :returns: 0 if it may, the seconds until it asks again, or None if it is given up
        """
        return 0.0

    def succeeded(self, call: Call, now: float) -> None:
        """Record a successful attempt."""

    def ended(self, call: Call) -> None:
        """Record the end of a call of which an attempt has failed."""


class Memory(Store):
    """The state of the pacer that the processes of one simulated host, or of all hosts, share."""

    timeout = -1.0

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._pacer = LocalPacer(0.0)
        self._pacer.calls = sys.maxsize  # only the pacer of one process knows how many of its calls are in trouble

    def evaluate(self, key: object, step: Step) -> tuple[float, bool]:  # noqa: ARG002
        """Take one step."""
        now, pacer, nap = self.now, self._pacer, 0.0
        pacer.note(now, step.succeeded, step.failed, step.back, aware=step.aware)
        if step.what == "ask":
            nap = pacer.ask(now, step.who, step.age)
        elif step.what == "leave":
            pacer.stop_waiting(now, step.who)
        return nap, pacer.trouble


class Paced(Contestant):
    """A RetryPolicy with the pacer."""

    def __init__(self, policy: RetryPolicy, dice: Callable[[], float], *, hosts: int, queue: Queue) -> None:
        super().__init__(policy, dice)
        self.number = 0
        self.stores = [Memory() for _ in range({"process": 0, "host": hosts, "fleet": 1}[queue])]
        self.pacers: dict[int, Pacer] = {}

    def _pacer(self, process: int, now: float) -> Pacer:
        """Return the pacer of a process; make it at the first failure of that process."""
        stores = self.stores
        if stores:
            stores[process % len(stores)].now = now
        pacer = self.pacers.get(process)
        if pacer is None:
            pacer = SharedPacer(stores[process % len(stores)], "service", now) if stores else LocalPacer(now)
            self.pacers[process] = pacer
        return pacer

    def failed(self, call: Call, now: float) -> float | None:
        """Return the seconds to wait after a failed attempt; None if the call is given up."""
        pacer = self._pacer(call.process, now)
        if call.turn is None:
            self.number += 1
            call.turn = Turn(self.number)
            pacer.call_failed()
        wait = super().failed(call, now)
        pacer.note(now, 0, 1, wait or 0.0)
        return wait

    def may_go(self, call: Call, now: float) -> float | None:
        """Ask the pacer for a slot, for a call whose own wait is over.

        :returns: 0 if there is one, the seconds until it asks again, or None if it is given up
        """
        turn = call.turn
        if turn is None:
            return 0.0
        if call.waits_since is None:
            call.waits_since = now
            turn.start_waiting(now, self.policy.retry_max_wait - call.extra)
        nap = turn.ask(self._pacer(call.process, now), now)
        if not nap:
            call.extra += now - call.waits_since
            call.waits_since = None
        return nap

    def succeeded(self, call: Call, now: float) -> None:
        """Record a successful attempt."""
        if call.process in self.pacers:
            self._pacer(call.process, now).note(now, 1, 0)

    def ended(self, call: Call) -> None:
        """Record the end of a call of which an attempt has failed."""
        self.pacers[call.process].call_ended()


class AwsStandard(Contestant):
    """botocore's standard mode: three attempts, and a quota of 500, from which a retry of a transient error takes 14.

    Each process has a quota of its own, as if it had one client. A successful retry returns what it took.
    """

    def __init__(self, policy: RetryPolicy, dice: Callable[[], float]) -> None:
        super().__init__(policy, dice)
        self.quota: dict[int, int] = {}

    def failed(self, call: Call, now: float) -> float | None:
        """Return the seconds to wait after a failed attempt; None if the call is given up."""
        quota = self.quota.get(call.process, 500)
        if call.attempts >= 3 or quota < 14:
            return None
        self.quota[call.process] = quota - 14
        wait: float = self.dice() * min(0.05 * 2.0 ** (call.attempts - 1), 20.0)
        return wait if now >= 0.0 else None

    def succeeded(self, call: Call, now: float) -> None:  # noqa: ARG002
        """Record a successful attempt."""
        quota = self.quota.get(call.process, 500)
        self.quota[call.process] = min(500, quota + (14 if call.attempts > 1 else 1))


_BEGINS, _ANSWERED, _GOES_ON = range(3)


class World:
    """The simulation of one scenario with one contestant: a queue of events, ordered by time."""

    def __init__(self, scenario: Scenario, how: Contestant) -> None:
        self.scenario = scenario
        self.how = how
        self.service = Service(scenario)
        self.result = Result(scenario)
        self.dice = scenario.dice(0)
        self._agenda: list[tuple[float, int, int, Call]] = []
        self._number = 0
        self._waiting = 0
        self._second = Second()

    def run(self, progress: Callable[[int], object] | None = None) -> Result:
        """Run the simulation and return the result.

        :param progress: called once for each simulated second, with the number of calls that have begun
        """
        result, agenda, seconds = self.result, self._agenda, self.result.seconds
        handlers = (self._begins, self._answered, self._goes_on)
        self._call_after(0.0)
        while agenda:
            now, _, what, call = heapq.heappop(agenda)
            while len(seconds) <= now:
                self._second = Second(waiting=self._waiting)
                seconds.append(self._second)
                if progress is not None:
                    progress(result.calls)
            handlers[what](call, now)
        result.waits.sort()
        return result

    def _plan(self, when: float, what: int, call: Call) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (when, self._number, what, call))

    def _call_after(self, now: float) -> None:
        process = self.dice.randrange(self.scenario.processes)
        when = now + self.dice.expovariate(self.scenario.rate)
        self._plan(when, _BEGINS, Call(when, process))

    def _begins(self, call: Call, now: float) -> None:
        self.result.calls += 1
        self._second.began += 1
        if self.result.calls < self.scenario.calls:
            self._call_after(now)
        self._attempt(call, now)

    def _attempt(self, call: Call, now: float) -> None:
        call.attempts += 1
        call.works = self.service.takes(now)
        self._second.attempts += 1
        self._second.failed += not call.works
        self._plan(now + self.scenario.latency, _ANSWERED, call)

    def _answered(self, call: Call, now: float) -> None:
        if call.works:
            self.how.succeeded(call, now)
            if call.attempts > 1:
                self._ended(call, now)
            return
        self._waiting += call.attempts == 1
        wait = self.how.failed(call, now)
        if wait is None:
            self._given_up(call, now)
        else:
            self._plan(now + wait, _GOES_ON, call)

    def _goes_on(self, call: Call, now: float) -> None:
        nap = self.how.may_go(call, now)
        if nap is None:
            self._given_up(call, now)
        elif nap:
            self._plan(now + nap, _GOES_ON, call)
        else:
            self._attempt(call, now)

    def _given_up(self, call: Call, now: float) -> None:
        self.result.failed += 1
        self._second.given_up += 1
        self._ended(call, now)

    def _ended(self, call: Call, now: float) -> None:
        self._waiting -= 1
        self.result.waits.append(now - call.began)
        self.how.ended(call)


def clairvoyant(scenario: Scenario, own_wait: float = 10.0) -> float:
    """Return the seconds until an ideal scheduler, which knows when the service has room, has drained the queue.

    :param own_wait: minimum seconds between two attempts of a call
    """
    dice, service = scenario.dice(0), Service(scenario)
    backs: deque[float] = deque()  # the instants at which the own waits end
    waiting: list[int] = []
    left, at, step = scenario.calls, 0.0, 0.01
    dice.randrange(scenario.processes)
    begins = dice.expovariate(scenario.rate)
    while left or (backs and at < scenario.ends + 10_000.0):
        at += step
        while left and begins <= at:
            if not service.takes(at):
                backs.append(at + own_wait)
            left -= 1
            dice.randrange(scenario.processes)
            begins += dice.expovariate(scenario.rate)
        # Keep room for one new call.
        while backs and backs[0] <= at and service.has_room(at) and service.room >= 2.0:
            backs.popleft()
            if not service.takes(at):
                backs.append(at + own_wait)
        if at >= len(waiting):
            waiting.append(len(backs))
    return drained(scenario, waiting)
