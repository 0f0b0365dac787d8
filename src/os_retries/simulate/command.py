"""The command `os-retries simulate`: it runs the scenario with each policy, and prints a table."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.policy import RetryPolicy
from os_retries.run.policies import UsageError, policies
from os_retries.simulate.model import AwsStandard, Contestant, Paced, World, clairvoyant
from os_retries.simulate.report import as_json, describe, page, table
from os_retries.simulate.scenario import Scenario
from os_retries.terminal.stream import can_erase, columns, painter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from os_retries.simulate.model import Queue
    from os_retries.simulate.scenario import Result

    Make = Callable[[Scenario], Contestant]

#: keystoneauth1 5.18 with status_code_retries=5: 0.5 s, doubled each time, without jitter (docs/design/others.md).
_KEYSTONEAUTH = RetryPolicy(retry_after=0.5, retry_backoff=2.0, pacing=False)


def contestant(policy: RetryPolicy, queue: Queue | None = None) -> Make:
    """Return a function that makes a contestant with this policy for a scenario.

    :param queue: who shares a queue, if the policy is paced; None to use the ``pacing_url`` of the policy
    """
    if queue is None:
        queue = "process" if policy.pacing_url is None else "host" if policy.pacing_url == "host" else "fleet"

    def make(scenario: Scenario) -> Contestant:
        dice = scenario.dice(2).random
        return Paced(policy, dice, hosts=scenario.hosts, queue=queue) if policy.pacing else Contestant(policy, dice)

    return make


def field(config_files: Sequence[str] = (), *, processes: int = 1) -> dict[str, Make]:
    """Return the contestants by name: three for comparison, os-retries, and one for each configuration file.

    With several processes os-retries takes part three times: with a queue for each process, for each host, and for all
    hosts together.

    :raises UsageError: for a file that cannot be used
    """
    makes: dict[str, Make] = {
        "the specification": contestant(RetryPolicy(pacing=False)),
        "keystoneauth": contestant(_KEYSTONEAUTH),
        "AWS standard": lambda scenario: AwsStandard(RetryPolicy(), scenario.dice(2).random),
        "os-retries": contestant(RetryPolicy(), "process"),
    }
    if processes > 1:
        makes["os-retries, host"] = contestant(RetryPolicy(), "host")
        makes["os-retries, Redis"] = contestant(RetryPolicy(), "fleet")
    for path in config_files:
        makes[path] = contestant(policies({}, path)[None])
    return makes


def run(scenario: Scenario, makes: dict[str, Make], *, quiet: bool = False) -> dict[str, Result]:
    """Run the scenario once with each contestant, and return the results by name.

    On a terminal the progress is shown, unless ``quiet`` is set.
    """
    results = {}
    show = not quiet and can_erase(sys.stderr)
    for name, make in makes.items():

        def progress(calls: int, name: str = name) -> None:
            share = f": {calls / scenario.calls:.0%}"
            sys.stderr.write(f"\r\x1b[K{name[: columns(sys.stderr) - len(share) - 1]}{share}")
            sys.stderr.flush()

        results[name] = World(scenario, make(scenario)).run(progress if show else None)
    if show:
        sys.stderr.write("\r\x1b[K")
    return results


_LIMITS = {  # lowest, highest
    "rate": (0.001, 100_000.0),
    "calls": (1, 10_000_000),
    "capacity": (0.001, 1_000_000.0),
    "begins": (0.0, 86_400.0),
    "lasts": (0.0, 86_400.0),
    "left": (0.0, 1.0),
    "after": (0.001, 1_000_000.0),
    "failing": (0.0, 0.99),
    "latency": (0.0, 3_600.0),
    "flaps": (0.0, 86_400.0),
    "processes": (1, 100_000),
    "hosts": (1, 100_000),
    "seed": (0, 2**63),
}


def scenario_of(arguments: argparse.Namespace) -> Scenario:
    """Return the scenario that the options describe.

    :raises UsageError: for a value outside its range
    """
    values = {name: value for name in _LIMITS if (value := getattr(arguments, name)) is not None}
    for name, value in values.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise UsageError(f"{OPTIONS[name]} must be from {low:g} to {high:g}, not {value:g}")
    scenario = Scenario(**values, collapses=arguments.collapses, ramps=arguments.ramps)
    if "calls" not in values:  # enough to see the end of the trouble
        scenario = replace(scenario, calls=max(100, round(scenario.rate * (scenario.ends + 180.0))))
    return scenario


OPTIONS = {
    "rate": "--rate",
    "calls": "--calls",
    "capacity": "--capacity",
    "begins": "--begins",
    "lasts": "--lasts",
    "left": "--left",
    "after": "--after",
    "failing": "--random",
    "latency": "--latency",
    "flaps": "--flaps",
    "processes": "--processes",
    "hosts": "--hosts",
    "seed": "--seed",
}


def simulate(arguments: argparse.Namespace) -> int:
    """Run the command; return its exit status.

    :raises UsageError: for invalid options
    """
    scenario = scenario_of(arguments)
    makes = field(arguments.config_file, processes=scenario.processes)
    target = None if arguments.html is None else Path(arguments.html)
    if target is not None:
        _can_write(target)
    if not arguments.json:
        print(describe(scenario), flush=True)  # noqa: T201
    results = run(scenario, makes)
    ideal = clairvoyant(scenario)
    if arguments.json:
        sys.stdout.write(as_json(scenario, results, ideal))
    else:
        width = columns(sys.stdout) if sys.stdout.isatty() else None
        print(table(results, ideal, width=width, paint=painter(sys.stdout)))  # noqa: T201
    if target is not None:
        target.write_text(page(scenario, results, ideal), encoding="utf-8")
        if not arguments.json:
            print(f"The charts are in {target}.")  # noqa: T201
    return 0


def _can_write(target: Path) -> None:
    """Check that the page can be written, before the simulation takes a minute.

    :raises UsageError: if it cannot
    """
    try:
        target.open("a").close()
    except OSError as error:
        raise UsageError(f"--html {target}: {error.strerror}") from None
