"""Let the requests between the services of a cloud fail, and count what its users notice.

The sandbox's nova, neutron, cinder, glance, placement, keystone and heat call each other through a proxy that
misbehaves: it refuses requests with a 503, loses answers after the service has done the work, and turns answers into a
502.  The users' own requests do not pass it.  Users create servers, attach and detach volumes and interfaces, resize,
take snapshots, create and update stacks, and delete all of it.  Then the services are asked, without faults, what
exists:

  failed      operations that ended with an error, or never
  not begun   operations that needed the result of one that failed
  orphans     things that are left although everything was deleted
  duplicates  ports, attachments, allocations and servers beside those that were asked for

  plain       the services as they are
  os-retries  the same services, with the variables that `os-retries env` prints

Each way has a fresh cloud in sandbox/.state-fire, and the same seed.  The exit status is 1 if more than 0.5 % of the
operations did not succeed with os-retries, or if there are any orphans or duplicates.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import importlib.util
import json
import os
import random
import secrets
import shlex
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "programs"))

from fire_cloud import launcher, session, start, stop
from fire_users import OPERATIONS, Cloud, Outcome, User
from plans import Fault, Plan
from proxy import Proxy

TOP = Path(__file__).resolve().parents[1]
STATE = TOP / "sandbox/.state-fire"
LOGS = TOP / "bench/.fire"
OURS = "os-retries"
WAYS = ("plain", OURS)
GOAL = 0.995
AWAY = "keystone", "placement", "glance", "neutron", "nova", "cinder", "heat"
# The shares of the three faults; they add up to 1.
SHARES = {"refused": 0.5, "lost": 0.3, "page-after": 0.2}
QUIET = 90  # seconds in which what was deleted must be gone


class Fire(Plan):
    """The faults between the services.

    The dice of a request depend on the seed, on its kind, and on how many of that kind came before.

    :param rate: the share of the requests that meet a fault
    """

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__("none", seed=seed, rate=rate)
        self.met: Counter[str] = Counter()
        self.requests = 0
        self._away: tuple[str, float] | None = None

    def fault(self, method: str, url: str, kind: str, now: float) -> Fault | None:  # noqa: ARG002
        """Draw for the next request."""
        self.requests += 1
        self._seen[kind] += 1
        dice = random.Random(f"{self.seed} {kind} {self._seen[kind]}")
        if self._away is not None and url.startswith(self._away[0]) and now < self._away[1]:
            name = "page-before"
        elif dice.random() < self.rate:
            name = dice.choices(list(SHARES), list(SHARES.values()))[0]
        else:
            return None
        self.met[name] += 1
        # Only the forms that the description names: of a page after the work was done, the 502.
        return Fault(name, dice.random() * 0.59 if name == "page-after" else dice.random())

    def take_away(self, url: str, seconds: float) -> None:
        """Let a gateway answer in the place of a service for some seconds."""
        self._away = url, time.monotonic() + seconds


@dataclass
class Result:
    """The counts of one way."""

    name: str
    outcome: Outcome = field(default_factory=Outcome)
    orphans: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    #: With os-retries: the requests between services that were given up, with the reason.
    given_up: Counter[str] = field(default_factory=Counter)
    seconds: float = 0

    @property
    def share(self) -> float:
        """The share of the operations that succeeded."""
        good = self.outcome.succeeded.total()
        return good / (good + self.outcome.failed.total() + self.outcome.not_begun.total() or 1)

    @property
    def good(self) -> bool:
        """Whether the goal is reached."""
        return self.share >= GOAL and not self.orphans and not self.duplicates


# -- one way -----------------------------------------------------------------------------------------------------------


def burn(way: str, arguments: argparse.Namespace) -> Result:
    """Let users work in one way; return the counts."""
    LOGS.mkdir(exist_ok=True)
    log, journal = LOGS / "events.jsonl", LOGS / f"requests-{way}.jsonl"
    for each in log, journal:
        each.unlink(missing_ok=True)
    result = Result(way)
    calm = Plan("none")
    with Proxy(calm, journal) as proxy:
        ours = launcher("--log-json", str(log), *shlex.split(arguments.numbers)) if way == OURS else ()
        eventlet = ("--env", "OS_NOVA_DISABLE_EVENTLET_PATCHING=false") if arguments.eventlet else ()
        known = start(STATE, ["--env", f"http_proxy={proxy.url}", *eventlet, *ours])
        try:
            patience = arguments.patience
            users = User(session(known["auth_url"], "demo"), result.outcome, patience)
            cloud = Cloud.of(users, User(session(known["auth_url"], "admin"), Outcome(), patience))
            fire = Fire(arguments.seed, arguments.rate)
            begun = time.monotonic()
            proxy.plan = fire
            work(way, cloud, fire, known["urls"], arguments)
            proxy.plan = calm
            settle(cloud)
            result.duplicates = cloud.surplus()
            proxy.plan = fire
            parallel(list(users.deletes()), arguments.users)
            proxy.plan = calm
            result.orphans = settle(cloud)
            result.seconds = time.monotonic() - begun
            result.requests, result.faults = fire.requests, fire.met
        finally:
            stop(STATE)
    result.given_up = given_up(log)
    return result


def work(way: str, cloud: Cloud, fire: Fire, urls: dict[str, str], arguments: argparse.Namespace) -> None:
    """Let each user do everything with a server or a stack; in the middle, take a service away."""
    jobs = [lambda n=n: cloud.users.uses_server(f"server-{n:03}", cloud) for n in range(arguments.servers)]
    jobs += [lambda n=n: cloud.users.uses_stack(f"stack-{n:03}") for n in range(arguments.stacks)]
    random.Random(arguments.seed).shuffle(jobs)
    if arguments.away:
        jobs.insert(len(jobs) // 2, lambda: fire.take_away(urls[arguments.away], arguments.seconds))
    parallel(jobs, arguments.users, way)


def parallel(jobs: list[Any], number: int, name: str = "") -> None:
    """Run the jobs, that many at a time, and show the progress."""
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        futures = [pool.submit(job) for job in jobs]
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            future.result()
            if name and done * 4 // len(jobs) > (done - 1) * 4 // len(jobs):
                print(f"  {name:11} {done} of {len(jobs)}", file=sys.stderr, flush=True)


def settle(cloud: Cloud) -> Counter[str]:
    """Wait until nothing is left, or nothing changes any more; return what is left."""
    deadline, before, since = time.monotonic() + QUIET, None, time.monotonic()
    while time.monotonic() < deadline:
        left = cloud.left()
        if left != before:
            before, since = left, time.monotonic()
        if not left or time.monotonic() > since + 10:
            return left
        time.sleep(1)
    return cloud.left()


def given_up(log: Path) -> Counter[str]:
    """Count the requests that the services have given up, by service, verb and path, with the reason."""
    counts: Counter[str] = Counter()
    if log.exists():
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "give_up":
                path = "/".join("*" if len(part) > 30 else part for part in str(event["request"]).split("/"))
                counts[f"{event['service']} {path}: {event['reason']}"] += 1
    return counts


# -- output ------------------------------------------------------------------------------------------------------------


def table(results: list[Result]) -> str:
    """Return the lines of the table."""
    lines = [f"{'':22}" + "".join(f"{each.name:>26}" for each in results)]
    lines.append(f"{'':22}" + f"{'ok':>9}{'failed':>7}{'not begun':>10}" * len(results))
    for name in OPERATIONS:
        counts = (
            f"{each.outcome.succeeded[name]:9}{each.outcome.failed[name]:7}{each.outcome.not_begun[name]:10}"
            for each in results
        )
        lines.append(f"{name:22}" + "".join(counts))
    rows = {
        "all operations": lambda each: f"{each.share:.2%}",
        "orphans": lambda each: str(each.orphans.total()),
        "duplicates": lambda each: str(each.duplicates.total()),
        "requests between them": lambda each: str(each.requests),
        "faults": lambda each: str(each.faults.total()),
        "seconds": lambda each: f"{each.seconds:.0f}",
    }
    lines += [f"{name:22}" + "".join(f"{show(each):>26}" for each in results) for name, show in rows.items()]
    return "\n".join(lines)


def draw(results: list[Result], arguments: argparse.Namespace) -> None:
    """Draw the operations as bars into the file of --picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from picture import save

    figure, axes = plt.subplots(1, len(results), figsize=(9, 4.2), layout="constrained", sharey=True)
    colors = {"succeeded": "#30638e", "failed": "#d1495b", "not_begun": "#c9a227"}
    names = list(OPERATIONS)
    for each, axis in zip(results, axes, strict=True):
        base = [0] * len(names)
        for kind, color in colors.items():
            counts = [getattr(each.outcome, kind)[name] for name in names]
            axis.barh(names, counts, 0.7, left=base, color=color, label=kind.replace("_", " "))
            base = [low + count for low, count in zip(base, counts, strict=True)]
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_title(
            f"{each.name}: {each.share:.1%}, {each.orphans.total()} orphans, {each.duplicates.total()} duplicates",
            fontsize=10,
        )
        axis.set_xlabel("users' operations")
    axes[0].invert_yaxis()
    axes[-1].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1.08), ncols=3, fontsize=9)
    save(figure, arguments.picture)


