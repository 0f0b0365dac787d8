"""`os-retries run` as a user runs it: real processes, stub clients, no network."""

import ast
import contextlib
import json
import os
import pty
import re
import runpy
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from os_retries import cli
from os_retries.options import OPTIONS
from os_retries.policy import RetryPolicy
from os_retries.run import child, command
from os_retries.run import policies as run_policies
from os_retries.run.command import DEFAULTS
from os_retries.run.defaults import INTERACTIVE
from os_retries.run.policies import UsageError, policies, write_policies
from os_retries.run.report import Reporter

SITECUSTOMIZE = Path(command.__file__).with_name("path") / "sitecustomize.py"
PATHS = f"import sys; sys.path.append({str(SITECUSTOMIZE.parents[3])!r})\n"
RUN = [sys.executable, "-m", "os_retries.cli", "run"]


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("OS_RETRIES", "OSRETRIES", "OS_TIMEOUTS")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def start(*command, options=(), **how):
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how
    return subprocess.Popen([*RUN, *options, "--", *map(str, command)], **how)


def run(*command, options=(), input=None, **how):  # noqa: A002
    how = {"capture_output": True, "text": True, "timeout": 60, "input": input or ""} | how
    return subprocess.run([*RUN, *options, "--", *map(str, command)], check=False, **how)


def python(source, *options, **how):
    return run(sys.executable, "-c", source, options=options, **how)


@contextlib.contextmanager
def ending(process):
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# -- what is run, and how it ends


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_exit_status_and_output_are_the_command_s_own(options):
    done = python("import sys; print(sys.stdin.read().upper()); sys.exit(7)", *options, input="words\n")
    assert (done.returncode, done.stdout) == (7, "WORDS\n\n")


