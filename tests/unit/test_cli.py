"""The command line: what it imports, its messages and its exit statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from os_retries import cli, rewrite

TEXT = "from novaclient import client\nclient.Client('2').servers.list()\n"


def test_help_does_not_import_what_only_a_subcommand_needs():
    """`os-retries --help` costs neither LibCST nor a client."""
    code = (
        "import sys; from os_retries import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as e: print(e.code, sorted({'libcst', 'keystoneauth1', 'requests', 'asyncio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 []"
    assert "rewrite" in run.stdout


def test_version(capsys):
    """--version says which release this is."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("os-retries 0.")


def test_without_libcst_says_what_to_install(tmp_path, monkeypatch, capsys):
    """Where the extra is missing the message is the command that installs it."""
    for name in [
        n for n in sys.modules if n.startswith(("libcst", "os_retries.rewrite.edit", "os_retries.rewrite.imports"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libcst", None)
    monkeypatch.delattr(rewrite, "edit", raising=False)
    (tmp_path / "a.py").write_text(TEXT)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["rewrite", str(tmp_path)])
    assert exit_.value.code == 2
    assert "pip install 'os-retries[rewrite]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--import", "os_retries"], "write it as MODULE:NAME"),
        (["--import", "os_retries:a-b"], "write it as MODULE:NAME"),
        (["--client", "nova"], "write it as MODULE.NAME"),
        (["--client", "a.b=novva"], "no client is called novva; known are adjutant"),
        (["--line-length", "-5"], "--line-length"),
        (["--write", "--check"], "not allowed with"),
    ],
)
def test_mistakes_are_explained(option, message, tmp_path, capsys):
    """A wrong option is an exit status of 2 and a sentence that says what to write."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(["rewrite", *option, str(tmp_path)])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_diff_then_check_then_write(tmp_path, capsys):
    """The three ways to run it, and the exit status of each."""
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    assert cli.main(["rewrite", str(path)]) == 0
    assert "+execute_with_retries(client.Client('2').servers.list)" in capsys.readouterr().out
    assert cli.main(["rewrite", "--check", str(path)]) == 1
    assert "a.py:2:1: client.Client('2').servers.list() is not wrapped" in capsys.readouterr().out
    assert path.read_text() == TEXT
    assert cli.main(["rewrite", "--write", str(path)]) == 0
    assert cli.main(["rewrite", "--check", str(path)]) == 0


def test_the_pre_commit_hook_checks_the_folder_that_it_is_given(tmp_path, monkeypatch):
    """What .pre-commit-hooks.yaml says is a command line that there is, and fails where a call is not wrapped."""
    (hook,) = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = [*hook["entry"].split(), *hook["args"]]
    assert program == "os-retries"
    assert not hook["pass_filenames"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(TEXT)
    assert cli.main(arguments) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("--version",), ("simulate", "--calls", "50")])
def test_a_full_disk_below_the_output_is_no_traceback(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "os_retries.cli", *arguments],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert "Traceback" not in done.stderr
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    """`os-retries rewrite . | head -1`."""
    for i in range(200):
        (tmp_path / f"a{i}.py").write_text(TEXT * 20)
    command = [sys.executable, "-m", "os_retries.cli", "rewrite", str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run.stdout.readline()
    run.stdout.close()
    assert "Traceback" not in run.stderr.read()
    run.stderr.close()
    assert run.wait() == 141
