"""The options of ``os-retries check``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Show what repeats failed requests in this Python environment, before anything is changed: each installed OpenStack
client calls a service on 127.0.0.1 that always fails, and the requests are counted, without os-retries and with it.
No cloud is needed and no other host is reached. It takes a few seconds."""

_EPILOG = """\
exit status: 0 if no client repeats requests by default, 1 if one does, because a loop around its calls multiplies with
its own, 2 for a mistake in these options, or if there is no client or one of them could not be measured."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries check`` to those of the other commands."""
    parser = commands.add_parser(
        "check",
        help="show what repeats requests in this environment today, and how it multiplies",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(body=_run)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.check import report
    from os_retries.check.command import CheckError, check

    try:
        made = check()
    except CheckError as error:
        parser.exit(2, f"os-retries check: {error}\n")
    sys.stdout.write(report.as_json(made) if arguments.json else report.as_text(made))
    sys.stdout.flush()
    return made.status