@pytest.mark.parametrize("options", [(), ("-q",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ends_the_command_ends_us(number, options):
    assert run("sh", "-c", f"ulimit -c 0; kill -{int(number)} $$", options=options).returncode == -number


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_what_cannot_be_run_is_said_with_the_shell_s_own_status(options, tmp_path):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "orphan").write_text("#!/nowhere/python\n")
    (tmp_path / "orphan").chmod(0o755)
    for program, status, words in [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("", 127, "os-retries: : command not found"),
        (tmp_path / "none", 127, "none: command not found"),
        (tmp_path / "orphan", 127, "orphan: its interpreter (see its first line) is not there"),
        (tmp_path / "text", 126, "text: Permission denied"),
        (tmp_path, 126, "Permission denied"),
    ]:
        done = run(program, options=options)
        assert (done.returncode, done.stdout) == (status, ""), program
        assert done.stderr.startswith("os-retries: ")
        assert done.stderr.rstrip().endswith(words)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_folder_on_the_path_that_may_not_be_read_hides_no_command_that_is_not_found(options, tmp_path):
    """The system answers with Permission denied then, but a shell says that there is no such command."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open/text").write_text("no program")
    (tmp_path / "locked").chmod(0)
    path = f"{tmp_path}/locked:{tmp_path}/open"
    refuse = (
        "import os, subprocess, sys\n"
        "def refuse(*_, **__): raise PermissionError(13, 'Permission denied')\n"
        "os.execvpe = subprocess.Popen = refuse\n"  # root may read everything
        "from os_retries.cli import main\n"
        "sys.exit(main())"
    )
    for program, status, words in (
        ("no-such-command", 127, "os-retries: no-such-command: command not found\n"),
        ("text", 126, "os-retries: text: Permission denied\n"),
        (tmp_path / "open/text", 126, f"os-retries: {tmp_path}/open/text: Permission denied\n"),
    ):
        us = [sys.executable, "-c", refuse, "run", *options, "--", str(program)]
        done = subprocess.run(us, check=False, capture_output=True, text=True, env=os.environ | {"PATH": path})
        assert (done.returncode, done.stderr) == (status, words), program


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_script_without_a_first_line_is_the_shell_s(options, tmp_path):
    (tmp_path / "script").write_text("echo $1 $0\n")
    (tmp_path / "script").chmod(0o755)
    assert run(tmp_path / "script", "word", options=options).stdout == f"word {tmp_path / 'script'}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["openstack", "server", "list"], "write -- before the command"),
        ([], "write -- before the command"),
        (["--"], "there is no command after --"),
        (["--retries", "many", "--", "true"], "argument --retries: invalid int value: 'many'"),
        (["--retries", "-1", "--", "true"], "--retries must be from 0 to 10000, not -1"),
        (["--retry-after", "nan", "--", "true"], "--retry-after must be from 0 to 86400, not nan"),
        (["--backoff", "0.5", "--", "true"], "--backoff must be from 1 to 100, not 0.5"),
        (["--jitter", "2", "--", "true"], "--jitter must be from 0 to 1, not 2.0"),
        (["--max-wait", "-1", "--", "true"], "--max-wait must be from 0 to 1e+09, not -1.0"),
        (["--timeout", "0", "--", "true"], "--timeout must be from 0.001 to 1e+09, not 0.0"),
        (["--config-file", "/nowhere", "--", "true"], "--config-file /nowhere: Failed to find some config files"),
        (["--log-json", "/nowhere/log", "--", "true"], "--log-json /nowhere/log: No such file or directory"),
        (["--log-json", "/", "--", "true"], "--log-json /: Is a directory"),
        (["--unheard-of", "--", "true"], "unrecognized arguments: --unheard-of"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_run(arguments, words, capfd):
    assert subprocess.run([*RUN, *arguments], check=False).returncode == 2
    said = capfd.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_pacing_url_that_is_none_is_a_mistake_too_and_its_password_is_not_told(tmp_path, capfd):
    (tmp_path / "conf").write_text("[timeouts]\npacing_url = radish://:secret@host\n")
    done = subprocess.run([*RUN, "--config-file", tmp_path / "conf", "--", "echo", "run"], check=False)
    said = capfd.readouterr()
    assert (done.returncode, said.out) == (2, "")
    assert "pacing_url: radish://host is neither host nor the URL of a Redis" in said.err
    assert "secret" not in said.err


def test_help_says_the_defaults():
    text = " ".join(subprocess.run([*RUN, "--help"], check=True, capture_output=True, text=True).stdout.split())
    for name in run_policies.FLAGS.keys() & INTERACTIVE.keys():
        assert re.search(rf"{run_policies.FLAGS[name]} .*?default: {INTERACTIVE[name]:g}", text), name


def test_the_module_is_the_command(stubs):
    done = subprocess.run(
        [sys.executable, "-m", "os_retries", "run", *FAST, "--", sys.executable, "-c", USES_STUB],
        check=False,
        capture_output=True,
        text=True,
        **with_stubs(stubs),
    )
    assert done.stdout.endswith("200\n")
    assert "1 request repeated (2 retries" in done.stderr
    version = subprocess.run(
        [sys.executable, "-m", "os_retries", "--version"], check=True, capture_output=True, text=True
    )
    assert version.stdout.startswith("os-retries ")


@pytest.mark.parametrize("arguments", [["run", "--retries", "1", "--", "true"], ["simulate", "--help"]])
def test_a_command_loads_no_other_command_s_options(arguments):
    source = (
        "import sys; from os_retries import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([each for each in sys.modules if each.endswith('.arguments') and each != 'os_retries.arguments'])"
    )
    done = subprocess.run([sys.executable, "-c", source, *arguments], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == str([f"os_retries.{arguments[0]}.arguments"])


# -- signals


TELLS_OF_SIGNALS = """
import signal, time, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, _: print(signal.Signals(number).name, flush=True))
print("ready", flush=True)
until = time.monotonic() + 30
while time.monotonic() < until:
    line = sys.stdin.readline()
    if line:
        print("bye", flush=True)
        break
"""


def test_signals_sent_to_us_reach_the_command_once():
    with ending(start(sys.executable, "-u", "-c", TELLS_OF_SIGNALS, stdin=subprocess.PIPE)) as process:
        assert process.stdout.readline() == "ready\n"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            process.send_signal(number)
            assert process.stdout.readline() == f"{number.name}\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.read() == "bye\n"
        assert process.wait(30) == 0


def test_ctrl_c_on_a_terminal_reaches_the_command_once(tmp_path):
    """The terminal tells the whole foreground group: passed on as well it would come twice, and a clean-up would die of it."""
    script = tmp_path / "program.py"
    script.write_text(
        "import signal, time\n"
        "came = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (came.append(1), print('interrupted', flush=True)))\n"
        "print('ready', flush=True)\n"
        "while not came: time.sleep(0.01)\n"  # not pause(): the signal may come before it
        "time.sleep(0.3)\n"  # for a second one to come in
        "print('end', flush=True)\n"
    )
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [*RUN, "--", sys.executable, str(script)])
    try:
        said = _read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        said += _read_until(terminal, b"end")
        assert said.count(b"interrupted") == 1
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.close(terminal)


def test_a_hang_up_ends_the_command_when_we_lead_the_session(tmp_path):
    """As under ``ssh -t host "os-retries run -- ..."``: the kernel tells the leader of the session alone."""
    script, told = tmp_path / "program.py", tmp_path / "told"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        "def hang_up(*_):\n"
        f"    pathlib.Path({str(told)!r}).touch()\n"
        "    sys.exit(5)\n"
        "signal.signal(signal.SIGHUP, hang_up)\n"
        "print('ready', flush=True)\n"
        "time.sleep(20)\n"
    )
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [*RUN, "--", sys.executable, str(script)])
    try:
        _read_until(terminal, b"ready")
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    assert told.exists()


def in_a_process_of_its_own(source):
    """The kernel gives a signal to any thread that has not blocked it, and other tests may have left some."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("by_terminal", "status"), [(True, 3), (False, -signal.SIGTERM)])
def test_what_the_terminal_has_sent_is_not_passed_on(by_terminal, status):
    """The test above cannot see it for certain: the kernel makes one of two that come at once."""
    in_a_process_of_its_own(
        "import os, signal\n"
        "from os_retries.run import processes as run\n"
        "real = run._next_signal\n"
        f"first = iter([(signal.SIGTERM, {by_terminal})])\n"
        "run._next_signal = lambda numbers: next(first, None) or real(numbers)\n"
        f"assert run.wait_for(['sh', '-c', 'sleep 0.5; exit 3'], dict(os.environ)) == {int(status)}\n"
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="it does not say who has sent a signal")
def test_what_the_kernel_has_sent_is_told_from_what_a_process_has():
    in_a_process_of_its_own(
        "import os, signal\n"
        "from os_retries.run import processes as run\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001)\n"
        "assert run._next_signal([signal.SIGALRM]) == (signal.SIGALRM, True)\n"
        "os.kill(os.getpid(), signal.SIGALRM)\n"
        "assert run._next_signal([signal.SIGALRM]) == (signal.SIGALRM, False)\n"
    )


def _read_until(terminal, words):
    said = b""
    until = time.monotonic() + 30
    while words not in said and time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 4096)
    assert words in said
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_command_does_not_outlive_us_when_we_are_killed():
    with ending(start(sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)")) as process:
        process.stdout.readline()
        process.kill()
        assert select.select([process.stdout], [], [], 30)[0]  # the pipe is closed: nobody has it any more
        assert process.stdout.read() == ""


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_the_command_starts_with_the_signals_and_files_that_it_would_have_without_us(options):
    source = """if 1:
        import os, signal, sys
        for number in sorted(signal.Signals):
            state = signal.getsignal(number)
            print(number.name, state if state in (0, 1, None) else "python's", number in signal.pthread_sigmask(0, []))
        print(os.read(int(sys.argv[1]), 10))
    """

    def told(*before):
        read, write = os.pipe()
        os.write(write, b"inherited")
        try:
            done = subprocess.run(
                [*before, sys.executable, "-c", source, str(read)], pass_fds=[read], capture_output=True, check=True
            )
        finally:
            os.close(read)
            os.close(write)
        return done.stdout

    assert told(*RUN, *options, "--") == told()


def test_quietly_the_command_takes_our_place():
    with ending(start(sys.executable, "-c", "import os; print(os.getpid())", options=["-q"])) as process:
        assert int(process.stdout.read()) == process.pid


# -- the numbers


def test_the_defaults_are_for_interactive_use():
    assert policies({}) == {None: RetryPolicy(**INTERACTIVE)}
    assert [round(policies({})[None].own_wait(attempt)) for attempt in range(1, 6)] == [1, 2, 4, 8, 16]


def test_options_override_the_file_and_the_file_overrides_the_defaults(tmp_path):
    (tmp_path / "conf").write_text(
        "[timeouts]\nretries_number = 7\nretry_after = 3\n[timeouts_block_storage]\nretries_number = 1\nretry_after = 4\n"
    )
    read = policies({"retry_after": 0.5, "attempt_timeout": None}, str(tmp_path / "conf"))
    assert read == {
        None: RetryPolicy(retries_number=7, retry_after=0.5, pacing_url="host"),
        "block-storage": RetryPolicy(retries_number=1, retry_after=0.5, pacing_url="host"),
    }


@pytest.mark.parametrize(("line", "url"), [("", "host"), ("pacing_url = unix:///x", "unix:///x")])
@pytest.mark.parametrize("off", ["", "process"])
def test_a_file_s_own_pacing_url_wins_over_the_queue_of_the_host(tmp_path, line, url, off):
    (tmp_path / "conf").write_text(f"[timeouts]\n{line}\n[timeouts_image]\npacing_url = {off}\n")
    read = policies({}, str(tmp_path / "conf"))
    assert (read[None].pacing_url, read["image"].pacing_url) == (url, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[timeouts]\nretry_after = soon\n", "retry_after"),
        ("[timeouts]\nretries_number = -1\n", "retries_number"),
        ("nothing of the kind", "conf"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text, words, tmp_path):
    (tmp_path / "conf").write_text(text)
    with pytest.raises(UsageError, match=words):
        policies({}, str(tmp_path / "conf"))


def test_without_oslo_config_a_file_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "oslo_config", None)
    with pytest.raises(UsageError, match=r"pip install 'os-retries\[oslo\]'"):
        policies({}, str(tmp_path))


def passed_on(monkeypatch, options):
    """The numbers that the command gets."""
    seen = []
    monkeypatch.setattr(command, "run_command", lambda _command, how, **_: seen.append(how) or 0)
    assert cli.main(["run", *options, "--", "true"]) == 0
    policy = child.read_policies(seen[0], types.SimpleNamespace(sleep=None))[None]
    return {option.name: getattr(policy, option.name) for option in OPTIONS}


def test_without_options_the_command_gets_the_same_as_with_each_option_at_its_default():
    """That way does without the parser and the policies."""
    for text in (DEFAULTS, write_policies(policies({}))):
        read = child.read_policies(text, types.SimpleNamespace(sleep=None))
        assert read == {None: RetryPolicy(**INTERACTIVE)}


def test_without_options_what_only_a_retry_needs_is_not_loaded():
    """`os-retries run` is in front of commands that take a tenth of a second."""
    source = (
        "import sys; from os_retries import cli\n"
        "cli.main(['run', '--', 'true'])\n"
        "print(*{each.partition('.')[0] for each in sys.modules} | {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PATHS + source], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(
        {"argparse", "dataclasses", "inspect", "logging", "pathlib", "tempfile", "shutil", "random", "urllib"}
        | {"subprocess", "json", "locale", "selectors", "os_retries.options"}
        | {"os_retries.policy", "os_retries.core.failure", "os_retries.run.summary", "os_retries.run.report"}
    )


@pytest.mark.parametrize(("options", "safe"), [([], True), (["--no-safe-creates"], False)])
def test_creates_are_safe_unless_that_is_switched_off(monkeypatch, options, safe):
    assert passed_on(monkeypatch, options)["safe_creates"] is safe


@pytest.mark.parametrize(("options", "alone"), [([], False), (["--single-writer"], True)])
def test_single_writer_reaches_the_policies(monkeypatch, options, alone):
    assert passed_on(monkeypatch, options)["single_writer"] is alone


@pytest.mark.parametrize(("options", "paced"), [([], True), (["--no-pacing"], False)])
def test_no_pacing_reaches_the_policies(monkeypatch, options, paced):
    assert passed_on(monkeypatch, options)["pacing"] is paced


def test_timeout_inf_is_none():
    assert policies({"attempt_timeout": float("inf")})[None].attempt_timeout is None


def test_policies_arrive_as_they_were_sent():
    sent = {None: RetryPolicy(retries_number=2), "image": RetryPolicy(retry_codes=[503], attempt_timeout=None)}
    reporter = Reporter({})
    got = child.read_policies(write_policies(sent), reporter)
    for service, policy in sent.items():
        assert write_policies({None: got[service]}) == write_policies({None: policy})
        assert (got[service].sleep, got[service].on_retry) == (reporter.sleep, None)


@pytest.mark.parametrize(
    ("before", "entries"),
    [("", []), ("/a::/b", ["/a", "", "/b"]), (f"{SITECUSTOMIZE.parent}:/a", ["/a"]), (":", ["", ""])],
)
def test_the_python_path_begins_with_our_folder_and_stays_as_it_was(before, entries):
    assert command._python_path(before).split(":") == [str(SITECUSTOMIZE.parent), *entries]


# -- inside the command


STUB = """
import json, sys
class Response:
    headers = {}
    content = b""
    text = ""
    def __init__(self, status):
        self.status_code = status
class Session:
    timeout = None
    def __init__(self, *answers):
        self.answers = list(answers)
        self.session = None
    def request(self, url, method, **kwargs):
        print("sent", method, url, kwargs.get("timeout"))
        return Response(self.answers.pop(0))
"""
USES_STUB = """
from keystoneauth1.session import Session
class Mine(Session):
    pass
print(Mine(503, 503, 200).request("/thing?token=secret", "GET", endpoint_filter={"service_type": "compute"}).status_code)
"""


@pytest.fixture
def stubs(tmp_path):
    """A folder with a keystoneauth1 of a few lines."""
    (tmp_path / "keystoneauth1").mkdir()
    (tmp_path / "keystoneauth1/__init__.py").touch()
    (tmp_path / "keystoneauth1/session.py").write_text(STUB)
    return tmp_path


def with_stubs(stubs, **more):
    return {"env": os.environ | {"PYTHONPATH": str(stubs)} | more}


FAST = ("--retry-after", "0.001", "--timeout", "9")


def test_every_new_session_is_attached_also_of_a_subclass(stubs):
    done = python(USES_STUB, *FAST, **with_stubs(stubs))
    assert (done.returncode, done.stdout) == (0, "sent GET /thing?token=secret 9.0\n" * 3 + "200\n")
    assert done.stderr == (
        "os-retries: compute answered 503 to GET /thing · retry 1 of 5 now\n"
        "os-retries: compute answered 503 to GET /thing · retry 2 of 5 now\n"
        "os-retries: 1 request repeated (2 retries, 0.0 s of waiting)\n"
        "  compute GET /thing: 503 \N{MULTIPLICATION SIGN} 2\n"
    )


def test_quiet_says_nothing_and_a_file_gets_every_event(stubs, tmp_path):
    done = python(USES_STUB, *FAST, "-q", "--log-json", tmp_path / "log", **with_stubs(stubs))
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(event["event"], event["request"], event["attempt"], event["status"]) for event in events] == [
        ("retry", "GET /thing", 1, 503),
        ("retry", "GET /thing", 2, 503),
    ]
    assert "secret" not in (tmp_path / "log").read_text()


