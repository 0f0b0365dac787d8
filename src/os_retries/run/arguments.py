"""The options of ``os-retries run``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from os_retries.options import OPTIONS

if TYPE_CHECKING:
    from os_retries.options import Flag, Option
    from os_retries.run.metrics import Metrics

_DESCRIPTION = """\
Run any program that calls OpenStack from Python with retries, without changing a line of it: the openstack command, a
script, or a shell script or Makefile that calls them. Requests that fail temporarily are repeated if that is safe. A
create whose answer was lost is looked up first. A request is not repeated if the service may have processed it and a
repeat could take effect twice."""

_EPILOG = """\
Only COMMAND and the programs that it starts are affected. Input, output and exit status are those of COMMAND. With
--quiet, COMMAND takes the place of os-retries (same process id), which is right for a daemon. OS_RETRIES_DISABLED=1
switches all retries off.

exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be run, 2 for a mistake in these options."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries run`` to those of the other commands."""
    parser = commands.add_parser(
        "run",
        help="run any OpenStack program with retries",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="os-retries run [options] -- COMMAND [ARGUMENT ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output, creates = add_numbers(parser)
    creates.add_argument(
        "--operation",
        metavar="KEY",
        help="make nothing twice, even if COMMAND is killed and run again with the same KEY (default: "
        "OSRETRIES_OPERATION in the environment, if it is set)",
    )
    creates.add_argument(
        "--strict", action="store_true", help="do not send a write that another run with this KEY could not recognize"
    )
    creates.add_argument(
        "--state",
        metavar="FILE",
        help="note in a local FILE what was sent, so that what was surely never sent needs no look; all runs with this "
        "KEY use the same FILE (default: OSRETRIES_STATE in the environment, if it is set)",
    )
    output.add_argument("-q", "--quiet", action="store_true", help="write nothing to standard error")
    output.add_argument(
        "--metrics",
        metavar="FILE",
        help="at the end, write the metrics of the whole run to a file for the textfile collector of Prometheus "
        "(FILE.prom); os-retries then stays until the end, even with --quiet",
    )
    output.add_argument(
        "--otlp",
        metavar="ENDPOINT",
        nargs="?",
        const="",
        help="at the end, send the same metrics to a receiver of OTLP over HTTP (default: OTEL_EXPORTER_OTLP_ENDPOINT, "
        "or http://localhost:4318)",
    )
    parser.set_defaults(body=_run)


def add_options(parser: argparse.ArgumentParser) -> tuple[argparse._ArgumentGroup, argparse._ArgumentGroup]:
    """Add an option for each field of the policy; return the groups of those about numbers and about creates."""
    numbers = parser.add_argument_group("how often and how fast")
    creates = parser.add_argument_group("creates")
    for option in OPTIONS:
        if option.flag is not None:
            _add_flag(creates if option.name in ("safe_creates", "single_writer") else numbers, option, option.flag)
    return numbers, creates


def add_numbers(parser: argparse.ArgumentParser) -> tuple[argparse._ArgumentGroup, argparse._ArgumentGroup]:
    """Add the options that ``run`` and ``env`` share; return the groups for those about output and about creates."""
    numbers, creates = add_options(parser)
    output = parser.add_argument_group("what is reported")
    numbers.add_argument(
        "--config-file",
        metavar="FILE",
        help="take the numbers from [timeouts] of an oslo.config file; numbers that are not set there are the "
        "specification's (10 seconds, constant, no timeout); the options above override the file",
    )
    numbers.add_argument(
        "--service-config",
        action="store_true",
        help="for an OpenStack service: take the numbers from [timeouts] of the service's own configuration, once the "
        "service has read its files, and again when it reads them again; the options and the file above apply until "
        "then",
    )
    output.add_argument(
        "--log-json",
        metavar="FILE",
        help="append one JSON object for each retry, each look-up of a create, and each request that is given up or "
        "answered with an error after retries",
    )
    return output, creates


def _add_flag(group: argparse._ArgumentGroup, option: Option, flag: Flag) -> None:
    if not flag.metavar:
        group.add_argument(flag.flag, dest=option.name, action="store_const", const=flag.value, help=flag.help)
        return
    default = option.default if option.interactive is None else option.interactive
    text = f"{flag.help} (default: {default:g})"
    group.add_argument(flag.flag, dest=option.name, type=option.kind, metavar=flag.metavar, help=text)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run.command import run_command
    from os_retries.run.operations import UsageError
    from os_retries.run.policies import FLAGS, policies, sinks, write_policies

    if not arguments.command:
        parser.exit(2, "os-retries run: there is no command after --\n")
    if arguments.strict and not (arguments.operation or os.environ.get("OSRETRIES_OPERATION")):
        parser.exit(2, "os-retries run: --strict needs --operation\n")
    if arguments.state is not None and not (arguments.operation or os.environ.get("OSRETRIES_OPERATION")):
        parser.exit(2, "os-retries run: --state needs --operation\n")
    try:
        how = policies({name: getattr(arguments, name) for name in FLAGS}, arguments.config_file)
        return run_command(
            arguments.command,
            write_policies(how),
            quiet=arguments.quiet,
            log_json=arguments.log_json,
            service_config=arguments.service_config,
            observe=sinks(arguments.config_file),
            metrics=_metrics(arguments),
            operation=arguments.operation,
            strict=arguments.strict,
            state=arguments.state,
        )
    except UsageError as error:
        parser.exit(2, f"os-retries run: {error}\n")


def _metrics(arguments: argparse.Namespace) -> Metrics | None:
    if arguments.metrics is None and arguments.otlp is None:
        return None
    from os_retries.run.metrics import Metrics

    return Metrics(arguments.command[0], arguments.metrics, arguments.otlp, quiet=arguments.quiet)
