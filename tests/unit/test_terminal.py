"""The command line in a shell: completion in real bash, zsh and fish.  A shell that is not on this machine is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from os_retries import cli
from os_retries.arguments import _COMMANDS

TOP = Path(__file__).parents[2]

#: What completes the last of its arguments, by shell.
BASH = """\
set -u
eval "$({python} -m os_retries completion bash)"
complete -p os-retries >/dev/null || exit
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_os_retries os-retries "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = """\
{python} -m os_retries completion fish | source
complete -C (string join ' ' -- $argv)
"""
#: A shell in a pseudo-terminal, because zsh completes nowhere else.  Ctrl-X completes, and prints the line.
ZSH = """\
cat >.zshrc <<'END'
PS1= TERM=dumb
autoload -Uz compinit; compinit -u -D
eval "$({python} -m os_retries completion zsh)"
complete-and-show() {{ zle expand-or-complete; print -r -- "<<$BUFFER>>"; exit }}
zle -N complete-and-show; bindkey "^X" complete-and-show
END
zmodload zsh/zpty
ZDOTDIR=$PWD zpty -b shell zsh -d -i
zpty -n -w shell "$*"$'\\C-x'
zpty -r shell text "*>>*"
print -r -- ${{${{text##*<<}}%%>>*}}
"""


def complete(shell, folder, *words):
    """Return what a shell makes of these words if Tab is pressed behind the last one."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} on this machine")
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(python=sys.executable)
    name = [] if shell == "fish" else ["x"]
    done = subprocess.run(
        [program, *options, "-c", script, *name, "os-retries", *words],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return [line.split("\t")[0].strip() for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "alpha.conf").touch()
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), {"rehearse", "rewrite"}),
        (("operation", ""), {"show", "forget"}),
        (("run", "--log"), {"--log-json"}),
        (("run", "-q", "--log-json", "al"), {"alpha.conf"}),
        (("rewrite", "--format", ""), {"text", "json", "sarif"}),
        (("rewrite", "al"), {"alpha.conf"}),
        (("run", "--", "mktem"), {"mktemp"}),
        (("rehearse", "-q", "--", "cat", "al"), {"alpha.conf"}),
        (("simulate", "--", "mktem"), set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_shell_completes_commands_options_files_and_the_command_that_is_run(shell, words, found, folder):
    assert set(complete(shell, folder, *words)) - {""} == found


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("si",), "simulate"),
        (("run", "--log"), "run --log-json"),
        (("run", "--log-json", "al"), "run --log-json alpha.conf"),
        (("run", "-q", "--", "cat", "al"), "run -q -- cat alpha.conf"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_zsh_completes_the_same(words, line, folder):
    assert complete("zsh", folder, *words) == [f"os-retries {line}"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_know_every_command(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [name for name in _COMMANDS if name not in script] == []


def test_the_scripts_are_what_the_parsers_say():
    """``make terminal`` writes them anew."""
    done = subprocess.run(
        [sys.executable, TOP / "tools/terminal", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_a_wheel_has_the_scripts_where_the_shells_look_for_them():
    shared = WheelBuilder(str(TOP)).config.shared_data
    assert {target: (TOP / source).is_file() for source, target in shared.items()} == {
        "share/bash-completion/completions/os-retries": True,
        "share/zsh/site-functions/_os-retries": True,
        "share/fish/vendor_completions.d/os-retries.fish": True,
    }


def test_the_other_commands_do_not_load_the_completion(tmp_path):
    code = (
        "import sys; from os_retries import cli\n"
        f"cli.main(['rewrite', {str(tmp_path)!r}])\n"
        "print([each for each in sys.modules if each.startswith('os_retries.terminal') or each == 'shtab'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
