"""The state of a shared pacer as bytes, and the steps that change it.

The rules are those of :class:`os_retries.pacing.local.LocalPacer`; the differences are those of ``fleet.lua``.  The
calls of many processes wait in one queue, which is a part of the state, and a call that is late with its next question
loses its place.  The clock is an argument, and nothing here reads, writes or locks.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, cast
from zlib import crc32

from os_retries.pacing import local
from os_retries.pacing.local import LocalPacer
from os_retries.pacing.shared import GRACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from os_retries.pacing.shared import Step

LAYOUT = 1  # the version of the layout, and of rules that change without a change of the constants
LIMIT = 20_000  # calls in the queue, at most; any further calls ask again at the longest interval

#: The sixteen numbers in the order of ``write``, how many calls wait, and the checksum of the queue.
_NUMBERS = struct.Struct("<16dII")
_CHECKSUM = struct.Struct("<I")
SIZE = _NUMBERS.size + _CHECKSUM.size
#: A waiting call: the instant of its arrival, the instant by which it must ask again, its process, and its number.
_CALL = struct.Struct("<dd8sq")
CALL = _CALL.size

_FOREVER = 1e300  # seconds: an instant that never comes


class State(LocalPacer):
    """The state of one endpoint.

    ``queue``
        The waiting calls as bytes, ordered by arrival.
    ``alive``
        An instant before which no waiting call is late with its next question.
    """

    __slots__ = ("alive", "queue")

    queue: bytes  # type: ignore[assignment]  # the rules only ask whether it is empty

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.queue = b""
        self.alive = _FOREVER

    @classmethod
    def read(cls, numbers: bytes, queue: bytes, now: float) -> State:
        """Return the state that ``write`` has written; a new state if the numbers are damaged.

        If only the queue is damaged, because a process died while it wrote it, the queue is empty.  The calls that
        still wait will ask again, and get their old places.
        """
        number = waiting(numbers)
        if number is None:
            return cls(now)
        state = cls.__new__(cls)
        state.calls = 0
        all_ = _NUMBERS.unpack_from(numbers)
        state.now, state.faded, state.succeeded, state.failed, trouble, state.back, state.second, state.rate = all_[:8]
        state.tokens, fast, state.good, state.bad, state.went, state.unaware, state.usual, state.alive = all_[8:16]
        state.trouble, state.fast = bool(trouble), bool(fast)
        state.queue = queue if len(queue) == number * CALL and crc32(queue) == all_[-1] else b""
        return state

    def write(self) -> bytes:
        """Return the numbers as bytes.  The caller must write ``queue`` before them."""
        numbers = _NUMBERS.pack(
            *(self.now, self.faded, self.succeeded, self.failed, self.trouble, self.back, self.second, self.rate),
            *(self.tokens, self.fast, self.good, self.bad, self.went, self.unaware, self.usual, self.alive),
            *(len(self.queue) // CALL, crc32(self.queue)),
        )
        return numbers + _CHECKSUM.pack(crc32(numbers))

    def take(self, step: Step, process: bytes, now: float) -> float:
        """Take one step; return the seconds after which to ask again, or 0.

        :param process: eight bytes that identify the process
        """
        self._advance(now)
        if step.succeeded or step.failed:
            self.note(now, step.succeeded, step.failed, step.back, aware=step.aware)
        if step.what == "ask":
            return self._ask(process, step.who, step.age)
        if step.what == "leave":
            self._leave(self._place(process, step.who))
        return 0.0

    def _ask(self, process: bytes, who: int, age: float) -> float:
        at = self._place(process, who)
        if not self.trouble:
            self.tokens = max(0.0, self.tokens - 1.0)
            return self._goes(at)
        number = len(self.queue) // CALL
        if at is None:
            arrived = self.now - age
            ahead = bisect_right(_column(self.queue, 0), arrived)
            number += 1
        else:
            ahead, arrived = at, _column(self.queue, 0)[at]
        nap = self._nap(number, ahead)
        if not nap:
            return self._goes(at)
        if number > LIMIT:
            return local.NAP[2]
        late = self.now + nap + GRACE
        self.alive = min(self.alive, late)
        behind = self.queue[(ahead if at is None else at + 1) * CALL :]
        self.queue = b"".join((self.queue[: ahead * CALL], _CALL.pack(arrived, late, process, who), behind))
        return nap

    def _goes(self, at: int | None) -> float:
        self.went += 1
        self._leave(at)
        return 0.0

    def _place(self, process: bytes, who: int) -> int | None:
        """Return how many calls are in front of a waiting call; None if it does not wait."""
        name, start = process + who.to_bytes(8, "little", signed=True), 0
        while (found := self.queue.find(name, start)) >= 0:
            at, rest = divmod(found, CALL)
            if rest == CALL - len(name):  # otherwise the bytes that match belong to two different calls
                return at
            start = found + 1
        return None

    def _leave(self, at: int | None) -> None:
        if at is not None:
            self.queue = self.queue[: at * CALL] + self.queue[(at + 1) * CALL :]

    def _advance(self, now: float) -> None:
        if now - self.now < -local.JUMP:  # the clock was set back, and the instants in the queue are in the future
            self.queue, self.alive = b"", _FOREVER
        elif now >= self.alive:
            self._bury(now)
        super()._advance(now)

    def _bury(self, now: float) -> None:
        """Remove the calls that are late: their processes are dead."""
        times = _column(self.queue, 1)
        if min(times, default=_FOREVER) <= now:
            living = [self.queue[at * CALL : (at + 1) * CALL] for at, late in enumerate(times) if late > now]
            self.queue = b"".join(living)
            times = _column(self.queue, 1)
        self.alive = min(times, default=_FOREVER)


def _column(queue: bytes, number: int) -> Sequence[float]:
    """Return one of the two instants of each waiting call."""
    return cast("Sequence[float]", memoryview(queue).cast("d")[number :: CALL // 8]) if queue else ()


def waiting(numbers: bytes) -> int | None:
    """Return how many calls wait, according to the numbers; None if these are damaged."""
    if len(numbers) != SIZE or _CHECKSUM.unpack_from(numbers, _NUMBERS.size)[0] != crc32(numbers[: _NUMBERS.size]):
        return None
    number: int = _NUMBERS.unpack_from(numbers)[-2]
    return number