def test_what_a_whole_script_has_met_is_summed_up_once(stubs):
    """A shell in between, and a Python below a Python: children inherit it."""
    (stubs / "program.py").write_text(USES_STUB)
    (stubs / "parent.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, sys.argv[1]], check=True)\n"
    )
    command = f"{sys.executable} {stubs}/program.py && {sys.executable} {stubs}/parent.py {stubs}/program.py"
    done = run("sh", "-c", command, options=FAST, **with_stubs(stubs))
    assert done.stdout.count("sent") == 6
    assert done.stderr.count("request") == 1
    assert "2 requests repeated (4 retries" in done.stderr


@pytest.mark.parametrize("inner", [(), ("-q",)])
def test_a_run_inside_another_is_what_sums_up(inner, stubs):
    """The outer one does not know what the inner one has attached, and says nothing of it."""
    done = run(*RUN, *FAST, *inner, "--", sys.executable, "-c", USES_STUB, **with_stubs(stubs))
    assert done.stdout.endswith("200\n")
    assert command._UNUSED not in done.stderr
    assert done.stderr.count("1 request repeated") == (0 if inner else 1)


def test_without_a_place_for_a_journal_the_command_is_retried_all_the_same(stubs):
    """A full disk, or a container that cannot be written to: only the summary is missing."""
    source = (
        "import os, sys\n"
        "def full(*args, **kwargs): raise OSError(28, 'No space left on device')\n"
        "os.mkdir = full\n"
        "from os_retries.cli import main\n"
        "sys.exit(main())"
    )
    us = [sys.executable, "-c", source, "run", *FAST, "--", sys.executable, "-c", USES_STUB]
    done = subprocess.run(us, check=False, capture_output=True, text=True, timeout=60, **with_stubs(stubs))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "200")
    assert "retry 2 of 5" in done.stderr
    assert done.stderr.startswith("os-retries: there will be no summary: No space left on device\n")


