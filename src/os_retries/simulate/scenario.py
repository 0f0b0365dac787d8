"""What is simulated, and what came of it: a scenario, and the result of a policy in it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A load, and a service whose capacity is reduced for a while.

    :param rate: calls a second of all processes together, at random instants
    :param calls: total number of calls
    :param capacity: attempts a second that the service can take; it refuses any more at once
    :param begins: seconds until the trouble begins
    :param lasts: seconds that the trouble lasts
    :param left: share of the capacity that is left during the trouble: 0 is an outage, 0.5 a brown-out
    :param flaps: if it is not 0, the capacity is ``left`` and whole in turns of so many seconds during the trouble
    :param ramps: whether the capacity falls to ``left`` and rises again in straight lines, instead of at once
    :param after: capacity after the trouble, in attempts a second; None for the capacity before it
    :param collapses: whether the service answers fewer attempts, the more it gets beyond its capacity
    :param failing: share of all attempts that fail at random, at any time
    :param latency: seconds that an answer takes
    :param processes: number of processes that share the calls
    :param hosts: number of hosts that the processes are spread over
    :param seed: seed of the random numbers
    """

    rate: float = 100.0
    calls: int = 25_000
    capacity: float = 150.0
    begins: float = 30.0
    lasts: float = 40.0
    left: float = 0.0
    flaps: float = 0.0
    ramps: bool = False
    after: float | None = None
    collapses: bool = False
    failing: float = 0.0
    latency: float = 0.1
    processes: int = 1
    hosts: int = 1
    seed: int = 1

    @property
    def ends(self) -> float:
        """The instant at which the trouble ends, in seconds."""
        return self.begins + self.lasts

    def share(self, now: float) -> float:
        """Return the share of the capacity that is left at ``now``, while the trouble lasts."""
        since = now - self.begins
        if self.ramps:
            return self.left + (1.0 - self.left) * abs(1.0 - 2.0 * since / self.lasts)
        return self.left if not self.flaps or since // self.flaps % 2 == 0 else 1.0

    def dice(self, number: int) -> random.Random:
        """Return a random number generator: 0 for the callers, 1 for the service, 2 for the policy."""
        return random.Random(self.seed * 10 + number)  # noqa: S311


@dataclass(slots=True)
class Second:
    """The counts of one second.

    ``attempts``, ``failed``
        All attempts, and the attempts that failed.
    ``waiting``
        Calls that have failed at least once and are still in progress, at the start of the second.
    ``given_up``, ``began``
        Calls that were given up, and calls that began.
    """

    attempts: int = 0
    failed: int = 0
    waiting: int = 0
    given_up: int = 0
    began: int = 0


@dataclass(slots=True)
class Result:
    """The results of a simulation.

    ``calls``, ``failed``
        The number of calls, and of calls that were given up.
    ``waits``
        For each call whose first attempt failed, the seconds that it took, in ascending order.
    ``seconds``
        The counts of each second.
    """

    scenario: Scenario
    calls: int = 0
    failed: int = 0
    waits: list[float] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The number of attempts in the busiest second."""
        return max(each.attempts for each in self.seconds)

    @property
    def peak_of_five(self) -> float:
        """The attempts a second in the busiest five seconds, which depend less on chance."""
        loads = [each.attempts for each in self.seconds]
        return max(sum(loads[at : at + 5]) / 5 for at in range(max(1, len(loads) - 4)))

    @property
    def amplification(self) -> float:
        """The number of attempts for each call that begins, during the trouble."""
        during = self.seconds[int(self.scenario.begins) : int(self.scenario.ends)]
        calls = sum(each.began for each in during)
        return sum(each.attempts for each in during) / calls if calls else 1.0

    @property
    def drained(self) -> float:
        """The seconds from the end of the trouble until almost no call waits any more."""
        return drained(self.scenario, [each.waiting for each in self.seconds])

    def wait(self, share: float) -> float:
        """Return a percentile of ``waits``, in seconds.

        :param share: the percentile as a share, such as 0.99
        """
        return self.waits[min(int(share * len(self.waits)), len(self.waits) - 1)] if self.waits else 0.0


def drained(scenario: Scenario, waiting: list[int]) -> float:
    """Return the seconds from the end of the trouble until almost no call waits.

    :param waiting: the number of waiting calls in each second.  "Almost none" is a fiftieth of the largest number, and
        ten at least.
    """
    few, end = max(10.0, max(waiting) / 50.0), int(scenario.ends)
    return float(next((at for at, number in enumerate(waiting[end:]) if number <= few), max(0, len(waiting) - end)))