# -- the command -------------------------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="seed of the faults (default: at random)")
    parser.add_argument("--rate", type=float, default=0.1, help="share of the requests that fail (%(default)s)")
    parser.add_argument("--servers", type=int, default=12, help="servers, each with two volumes (%(default)s)")
    parser.add_argument("--stacks", type=int, default=6, help="stacks (%(default)s)")
    parser.add_argument("--users", type=int, default=4, help="users at the same time (%(default)s)")
    parser.add_argument("--patience", type=float, default=300, help="seconds for an operation (%(default)s)")
    parser.add_argument("--away", choices=AWAY, help="a service that is away in the middle")
    parser.add_argument("--seconds", type=float, default=30, help="how long it is away (%(default)s)")
    parser.add_argument("--numbers", default="", metavar="OPTIONS", help="options of `os-retries env`: '--retries 8'")
    parser.add_argument("--eventlet", action="store_true", help="run nova under eventlet instead of with threads")
    parser.add_argument("--only", choices=WAYS, help="one way only")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the operations into this .svg or .png file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append the counts of each way to this file")
    arguments = parser.parse_args()
    arguments.seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    if arguments.picture and arguments.only:
        parser.error("the picture compares both ways")
    if not 0 <= arguments.rate < 1:
        parser.error("--rate is a share from 0 to 1")
    if arguments.picture and importlib.util.find_spec("matplotlib") is None:
        parser.error("matplotlib is not installed here; it is in requirements/dev.txt")
    return arguments


