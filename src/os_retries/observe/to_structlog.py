"""The sink for structlog: one entry for each event, with its fields, from the logger ``os_retries``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

from os_retries.observe.fields import fields_of
from os_retries.observe.to_logging import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.events import Event


def make(*, logger: Any = None) -> Callable[[Event], None]:
    """Return the sink.

    :param logger: a logger of structlog; None for ``structlog.get_logger("os_retries")``
    """
    log = structlog.get_logger("os_retries") if logger is None else logger

    def sink(event: Event) -> None:
        # structlog calls the text of an entry its event.
        log.log(LEVELS.get(event.name, logging.INFO), event.name, **fields_of(event))

    return sink
