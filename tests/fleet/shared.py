"""The pacers that several processes share, each on a clock of ours: the script in Redis, and the state in a file."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.pacing import fleet, host
from os_retries.pacing.shared import Step
from os_retries.pacing.state import CALL, SIZE, State, waiting

if TYPE_CHECKING:
    import redis

NOW = 1_800_000_000.0
# The script with a clock of ours in place of Redis's: seconds and microseconds, as TIME gives them.
BY_OUR_CLOCK = fleet.SCRIPT.replace("redis.call('TIME')", "{ARGV[8], ARGV[9]}")


class Script:
    """The script, on a clock of ours."""

    def __init__(self, client: redis.Redis, endpoint: str = "http://nova:8774 compute") -> None:
        self.client = client
        self.keys = fleet.keys(endpoint)
        self.trouble = False

    def run(
        self, now: float, *outcomes: float, unaware: bool = False, what: str = "", who: int = 0, age: float = 0.0
    ) -> float:
        seconds, micros = divmod(round(now * 1e6), 1_000_000)
        outcomes = outcomes or (0, 0, 0)
        arguments = *map(repr, outcomes), int(unaware), what, f"me:{who}", repr(age), seconds, micros
        nap, trouble = self.client.eval(BY_OUR_CLOCK, len(self.keys), *self.keys, *arguments)
        self.trouble = bool(trouble)
        return float(nap)

    def ask(self, now: float, who: int, age: float = 0.0) -> float:
        return self.run(now, what="ask", who=who, age=age)

    @property
    def waiting(self) -> list[int]:
        """Who waits, in the order of the queue."""
        return [int(who.partition(":")[2]) for who in self.client.zrange(self.keys[1], 0, -1)]

    @property
    def places(self) -> dict[int, float]:
        """By waiting call: the negative of the instant of its arrival."""
        queue = self.client.zrange(self.keys[1], 0, -1, withscores=True)
        return {int(who.partition(":")[2]): -arrived for who, arrived in queue}

    def number(self, name: str) -> float:
        return float(self.client.hget(self.keys[0], name))

    def set_number(self, name: str, value: float) -> None:
        self.client.hset(self.keys[0], name, value)

    @property
    def rate(self) -> float:
        return self.number("rate")

    @property
    def good(self) -> float:
        return self.number("good")

    def all_are_unaware(self) -> None:
        """Nobody knew of the trouble who has told a failure in this second."""
        self.set_number("unaware", 60)


class File(Script):
    """The state in a file, on a clock of ours."""

    def __init__(self, endpoint: str = "endpoint") -> None:
        self.now = NOW
        self.host = host.Host(lambda: self.now)
        self.path = Path(os.environ["XDG_RUNTIME_DIR"], "os-retries", self.host.key(endpoint))
        self.trouble = False

    def run(
        self, now: float, *outcomes: float, unaware: bool = False, what: str = "", who: int = 0, age: float = 0.0
    ) -> float:
        self.now = exact(now)
        succeeded, failed, back = outcomes if len(outcomes) == 3 else (*outcomes, 0.0) if outcomes else (0, 0, 0.0)
        step = Step(succeeded, failed, back, not unaware, what, who, age)
        nap, trouble = self.host.evaluate(self.path.name, step)
        assert trouble is not None
        self.trouble = trouble
        return nap

    def state(self) -> State:
        content = self.path.read_bytes()
        return State.read(content[:SIZE], content[SIZE : SIZE + CALL * (waiting(content[:SIZE]) or 0)], self.now)

    @property
    def waiting(self) -> list[int]:
        queue = self.state().queue
        return [
            int.from_bytes(queue[at + CALL - 8 : at + CALL], "little", signed=True) for at in range(0, len(queue), CALL)
        ]

    @property
    def places(self) -> dict[int, float]:
        queue = self.state().queue
        arrived = (struct.unpack_from("<d", queue, at)[0] for at in range(0, len(queue), CALL))
        return {who: -instant for who, instant in zip(self.waiting, arrived, strict=True)}

    def number(self, name: str) -> float:
        return float(getattr(self.state(), name))

    def set_number(self, name: str, value: float) -> None:
        state = self.state()
        setattr(state, name, value)
        self.path.write_bytes(state.write() + state.queue)


class Shared:
    """A shared pacer with the methods and numbers of a LocalPacer, for the tests of the rules that all pacers follow."""

    def __init__(self, pacer: Script) -> None:
        self._pacer = pacer

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        self._pacer.run(NOW + now, int(succeeded), int(failed), float(back))

    def ask(self, now: float, who: int, age: float) -> float:
        return self._pacer.ask(NOW + now, who, age)

    def stop_waiting(self, now: float, who: int) -> None:
        self._pacer.run(NOW + now, what="leave", who=who)

    def call_failed(self) -> None:
        """A shared pacer does not count the calls of all processes."""

    @property
    def trouble(self) -> bool:
        return self._pacer.trouble

    @property
    def rate(self) -> float:
        return self._pacer.rate

    @property
    def good(self) -> float:
        return self._pacer.good

    @property
    def succeeded(self) -> float:
        return self._pacer.number("succeeded")

    @property
    def failed(self) -> float:
        return self._pacer.number("failed")

    @property
    def back(self) -> float:
        return self._pacer.number("back") - NOW

    @property
    def queue(self) -> list[int]:
        return self._pacer.waiting

    @property
    def places(self) -> dict[int, float]:
        return {who: place + NOW for who, place in self._pacer.places.items()}

    def forget_this_second(self) -> None:
        self._pacer.set_number("bad", 0)


def exact(now: float) -> float:
    """The instant as Redis's clock says it, in microseconds."""
    seconds, micros = divmod(round(now * 1e6), 1_000_000)
    return seconds + micros / 1_000_000
