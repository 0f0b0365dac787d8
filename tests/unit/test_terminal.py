"""The completions, in real bash, zsh and fish, the manual page, and colors and widths, in a real pseudo-terminal.

A shell that is not on this machine is skipped.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
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


def test_zsh_completes_again_and_again_what_it_finds_in_fpath(folder):
    """There the file is a function, which zsh loads for the first completion and calls for the others."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("there is no zsh on this machine")
    shutil.copy(TOP / "src/os_retries/terminal/os-retries.zsh", folder / "_os-retries")
    twice = "complete-and-show() {{ zle expand-or-complete; BUFFER='os-retries rehearse --repl' CURSOR=26; zle expand"
    script = ZSH.replace('eval "$({python} -m os_retries completion zsh)"\n', "")
    script = script.replace("autoload -Uz", "fpath=($PWD $fpath); autoload -Uz", 1)
    script = script.replace("complete-and-show() {{ zle expand", twice)
    done = subprocess.run(
        [program, "-f", "-c", script.format(), "x", "os-retries", "simulate", "--ht"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "os-retries rehearse --replay"


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
        "cli.main(['run', '--retries', '2', '--', 'true'])\n"
        "print([each for each in sys.modules if each.startswith('os_retries.terminal')])\n"
        f"cli.main(['rewrite', {str(tmp_path)!r}])\n"
        "print([each for each in ('os_retries.terminal.arguments', 'shtab') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


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


# Colors and widths

RED, GREEN, BOLD, END = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"
LAB = ["simulate", "--rate", "20", "--capacity", "30", "--calls", "200", "--lasts", "0"]


def environment(**more):
    left_out = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
    return {name: value for name, value in os.environ.items() if name not in left_out} | more


def on_a_terminal(arguments, folder, columns=80, **more):
    """Return what a command writes to a terminal of this width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-m", "os_retries", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment(**{"TERM": "xterm"} | more), stdout=its, stderr=subprocess.DEVNULL
    ) as process:
        os.close(its)
        said = b""
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return said.decode().replace("\r\n", "\n")


def in_a_pipe(arguments, folder, **more):
    command = [sys.executable, "-m", "os_retries", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.fixture
def code(tmp_path):
    (tmp_path / "a.py").write_text("from novaclient import client\n\nclient.Client('2').servers.list()")
    return tmp_path


def test_a_diff_has_colors_on_a_terminal_and_is_otherwise_the_same(code):
    said = on_a_terminal(["rewrite", "a.py"], code)
    assert f"{BOLD}--- a/a.py{END}\n{BOLD}+++ b/a.py{END}\n\x1b[36m@@" in said
    assert f"{RED}-client.Client('2').servers.list(){END}\n\\ No newline" in said
    assert f"{GREEN}+execute_with_retries(client.Client('2').servers.list){END}\n\\ No newline" in said
    assert re.sub(r"\x1b\[\d+m", "", said) == in_a_pipe(["rewrite", "a.py"], code)


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_color_and_a_dumb_terminal_have_no_colors(more, code):
    assert "\x1b" not in on_a_terminal(["rewrite", "a.py"], code, **more)


@pytest.mark.parametrize(("more", "colored"), [({}, False), ({"FORCE_COLOR": ""}, False), ({"FORCE_COLOR": "1"}, True)])
def test_a_pipe_has_colors_only_with_force_color(more, colored, code):
    assert ("\x1b" in in_a_pipe(["rewrite", "a.py"], code, **more)) is colored


def test_an_empty_no_color_is_none(code):
    assert "\x1b" in on_a_terminal(["rewrite", "a.py"], code, NO_COLOR="")


@pytest.mark.parametrize("format_", ["json", "sarif"])
def test_json_never_has_colors(format_, code):
    assert "\x1b" not in in_a_pipe(["rewrite", "--format", format_, "a.py"], code, FORCE_COLOR="1")
    assert "\x1b" not in in_a_pipe([*LAB, "--json"], code, FORCE_COLOR="1")


@pytest.mark.parametrize("width", [100, 80, 70])
def test_the_table_of_simulate_fits_into_the_terminal(width, tmp_path):
    conf = tmp_path / f"{'a' * 30}.conf"
    conf.write_text("[timeouts]\n")
    arguments = [*LAB, "--config-file", str(conf)]
    said = re.sub(r"\x1b\[\d+m", "", on_a_terminal(arguments, tmp_path, width))
    _, *table = said.splitlines()[:-1]
    assert max(map(len, table)) <= width
    assert table[-1].partition("  ")[0].endswith(".conf")
    whole = next(line for line in in_a_pipe(arguments, tmp_path).splitlines() if line.startswith(f"{conf} "))
    assert re.split(r" {2,}", table[-1])[1:] == re.split(r" {2,}", whole)[1:]


def test_columns_says_how_wide_a_terminal_is_that_does_not_say_it_itself(tmp_path):
    wide = on_a_terminal(LAB, tmp_path, 0, COLUMNS="200")
    assert "attempts x normal" in wide
    assert "attempts x normal" not in on_a_terminal(LAB, tmp_path, 0)
