"""The completion scripts.  shtab writes the options; what follows ``run --`` is completed as a command of its own."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import shtab

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = "Completion of os-retries for {}. tools/terminal has generated this file with shtab: do not edit it."

_BASH = r"""
# After `run --` and `rehearse --` comes another command, which is completed in its own way.
_os_retries() {
  local at
  if [[ ${COMP_WORDS[1]} == run || ${COMP_WORDS[1]} == rehearse ]]; then
    for (( at = 2; at < COMP_CWORD; at++ )); do
      [[ ${COMP_WORDS[at]} == -- ]] || continue
      (( at++ ))
      if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$at"  # bash-completion 2.12 and newer
      elif declare -F _command_offset >/dev/null; then
        _command_offset "$at"  # bash-completion before 2.12
      else
        compopt -o filenames 2>/dev/null
        local kind=-f
        (( at == COMP_CWORD )) && kind=-c
        local IFS=$'\n'
        COMPREPLY=($(compgen "$kind" -- "${COMP_WORDS[COMP_CWORD]}"))
      fi
      return
    done
  fi
  _shtab_os_retries "$@"
}

complete -o bashdefault -F _os_retries os-retries
"""

_ZSH = r"""
# After `run --` and `rehearse --` comes another command, which is completed in its own way.
_os_retries() {
  local at=${words[(i)--]}
  if [[ ${words[2]} == (run|rehearse) ]] && (( at < CURRENT )); then
    words=("${(@)words[at+1,-1]}")
    (( CURRENT -= at ))
    _normal
  else
    _shtab_os_retries "$@"
  fi
}

case $zsh_eval_context[-1] in
  eval|file) compdef _os_retries os-retries ;;
  *) _os_retries "$@" ;;  # found in fpath: zsh calls this file for each completion
esac
"""

_FISH = r"""
# After `run --` and `rehearse --` comes another command, which is completed in its own way.
function _os_retries_at_command
  set -l tokens (commandline -opc)
  contains -- "$tokens[2]" run rehearse; and contains -- -- $tokens
end

function _os_retries_command
  set -l tokens (commandline -opc)
  set -e tokens[1..(contains -i -- -- $tokens)]
  complete -C (string join ' ' -- (string escape -- $tokens) (commandline -ct))
end

complete -c os-retries -n _os_retries_at_command -x -a '(_os_retries_command)'
"""

# By shell: the first line, the pattern of the lines that end shtab's script, and what takes their place.
_ENDS = {
    "bash": ("", r"\ncomplete -o bashdefault -F [^\n]*\Z", _BASH),
    "zsh": ("#compdef os-retries\n", r"\n\n*typeset -A opt_args\n.*\Z", "\n\ntypeset -A opt_args\n" + _ZSH),
    "fish": ("", r"\Z", _FISH),
}
SHELLS = tuple(_ENDS)


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completion script for a shell.

    :param parser: the parser of all commands; it is changed
    """
    _prepare(parser)
    first, end, ours = _ENDS[shell]
    text = re.sub(r"\A(#[^\n]*\n|\n)+", "", shtab.complete(parser, shell))
    text, ends = re.subn(end, lambda _: ours, text, count=1, flags=re.DOTALL)
    if ends != 1:
        raise ValueError(f"this release of shtab ends its script for {shell} in another way")
    lines = [line.rstrip() for line in text.splitlines()]
    return f"{first}# {_HEADER.format(shell)}\n\n" + "\n".join(lines) + "\n"


def _prepare(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which arguments are files, and give each command its line of --help."""
    for each in _parsers(parser):
        for action in each._actions:  # noqa: SLF001
            if action.metavar in ("FILE", "PATH"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif isinstance(action.metavar, str):  # zsh takes a colon for the end of the text
                action.metavar = re.sub(r"[^\w.]+", " ", action.metavar).strip()


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and all parsers below it.  shtab shows their descriptions, which are too long for a list."""
    yield parser
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for each in action.choices.values():
                each.description = None
                yield from _parsers(each)
