"""``os-retries rehearse``: run a program under faults, without os-retries and with it, and compare."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.rehearse.inside import plan
from os_retries.rehearse.results import Run, Way, read_lines
from os_retries.run.command import prepare
from os_retries.run.processes import cannot_run, say, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from os_retries.rehearse.grammar import Clause


class CannotRun(Exception):  # noqa: N818
    """Raised if the command cannot be run.  The only argument is the exit status to end with."""


def rehearse(
    command: Sequence[str], clauses: Sequence[Clause], policies: str, *, seed: int, repeat: int, tokens: bool
) -> tuple[Way, Way]:
    """Run ``command`` ``repeat`` times without os-retries and as often with it, under the same faults.

    :param policies: a text made by ``os_retries.run.policies.write_policies``
    :returns: the runs without os-retries, and the runs with it
    :raises CannotRun: if the command cannot be run
    """
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for number in range(repeat):
        for attached in (False, True):
            which = f"{number + 1} of {repeat}, " if repeat > 1 else ""
            say(f"os-retries rehearse: {which}{'with' if attached else 'without'} os-retries")
            runs[attached].append(
                _run(command, clauses, policies, seed=seed + number, tokens=tokens, attached=attached)
            )
    return Way(runs[False]), Way(runs[True])


def _run(
    command: Sequence[str], clauses: Sequence[Clause], policies: str, *, seed: int, tokens: bool, attached: bool
) -> Run:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OSRETRIES_")}
    environ.pop("OS_RETRIES_DISABLED", None)
    with tempfile.TemporaryDirectory(prefix="os-retries-rehearse-") as folder:
        log = Path(folder, "log")
        prepare(environ, policies, log_json=str(log))
        if not attached:
            environ["OSRETRIES_DISABLED"] = "1"
        since_epoch, began = time.time(), time.monotonic()
        environ["OSRETRIES_FAULTS"] = plan(clauses, seed=seed, tokens=tokens, folder=folder, began=since_epoch)
        try:
            status = wait_for(command, environ)
        except OSError as error:
            raise CannotRun(cannot_run(command, error)) from None
        seconds = time.monotonic() - began
        return Run(attached, seed, status, seconds, _read(Path(folder, "requests")), _read(log), since_epoch)


def _read(path: Path) -> list[dict[str, object]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return read_lines(file)
    except FileNotFoundError:  # the program has sent no request
        return []
