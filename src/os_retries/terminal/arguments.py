"""The options of ``os-retries completion``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Print the script that completes the commands and options of os-retries in a shell."""

_EPILOG = """\
to load it in every new shell:
  bash  echo 'eval "$(os-retries completion bash)"' >> ~/.bashrc
  zsh   echo 'eval "$(os-retries completion zsh)"' >> ~/.zshrc     (below compinit)
  fish  os-retries completion fish > ~/.config/fish/completions/os-retries.fish"""

_SHELLS = ("bash", "zsh", "fish")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries completion`` to those of the other commands."""
    parser = commands.add_parser(
        "completion",
        help="print the completion script for a shell",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help="bash, zsh or fish")
    parser.set_defaults(body=_completion)


def _completion(arguments: argparse.Namespace, _parser: argparse.ArgumentParser) -> int:
    from importlib.resources import files

    script = files("os_retries.terminal").joinpath(f"os-retries.{arguments.shell}")
    sys.stdout.write(script.read_text(encoding="utf-8"))
    return 0
