"""The command line: `os-retries run`, `os-retries rewrite`.

Each subcommand has its own parser here and its body in its own module.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUN = """\
Run any program that calls OpenStack from Python, with retries and without changing a line of it: the openstack
command, a script, or a shell script or Makefile that calls them. Requests that fail and may pass are repeated where
that is safe; one that the service may have carried out, and that a repeat could carry out twice, is not."""

_RUN_EPILOG = """\
Only the programs below COMMAND are affected; its input, output and exit status are its own. --quiet lets COMMAND take
the place of os-retries (same process id), which a daemon wants. OS_RETRIES_DISABLED=1 switches retrying off.

exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be run, 2 for a mistake in these options."""

# Of `run`: the option, the field of RetryPolicy, and what --help says.
_NUMBERS: dict[str, tuple[str, type, str, str]] = {
    "--retries": ("retries_number", int, "N", "retries after the first attempt (default: 5)"),
    "--retry-after": (
        "retry_after",
        float,
        "SECONDS",
        "wait before the first retry, unless the service asks for another by its Retry-After (default: 1)",
    ),
    "--backoff": ("retry_backoff", float, "FACTOR", "by which the wait grows with each retry (default: 2)"),
    "--jitter": ("retry_jitter", float, "SHARE", "of the wait, 0 to 1, drawn at random on top (default: 0.25)"),
    "--max-wait": (
        "retry_max_wait",
        float,
        "SECONDS",
        "that one request may wait beyond these waits, because the service asks for it (default: 300)",
    ),
    "--timeout": (
        "attempt_timeout",
        float,
        "SECONDS",
        "for the service to answer, where the program sets no time itself; inf: for ever (default: 120)",
    ),
}

_REWRITE = """\
Find the calls of OpenStack clients in the files and folders given, and wrap them:
nova.servers.get(id) becomes execute_with_retries(nova.servers.get, id).

Prints a unified diff and changes nothing, unless --write is given. What is listed on standard error beside it is left
alone: calls for which os_retries.attach(session) is the right way, and calls it is not sure of.
A comment `# os-retries: skip` on a call's line leaves that call alone.

exit status: 0; 1 if --check found a call that is not wrapped; 2 if a file could not be worked on (it is named, and the
rest is done)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="os-retries", description="Retries for everyone who calls OpenStack from Python."
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_run, _add_rewrite):
        add(commands)
    argv, command = _split(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(argv, argparse.Namespace(command=command))
    try:
        return int(arguments.body(arguments, parser))
    except BrokenPipeError:  # the reader of our output has gone: `os-retries rewrite . | head`
        sys.stderr.close()
        return 141
    except KeyboardInterrupt:
        return 130


class _Version(argparse.Action):
    """Print the version; read only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and stop")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415  costs 20 ms

        parser.exit(message=f"os-retries {version('os-retries')}\n")


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Part the arguments of `run` from the command after ``--``, which is nobody's business here."""
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
    for option, (name, kind, metavar, text) in _NUMBERS.items():
        numbers.add_argument(option, dest=name, type=kind, metavar=metavar, help=text)
    numbers.add_argument(
        "--config-file",
        metavar="FILE",
        help="take the numbers from [timeouts] of an oslo.config file, where unset ones are the specification's "
        "(10 seconds, constant, no timeout); the options above go before it",
    )
    output = parser.add_argument_group("what is said of it")
    output.add_argument("-q", "--quiet", action="store_true", help="say nothing on standard error")
    output.add_argument(
        "--log-json", metavar="FILE", help="append one JSON object for each retry and each request given up"
    )
    parser.set_defaults(body=_run)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run import UsageError, policies, run  # noqa: PLC0415

    if not arguments.command:
        parser.exit(2, "os-retries run: there is no command after --\n")
    try:
        how = policies({name: getattr(arguments, name) for name, *_ in _NUMBERS.values()}, arguments.config_file)
        return run(arguments.command, how, quiet=arguments.quiet, log_json=arguments.log_json)
    except UsageError as error:
        parser.exit(2, f"os-retries run: {error}\n")


def _add_rewrite(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "rewrite",
        help="wrap every client call of a code base",
        description=_REWRITE,
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
        help="a function or class of yours that gives a client (of SERVICE: nova, sdk, ...); may be repeated. "
        "The code inside that class is left alone, for its callers retry",
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
        "--line-length",
        type=int,
        default=79,
        metavar="N",
        help="break a call that would make its line longer (default: %(default)s; 0: never move anything)",
    )
    parser.set_defaults(body=_rewrite, mode="diff")


def _rewrite(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.rewrite.command import Options, UsageError, run  # noqa: PLC0415  only this command pays for it

    options = Options(
        arguments.paths,
        arguments.mode,
        arguments.clients,
        arguments.wrapper,
        arguments.exclude,
        arguments.line_length,
    )
    try:
        return run(options, sys.stdout, sys.stderr)
    except UsageError as error:
        parser.exit(2, f"os-retries rewrite: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