@pytest.mark.parametrize("variable", ["OS_RETRIES_DISABLED", "OSRETRIES_DISABLED"])
def test_the_environment_switches_it_off(variable, stubs):
    """And what openstacksdk would take for a cloud is not handed on."""
    source = USES_STUB + "\nimport os; print([name for name in os.environ if name.startswith('OS_RETRIES')])"
    done = python(source, **with_stubs(stubs, **{variable: "1"}))
    assert (done.stdout, done.stderr) == ("sent GET /thing?token=secret None\n503\n[]\n", "")


def test_no_variable_of_ours_is_taken_for_a_cloud(stubs):
    done = python(
        "import os; print([name for name in os.environ if name.startswith('OS_')])", "--log-json", "/dev/null"
    )
    assert ast.literal_eval(done.stdout) == [name for name in os.environ if name.startswith("OS_")]


@pytest.mark.parametrize(
    ("stub", "words"),
    [
        ("class Session: pass", "a Session runs without retries: AttributeError"),
        ("", "keystoneauth1.session cannot be attached, so this program runs without retries: AttributeError"),
    ],
)
def test_a_program_never_fails_because_of_us(stub, words, stubs):
    """Whatever its keystoneauth turns out to be."""
    (stubs / "keystoneauth1/session.py").write_text(stub)
    done = python("import keystoneauth1.session as s; getattr(s, 'Session', int)(); print('well')", **with_stubs(stubs))
    assert (done.returncode, done.stdout) == (0, "well\n")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_without_clients_runs_untouched():
    """Nothing of ours is imported, nothing is left on its path; and whoever expected retries is told that there were none."""
    source = (
        "import sys; print([m for m in sys.modules if 'retries' in m], [p for p in sys.path if 'os_retries/run' in p])"
    )
    done = python(source)
    assert done.stdout == "[] []\n"
    assert done.stderr == command._UNUSED + "\n"


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_a_python_out_of_reach_is_told_of(flag):
    done = run(sys.executable, flag, "-c", "print('well')")
    assert (done.returncode, done.stdout) == (0, "well\n")
    assert done.stderr == command._UNREACHED + "\n"


