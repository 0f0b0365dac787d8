"""`os-retries env`: what it prints, read by whoever reads such files, gives a program the retries of `run --quiet`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from os_retries import cli
from os_retries.run import command

from .test_run import STUB, USES_STUB

ENV = [sys.executable, "-m", "os_retries.cli", "env"]
FAST = ("--retry-after", "0.001", "--timeout", "9")


@pytest.fixture
def stubs(tmp_path):
    """A folder with a keystoneauth1 of a few lines."""
    (tmp_path / "keystoneauth1").mkdir()
    (tmp_path / "keystoneauth1/__init__.py").touch()
    (tmp_path / "keystoneauth1/session.py").write_text(STUB)
    return tmp_path


def printed(*options):
    done = subprocess.run([*ENV, *options], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def of_a_shell(text):
    """What a POSIX shell makes of it, with a PYTHONPATH of its own."""
    script = f'PYTHONPATH=/mine; eval "$1"; exec {sys.executable} -S -c "import json, os; print(json.dumps(dict(os.environ)))"'
    done = subprocess.run(["sh", "-c", script, "sh", text], check=True, capture_output=True, text=True, env={})
    return {name: value for name, value in json.loads(done.stdout).items() if name.startswith(("OSR", "PYTHONP"))}


def of_a_unit(text):
    """What systemd makes of it: systemd.syntax(7) for the quotes, systemd.unit(5) for the percent signs."""
    head, *lines = text.splitlines()
    assert head == "[Service]"
    quoted = [re.fullmatch(r'Environment="((?:[^"\\]|\\.)*)"', line) for line in lines]
    plain = [re.sub(r"\\(.)", r"\1", match[1]) for match in quoted]
    assert not any(re.search(r"(?<!%)%(?!%)", line.replace("%%", "")) for line in plain)
    return dict(line.replace("%%", "%").split("=", 1) for line in plain)


def of_docker(text):
    """What `docker run --env-file` makes of it: everything after the first equals sign, as it is."""
    return dict(line.split("=", 1) for line in text.splitlines())


READERS = {"--shell": of_a_shell, "--systemd": of_a_unit, "--dotenv": of_docker}


@pytest.mark.parametrize("form", READERS)
def test_whoever_reads_it_gets_the_variables_of_run(form, tmp_path, monkeypatch):
    """Also characters that mean something there arrive."""
    log = tmp_path / '50% "of" it\'s $HOME \\ log'
    options = ["--retries", "7", "--log-json", str(log)]
    seen = []
    monkeypatch.setattr(command, "replace_by", lambda _command, environ: seen.append(environ) or 0)
    assert cli.main(["run", "-q", *options, "--", "true"]) == 0
    wanted = {name: seen[0][name] for name in seen[0] if name.startswith("OSRETRIES_")}
    folder = seen[0]["PYTHONPATH"].split(":")[0]
    read = READERS[form](printed(form, *options))
    assert read == wanted | {"PYTHONPATH": f"{folder}:/mine" if form == "--shell" else folder}
    assert json.loads(read["OSRETRIES_POLICY"])[""]["retries_number"] == 7


def test_the_shell_is_the_default_and_a_shell_without_a_path_gets_no_empty_entry():
    """An empty entry of PYTHONPATH is the current folder."""
    assert printed() == printed("--shell")
    script = f'{printed()}\necho "$PYTHONPATH"'
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True, env={})
    assert done.stdout == f"{Path(command.__file__).with_name('path')}\n"


@pytest.mark.parametrize("form", ["--systemd", "--dotenv"])
def test_a_value_of_several_lines_is_a_mistake_where_it_has_no_place(form, tmp_path, capfd):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["env", form, "--log-json", str(tmp_path / "two\nlines")])
    assert exit_.value.code == 2
    assert "OSRETRIES_LOG_JSON contains a newline" in capfd.readouterr().err


def test_a_mistake_in_the_numbers_is_named(capfd):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["env", "--retries", "-1"])
    assert exit_.value.code == 2
    assert "os-retries env: --retries" in capfd.readouterr().err


def test_with_these_variables_a_program_and_its_children_have_retries(stubs):
    variables = of_docker(printed("--dotenv", *FAST))
    variables["PYTHONPATH"] += f":{stubs}"
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {USES_STUB!r}], check=True)"
    done = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True, env=os.environ | variables
    )
    assert done.stdout == "sent GET /thing?token=secret 9.0\n" * 3 + "200\n"
    assert done.stderr == ""


# -- the service's own configuration

SERVICE = """
import logging, os, signal, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from keystoneauth1.session import Session
from oslo_config import cfg