def report(result: Result) -> None:
    """Print what stood in the way."""
    for kind, counts in (("left", result.orphans), ("too many", result.duplicates), ("given up", result.given_up)):
        for name, count in counts.most_common():
            print(f"  {kind:8} {count:4}  {name}")
    for error in result.outcome.errors[:40]:
        print(f"  error    {error[:200]}")


def main() -> int:
    """Run the comparison; return the exit status."""
    arguments = parse()
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"  # of this process: the users
    print(
        f"seed {arguments.seed}: {arguments.servers} servers, {arguments.stacks} stacks, {arguments.rate:.0%} of the "
        f"requests between the services fail"
        + (f", {arguments.away} is away for {arguments.seconds:g} s" if arguments.away else ""),
        flush=True,
    )
    results = []
    for way in [arguments.only] if arguments.only else WAYS:
        results.append(burn(way, arguments))
        if arguments.json:
            with arguments.json.open("a") as file:
                counts = {"seed": arguments.seed, "away": arguments.away} | {
                    name: value if not isinstance(value, Outcome) else vars(value)
                    for name, value in vars(results[-1]).items()
                }
                file.write(json.dumps(counts) + "\n")
    print("\n" + table(results) + "\n")
    for result in results:
        print(result.name)
        report(result)
    if arguments.picture and len(results) > 1:
        draw(results, arguments)
        print(f"the picture is in {arguments.picture}")
    return 0 if results[-1].good or results[-1].name != OURS else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
