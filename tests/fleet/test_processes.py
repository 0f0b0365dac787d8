"""Eight processes and a service that goes down: their retries form one queue, even if processes or Redis are killed."""

from __future__ import annotations

import contextlib
import json
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.pacing import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.conftest import Server

PROCESSES = 8


class Service(socketserver.ThreadingTCPServer):
    """Answers as it is told, and knows when it was asked."""

    daemon_threads = True
    request_queue_size = 1000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = b"y"
        self.retries: list[float] = []  # the instants
        self.connections: list[object] = []

    def retries_between(self, begin: float, end: float) -> int:
        return sum(begin <= instant < end for instant in list(self.retries))


class Handler(socketserver.BaseRequestHandler):
    server: Service

    def handle(self) -> None:
        self.server.connections.append(self)
        with contextlib.suppress(ConnectionError):
            while attempt := self.request.recv(1):
                if attempt == b"r":
                    self.server.retries.append(time.monotonic())
                self.request.sendall(self.server.answer)


@contextlib.contextmanager
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
def processes(port: int, urls: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    worker = [sys.executable, str(Path(__file__).with_name("worker.py")), str(port)]
    with contextlib.ExitStack() as stack:
        started = []
        for url in urls:
            started.append(stack.enter_context(subprocess.Popen([*worker, url], stdout=subprocess.PIPE, text=True)))
            stack.callback(started[-1].kill)
        yield started


def test_eight_processes_are_one_queue_while_one_dies_and_redis_restarts(server: Server) -> None:
    """No call fails that had retries left, and while the service is down the eight together probe as one would."""
    with service() as serving, processes(serving.server_address[1], [server.url] * PROCESSES) as workers:
        until = time.monotonic() + 60
        while len(serving.connections) < PROCESSES * 17:
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        assert not serving.retries

        serving.answer = b"n"
        down = time.monotonic()
        time.sleep(1.5)
        workers[0].kill()
        time.sleep(1.5)
        paced = serving.retries_between(down, time.monotonic())
        # One burst of ten, ten in the first second, then one a second.  Eight queues: eight times that; none: a thousand.
        assert 10 <= paced <= 60

        stopped = time.monotonic()
        server.stop()
        time.sleep(0.7)
        server.start()
        time.sleep(1.3)
        # While Redis is away each has its own burst, and its own few a second.
        assert serving.retries_between(stopped, time.monotonic()) <= PROCESSES * 30
        serving.answer = b"y"
        up = time.monotonic()
        while time.monotonic() < up + 30:
            with server.client() as client:
                # Whoever waits and is still there: a slow Redis may have been left without a word.
                if not any(
                    client.zcount(key, time.time(), "+inf") for key in client.scan_iter(f"{fleet.PREFIX}:*:alive")
                ):
                    break
            time.sleep(0.1)
        drained = time.monotonic() - up
        serving.answer = b"q"
        results = [json.loads(worker.communicate(timeout=30)[0]) for worker in workers[1:]]
    assert drained < 30
    assert sum(result["failed"] for result in results) == 0
    lines = [line.partition(" ")[0] for result in results for line in result["lines"]]
    assert {"WARNING", "INFO"} == set(lines)
    assert len(lines) <= 6 * PROCESSES  # one of each a process, or few more on a machine so busy that Redis is slow
