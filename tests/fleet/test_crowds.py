"""Many small processes of one host and a service that goes down, for real: they retry as one queue."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROCESSES = 100
DOWN = 6.0  # seconds


class Service(ThreadingHTTPServer):
    """Answers with the status that it was told, and knows when a path was asked for again."""

    daemon_threads = True
    request_queue_size = 1000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.asked: dict[str, int] = {}
        self.retries: list[float] = []  # the instants

    def retries_between(self, begin: float, end: float) -> int:
        return sum(begin <= instant < end for instant in list(self.retries))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        asked = self.server.asked
        asked[self.path] = asked.get(self.path, 0) + 1
        if asked[self.path] > 1:
            self.server.retries.append(time.monotonic())
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # from a process that was killed
            super().handle()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield serving
        finally:
            serving.shutdown()
            thread.join()


@contextlib.contextmanager
def crowd(service: Service, url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("crowd.py"))]
    arguments = [str(service.server_address[1]), str(PROCESSES), url]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True) as started:
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def all_have_asked(service: Service, deadline: float = 60.0) -> None:
    until = time.monotonic() + deadline
    while len({path.split("/")[2] for path in list(service.asked)}) < PROCESSES:
        assert time.monotonic() < until
        time.sleep(0.05)


def outage(service: Service, url: str, *, kill: bool) -> tuple[int, list[dict[str, int]], float]:
    """Return the retries while the service was down, the counts of the processes, and the seconds until all was well."""
    with crowd(service, url) as started:
        assert started.stdout is not None
        pids = json.loads(started.stdout.readline())
        all_have_asked(service)
        service.status = 503
        down = time.monotonic()
        time.sleep(DOWN / 2)
        for pid in pids[::3] if kill else ():
            os.kill(pid, signal.SIGKILL)
        time.sleep(DOWN / 2)
        service.status = 200
        up = time.monotonic()
        retries = service.retries_between(down, up)
        while service.retries_between(time.monotonic() - 3.0, time.monotonic()) and time.monotonic() < up + 60:
            time.sleep(0.2)
        drained = time.monotonic() - 3.0 - up
        service.status = 410
        counts = [json.loads(line) for line in started.stdout]
    return retries, counts, drained


def test_a_hundred_processes_of_which_a_third_is_killed_are_one_queue(service, monkeypatch, tmp_path):
    """No call of the others fails, and while the service is down they ask it again as one process would.

    Alone each of them, with one call in trouble, asks again twice a second: hundreds of retries, and calls that fail.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    retries, counts, drained = outage(service, "host", kill=True)
    assert len(counts) == PROCESSES - len(range(0, PROCESSES, 3))
    assert sum(each["failed"] for each in counts) == 0
    assert sum(each["succeeded"] for each in counts) >= 2 * len(counts)
    # Until the trouble is noticed, a burst of ten, ten in the first second, then one a second: some sixty.
    assert retries <= 120
    assert drained < 30
    (file,) = (tmp_path / "os-retries").iterdir()
    assert file.name.startswith("127.0.0.1-")


COMMAND = """
import os, sys
from keystoneauth1.session import Session
assert Session().get(sys.argv[1]).status_code == 200
"""


def test_the_commands_of_a_script_know_what_the_others_have_met(service, monkeypatch, tmp_path):
    """Each command is a process of its own, with one call, below one ``os-retries run``: five at a time, one by one."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "command.py").write_text(COMMAND)
    url = f"http://127.0.0.1:{service.server_address[1]}"
    loop = f'for i in 1 2 3 4; do "{sys.executable}" "{tmp_path}/command.py" {url}/api/$1/$i || exit 1; done'
    script = (
        f'for n in 1 2 3 4 5; do (set -- $n; {loop}) & all="$all $!"; done; for p in $all; do wait $p || exit 1; done'
    )
    run = Path(sys.executable).with_name("os-retries")
    service.status = 503
    started = subprocess.Popen([run, "run", "--", "sh", "-c", script], stderr=subprocess.PIPE, text=True)
    with started:
        until = time.monotonic() + 60
        while len(service.retries) < 8 and time.monotonic() < until:
            time.sleep(0.05)
        service.status = 200
        assert started.stderr is not None
        said = started.stderr.read()
    assert started.returncode == 0
    assert len(service.asked) == 20
    assert "given up" not in said
    (file,) = (tmp_path / "os-retries").iterdir()
    assert len(list(file.parent.iterdir())) == 1
