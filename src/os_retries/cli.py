"""The command line: ``os-retries run``, ``os-retries rewrite``, ``os-retries simulate``.

Each subcommand has its options in a module ``arguments`` of its own folder, which is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {name: f"os_retries.{name}.arguments" for name in ("run", "rewrite", "simulate")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    argv, command = _split(sys.argv[1:] if argv is None else argv)
    parser = _parser(argv[:1])
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


def _parser(asked: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser, with the options of the command that is asked for, or of all commands."""
    parser = argparse.ArgumentParser(
        prog="os-retries", description="Retries for everyone who calls OpenStack from Python."
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS.keys() & set(asked) or _COMMANDS:
        importlib.import_module(_COMMANDS[name]).add(commands)
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
