"""Measure how much a call that succeeds at once costs with execute_with_retries, and with other libraries.

Each contestant has the specification's policy (five retries, ten seconds apart, seven statuses).  It is called in the
cheapest way that its documentation shows, and is set up outside the measurement.  All contestants run in one process,
in short turns, with the garbage collector off.  The result is the time of one call, less that of a bare call.  The
minimum is compared with the limits, because the median depends on other load on the machine.

``python bench/success_path.py [--json] [--rounds N]``; the exit status is 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import platform
import statistics
import sys
import time
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import backoff
import stamina
import tenacity
from google.api_core import retry as google_retry

import sahara_loop
from os_retries import RetryPolicy, execute_with_retries
from os_retries.core.failure import RETRY_CODES

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = "execute_with_retries"
BARE = "a bare call"
SLOT = 0.002  # seconds of one turn of a contestant

#: The limits: microseconds over the bare call, and how many times more the others must cost at least.
CEILING = 0.8
CHEAPER = {"google-api-core": 1, "Sahara's loop, oslo.config": 1, "backoff": 1, "tenacity": 15, "stamina": 18}


class Images:
    """A stand-in for a client, whose only method takes no time."""

    def get(self, image: str) -> str:
        return image


def passing(error: BaseException) -> bool:
    """Return whether an error may be temporary.  It is never called, because every call succeeds."""
    return getattr(error, "http_status", None) in RETRY_CODES


def contestants(method: Callable[[str], str]) -> dict[str, Callable[[int], float]]:
    """Return for each contestant a function that calls the method a number of times and returns the seconds it took."""
    tenacious = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(6),
        wait=tenacity.wait_fixed(10),
        retry=tenacity.retry_if_exception(passing),
        reraise=True,
    )
    stamina_caller = stamina.RetryingCaller(attempts=6, timeout=None, wait_initial=10, wait_max=10, wait_jitter=0)
    backing_off = backoff.on_exception(
        backoff.constant, Exception, max_tries=6, interval=10, jitter=None, giveup=lambda error: not passing(error)
    )
    google = google_retry.Retry(predicate=passing, initial=10, maximum=10, multiplier=1, timeout=60)
    return {
        BARE: partial(wrapped, method),
        OURS: partial(passed, execute_with_retries, method),
        "RetryPolicy.execute": partial(passed, RetryPolicy().execute, method),
        "google-api-core": partial(wrapped, google(method)),
        "Sahara's loop, oslo.config": partial(passed, sahara_loop.execute_with_retries, method),
        "backoff": partial(wrapped, backing_off(method)),
        "tenacity": partial(passed, tenacious, method),
        "stamina": partial(passed, stamina_caller.on(passing), method),
    }


def passed(call: Callable[[Callable[[str], str], str], str], method: Callable[[str], str], times: int) -> float:
    """Return the seconds of a number of calls, for a contestant that gets the method as an argument of each call."""
    start = time.perf_counter()
    for _ in itertools.repeat(None, times):
        call(method, "id")
    return time.perf_counter() - start


def wrapped(call: Callable[[str], str], times: int) -> float:
    """Return the seconds of a number of calls, for a contestant that has wrapped the method beforehand."""
    start = time.perf_counter()
    for _ in itertools.repeat(None, times):
        call("id")
    return time.perf_counter() - start


def measure(contest: dict[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of one call for each contestant in each round."""
    times = {name: int(SLOT / (run(2000) / 2000)) + 1 for name, run in contest.items()}
    took: dict[str, list[float]] = {name: [] for name in contest}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contest.items():
                took[name].append(1e6 * run(times[name]) / times[name])
    finally:
        gc.enable()
    return took


def report(took: dict[str, list[float]]) -> dict[str, Any]:
    """Return the microseconds over the bare call, as minimum and median of the rounds, and the ratios to ours."""
    bare = took[BARE]
    over: dict[str, dict[str, float]] = {
        name: {
            "minimum": min(all_) - min(bare),
            "median": statistics.median(one - other for one, other in zip(all_, bare, strict=True)),
        }
        for name, all_ in took.items()
        if name != BARE
    }
    for figures in over.values():
        figures |= {f"{kind}_ratio": figures[kind] / over[OURS][kind] for kind in ("minimum", "median")}
    ours = over[OURS]["minimum"]
    missed = [f"{OURS}: {ours:.2f} us over a bare call, not {CEILING}"] if ours > CEILING else []
    missed += [
        f"{name} costs {over[name]['minimum_ratio']:.1f} times as much, not {ratio}"
        for name, ratio in CHEAPER.items()
        if over[name]["minimum_ratio"] < ratio
    ]
    return {
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("tenacity", "stamina", "backoff", "google-api-core", "oslo.config")
        },
        "bare_call": {"minimum": min(bare), "median": statistics.median(bare)},
        "over_the_bare_call": over,
        "missed": missed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=300, help="number of turns of each contestant (%(default)s)")
    options = parser.parse_args()
    figures = report(measure(contestants(Images().get), options.rounds))
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"One call that succeeds at once; Python {figures['python']}, {options.rounds} rounds in turns.")
        print(f"{BARE}: {figures['bare_call']['minimum']:.3f} us (median {figures['bare_call']['median']:.3f})\n")
        print(f"{'us over the bare call':<28}{'minimum':>9}{'median':>9}{'times ours':>17}")
        for name, row in figures["over_the_bare_call"].items():
            ratios = f"{row['minimum_ratio']:.1f} / {row['median_ratio']:.1f}"
            print(f"{name:<28}{row['minimum']:>9.2f}{row['median']:>9.2f}{ratios:>17}")
        for line in figures["missed"]:
            print(f"MISSED: {line}")
    return 1 if figures["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
