"""The sink for the standard library's logging: one record for each event, on the logger ``os_retries.events``.

The logger ``os_retries`` has sentences for people.  These records are for programs: the event is the attribute
``os_retries`` of the record, and its fields are in the text as ``name=value``.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from os_retries.observe.fields import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.events import Event

LEVELS = {"give_up": logging.WARNING}


def make(*, logger: logging.Logger | None = None) -> Callable[[Event], None]:
    """Return the sink.

    :param logger: None for the logger ``os_retries.events``
    """
    log = logging.getLogger("os_retries.events") if logger is None else logger

    def sink(event: Event) -> None:
        level = LEVELS.get(event.name, logging.INFO)
        if log.isEnabledFor(level):
            # json.dumps quotes characters that could forge a line or a field.
            text = " ".join(f"{name}={json.dumps(value)}" for name, value in fields_of(event).items())
            log.log(level, "%s %s", event.name, text, extra={"os_retries": event})

    return sink
