"""The command line: ``os-retries run``, ``os-retries rewrite``, ``os-retries simulate``.

Each subcommand has its own parser here and its body in its own module.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from os_retries.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from os_retries.options import Flag, Option

_RUN = """\
Run any program that calls OpenStack from Python, with retries and without changing a line of it: the openstack
command, a script, or a shell script or Makefile that calls them. Requests that fail and may pass are repeated where
that is safe: a create whose answer was lost is looked up first; what the service may have carried out, and a repeat
could carry out twice, is not repeated."""

_RUN_EPILOG = """\
Only the programs below COMMAND are affected; its input, output and exit status are its own. --quiet lets COMMAND take
the place of os-retries (same process id), which a daemon wants. OS_RETRIES_DISABLED=1 switches retrying off.

exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be run, 2 for a mistake in these options."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="os-retries", description="Retries for everyone who calls OpenStack from Python."
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_run, _add_rewrite, _add_simulate):
        add(commands)
    argv, command = _split(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser.parse_args(argv, argparse.Namespace(command=command))
        return int(arguments.body(arguments, parser))
    except BrokenPipeError:  # the reader of our output has gone: `os-retries rewrite . | head`
        sys.stderr.close()
        return 141
    except OSError as error:  # a full disk, most likely, under what we print
        parser.exit(2, f"os-retries: {error.strerror or error}\n")
    except KeyboardInterrupt:
        return 130


class _Version(argparse.Action):
    """Print the version, which is read only when it is needed."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and stop")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"os-retries {version('os-retries')}", flush=True)  # noqa: T201
        parser.exit()


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Split the arguments of ``run`` from the command after ``--``, which is not parsed here."""
    if argv[:1] != ["run"] or not {"-h", "--help"}.isdisjoint(argv[: argv.index("--")] if "--" in argv else argv):
        return argv, ()
    if "--" not in argv:
        sys.stderr.write("os-retries run: write -- before the command: os-retries run [options] -- COMMAND ...\n")
        sys.exit(2)
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="run any OpenStack program with retries",
        description=_RUN,
        epilog=_RUN_EPILOG,
        usage="os-retries run [options] -- COMMAND [ARGUMENT ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    numbers = parser.add_argument_group("how often and how fast")
    output = parser.add_argument_group("what is reported")
    creates = parser.add_argument_group("creates")
    for option in OPTIONS:
        if option.flag is not None:
            _add_flag(creates if option.name in ("safe_creates", "single_writer") else numbers, option, option.flag)
    numbers.add_argument(
        "--config-file",
        metavar="FILE",
        help="take the numbers from [timeouts] of an oslo.config file, where unset ones are the specification's "
        "(10 seconds, constant, no timeout); the options above override it",
    )
    output.add_argument("-q", "--quiet", action="store_true", help="write nothing to standard error")
    output.add_argument(
        "--log-json", metavar="FILE", help="append one JSON object for each retry and each request given up"
    )
    parser.set_defaults(body=_run)


def _add_flag(group: argparse._ArgumentGroup, option: Option, flag: Flag) -> None:
    if not flag.metavar:
        group.add_argument(flag.flag, dest=option.name, action="store_const", const=flag.value, help=flag.help)
        return
    default = option.default if option.interactive is None else option.interactive
    text = f"{flag.help} (default: {default:g})"
    group.add_argument(flag.flag, dest=option.name, type=option.kind, metavar=flag.metavar, help=text)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run.command import run_command
    from os_retries.run.policies import FLAGS, UsageError, policies

    if not arguments.command:
        parser.exit(2, "os-retries run: there is no command after --\n")
    try:
        how = policies({name: getattr(arguments, name) for name in FLAGS}, arguments.config_file)
        return run_command(arguments.command, how, quiet=arguments.quiet, log_json=arguments.log_json)
    except UsageError as error:
        parser.exit(2, f"os-retries run: {error}\n")


_SIMULATE = """\
Which numbers do I set? Try them on a service that is in trouble, on a virtual clock: the retry policy and the pacer
are those that your programs use, only the service and its callers are made up. The specification's plain loop,
keystoneauth's and AWS's retries run beside it."""

_SIMULATE_EPILOG = """\
examples:
  os-retries simulate                                       an outage of 40 seconds
  os-retries simulate --lasts 120 --left 0.5                a brown-out: half of the capacity for two minutes
  os-retries simulate --lasts 0 --random 0.2                one attempt in five fails, for ever
  os-retries simulate --rate 20 --capacity 25 --config-file /etc/nova/nova.conf --html lab.html

The same options and the same --seed give the same numbers. Read them like this: "attempts x normal" is the load in
the outage for each call that begins, "drained in" the time from its end until next to nobody waits any more, "wait"
how long those calls took that failed at first."""

# Of `simulate`: the option, the field of Scenario, and what --help says.
_SCENARIO: dict[str, tuple[str, type, str, str]] = {
    "--rate": ("rate", float, "N", "calls a second, at random instants (default: 100)"),
    "--calls": ("calls", int, "N", "calls altogether (default: for three minutes after the trouble)"),
    "--capacity": ("capacity", float, "N", "attempts a second that the service can take (default: 150)"),
    "--begins": ("begins", float, "SECONDS", "before the trouble (default: 30)"),
    "--lasts": ("lasts", float, "SECONDS", "that the trouble lasts; 0: there is none (default: 40)"),
    "--left": ("left", float, "SHARE", "of the capacity that is left then; 0: an outage (default: 0)"),
    "--after": ("after", float, "N", "capacity afterwards (default: as before)"),
    "--random": ("failing", float, "SHARE", "of all attempts that fail at random, always (default: 0)"),
    "--latency": ("latency", float, "SECONDS", "that an answer takes (default: 0.1)"),
    "--processes": ("processes", int, "N", "that share the calls (default: 1)"),
    "--seed": ("seed", int, "N", "of the dice (default: 1)"),
}


def _add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "simulate",
        help="try retry policies on a service in trouble",
        description=_SIMULATE,
        epilog=_SIMULATE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scenario = parser.add_argument_group("what happens")
    for option, (name, kind, metavar, text) in _SCENARIO.items():
        scenario.add_argument(option, dest=name, type=kind, metavar=metavar, help=text)
    scenario.add_argument(
        "--collapse", dest="collapses", action="store_true", help="the more it is asked beyond that, the less it does"
    )
    how = parser.add_argument_group("who calls")
    how.add_argument("--shared", action="store_true", help="all processes share one pacer, as through pacing_url")
    how.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="one more policy: [timeouts] of an oslo.config file; may be given again",
    )
    output = parser.add_argument_group("what is said of it")
    output.add_argument(
        "--html", metavar="FILE", help="write a page with pictures (needs matplotlib: os-retries[simulate])"
    )
    parser.set_defaults(body=_simulate)


def _simulate(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run.policies import UsageError
    from os_retries.simulate.command import simulate

    try:
        return simulate(arguments)
    except UsageError as error:
        parser.exit(2, f"os-retries simulate: {error}\n")


def _add_rewrite(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from os_retries.rewrite import arguments

    arguments.add(commands)


if __name__ == "__main__":
    sys.exit(main())
