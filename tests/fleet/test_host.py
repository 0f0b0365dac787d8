"""The queue of the host never harms a call, whatever is in its directory and whoever dies."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import os_retries
from os_retries.pacing import host
from os_retries.pacing.local import BURST
from os_retries.pacing.process import pacers
from os_retries.pacing.shared import SharedPacer, Step
from os_retries.pacing.state import CALL, SIZE, State, waiting
from tests.unit.conftest import HttpError

ENDPOINT = "nova:8774 compute"
FAILED = Step(0, 1, 60.0, aware=True)


class Clock:
    now = 1000.0


@pytest.fixture(autouse=True)
def _nothing_remembered(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # A mistake in the code that removes old files must not remove those of the working directory: a mutant did.
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO, "os_retries.fleet")
    monkeypatch.setattr(host, "_host", host.Host())
    pacers.forget()
    yield
    pacers.forget()


@pytest.fixture
def runtime() -> Path:
    """The user's XDG_RUNTIME_DIR; tests/conftest.py has made one for each test."""
    return Path(os.environ["XDG_RUNTIME_DIR"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


def process(clock: Clock) -> SharedPacer:
    """The pacer of one process of the host."""
    return SharedPacer(host.Host(lambda: clock.now), ENDPOINT, 0.0)


def in_trouble(pacer: SharedPacer, now: float = 0.0, calls: int = 30) -> None:
    for _ in range(calls):
        pacer.call_failed()
        pacer.note(now, 0, 1, 1.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == "os_retries.fleet"]


def the_file(runtime: Path) -> Path:
    (file,) = (runtime / "os-retries").iterdir()
    return file


def state(runtime: Path) -> State:
    content = the_file(runtime).read_bytes()
    return State.read(content[:SIZE], content[SIZE : SIZE + CALL * (waiting(content[:SIZE]) or 0)], 0.0)


# -- the host


def test_two_processes_share_one_burst_of_slots(clock, caplog):
    """What one has taken the other does not get."""
    one, other = process(clock), process(clock)
    in_trouble(one)
    in_trouble(other)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(50) for pacer in (one, other)]
    assert naps.count(0.0) == BURST
    assert lines(caplog) == []


def test_two_calls_of_the_same_number_in_two_processes_are_two(clock, runtime):
    for pacer in [process(clock) for _ in range(3)]:
        in_trouble(pacer)
        for who in range(40):
            pacer.ask(0.0, 1000 + who, 0.0)
    assert len(state(runtime).queue) == CALL * (3 * 40 - BURST)


def test_what_succeeds_does_not_touch_the_directory(runtime):
    policy = os_retries.RetryPolicy(pacing_url="host")
    assert [policy.execute(lambda: "result") for _ in range(10)] == ["result"] * 10
    assert list(runtime.iterdir()) == []


def test_a_policy_with_this_url_shares_what_its_calls_have_met(runtime):
    outcomes: list[Exception | str] = [HttpError(503), "result"]

    def method() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert os_retries.RetryPolicy(pacing_url="host", retry_after=0.01).execute(method) == "result"
    assert state(runtime).failed == pytest.approx(1, abs=0.1)
    assert state(runtime).succeeded == pytest.approx(2, abs=0.1)  # one is assumed of a process that is new


def test_the_directory_and_its_files_are_the_users_alone(clock, runtime):
    before = os.umask(0)
    try:
        process(clock).note(0.0, 0, 1)
    finally:
        os.umask(before)
    assert (runtime / "os-retries").stat().st_mode & 0o777 == 0o700
    assert the_file(runtime).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("runtime", ["", "relative", "/nonexistent", "/", "/tmp"])
def test_without_a_runtime_directory_of_its_own_the_user_has_one_in_tmp(runtime):
    """Under sudo XDG_RUNTIME_DIR may be another user's, and anybody may write to /tmp."""
    user = os.geteuid() if runtime != "/" else 12345
    assert host.directory(runtime, user) == f"/tmp/os-retries-{user}"


def test_another_boot_clock_program_cloud_or_endpoint_has_another_file(monkeypatch):
    names = {host.file_name(each) for each in ("novaclient", ENDPOINT, "nova:8774 volume", "nova.example compute")}
    monkeypatch.setattr(sys, "argv", ["another"])
    for address in (ENDPOINT, "nova.example compute"):  # the same for every program
        assert host.file_name(address) in names
    names.add(host.file_name("novaclient"))
    monkeypatch.setenv("OS_CLOUD", "another")
    names.add(host.file_name("novaclient"))
    for machine in (("another boot", ""), ("", "another clock")):
        monkeypatch.setattr(host, "_machine", lambda machine=machine: machine)
        names.add(host.file_name(ENDPOINT))
    assert len(names) == 8
    assert all("/" not in name and len(name) < 100 for name in names | {host.file_name("a/../b\0é:1 " * 99)})


@pytest.mark.skipif(not Path("/proc/self/ns/time").exists(), reason="needs Linux 5.6")
def test_the_machine_is_named_by_its_boot_and_by_the_clock_of_the_namespace():
    """Instants of another boot, or of a container with a clock of its own, mean nothing here."""
    boot, clock = host._machine()
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    assert clock == str(Path("/proc/self/ns/time").readlink())


def test_nothing_stays_open_between_two_decisions(clock):
    """A daemon may close all its descriptors, and its next files then have their numbers."""
    pacer = process(clock)
    before = set(Path("/proc/self/fd").iterdir())
    in_trouble(pacer)
    pacer.ask(0.0, 1, 0.0)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_file_that_is_refused_is_closed_again(clock, runtime):
    """While it stays there it is opened again and again."""
    pacer = process(clock)
    pacer.note(0.0, 0, 1)
    the_file(runtime).chmod(0o660)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(PermissionError):
        pacer._store._open(the_file(runtime).name)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_many_threads_use_it_at_once(clock, caplog, runtime):
    pacer = process(clock)
    in_trouble(pacer)
    naps: list[float] = []

    def calls(first: int) -> None:
        naps.extend(pacer.ask(0.0, who, 0.0) for who in range(first, first + 20))

    threads = [threading.Thread(target=calls, args=(1000 * i,)) for i in range(1, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert naps.count(0.0) == BURST
    assert len(state(runtime).queue) == CALL * (200 - BURST - naps.count(0.05))  # who found it busy asks again soon
    assert lines(caplog) == []


def test_a_thread_that_finds_another_one_deciding_asks_again_soon_and_gets_no_slot(clock, caplog):
    pacer = process(clock)
    in_trouble(pacer)
    with pacer._store._lock:
        pacer._store._owner = -1
        assert pacer.ask(0.0, 1, 0.0) == 0.05
    assert lines(caplog) == []


def test_a_signal_handler_does_not_wait_for_the_call_that_it_has_interrupted(clock, caplog):
    """The local pacer decides: nobody else can free the lock."""
    pacer = process(clock)
    in_trouble(pacer)
    with pacer._store._lock:
        pacer._store._owner = threading.get_ident()
        assert pacer.ask(0.0, 1, 0.0) == 0.0
    assert lines(caplog) == []


def test_a_forked_process_has_another_name(clock):
    """Also if a thread of the parent's was deciding at that moment."""
    reader, writer = os.pipe()
    with host._host._lock:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                decided = host._host.decide(0.0, "file", FAILED) is not None
                os.write(writer, f"{decided} {host._host.name}".encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    decided, _, name = os.read(reader, 100).decode().partition(" ")
    os.close(reader)
    assert decided == "True"
    assert name != host._host.name


# -- who dies


def test_who_dies_in_the_middle_of_a_decision_loses_its_place_and_nothing_else(clock, runtime, caplog):
    """Killed between the write of the queue and that of the numbers: those who wait have their old places again."""
    living, dying = process(clock), process(clock)
    in_trouble(living)
    for who in range(13):
        clock.now += 0.001
        living.ask(0.0, who, 0.0)
    before = state(runtime)
    child = os.fork()
    if child == 0:
        host._write = lambda file, content, offset, write=host._write: (
            write(file, content, offset) if offset else os.kill(os.getpid(), signal.SIGKILL)
        )
        dying.ask(0.0, 100, 5.0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    torn = state(runtime)
    assert (torn.trouble, torn.rate, torn.failed, torn.queue) == (True, before.rate, before.failed, b"")
    for who in (12, 10, 11):  # in any order
        living.ask(0.0, who, 0.013 - 0.001 * (who + 1))
    queue = state(runtime).queue
    assert [queue[at + 24] for at in range(0, len(queue), CALL)] == [10, 11, 12]
    assert lines(caplog) == []


def test_a_process_killed_while_it_holds_the_lock_frees_it(clock, runtime, caplog):
    pacer = process(clock)
    in_trouble(pacer)
    child = os.fork()
    if child == 0:
        fcntl.flock(os.open(the_file(runtime), os.O_RDWR), fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert pacer.ask(0.0, 1, 0.0) == 0.0
    assert lines(caplog) == []


def test_a_process_stopped_while_it_holds_the_lock_holds_up_nobody(clock, runtime, caplog):
    """Each decision waits five milliseconds at most, and after half a second the local pacer decides at once."""
    pacer = process(clock)
    in_trouble(pacer)
    holding = os.open(the_file(runtime), os.O_RDWR)
    fcntl.flock(holding, fcntl.LOCK_EX)
    longest, naps = 0.0, []
    for who in range(6):
        began = time.thread_time()  # other processes may have the processor meanwhile
        naps.append(pacer.ask(0.0, who, 0.0))
        longest = max(longest, time.thread_time() - began)
        clock.now += 0.5 / 6
    assert longest < 0.02
    assert set(naps) == {0.05}  # soon it may be free again
    assert lines(caplog) == []
    clock.now += 0.5
    assert pacer.ask(0.0, 100, 0.0) == 0.0
    assert lines(caplog) == ["WARNING"]
    os.close(holding)
    pacer.ask(100.0, 1, 0.0)
    assert lines(caplog) == ["WARNING", "INFO"]


def test_a_lock_that_is_taken_again_and_again_is_a_busy_machine_and_no_event(clock, runtime, caplog):
    """Other processes decide meanwhile, as the time of the last write shows."""
    pacer = process(clock)
    in_trouble(pacer)
    holding = os.open(the_file(runtime), os.O_RDWR)
    fcntl.flock(holding, fcntl.LOCK_EX)
    for second in range(20):
        os.utime(holding, (second, second))
        assert pacer.ask(0.0, 1, 0.0) == 0.05
        clock.now += 1.0
    os.close(holding)
    assert lines(caplog) == []


def test_a_decision_that_finds_the_lock_taken_does_not_say_that_there_is_trouble(clock, runtime):
    pacer = process(clock)
    pacer.note(0.0, 0, 1)
    holding = os.open(the_file(runtime), os.O_RDWR)
    fcntl.flock(holding, fcntl.LOCK_EX)
    pacer.ask(0.0, 1, 0.0)
    os.close(holding)
    assert not pacer._trouble


# -- what is wrong with the file


def a_symlink(runtime: Path) -> None:
    file = the_file(runtime)
    file.rename(runtime / "elsewhere")
    file.symlink_to(runtime / "elsewhere")


def a_linked_directory(runtime: Path) -> None:
    (runtime / "os-retries").rename(runtime / "elsewhere")
    (runtime / "os-retries").symlink_to(runtime / "elsewhere")


def a_hard_link(runtime: Path) -> None:
    os.link(the_file(runtime), runtime / "elsewhere")


def open_to_others(runtime: Path) -> None:
    the_file(runtime).chmod(0o660)


def an_open_directory(runtime: Path) -> None:
    (runtime / "os-retries").chmod(0o770)


def a_fifo(runtime: Path) -> None:
    file = the_file(runtime)
    file.unlink()
    os.mkfifo(file, 0o600)


def a_directory(runtime: Path) -> None:
    file = the_file(runtime)
    file.unlink()
    file.mkdir(0o700)


def a_file_for_a_directory(runtime: Path) -> None:
    shutil.rmtree(runtime / "os-retries")
    (runtime / "os-retries").write_text("not ours")


def no_directory(runtime: Path) -> None:
    shutil.rmtree(runtime / "os-retries")
    (runtime / "os-retries").symlink_to(runtime / "nowhere")


@pytest.mark.parametrize(
    "breaks",
    [
        *(a_symlink, a_linked_directory, a_hard_link, open_to_others, an_open_directory, a_fifo, a_directory),
        *(a_file_for_a_directory, no_directory),
    ],
)
def test_a_foreign_file_is_left_alone_and_each_process_paces_alone(clock, runtime, caplog, breaks):
    """One warning, no error, and nobody waits for it."""
    pacer = process(clock)
    pacer.note(0.0, 0, 1)
    breaks(runtime)
    aside = runtime / "elsewhere"
    before = aside.read_bytes() if aside.is_file() else None
    began = time.thread_time()
    in_trouble(pacer)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(11)]
    assert time.thread_time() - began < 0.1  # all forty of them
    assert naps.count(0.0) == BURST
    assert lines(caplog) == ["WARNING"]
    assert (aside.read_bytes() if aside.is_file() else None) == before


def test_another_users_file_is_left_alone(clock, runtime, caplog, monkeypatch):
    pacer = process(clock)
    pacer.note(0.0, 0, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(host, "directory", lambda _runtime, _user: str(runtime / "os-retries"))
    in_trouble(pacer)
    assert lines(caplog) == ["WARNING"]
    assert "cannot be used (the directory is not this user's alone)" in caplog.text


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\xff" * 4096, bytes(SIZE), "numbers", "queue", "longer", "shorter"],
    ids=lambda content: content[:2].hex() or "empty" if isinstance(content, bytes) else content,
)
def test_damaged_content_begins_anew(clock, runtime, caplog, content):
    pacer = process(clock)
    in_trouble(pacer)
    for who in range(20):
        pacer.ask(0.0, who, 0.0)
    file, whole = the_file(runtime), the_file(runtime).read_bytes()
    damaged = {
        "numbers": b"\x01" + whole[1:],
        "queue": whole[:-1] + b"\x01",
        "longer": whole + b"x" * 5000,
        "shorter": whole[:-1],
    }
    file.write_bytes(damaged[content] if isinstance(content, str) else content)
    assert pacer.ask(0.0, 100, 0.0) >= 0.0
    after = state(runtime)
    assert after.trouble == (content in ("queue", "longer", "shorter"))  # the numbers are whole
    assert len(after.queue) == {"longer": 11, "queue": 1, "shorter": 1}.get(str(content), 0) * CALL
    assert lines(caplog) == []


def test_a_full_disk_is_one_warning(clock, runtime, caplog, monkeypatch):
    pacer = process(clock)
    full = os.open("/dev/full", os.O_RDWR)
    monkeypatch.setattr(os, "pwrite", lambda _file, content, _offset: os.write(full, content))
    in_trouble(pacer)
    os.close(full)
    assert lines(caplog) == ["WARNING"]
    assert "cannot be used (No space left on device)" in caplog.text


def test_a_real_full_file_system_is_one_warning(tmp_path):
    """A limit on the size of a file is what a test can set without a file system of its own."""
    program = """if True:
        import logging, resource, signal, sys
        logging.basicConfig(format="%(levelname)s %(message)s")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        from os_retries.pacing import host
        pacer = host.pacer_for("nova:8774 compute", 0.0)
        for who in range(30):
            pacer.call_failed()
            pacer.note(0.0, 0, 1)
        print([pacer.ask(0.0, who, 0.0) for who in range(11)].count(0.0))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "10\n"
    assert done.stderr.count("WARNING") == done.stderr.count("\n") == 1


def test_a_removed_file_begins_anew(clock, runtime, caplog):
    pacer = process(clock)
    in_trouble(pacer)
    shutil.rmtree(runtime / "os-retries")
    in_trouble(pacer)
    assert state(runtime).trouble
    assert lines(caplog) == []


def test_files_that_nobody_has_written_for_long_are_removed(clock, runtime):
    process(clock).note(0.0, 0, 1)
    old, new = (the_file(runtime).with_name(name) for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    SharedPacer(host.Host(lambda: clock.now), "another:1", 0.0).note(0.0, 0, 1)
    assert not old.exists()
    assert new.exists()
    assert len(list(old.parent.iterdir())) == 3


def test_no_part_of_two_calls_is_taken_for_a_third_one():
    """The end of one and the beginning of the next may look like a name."""
    state = State(100.0)
    state.note(100.0, 0, 60)
    state.tokens = 0.0
    for process, who, arrived in ((b"1" * 8, 0, -1.0), (b"2" * 8, 1, 0.0)):
        assert state.take(Step(0, 0, 0.0, True, "ask", who, 100.0 - arrived), process, 100.0)
    assert bytes(16) in state.queue
    assert state._place(bytes(8), 0) is None
    assert [state._place(b"1" * 8, 0), state._place(b"2" * 8, 1)] == [0, 1]


# -- clocks


def test_a_clock_that_stands_still_or_is_behind_makes_nobody_wait_longer(clock):
    """A suspended machine, and a processor whose clock is a little behind."""
    pacer = process(clock)
    in_trouble(pacer)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(12)]
    clock.now -= 1.0
    pacer.ask(0.0, 10, 0.0)
    clock.now += 1.0 + naps[-1]
    assert 0.0 in [pacer.ask(0.0, who, naps[-1]) for who in (10, 11)]


def test_more_calls_than_have_room_wait_all_the_same(clock, runtime, monkeypatch):
    monkeypatch.setattr("os_retries.pacing.state.LIMIT", 20)
    pacer = process(clock)
    in_trouble(pacer)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(50)]
    assert naps[-1] == 10.0
    assert len(state(runtime).queue) == 20 * CALL
