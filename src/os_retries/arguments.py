"""The parser of the command line.  The options of each command are in the module ``arguments`` of its package."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "run": "os_retries.run.arguments",
    "env": "os_retries.run.env_arguments",
    "operation": "os_retries.inventory.arguments",
    "check": "os_retries.check.arguments",
    "rehearse": "os_retries.rehearse.arguments",
    "rewrite": "os_retries.rewrite.arguments",
    "simulate": "os_retries.simulate.arguments",
    "completion": "os_retries.terminal.arguments",
}


def parse_and_run(argv: Sequence[str]) -> int:
    """Parse the arguments, run the command that they name, and return its exit status."""
    argv, command = _split(argv)
    parser = make_parser(argv[:1])
    arguments = parser.parse_args(argv, argparse.Namespace(command=command))
    return int(arguments.body(arguments, parser))


def make_parser(asked: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser, with the options of the command in ``asked``, or of all commands if it names none."""
    parser = argparse.ArgumentParser(
        prog="os-retries", description="Retries for everyone who calls OpenStack from Python."
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS.keys() & set(asked) or _COMMANDS:
        importlib.import_module(_COMMANDS[name]).add(commands)
    return parser


class _Version(argparse.Action):
    """Print the version.  It is read only when it is needed, because reading it takes time."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"os-retries {version('os-retries')}", flush=True)  # noqa: T201
        parser.exit()


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return the arguments of os-retries, and the command after ``--``, which is not parsed.

    The command is None if there is no ``--``, and empty for a subcommand that takes no command.
    """
    ours = argv[: argv.index("--")] if "--" in argv else argv
    if argv[:1] not in (["run"], ["rehearse"], ["check"]) or not {"-h", "--help"}.isdisjoint(ours):
        return argv, ()
    if "--" in argv:
        at = argv.index("--")
        return argv[:at], argv[at + 1 :]
    if argv[:1] == ["check"]:  # it can do without a command
        return argv, None
    name = f"os-retries {argv[0]}"
    sys.stderr.write(f"{name}: write -- before the command: {name} [options] -- COMMAND ...\n")
    sys.exit(2)