# -- the sitecustomize


def test_what_is_hooked_is_what_is_known():
    assert _sitecustomize()["_HOOKED"] == set(child._HOOKS)


def _sitecustomize():
    return runpy.run_path(str(SITECUSTOMIZE), run_name="not sitecustomize")


def test_an_old_python_can_parse_it_and_is_left_alone(monkeypatch, tmp_path):
    ast.parse(SITECUSTOMIZE.read_text(), feature_version=(3, 6))
    (tmp_path / "journal").touch()
    monkeypatch.setenv("OSRETRIES_POLICY", "{}")
    monkeypatch.setenv("OSRETRIES_JOURNAL", str(tmp_path / "journal"))
    start = _sitecustomize()["_start"]
    finders = list(sys.meta_path)
    old = types.SimpleNamespace(version_info=(3, 10, 1), meta_path=sys.meta_path, modules=sys.modules)
    monkeypatch.setitem(start.__globals__, "sys", old)
    start()
    assert sys.meta_path == finders
    assert (tmp_path / "journal").read_text() == "old 3.10\n"


OLD = next(filter(None, map(shutil.which, ["python3.6", "python3.8", "python3.9", "python3.10"])), None)


@pytest.mark.skipif(
    OLD is None or subprocess.run([OLD, "-V"], check=False, capture_output=True).returncode != 0,
    reason="there is no Python older than 3.11 here",
)
def test_a_real_old_python_is_left_alone_and_told_of():
    done = run(OLD, "-c", "print('well')")
    assert (done.returncode, done.stdout) == (0, "well\n")
    assert re.fullmatch(
        r"os-retries: this command runs Python 3\.\d+, and os-retries needs 3\.11 or newer: nothing was retried\.\n",
        done.stderr,
    )


