"""Measure the cost of the pacer: of one decision, and of ten thousand calls that wait in ten thousand threads.

The decisions of the host's queue are those of a hundred processes that ask ten times a second each, which is as often
as waiting calls ask.  They are printed, and not compared with a limit, because after a pause any code takes many times
longer: on a busy machine of two cores a decision of the local pacer took 34 us instead of 1.5.

``python bench/pacer.py [--threads N] [--seconds N] [--processes N]``; the exit status is 1 if one of them costs too
much.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import sys
import tempfile
import threading
import time

from os_retries import RetryPolicy
from os_retries.pacing import host
from os_retries.pacing.local import LocalPacer
from os_retries.pacing.process import pacers
from os_retries.pacing.shared import SharedPacer

# The limits: microseconds for a decision, alone and of the host's queue; the share of one core for waiting calls.
DECISION, SHARED, SHARE = 2.0, 60.0, 0.05


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


def hosts_decision(waiting: int, turns: int = 200) -> float:
    """Return the microseconds of CPU that one question of a waiting call takes, in the queue of the host."""
    pacer = SharedPacer(host.Host(), f"host:{waiting}", time.monotonic())
    pacer.note(time.monotonic(), 0, 1000, 60.0)
    for who in range(waiting + 10):
        pacer.ask(time.monotonic(), who, 0.0)
    best = float("inf")
    for _ in range(20):
        start = time.thread_time()
        for _ in range(turns):
            pacer.ask(time.monotonic(), 10 + waiting // 2, 0.0)
        best = min(best, time.thread_time() - start)
    return 1e6 * best / turns


def hosts_decisions(processes: int, seconds: float = 5.0) -> tuple[float, float, float, int]:
    """Return what a question costs while many processes ask: microseconds of CPU, two percentiles, and their number.

    The percentiles, the half and 99 of 100, are of the time that passed, in microseconds.
    """
    reader, writer = os.pipe()
    begin = time.monotonic() + 2.0
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            os.write(writer, json.dumps(asking(begin, seconds, 10.0, number)).encode() + b"\n")
            os._exit(0)
        children.append(child)
    os.close(writer)
    with os.fdopen(reader) as lines:
        told = [json.loads(line) for line in lines]
    for child in children:
        os.waitpid(child, 0)
    took = sorted(each for _, passed in told for each in passed)
    return sum(cpu for cpu, _ in told) / len(took), took[len(took) // 2], took[len(took) * 99 // 100], len(took)


def asking(begin: float, seconds: float, rate: float, seed: int) -> tuple[float, list[int]]:
    """Ask as one process of many; return the microseconds of CPU, and the time that each question took."""
    dice = random.Random(seed)
    pacer = SharedPacer(host._host, "host:many", begin)  # noqa: SLF001
    pacer.note(begin, 0, 20, 60.0)
    passed, cpu, now = [], 0.0, begin
    while now < begin + seconds:
        time.sleep(max(0.0, now + dice.expovariate(rate) - time.monotonic()))
        now = time.monotonic()
        used = time.thread_time()
        pacer.ask(now, 1, now - begin)
        cpu += time.thread_time() - used
        passed.append(round(1e6 * (time.monotonic() - now)))
    return 1e6 * cpu, passed


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
    parser.add_argument("--processes", type=int, default=100)
    options = parser.parse_args()
    print(f"load average: {os.getloadavg()[0]:.1f}")
    missed = False
    for waiting in (10, 1000, 10_000):
        took = decision(waiting)
        missed |= took > DECISION
        print(f"one decision with {waiting} waiting: {took:.2f} us")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        for waiting in (10, 100, 1000, 10_000):
            took = hosts_decision(waiting)
            missed |= took > SHARED and waiting <= 100
            print(f"one decision of the host's queue with {waiting} waiting: {took:.0f} us of CPU")
        took, half, most, number = hosts_decisions(options.processes)  # each finds the processor's caches cold
        print(
            f"{number} decisions of {options.processes} processes: {took:.0f} us of CPU each, of time {half} us at the "
            f"median and {most} us at the 99th percentile"
        )
    logging.getLogger("os_retries").setLevel(logging.ERROR)
    return int(share_of_a_core(options.threads, options.seconds) > SHARE or missed)


if __name__ == "__main__":
    sys.exit(main())
