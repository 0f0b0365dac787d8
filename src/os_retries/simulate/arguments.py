"""The options of ``os-retries simulate``.

This module is imported for the --help of every command, so it uses the standard library only.
"""

from __future__ import annotations

import argparse

_DESCRIPTION = """\
Simulate retry policies on a service in trouble, with a virtual clock. The policy and the pacer are the real ones that
your programs use; only the service and its callers are simulated. For comparison, the specification's plain loop,
keystoneauth's retries and AWS's retries run in the same scenario."""

_EPILOG = """\
examples:
  os-retries simulate                                       an outage of 40 seconds
  os-retries simulate --lasts 120 --left 0.5                a brown-out: half of the capacity for two minutes
  os-retries simulate --lasts 0 --random 0.2                one attempt in five fails, always
  os-retries simulate --processes 100 --hosts 4             a hundred processes on four hosts
  os-retries simulate --rate 20 --capacity 25 --config-file /etc/nova/nova.conf --html lab.html

The same options and the same --seed give the same numbers. "attempts x normal" is the number of attempts during the
trouble for each call that begins during it. "drained in" is the time from the end of the trouble until almost no call
waits any longer. "wait" is the duration of the calls whose first attempt failed."""

# By option: the field of Scenario, its type, and the name of the value and the text in --help.
_SCENARIO: dict[str, tuple[str, type, str, str]] = {
    "--rate": ("rate", float, "N", "calls a second, at random instants (default: 100)"),
    "--calls": ("calls", int, "N", "total number of calls (default: enough for three minutes after the trouble)"),
    "--capacity": ("capacity", float, "N", "attempts a second that the service can take (default: 150)"),
    "--begins": ("begins", float, "SECONDS", "time until the trouble begins (default: 30)"),
    "--lasts": ("lasts", float, "SECONDS", "how long the trouble lasts; 0: no trouble (default: 40)"),
    "--left": (
        "left",
        float,
        "SHARE",
        "share of the capacity that is left during the trouble; 0: an outage (default: 0)",
    ),
    "--after": ("after", float, "N", "capacity after the trouble (default: as before)"),
    "--random": ("failing", float, "SHARE", "share of all attempts that fail at random, always (default: 0)"),
    "--latency": ("latency", float, "SECONDS", "how long an answer takes (default: 0.1)"),
    "--flaps": ("flaps", float, "SECONDS", "the trouble comes and goes, and each phase lasts so many seconds"),
    "--processes": (
        "processes",
        int,
        "N",
        "processes that share the calls (default: 1); if more, with a queue for each process, host, and all hosts",
    ),
    "--hosts": ("hosts", int, "N", "number of hosts that the processes are spread over (default: 1)"),
    "--seed": ("seed", int, "N", "seed of the random numbers (default: 1)"),
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries simulate`` to those of the other commands."""
    parser = commands.add_parser(
        "simulate",
        help="try retry policies on a service in trouble",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scenario = parser.add_argument_group("what happens")
    for option, (name, kind, metavar, text) in _SCENARIO.items():
        scenario.add_argument(option, dest=name, type=kind, metavar=metavar, help=text)
    scenario.add_argument(
        "--collapse",
        dest="collapses",
        action="store_true",
        help="the more attempts exceed its capacity, the fewer attempts the service can answer",
    )
    scenario.add_argument(
        "--ramps",
        action="store_true",
        help="the capacity falls and rises gradually during the trouble, and not at once",
    )
    how = parser.add_argument_group("which policies")
    how.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="also simulate the policy in [timeouts] of this oslo.config file; may be repeated",
    )
    output = parser.add_argument_group("what is reported")
    output.add_argument("--json", action="store_true", help="print the results as JSON")
    output.add_argument("--html", metavar="FILE", help="also write a page with charts, which needs no network")
    parser.set_defaults(body=_simulate)


def _simulate(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run.policies import UsageError
    from os_retries.simulate.command import simulate

    try:
        return simulate(arguments)
    except UsageError as error:
        parser.exit(2, f"os-retries simulate: {error}\n")
