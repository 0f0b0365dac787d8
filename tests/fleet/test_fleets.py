"""Whole fleets on a virtual clock: no process sees everything, but together they act like one that does."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from os_retries.pacing import fleet, host
from os_retries.pacing.local import Turn
from os_retries.pacing.shared import SharedPacer
from tests.fleet.test_script import BY_OUR_CLOCK, NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from os_retries.pacing.shared import Store
    from tests.fleet.conftest import Server

    #: Whether an attempt fails: when, the how manieth in this second, a random number.
    Fails = Callable[[float, int, float], bool]

OWN_WAIT = 10.0


class InRedis(fleet.Fleet):
    """A process's way to Redis, where the time is ours."""

    def __init__(self, client: Any, world: World) -> None:
        super().__init__("unix:///nowhere")
        self._redis = client
        self._world = world
        self._sha = client.script_load(BY_OUR_CLOCK)

    def _evaluate(self, keys: Any, arguments: Any) -> Any:
        seconds, micros = divmod(round((NOW + self._world.now) * 1e6), 1_000_000)
        return self._redis.evalsha(self._sha, len(keys), *keys, *arguments, seconds, micros)


class InFile(host.Host):
    """A process's way to the files of the host, where the time is ours."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda: NOW + world.now)


class Call:
    def __init__(self, pacer: SharedPacer, began: float) -> None:
        self.pacer = pacer
        self.began = began
        self.attempts = 0
        self.asks = False
        self.turn: Turn | None = None


class World:
    """So many calls a second, each from a random one of so many processes, or each from one of its own."""

    def __init__(self, server: Server | None, fails: Fails, *, processes: int | None, rate: float, calls: int) -> None:
        self.now = 0.0
        self.fails = fails
        self.sent: Counter[int] = Counter()  # by the second
        self.lost = 0
        self.waits: list[float] = []  # of calls that have failed at least once
        self._dice = random.Random(1)
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, Call]] = []
        with server.client() if server else contextlib.nullcontext() as client:
            own = self._way(client)
            pacers = [self._pacer(self._way(client)) for _ in range(processes or 0)]
            for i in range(calls):
                self._at(i / rate, Call(self._dice.choice(pacers) if pacers else self._pacer(own), i / rate))
            while self._events:
                self.now, _, call = heapq.heappop(self._events)
                self._step(call)

    def _way(self, client: Any) -> Store:
        return InFile(self) if client is None else InRedis(client, self)

    def _pacer(self, way: Store) -> SharedPacer:
        return SharedPacer(way, "service", 0.0)

    def _at(self, when: float, call: Call) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), call))

    def _step(self, call: Call) -> None:
        if call.turn is not None:
            if not call.asks:
                call.turn.start_waiting(self.now, 300.0)
                call.asks = True
            nap = call.turn.ask(call.pacer, self.now)
            if nap != 0.0:
                self.lost += nap is None
                return self._at(self.now + nap, call) if nap else None
            call.asks = False
        call.attempts += 1
        self.sent[int(self.now)] += 1
        if self.fails(self.now, self.sent[int(self.now)], self._dice.random()):
            if call.turn is None:
                call.turn = Turn(next(self._numbers))
                call.pacer.call_failed()
            if call.attempts > 10:
                self.lost += 1
            else:
                call.pacer.note(self.now, 0, 1, OWN_WAIT)
                return self._at(self.now + OWN_WAIT, call)
        else:
            call.pacer.note(self.now, 1, 0)
            self.waits.append(self.now - call.began)
        if call.turn is not None:
            call.pacer.call_ended()
        return None


@pytest.fixture(name="server", params=["redis", "host"])
def _server_or_files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server | None:
    """Each way to share a pacer; None stands for the files of the host."""
    if request.param == "redis":
        return request.getfixturevalue("redis_server")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return None


@pytest.mark.parametrize("processes", [8, 300, None])
def test_what_fails_at_random_is_not_paced(server: Server | None, processes: int | None) -> None:
    """Three in ten: nobody waits longer than his own waits; not if a process makes a call in 15 seconds, nor just one."""
    world = World(server, lambda _now, _nth, dice: dice < 0.3, processes=processes, rate=20, calls=2000)
    assert {round(wait % OWN_WAIT, 6) % OWN_WAIT for wait in world.waits} == {0.0}
    assert world.lost == 0


@pytest.mark.parametrize(("processes", "noticed"), [(40, 11), (None, 18)])
def test_an_outage_is_one_queue_and_its_end_no_stampede(
    server: Server | None, processes: int | None, noticed: int
) -> None:
    """Where each call is a process of its own, an outage is noticed when the first calls fail for the second time."""
    capacity, begin, end = 15, 5, 30
    world = World(
        server,
        lambda now, nth, _dice: begin <= now < end or nth > capacity,
        processes=processes,
        rate=10,
        calls=600,
    )
    assert world.lost == 0
    retries = [world.sent[second] - 10 for second in range(noticed, end)]
    assert sum(retries) <= 12 + 1.5 * len(retries)
    # The rate doubles, by ten a second at most, until there has been too much.  Unpaced it would be 30 for long.
    assert max(world.sent.values()) <= 25
    assert max(sum(world.sent[second + i] for i in range(5)) for second in range(end, end + 60)) <= 5 * 1.4 * capacity
