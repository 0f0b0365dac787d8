"""The completions, in real bash, zsh and fish, and the manual page.  A shell that is not on this machine is skipped."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from os_retries import cli
from os_retries.arguments import _COMMANDS, make_parser

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


def test_the_scripts_and_the_manual_page_are_what_the_parsers_say():
    """``make terminal`` writes them anew."""
    done = subprocess.run(
        [sys.executable, TOP / "tools/terminal", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_a_wheel_has_the_files_where_the_shells_and_man_look_for_them():
    shared = WheelBuilder(str(TOP)).config.shared_data
    assert {target: (TOP / source).is_file() for source, target in shared.items()} == {
        "share/bash-completion/completions/os-retries": True,
        "share/zsh/site-functions/_os-retries": True,
        "share/fish/vendor_completions.d/os-retries.fish": True,
        "share/man/man1/os-retries.1": True,
    }


def test_the_other_commands_do_not_load_the_completion(tmp_path):
    code = (
        "import sys; from os_retries import cli\n"
        f"cli.main(['rewrite', {str(tmp_path)!r}])\n"
        "print([each for each in sys.modules if each.startswith('os_retries.terminal') or each == 'shtab'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The manual page


def options_of(parser):
    """All options of a parser and of those below it, by the words of the command."""
    found = {parser.prog: {text for action in parser._actions for text in action.option_strings}}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found |= options_of(each)
    return found


@pytest.fixture(scope="module")
def rendered():
    """The page as a terminal shows it, without one line break inside a paragraph."""
    program = shutil.which("groff")
    if program is None:
        pytest.skip("there is no groff on this machine")
    command = [program, "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=2000n", TOP / "docs/os-retries.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.replace("\N{MINUS SIGN}", "-")


def test_the_manual_page_has_every_option_below_its_command(rendered):
    commands = re.split(r"^ {3}(?=os-retries )", rendered.partition("\nCOMMANDS\n")[2], flags=re.MULTILINE)[1:]
    for name, options in options_of(make_parser()).items():
        if name == "os-retries":
            continue
        ours = [text for text in commands if text.startswith(f"{name} [options]")]
        assert len(ours) == 1, name
        assert options - {"-h", "--help"} <= set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", ours[0])), name


def test_the_manual_page_shows_what_roff_takes_for_its_own(rendered):
    for text in (
        'Environment="NAME=VALUE"',
        "POST /servers$",
        "export NAME='VALUE'",
        "N, N+1, …",
        "`os-retries run --quiet`",
    ):
        assert text in rendered
