"""How the tests are distributed among the workers of pytest-xdist (``pytest -n auto``).

Without ``-n`` this module is not used.
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
WHOLE = {
    "tests/cloud/test_creates_on_extras.py",
    "tests/cloud/test_creates_on_poorer_cloud.py",
    "tests/cloud/test_manila_on_cloud.py",
    "tests/cloud/test_zaqar_on_cloud.py",
}
#: A way of losing an answer, which is the last of the parameters in CREATES.
WAY = re.compile(r"-(\d{3}|reset|stall|cut)$")
#: Begun first, because each is long.  One alone is on the cloud, so that the others do not wait while the sandboxes'
#: template is made.
FIRST = (
    "tests/cloud/test_creates_together.py::test_many_at_once",
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
    most = 2 * (os.cpu_count() or 1)
    meminfo = Path("/proc/meminfo")  # where there is none there is no sandbox either
    for line in meminfo.read_text().splitlines() if meminfo.exists() else ():
        if line.startswith("MemAvailable:"):
            most = min(most, int(line.split()[1]) * 1024 // BYTES_PER_WORKER)
    return max(1, min(most, 8))


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
