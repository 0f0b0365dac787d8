"""One process of a fleet: ``worker.py PORT URL``.  When it is told to stop, it writes its counts as JSON.

Fifteen threads make one call after the other, with retries.  Two more threads make calls without retries: the load that
continues in any case.  Each attempt sends one byte to the service at PORT, ``f`` for a first attempt and ``r`` for a
retry.  The service answers with one byte: ``y`` for a success, ``n`` for a failure, or ``q`` to stop.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time

from os_retries import RetryPolicy
from os_retries.pacing import fleet

CALLING, LOADING = 15, 2


class Unavailable(Exception):
    code = 503


class Process:
    def __init__(self, port: int, url: str) -> None:
        fleet.check(url)  # as configure does: redis-py is large
        self.port = port
        self.url = url
        self.stopped = False
        self.succeeded = self.failed = 0
        self.lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(f"{record.levelname} {record.getMessage()}")
        logging.getLogger("os_retries").propagate = False
        log = logging.getLogger("os_retries.fleet")
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        logging.getLogger("os_retries").addHandler(logging.NullHandler())

    def thread(self, retries_number: int, pause: float) -> None:
        policy = RetryPolicy(retries_number=retries_number, retry_after=0.3, pacing_url=self.url)
        with socket.create_connection(("127.0.0.1", self.port)) as service:
            while not self.stopped:
                attempts = 0

                def attempt() -> None:
                    nonlocal attempts
                    attempts += 1
                    service.sendall(b"f" if attempts == 1 else b"r")
                    answer = service.recv(1)
                    self.stopped = self.stopped or answer == b"q"
                    if answer == b"n":
                        raise Unavailable

                try:
                    policy.execute(attempt)
                    self.succeeded += 1
                except Unavailable:
                    self.failed += retries_number > 0
                time.sleep(pause)

    def run(self) -> None:
        ways = [(5, 0.1)] * CALLING + [(0, 0.1)] * LOADING
        threads = [threading.Thread(target=self.thread, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps({"succeeded": self.succeeded, "failed": self.failed, "lines": self.lines}))  # noqa: T201  for the test


if __name__ == "__main__":
    Process(int(sys.argv[1]), sys.argv[2]).run()
