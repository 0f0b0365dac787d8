"""The options of `os-retries rewrite`. Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Find the calls of OpenStack clients in the files and folders given, and wrap them:
nova.servers.get(id) becomes execute_with_retries(nova.servers.get, id).

A call is known by where its object comes from: the constructors of the clients and of openstacksdk are followed
through the functions, attributes and files given, so give the whole code base. Prints a unified diff and changes
nothing, unless --write is given. What is listed on standard error is left alone: calls for which
os_retries.attach(session) is the right way, and calls that it is not sure of."""

_EPILOG = """  os-retries rewrite src | less                          look at what it would do
  os-retries rewrite --write src                         do it
  os-retries rewrite --check src                         in CI: list what is not wrapped
  os-retries rewrite --client shop.clients.get=nova src  shop.clients.get() returns a nova client, however it is made

A comment `# os-retries: skip` on the lines of a call leaves that call alone.

exit status: 0; 1 if --check found a call that is not wrapped; 2 if a file could not be worked on (it is named, and the
rest is done)."""


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
        help="a function or class that gives a client (of SERVICE: nova, sdk, ...); may be repeated. "
        "Nothing inside it is wrapped, for its callers retry",
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
        help="leave out files and folders of that name; may be repeated",
    )
    parser.add_argument(
        "--no-creates",
        dest="creates",
        action="store_false",
        help="leave calls alone that create something: after a lost answer, a repeat creates it twice",
    )
    parser.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        default="text",
        help="how to report (default: %(default)s); json and sarif (2.1.0) take the place of diff and list",
    )
    parser.add_argument("--tests", action="store_true", help="work on tests, too; a test file given by name always is")
    parser.add_argument(
        "--line-length",
        type=_natural,
        default=79,
        metavar="N",
        help="break a call that would make its line longer (default: %(default)s; 0: never move anything)",
    )
    parser.set_defaults(body=_rewrite, mode="diff")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of columns")
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
