"""``os-retries check -- COMMAND``: run a program once, below ``os-retries run``, and read what it has recorded."""

from __future__ import annotations

import collections
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.check.recording import HANDED_OVER
from os_retries.run.command import DEFAULTS, prepare
from os_retries.run.processes import cannot_run, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class CannotRun(Exception):  # noqa: N818
    """Raised if the command cannot be run.  The only argument is the exit status to end with."""


@dataclass(frozen=True, slots=True, order=True)
class Write:
    """A kind of request that changes something.

    ``service``
        The service type; empty if it is not known.
    ``request``
        The verb and the template of the path.
    ``verdict``, ``reason``
        What os-retries does if the answer is lost; and why the request is handed over, if it is.
    """

    service: str
    request: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Program:
    """The requests that a program has sent.

    ``status``
        The exit status of the program; minus the number of the signal that ended it.
    ``writes``
        How often the program has sent each kind of request that changes something.
    """

    command: tuple[str, ...]
    status: int
    writes: Mapping[Write, int]

    @property
    def handed_over(self) -> int:
        """How many of the requests are handed over to the program if their answer is lost."""
        return sum(number for write, number in self.writes.items() if write.verdict == HANDED_OVER)


def run(command: Sequence[str]) -> Program:
    """Run the command, with retries, and return what it has sent.

    :raises CannotRun: if the command cannot be run
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OSRETRIES_")}
    environ.pop("OS_RETRIES_DISABLED", None)
    prepare(environ, DEFAULTS)
    with tempfile.TemporaryDirectory(prefix="os-retries-check-") as folder:
        records = Path(folder, "writes")
        environ["OSRETRIES_CHECK"] = str(records)
        try:
            status = wait_for(command, environ)
        except OSError as error:
            raise CannotRun(cannot_run(command, error)) from None
        lines = records.read_text("utf-8", "replace").splitlines() if records.exists() else []
    return Program(tuple(command), status, read(lines))


def read(lines: Iterable[str]) -> Mapping[Write, int]:
    """Return how often each write was recorded.  Invalid lines are skipped, because a full disk cuts lines short."""
    found = collections.Counter[Write]()
    for line in lines:
        try:
            value = json.loads(line)
            write = Write(value["service"] or "", value["request"], value["verdict"], value["reason"])
        except (ValueError, LookupError, TypeError):
            continue
        found[write] += 1
    return found
