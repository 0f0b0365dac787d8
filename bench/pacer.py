"""Measure the cost of the pacer: of one decision, and of ten thousand calls that wait in ten thousand threads.

``python bench/pacer.py [--threads N] [--seconds N]``; the exit status is 1 if either costs too much.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import threading
import time

from os_retries import RetryPolicy
from os_retries.pacing.local import LocalPacer
from os_retries.pacing.process import pacers

DECISION, SHARE = 2.0, 0.05  # the limits: microseconds for a decision; the share of one core for waiting calls


class RefusedError(Exception):
    code = 503


def decision(waiting: int, turns: int = 20_000) -> float:
    """Return the microseconds that one question of a waiting call takes."""
    best = float("inf")
    for _ in range(5):
        pacer = LocalPacer(0.0)
        for _ in range(waiting + 100):
            pacer.call_failed()
        pacer.note(0.0, 0, 1000, 10.0)
        for who in range(waiting):
            pacer.ask(0.0, who, who / 100)
        pacer.tokens = 0.0
        start = time.perf_counter()
        for turn in range(turns):
            pacer.ask(turn * 1e-6, turn % waiting, 0.0)
        best = min(best, time.perf_counter() - start)
    return 1e6 * best / turns


def share_of_a_core(threads: int, seconds: float) -> float:
    """Return the share of one core that calls use while they wait for slots of a service that is down."""
    policy = RetryPolicy(retry_after=0.01, retry_max_wait=3600.0)
    stop = threading.Event()

    def call() -> str:
        if stop.is_set():
            return "stopped"
        raise RefusedError

    def run() -> None:
        with contextlib.suppress(RefusedError):
            policy.execute(call)

    threading.stack_size(256 * 1024)
    for _ in range(threads):
        threading.Thread(target=run, daemon=True).start()
    time.sleep(15.0)  # until all calls wait
    ((pacer,),) = (its.values() for its in pacers._pacers.values())  # noqa: SLF001
    waiting = len(pacer._pacer.queue)  # type: ignore[attr-defined]  # noqa: SLF001
    used, start = time.process_time(), time.monotonic()
    time.sleep(seconds)
    share = (time.process_time() - used) / (time.monotonic() - start)
    print(f"{waiting} calls wait, each in its thread: {share:.1%} of one core")
    stop.set()
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    missed = False
    for waiting in (10, 1000, 10_000):
        took = decision(waiting)
        missed |= took > DECISION
        print(f"one decision with {waiting} waiting: {took:.2f} us")
    logging.getLogger("os_retries").setLevel(logging.ERROR)
    return int(share_of_a_core(options.threads, options.seconds) > SHARE or missed)


if __name__ == "__main__":
    sys.exit(main())
