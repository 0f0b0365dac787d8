"""The options of ``os-retries check``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Show what repeats failed requests in this Python environment today. Each installed OpenStack client calls a service on
127.0.0.1 that always fails, and the requests are counted, without os-retries and with it. No cloud is needed, and no
other host is contacted. It takes a few seconds.

With a COMMAND, that program is first run once with os-retries, on the cloud that it uses. The report then says, for
each request that changes something, what os-retries does if the answer is lost."""

_EPILOG = """\
exit status: 0 if no client repeats requests by default; 1 if a client does, because a loop around its calls would
multiply the attempts, or if COMMAND failed or sent a request that is handed over; 2 for a mistake in these options, or
if there is no client, or if a client could not be measured; 127 if COMMAND is not found, 126 if it cannot be run."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries check`` to those of the other commands."""
    parser = commands.add_parser(
        "check",
        help="show what repeats requests in this environment today, and how the attempts multiply",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="os-retries check [options] [-- COMMAND [ARGUMENT ...]]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(body=_run)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.check import program, report
    from os_retries.check.command import CheckError, check
    from os_retries.terminal.stream import columns, painter

    ran = None
    if arguments.command is not None:
        if not arguments.command:
            parser.exit(2, "os-retries check: there is no command after --\n")
        try:
            ran = program.run(arguments.command)
        except program.CannotRun as error:
            return int(error.args[0])
    try:
        made = check(ran)
    except CheckError as error:
        parser.exit(2, f"os-retries check: {error}\n")
    if arguments.json:
        sys.stdout.write(report.as_json(made))
    else:
        width = columns(sys.stdout) if sys.stdout.isatty() else None
        sys.stdout.write(report.as_text(made, width=width, paint=painter(sys.stdout)))
    sys.stdout.flush()
    return made.status
