"""How the tests are shared out among the workers of pytest-xdist: ``pytest -n auto``.

Without ``-n`` nothing here is used.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

#: Memory that a worker may need, nearly all of it for the sandbox that it starts for itself.
BYTES_PER_WORKER = 2_000_000_000
CREATES = "tests/cloud/test_creates_on_cloud.py"
#: Files whose tests share what takes long to make.
WHOLE = {"tests/cloud/test_creates_on_poorer_cloud.py"}
#: A way of losing an answer, which is the last of the parameters in CREATES.
WAY = re.compile(r"-(\d{3}|reset|stall|cut)$")
#: Begun first, because each is long, or because others can do something else while the first sandbox is made.
FIRST = (
    "tests/cloud/test_creates_together.py",
    "tests/sahara/test_rewrite.py",
    "tests/clients/test_execute.py",
    "tests/clients/",
    "tests/cloud/test_clients_on_cloud.py",
    "tests/cloud/",
    "tests/sahara/",
    "tests/fleet/",
)


def number_of_workers() -> int:
    """Return what ``-n auto`` is: two workers a processor, for half of the time a test waits for a service."""
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    processors = len(os.sched_getaffinity(0))
    return max(1, min(2 * processors, 8, available // BYTES_PER_WORKER))


def unit_of_work(nodeid: str) -> str:
    """Name what one worker does in one go: the tests of a file, or on the cloud one test, or one kind of create."""
    file, _, test = nodeid.partition("::")
    if not file.startswith("tests/cloud/") or file in WHOLE:
        return file
    _, _, parameters = test.partition("[")
    if file == CREATES and parameters:
        return f"{file}[{WAY.sub('', parameters.removesuffix(']'))}]"
    return nodeid


def place(nodeid: str) -> int:
    """Return where in the queue this belongs."""
    return next((i for i, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


class Scheduling(LoadScopeScheduling):
    """Gives each worker one unit of work after the other, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of_work(nodeid)
