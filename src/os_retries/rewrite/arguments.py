"""The options of `os-retries rewrite`. Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Find the calls of OpenStack clients in the files and folders given, and wrap them:
nova.servers.get(id) becomes execute_with_retries(nova.servers.get, id).

A call is recognized by the origin of its object: the clients and the connections of openstacksdk are followed from
their constructors through the functions, attributes and files of the project. Without --write, a unified diff is
printed and nothing is changed. Calls that are listed on standard error are left alone: those for which
os_retries.attach(session) is the right solution, those in a retry loop, and those that may be something else."""

_EPILOG = """  os-retries rewrite src | less                          show the changes
  os-retries rewrite --write src                         make the changes
  os-retries rewrite --check src                         in CI: list the calls that are not wrapped
  os-retries rewrite --client shop.clients.get=nova src  declare that shop.clients.get() returns a nova client

A comment `# os-retries: skip` on the lines of a call leaves that call alone.

exit status: 0; 1 if --check found a call that is not wrapped; 2 if a file could not be processed (it is named, and the
other files are processed)."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of `os-retries rewrite` to those of the other commands."""
    parser = commands.add_parser(
        "rewrite",
        help="wrap every client call of a code base",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder (its *.py)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", dest="mode", action="store_const", const="write", help="change the files")
    mode.add_argument(
        "--check",
        dest="mode",
        action="store_const",
        const="check",
        help="list the calls that are not wrapped",
    )
    parser.add_argument(
        "--client",
        dest="clients",
        action="append",
        default=[],
        metavar="MODULE.NAME[=SERVICE]",
        help="a function or class that returns a client (of SERVICE: nova, sdk, sdk.baremetal, ...); may be repeated. "
        "The calls of its callers are wrapped, and none inside it",
    )
    parser.add_argument(
        "--import",
        dest="wrapper",
        default="os_retries:execute_with_retries",
        metavar="MODULE:NAME",
        help="the function to wrap with (default: %(default)s)",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and folders that match; may be repeated",
    )
    parser.add_argument(
        "--no-creates",
        dest="creates",
        action="store_false",
        help="do not wrap calls that create something, because a repeat after a lost answer creates it twice",
    )
    parser.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        default="text",
        help="report as text, or as one JSON or SARIF 2.1.0 document (default: %(default)s)",
    )
    parser.add_argument(
        "--tests", action="store_true", help="include tests; a test file given by name is always included"
    )
    parser.add_argument(
        "--line-length",
        type=_natural,
        default=79,
        metavar="N",
        help="break a call whose line would become longer than N (default: %(default)s; 0: never break a call)",
    )
    parser.set_defaults(body=_rewrite, mode="diff")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a number of columns")
    return int(text)


def _rewrite(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.rewrite.command import run
    from os_retries.rewrite.options import Options, UsageError

    options = Options(
        arguments.paths,
        arguments.mode,
        arguments.clients,
        arguments.wrapper,
        arguments.exclude,
        arguments.line_length,
        arguments.tests,
        arguments.creates,
        arguments.format,
    )
    try:
        return run(options, sys.stdout, sys.stderr)
    except UsageError as error:
        parser.exit(2, f"os-retries rewrite: {error}\n")
