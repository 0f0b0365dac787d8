"""Measure what a sink costs a call that succeeds at once, and a call that succeeds with its second attempt.

The first must not cost more than a microsecond with a sink, and nothing without one.  The sinks of the second are a
function that does nothing, and those of os-retries; the wait is skipped.  All take short turns in one process.

``python bench/observed.py [--rounds N]``; the exit status is 1 if a sink costs a successful call more than that.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

import prometheus_client
import structlog

import os_retries
from os_retries import observe, testing
from success_path import Images, measure, passed

if TYPE_CHECKING:
    from collections.abc import Callable

CEILING = 1.0
ALONE = "without a sink"


class Unavailable(Exception):  # noqa: N818
    """What a client raises."""

    http_status = 503


class Failing:
    """A stand-in for a client, of whose calls every other one fails."""

    def __init__(self) -> None:
        self.fails = False

    def get(self, image: str) -> str:
        self.fails = not self.fails
        if self.fails:
            raise Unavailable
        return image


def with_sink(sink: Callable[[observe.Event], object] | None, run: Callable[[int], float], times: int) -> float:
    """Return the seconds of a number of calls while a sink is there.  Neither adding nor removing it is measured."""
    with contextlib.nullcontext() if sink is None else observe.add(sink):
        return run(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="turns of each contestant (%(default)s)")
    rounds = parser.parse_args().rounds
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    silent = logging.getLogger("silent")
    silent.propagate = False
    silent.addHandler(logging.NullHandler())
    sinks = {
        ALONE: None,
        "a function": lambda _event: None,
        "prometheus": observe.named("prometheus", registry=prometheus_client.CollectorRegistry()),
        "logging": observe.named("logging", logger=silent),
        "structlog": observe.named("structlog"),
    }
    succeeds = partial(passed, os_retries.execute_with_retries, Images().get)
    retried = partial(passed, os_retries.execute_with_retries, Failing().get)
    logging.getLogger("os_retries").disabled = True  # the sentences for people
    worst = 0.0
    with testing.NoWaits():
        for title, run in (("succeeds at once", succeeds), ("succeeds with its second attempt", retried)):
            took = measure({name: partial(with_sink, sink, run) for name, sink in sinks.items()}, rounds)
            alone = min(took[ALONE])
            print(f"a call that {title}, µs: {alone:.2f} {ALONE}")
            for name, all_ in took.items():
                if name != ALONE:
                    print(f"  {name:12} {min(all_) - alone:+.2f}")
                    worst = max(worst, min(all_) - alone) if run is succeeds else worst
    return 1 if worst > CEILING else 0


if __name__ == "__main__":
    sys.exit(main())