def ask(*answers):
    answer = Session(*answers).request("/thing", "GET", endpoint_filter={"service_type": "compute"})
    print("answered", answer.status_code, flush=True)

ask(503, 503, 503, 200)
signal.signal(signal.SIGHUP, lambda *_: cfg.CONF.mutate_config_files())
cfg.CONF(["--config-file", sys.argv[1]], project="service")
ask(503, 503, 503, 200)
with open(sys.argv[1], "w") as file:
    file.write(sys.argv[2])
os.kill(os.getpid(), signal.SIGHUP)
ask(503, 503, 503, 200)
"""


@pytest.mark.parametrize(
    ("second", "answered", "timeouts"),
    [
        ("[timeouts]\nretries_number = 3\nattempt_timeout = 6\n", 200, "6.0"),
        ("[timeouts]\nretries_number = -3\nattempt_timeout = 5\n", 503, "5.0"),
    ],
)
def test_a_service_takes_the_numbers_of_its_own_file_and_follows_its_changes(stubs, second, answered, timeouts):
    """Until it has read the file, and where the file is wrong, the numbers before it apply."""
    (stubs / "service.conf").write_text("[timeouts]\nretries_number = 1\nretry_after = 0.001\nattempt_timeout = 5\n")
    second = second.replace("[timeouts]", "[timeouts]\nretry_after = 0.001")
    variables = of_docker(printed("--dotenv", "--service-config", *FAST, "--retries", "3"))
    variables["PYTHONPATH"] += f":{stubs}"
    done = subprocess.run(
        [sys.executable, "-c", SERVICE, stubs / "service.conf", second],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )
    lines = done.stdout.splitlines()
    told = [line for line in lines if line.startswith(("sent", "answered"))]
    number = 4 if answered == 200 else 2
    assert told == [
        *["sent GET /thing 9.0"] * 4,
        "answered 200",
        *["sent GET /thing 5.0"] * 2,
        "answered 503",
        *[f"sent GET /thing {timeouts}"] * number,
        f"answered {answered}",
    ]
    assert ("[timeouts] has an invalid value" in done.stdout) == (answered == 503)


def test_a_service_whose_file_is_wrong_from_the_start_keeps_the_numbers_of_its_environment(stubs):
    (stubs / "service.conf").write_text("[timeouts]\nretries_number = -1\n")
    variables = of_docker(printed("--dotenv", "--service-config", *FAST, "--retries", "3"))
    variables["PYTHONPATH"] += f":{stubs}"
    done = subprocess.run(
        [sys.executable, "-c", SERVICE, stubs / "service.conf", "[timeouts]\nretries_number = -1\n"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )
    assert done.stdout.splitlines().count("answered 200") == 3
    assert done.stdout.count("[timeouts] cannot be used") == 1


def test_run_passes_the_wish_on_too(monkeypatch):
    seen = []
    monkeypatch.setattr(command, "replace_by", lambda _command, environ: seen.append(environ) or 0)
    assert cli.main(["run", "-q", "--service-config", "--", "true"]) == 0
    assert cli.main(["run", "-q", "--retries", "1", "--", "true"]) == 0
    assert [each.get("OSRETRIES_SERVICE_CONFIG") for each in seen] == ["1", None]
