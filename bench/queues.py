"""Simulate nine outages and brown-outs with many processes, and a queue of retries for each process, host and fleet.

25,000 calls at 100 a second, from 1 to 1000 processes on 1 or 10 hosts, to a service of 150 a second; on a virtual
clock, with the real policy and pacer.

The promises are those of a queue that the processes share (the host's on one host, and Redis's): at most 0.05 % of the
calls fail, and the load of any five seconds is at most 1.2 times the capacity.

``python bench/queues.py [--sizes PROCESSES:HOSTS ...] [--scenario TEXT]``; the exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from os_retries import RetryPolicy
from os_retries.simulate.command import contestant
from os_retries.simulate.model import World
from os_retries.simulate.scenario import Scenario

if TYPE_CHECKING:
    from os_retries.simulate.model import Queue
    from os_retries.simulate.scenario import Result

FAILED, LOAD = 0.0005, 1.2
LONG = Scenario(lasts=120.0)
SCENARIOS = {
    "outage of 5 s": Scenario(lasts=5.0),
    "outage of 40 s": Scenario(),
    "outage of 120 s": LONG,
    "half of the calls": replace(LONG, left=50 / 150),
    "80 % of the calls": replace(LONG, left=80 / 150),
    "90 % of the calls": replace(LONG, left=90 / 150),
    "down and up every 10 s": replace(LONG, flaps=10.0),
    "slowly down and up": replace(LONG, ramps=True),
    "outage of 40 s, then 105 %": Scenario(after=105.0),
}
SIZES = ("1:1", "10:1", "100:1", "1000:1", "100:10", "1000:10")
QUEUES: tuple[Queue, ...] = ("process", "host", "fleet")


def load(result: Result) -> float:
    """Return the attempts of the busiest five seconds as a share of the largest capacity of the service."""
    scenario = result.scenario
    return result.peak_of_five / max(scenario.capacity, scenario.after or 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="PROCESSES:HOSTS")
    parser.add_argument("--scenario", default="", metavar="TEXT", help="only the scenarios whose name has this text")
    options = parser.parse_args()
    missed = []
    print(
        "A queue for each process / for each host / for all hosts: calls failed, the load of the busiest five seconds"
    )
    print("as a share of the capacity, and the attempts for each call that begins in the trouble.")
    for size in options.sizes:
        processes, hosts = map(int, size.split(":"))
        print(f"\n{processes} processes on {hosts} hosts", flush=True)
        for name, scenario in SCENARIOS.items():
            if options.scenario not in name:
                continue
            results = {}
            for queue in QUEUES:
                make = contestant(RetryPolicy(), queue)
                ours = replace(scenario, processes=processes, hosts=hosts)
                results[queue] = result = World(ours, make(ours)).run()
                one = queue == "fleet" or (queue == "host" and hosts == 1)
                if one and (result.failed > FAILED * result.calls or load(result) > LOAD):
                    missed.append(f"{size} {name}, {queue}: {result.failed} failed, x{load(result):.2f}")
            failed, loads, peaks = (
                " / ".join(f"{of(result):{form}}" for result in results.values())
                for of, form in (
                    (lambda result: result.failed, "d"),
                    (load, ".2f"),
                    (lambda result: result.amplification, ".2f"),
                )
            )
            print(f"| {name} | {failed} | {loads} | {peaks} |", flush=True)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
