"""A rule of ``os_retries.faults`` that applies all clauses of a rehearsal, across all processes of a run."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from os_retries.core.statuses import RETRY_CODES
from os_retries.faults.fault import Fault
from os_retries.faults.rules import Script, only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from os_retries.faults.rules import Dice, Request
    from os_retries.rehearse.grammar import Clause


class Counters:
    """Counters that the processes of one run share.  Each is the length of a file, to which a byte is appended.

    :param folder: the folder of the files
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def next(self, name: str) -> int:
        """Increment the counter of this name, and return its new value; the first value is 1."""
        path = os.path.join(self._folder, f"counter-{name}")  # noqa: PTH118
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, b".")
            return os.lseek(file, 0, os.SEEK_CUR)  # after an append the position is that after the appended byte
        finally:
            os.close(file)


class Together(Script):
    """A rule for ``Faults`` that applies to every request.

    :param began: when the run began, in seconds since the epoch
    """

    def __init__(self, clauses: Sequence[Clause], began: float, counters: Counters) -> None:
        super().__init__([], only=self._remember)
        self._began, self._counters = began, counters
        self._clauses = [
            (str(number), clause, only(service=clause.service, verb=clause.verb, path=clause.path))
            for number, clause in enumerate(clauses)
        ]
        # Faults calls `only` and then `fault`, both while it holds its lock.
        self._matching: list[tuple[str, Clause]] = []

    def _remember(self, request: Request) -> bool:
        self._matching = [(name, clause) for name, clause, matches in self._clauses if matches(request)]
        return True

    def fault(self, dice: Dice) -> Fault | None:
        """Return the fault of the request that was last passed to ``only``; None for no fault."""
        below = 0.0
        for name, clause in self._matching:
            below += clause.rate or 0.0
            if self._hits(name, clause, dice.kind < below):
                return fault_of(clause, dice)
        return self._replayed(dice)

    def _hits(self, name: str, clause: Clause, by_chance: bool) -> bool:
        if clause.begin is not None and clause.end is not None:
            return clause.begin <= time.time() - self._began < clause.end
        if clause.times is not None:
            return self._counters.next(f"clause-{name}") <= clause.times
        return clause.rate is not None and by_chance

    def _replayed(self, dice: Dice) -> Fault | None:
        """Return the fault of the n-th request of its kind."""
        streams: dict[tuple[str | None, ...], dict[int | None, Clause]] = {}
        for _, clause in self._matching:
            if clause.nth is not None:
                streams.setdefault((clause.service, clause.verb, clause.path), {})[clause.nth] = clause
        for stream, faults in streams.items():
            name = hashlib.sha256(repr(stream).encode()).hexdigest()[:16]
            found = faults.get(self._counters.next(f"stream-{name}"))
            if found is not None:
                return fault_of(found, dice)
        return None


_LOST = (Fault.lost(502), Fault.lost(504), Fault.reset(processed=True), Fault.stall(processed=True))


def fault_of(clause: Clause, dice: Dice) -> Fault:
    """Return the fault that a clause describes.  Values that the clause does not give are drawn at random."""
    statuses = sorted(RETRY_CODES)
    if clause.kind == "refused":
        status = clause.status or statuses[int(dice.status * len(statuses))]
        return Fault.refused(status, retry_after=clause.retry_after, html=dice.html < 0.5)
    if clause.kind == "outage":
        return Fault.refused(clause.status or 503, html=True)
    if clause.kind == "lost":
        if clause.status is None and clause.retry_after is None:
            return _LOST[int(dice.status * len(_LOST))]
        return Fault.lost(clause.status or 504, retry_after=clause.retry_after)
    if clause.kind == "late":
        return Fault.late(clause.seconds or 0.0, clause.status or 504)
    makers = {"unreachable": Fault.unreachable, "reset": Fault.reset, "stall": Fault.stall, "cut": Fault.cut}
    return makers[clause.kind]()