def test_a_newer_python_beside_an_old_one_is_what_counts(capfd, tmp_path):
    (tmp_path / "journal").write_text("old 3.9\nin 3.12\nattached 3.12\n")
    command._sum_up(tmp_path / "journal")
    assert capfd.readouterr().err == ""


def test_a_command_that_damages_the_journal_ends_with_its_own_status_and_no_traceback():
    source = (
        "import os\n"
        "with open(os.environ['OSRETRIES_JOURNAL'], 'ab') as journal:\n"
        '    journal.write(b\'\\xff\\n{}\\n{"event": "retry"}\\n[1]\\nold\\n\')\n'
        "    os.remove(journal.name) if {} else None\n"
        "raise SystemExit(5)\n"
    )
    for removed, words in (("False", command._UNUSED), ("True", "there is no summary: No such file or directory")):
        done = python(source.replace("if {}", f"if {removed}"))
        assert done.returncode == 5
        assert words in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "their", ["print('theirs', __name__, __file__)", "raise ValueError('theirs')", "import nowhere"]
)
def test_a_sitecustomize_that_ours_hides_runs_as_it_would_without_us(their, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(their)

    def told(*path, **variables):
        source = "import sys; print(sys.path[1:]); import sitecustomize; print(sitecustomize.__file__)"
        env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), **variables}
        done = subprocess.run([sys.executable, "-c", source], check=False, capture_output=True, text=True, env=env)
        return done.returncode, done.stdout, done.stderr

    expected = told(tmp_path)
    assert "theirs" in expected[1] + expected[2] or "nowhere" in expected[2]
    assert told(SITECUSTOMIZE.parent, tmp_path, OSRETRIES_POLICY="{}") == expected
    assert told(SITECUSTOMIZE.parent, tmp_path) == expected  # and when it is not `run` that has put ours there


