"""Measure what os-retries in the services costs while nothing fails: how long users wait, without and with it.

Two sandboxes run at the same time: one as it is, one whose services have the variables that `os-retries env` prints.  A
user asks each of them for the same, in turns: one round is one of each operation, with the two clouds one after the
other, and who comes first changes with every round.  An operation ends when its result is there; its state is asked
for every 20 ms.

  plain       median of the seconds in the cloud as it is
  os-retries  median of the seconds in the other one
  ratio       median of the ratios of the rounds, with the middle half of them
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fire_cloud import launcher, session, start, stop
from fire_users import Cloud, Outcome, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOP = Path(__file__).resolve().parents[1]
STATES = {"plain": TOP / "sandbox/.state-cost-plain", "os-retries": TOP / "sandbox/.state-cost-os-retries"}
POLL = 0.02  # seconds


def operations(cloud: Cloud, number: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the operations of one round: a name, and a function that does it and returns when its result is there."""
    user, made = cloud.users, {}
    name = f"cost-{number}"

    def create_server() -> None:
        made["server"] = user.create_server(name, cloud)

    def create_volume() -> None:
        made["volume"] = user.create_volume(name)

    def attach_interface() -> None:
        made["port"] = user.plug(made["server"], cloud)

    yield "create server", create_server
    yield "show server", lambda: user.server(made["server"])
    yield "create volume", create_volume
    yield "attach volume", lambda: user.attach(made["server"], made["volume"])
    yield "detach volume", lambda: user.detach(made["server"], made["volume"])
    yield "attach interface", attach_interface
    yield "detach interface", lambda: user.unplug(made["server"], made["port"])
    yield "delete server", lambda: user.gone("compute", f"/servers/{made['server']}")
    yield "delete volume", lambda: user.gone("block-storage", f"/volumes/{made['volume']}")
    yield "create stack", lambda: user.create_stack(name)
    yield "delete stack", lambda: user.no_stack(user.ask("orchestration", "GET", f"/stacks/{name}")["stack"])


def measure(clouds: dict[str, Cloud], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of every round, by operation and cloud.  The first round warms up and does not count."""
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(rounds + 1):
        order = list(clouds) if number % 2 else list(reversed(clouds))
        # zip: one operation in one cloud, then the same in the other.
        for pair in zip(*(operations(clouds[name], number) for name in order), strict=True):
            for name, (operation, does) in zip(order, pair, strict=True):
                begun = time.perf_counter()
                does()
                if number:
                    seconds[operation][name].append(time.perf_counter() - begun)
        if number and number % 5 == 0:
            print(f"  {number} of {rounds} rounds", file=sys.stderr, flush=True)
    return seconds


def row(name: str, plain: list[float], ours: list[float]) -> str:
    """Return a line of the table."""
    ratios = [after / before for before, after in zip(plain, ours, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    medians = f"{statistics.median(plain) * 1000:8.0f} ms {statistics.median(ours) * 1000:8.0f} ms"
    return f"{name:20}{medians}   {middle:.3f} ({low:.2f} to {high:.2f})"


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="rounds that count (%(default)s, at least 2)")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds: at least 2")
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        clouds = {}
        for name, state in STATES.items():
            known = start(state, launcher() if name == "os-retries" else [])
            user = User(session(known["auth_url"], "demo"), Outcome(), patience=300, poll=POLL)
            clouds[name] = Cloud.of(user, User(session(known["auth_url"], "admin"), Outcome(), patience=300))
        seconds = measure(clouds, arguments.rounds)
    finally:
        for state in STATES.values():
            stop(state)
    print(f"{arguments.rounds} rounds\n\n{'':20}{'plain':>11} {'os-retries':>11}   ratio (middle half)")
    for operation, both in seconds.items():
        print(row(operation, both["plain"], both["os-retries"]))
    sums = ([sum(each) for each in zip(*(both[name] for both in seconds.values()), strict=True)] for name in STATES)
    print(row("all of them", *sums))
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
