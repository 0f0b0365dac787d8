"""Count events in the programs below ``os-retries run``: each line says what to add to which metric."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from os_retries.observe.metrics import METRICS, changes
from os_retries.run.journal import append

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.events import Event


def counting(journal: str) -> Callable[[Event], None]:
    """Return a sink that appends to a journal what each event adds to the counters.

    Gauges are left out: they describe the present, and the journal is read after the program has ended.
    """

    def sink(event: Event) -> None:
        for change in changes(event):
            if METRICS[change.name].counts:
                count = {"event": "count", "name": change.name, "labels": change.labels, "by": change.by}
                append(journal, json.dumps(count).encode() + b"\n")

    return sink