# -- another environment


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Another virtual environment, without os-retries: with a client of a few lines, and a requests older than ours."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "keystoneauth1").mkdir()
    (packages / "keystoneauth1/__init__.py").touch()
    (packages / "keystoneauth1/session.py").write_text(STUB)
    (packages / "requests.py").write_text("__version__ = 'of theirs'")
    program = folder / "bin/program"
    program.write_text(
        f"#!{folder}/bin/python\n{USES_STUB}\nimport requests; print(requests.__version__)\n"
        "try:\n    import openstack\nexcept ImportError:\n    print('no openstack here')\n"
        "import os_retries.run.child, importlib.resources as r\n"
        "print(r.files('keystoneauth1').joinpath('session.py').is_file(), os_retries.__file__)\n"
    )
    program.chmod(0o755)
    return program


def test_in_another_environment_os_retries_comes_in_and_nothing_else_of_ours(elsewhere):
    done = run(elsewhere, options=FAST)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[3:] == [
        "200",
        "of theirs",
        "no openstack here",
        f"True {Path(command.__file__).parents[1] / '__init__.py'}",
    ]
    assert "1 request repeated (2 retries" in done.stderr


# -- an operation

SHOWN = "sh", "-c", 'echo "$OSRETRIES_OPERATION:$OSRETRIES_STRICT"; test -f "$OSRETRIES_ORDINALS"'


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_the_programs_below_an_operation_get_its_key_and_a_file_that_is_gone_in_the_end(options, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = run(*SHOWN, options=[*options, "--operation", "nightly", "--strict"])
    assert (done.returncode, done.stdout) == (0, "nightly:1\n")
    assert list(tmp_path.iterdir()) == []


def test_the_key_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("OSRETRIES_OPERATION", "nightly")
    assert run(*SHOWN).stdout == "nightly:\n"
    assert run(*SHOWN, options=["--operation", "mine"]).stdout == "mine:\n"


def test_a_run_below_a_run_goes_on_with_its_operation_and_its_file():
    inner = f'{shlex.join(RUN)} -- sh -c \'test "$OSRETRIES_ORDINALS" = "$0"\' "$OSRETRIES_ORDINALS"'
    assert run("sh", "-c", inner, options=["--operation", "nightly"]).returncode == 0


def test_a_run_with_a_key_of_its_own_is_strict_only_if_it_says_so():
    inner = f"{shlex.join(RUN)} --operation inner -- {shlex.join(SHOWN)}"
    assert run("sh", "-c", inner, options=["--operation", "outer", "--strict"]).stdout == "inner:\n"


STATE = "sh", "-c", 'echo "$OSRETRIES_STATE"'


def test_the_programs_get_the_absolute_path_of_the_note(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = ["--operation", "nightly", "--state", "note"]
    assert run(*STATE, options=named).stdout == f"{tmp_path}/note\n"
    monkeypatch.setenv("OSRETRIES_STATE", "another")
    assert run(*STATE, options=named[:2]).stdout == f"{tmp_path}/another\n"
    assert run(*STATE, options=named).stdout == f"{tmp_path}/note\n"
    inner = f"{shlex.join(RUN)} --operation inner -- {shlex.join(STATE)}"
    assert run("sh", "-c", inner, options=named).stdout == "\n", "it is the note of the run around it"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_note_that_cannot_be_used_is_said_once_and_the_command_runs_without_it(tmp_path, quiet):
    (tmp_path / "note").write_text("Dear diary,\n")
    done = run(*STATE, options=["--operation", "x", "--state", tmp_path / "note", *(["-q"] if quiet else [])])
    assert (done.returncode, done.stdout) == (0, "\n")
    said = f"os-retries: {tmp_path}/note is not used as the state of the operation: it is damaged, or no note of "
    lines = done.stderr.splitlines()
    assert lines[:1] == ([] if quiet else [f"{said}os-retries; every create is looked up"])


@pytest.mark.parametrize(
    ("options", "variable", "says"),
    [
        (["--state", "x"], None, "--state needs --operation"),
        (["--strict"], None, "--strict needs --operation"),
        (["--operation", " "], None, "the key is empty"),
        ([], ("OSRETRIES_OPERATION", " "), "the key is empty"),
        (["--operation", "x"], ("OS_RETRIES_DISABLED", "1"), "switched off"),
        (["--operation", "x", "-q"], ("OSRETRIES_DISABLED", "1"), "switched off"),
    ],
)
def test_a_mistake_in_the_options_of_an_operation_runs_nothing(options, variable, says, monkeypatch):
    if variable:
        monkeypatch.setenv(*variable)
    done = run("echo", "ran", options=options)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
