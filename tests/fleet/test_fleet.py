"""A shared pacer never harms a call, even if Redis is slow, unavailable, full, flushed, restarted or not installed."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import logging
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from oslo_config import cfg, fixture

import os_retries
from os_retries.pacing import fleet
from os_retries.pacing.local import BURST, LocalPacer
from os_retries.pacing.process import pacers
from os_retries.pacing.shared import SUCCESSES, WATCH, SharedPacer
from tests.unit.conftest import HttpError

if TYPE_CHECKING:
    from tests.fleet.conftest import Server

ENDPOINT = "nova:8774 compute"
LONG = 1.0  # seconds: far longer than anything here may take, and far shorter than a wait for Redis would be


@pytest.fixture(autouse=True)
def _nothing_remembered(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "os_retries.fleet")
    pacers.forget()
    yield
    pacers.forget()
    for each in fleet._fleets.values():
        each.close()
    fleet._fleets.clear()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == "os_retries.fleet"]


def evaluations(server: Server) -> int:
    """How often this Redis has been asked."""
    with server.client() as client:
        stats = client.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


def numbers(server: Server, endpoint: str = ENDPOINT) -> dict[str, str]:
    with server.client() as client:
        return client.hgetall(fleet.keys(endpoint)[0])


def in_trouble(pacer: SharedPacer, now: float, calls: int = 30) -> None:
    for _ in range(calls):
        pacer.call_failed()
        pacer.note(now, 0, 1, 1.0)


# -- the fleet


def test_two_processes_share_one_burst_of_slots(server: Server) -> None:
    """What one has taken the other does not get."""
    one, other = (SharedPacer(fleet.Fleet(server.url), ENDPOINT, 0.0) for _ in range(2))
    in_trouble(one, 0.0)
    in_trouble(other, 0.0)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(50) for pacer in (one, other)]
    # Ten at once, and ten a second at most while they ask.
    assert BURST <= naps.count(0.0) < BURST + 60


def test_two_calls_of_the_same_number_in_two_processes_are_two(server: Server) -> None:
    pacers = [SharedPacer(fleet.Fleet(server.url), ENDPOINT, 0.0) for _ in range(3)]
    for pacer in pacers:
        in_trouble(pacer, 0.0)
        for who in range(40):
            pacer.ask(0.0, 1000 + who, 0.0)
    with server.client() as client:
        waiting = client.zrange(fleet.keys(ENDPOINT)[1], 0, -1)
    assert sum(name.endswith(":1039") for name in waiting) == 3


def test_what_succeeds_does_not_talk_to_redis(server: Server) -> None:
    asked = evaluations(server)
    with server.client() as client:
        before = client.info("stats")["total_connections_received"]
        pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
        for _ in range(1000):
            pacer.note(0.0, 1, 0)
        policy = os_retries.RetryPolicy(pacing_url=server.url)
        assert [policy.execute(lambda: "result") for _ in range(10)] == ["result"] * 10
        assert client.info("stats")["total_connections_received"] == before
    assert evaluations(server) == asked


def test_a_failing_call_talks_to_redis_when_it_fails_asks_and_ends(server: Server) -> None:
    """And its success is told at the end: it may have been this process's last call."""
    with server.client() as client:
        client.script_load(fleet.SCRIPT)
    before = evaluations(server)
    outcomes = [HttpError(503), "result"]
    policy = os_retries.RetryPolicy(pacing_url=server.url, retry_after=0.01)
    assert policy.execute(lambda: raise_or_return(outcomes.pop(0))) == "result"
    assert evaluations(server) == before + 3
    (endpoint,) = pacers._pacers
    assert float(numbers(server, endpoint)["succeeded"]) == pytest.approx(2, abs=0.1)  # one is assumed: see below


def raise_or_return(outcome: object) -> object:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_at_rest_few_successes_are_told_and_in_trouble_all(server: Server) -> None:
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    pacer.note(0.0, 1000, 0)
    pacer.note(0.0, 0, 1)
    assert float(numbers(server)["succeeded"]) == SUCCESSES
    in_trouble(pacer, 0.0, 60)
    pacer.call_failed()
    pacer.note(0.0, 7, 0)
    pacer.call_ended()
    assert float(numbers(server)["good"]) == 7


def test_only_who_knows_of_the_trouble_tells_what_share_fails(server: Server) -> None:
    """The first failure of a process is none of a share: what has succeeded before it is not known."""
    one, other = (SharedPacer(fleet.Fleet(server.url), ENDPOINT, 0.0) for _ in range(2))
    in_trouble(one, 0.0, 60)
    before = numbers(server)
    for known in (0, 1, 2):
        other.note(0.0, 0, 1)
        assert float(numbers(server)["bad"]) == float(before["bad"]) + 1 + known
        assert float(numbers(server)["unaware"]) == float(before["unaware"]) + 1
        assert numbers(server)["good"] == before["good"]


@pytest.mark.parametrize(
    ("succeeded", "later", "told"),
    [
        (0, 0.0, 1),  # a new process: of what it has not seen nothing is known
        (1, WATCH + 1, 1 + SUCCESSES),  # it went well when nobody counted any more
        (1, WATCH - 1, 1 + 1),  # all that there was
        (0, WATCH - 1, 1 + 0),  # an outage
    ],
)
def test_what_was_not_counted_is_assumed(server: Server, succeeded: int, later: float, told: int) -> None:
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    pacer.note(0.0, 0, 1)
    if later:
        pacer.note(1.0, succeeded, 0)
        pacer.note(later, 0, 1)
    assert float(numbers(server)["succeeded"]) == pytest.approx(told, abs=0.1)


def test_successes_are_counted_for_as_long_as_they_may_be_told() -> None:
    """``slots`` counts while a pacer is not idle."""
    pacer = SharedPacer(fleet.Fleet("unix:///nowhere"), ENDPOINT, 0.0)
    pacer.note(0.0, 0, 1)
    assert not pacer.idle(WATCH - 1)
    assert pacer.idle(WATCH + 1)


def test_many_threads_share_one_connection(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    in_trouble(pacer, 0.0)
    naps: list[float] = []

    def calls(first: int) -> None:
        naps.extend(pacer.ask(0.0, who, 0.0) for who in range(first, first + 20))

    threads = [threading.Thread(target=calls, args=(1000 * i,)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(naps) == 600
    assert min(naps) >= 0
    with server.client() as client:
        # On a busy machine a decision may have taken too long: Redis soon notices that its connection was closed.
        until = time.monotonic() + 5
        while (connected := client.info("clients")["connected_clients"]) != 1 + 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert connected == 1 + 1
    assert "ERROR" not in lines(caplog)


def test_a_forked_process_uses_its_own_connection_and_names(server: Server) -> None:
    """Also if a thread of the parent's was talking to Redis at that moment."""
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    in_trouble(pacer, 0.0)
    (store,) = fleet._fleets.values()
    reader, writer = os.pipe()
    with store._lock:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                mine = fleet.pacer_for(server.url, ENDPOINT, 0.0)
                began = time.monotonic()
                mine.note(0.0, 0, 1)
                told = mine._told == 0.0 and mine._trouble and time.monotonic() - began < LONG
                os.write(writer, f"{told} {mine._store.name}".encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    told, _, name = os.read(reader, 100).decode().partition(" ")
    os.close(reader)
    assert told == "True"
    assert name != store.name
    assert pacer.ask(0.0, 1, 0.0) >= 0


# -- Redis is not as it should be


@contextlib.contextmanager
def a_server_that_never_answers():
    """Its URL, and the connections that were made to it."""
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(listening.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listening.getsockname()[1]}", connections
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def test_the_local_pacer_decides_within_100_ms(caplog: pytest.LogCaptureFixture) -> None:
    assert fleet.TIMEOUT <= 0.1
    with a_server_that_never_answers() as (url, connections):
        pacer = fleet.pacer_for(url, ENDPOINT, 0.0)
        began = time.monotonic()
        in_trouble(pacer, 0.0)
        naps = [pacer.ask(0.0, who, 0.0) for who in range(100)]
        assert time.monotonic() - began < LONG  # one wait for all of them
        assert len(connections) == 1
    local = LocalPacer(0.0)
    in_trouble(local, 0.0)
    assert naps == [local.ask(0.0, who, 0.0) for who in range(100)]
    assert lines(caplog) == ["WARNING"]


def test_a_redis_whose_answer_drips_is_unavailable_too(caplog: pytest.LogCaptureFixture) -> None:
    """A timeout of the socket is the time between two bytes, and each byte comes within it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"$1000\r\n")
                while not stopped.wait(fleet.TIMEOUT / 4):
                    connection.sendall(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            pacer = fleet.pacer_for(f"redis://127.0.0.1:{listening.getsockname()[1]}", ENDPOINT, 0.0)
            began = time.monotonic()
            pacer.note(0.0, 0, 1)
            assert time.monotonic() - began < LONG
        finally:
            stopped.set()
            thread.join()
    assert lines(caplog) == ["WARNING"]


def test_others_do_not_wait_for_the_one_who_finds_out(caplog: pytest.LogCaptureFixture) -> None:
    with a_server_that_never_answers() as (url, _):
        pacer = fleet.pacer_for(url, ENDPOINT, 0.0)
        pacer.note(0.0, 0, 1)  # away
        (store,) = fleet._fleets.values()
        with store._lock:  # a call tries again
            began = time.monotonic()
            for _ in range(100):
                pacer.note(100.0, 0, 1)
            assert time.monotonic() - began < fleet.TIMEOUT * 50
    assert lines(caplog) == ["WARNING"]


def test_who_has_waited_for_the_one_who_finds_out_does_not_try_again() -> None:
    """A hundred threads that ask at once must not find out one after the other."""
    with a_server_that_never_answers() as (url, connections):
        pacer = fleet.pacer_for(url, ENDPOINT, 0.0)
        (store,) = fleet._fleets.values()
        other = threading.Thread(target=pacer.note, args=(0.0, 0, 1))
        with store._lock:
            other.start()
            time.sleep(fleet.TIMEOUT / 8)
            store._again = 1.0
        other.join()
        assert not connections


def test_redis_is_tried_again_after_ever_longer_intervals(caplog: pytest.LogCaptureFixture) -> None:
    with a_server_that_never_answers() as (url, connections):
        pacer = fleet.pacer_for(url, ENDPOINT, 0.0)
        for tenth in range(1000):
            pacer.note(tenth / 10, 0, 1)
        # At 0, 1, 3, 7, 15, 31, 61 and 91 seconds.
        assert len(connections) == 8
    assert lines(caplog) == ["WARNING"]


def test_a_redis_that_comes_and_goes_does_not_fill_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    (store,) = fleet._fleets.values()
    for second in range(200):
        store._url = server.url if second % 2 else "unix:///nowhere"
        store.close()
        pacer.note(float(second), 0, 1)
    assert len(lines(caplog)) < 30


class Breakage:
    """A way in which a Redis stops helping, and how it comes back."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def command(self, *words: str) -> None:
        with self.server.client() as client:
            client.execute_command(*words)


class Away(Breakage):
    def begin(self) -> None:
        self.server.stop()

    def end(self) -> None:
        self.server.start()


class Slow(Breakage):
    def begin(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGSTOP)

    def end(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGCONT)


class Full(Breakage):
    def begin(self) -> None:
        self.command("CONFIG", "SET", "maxmemory", "1")

    def end(self) -> None:
        self.command("CONFIG", "SET", "maxmemory", "0")


class Demoted(Breakage):
    def begin(self) -> None:
        self.command("CONFIG", "SET", "replica-read-only", "yes")
        self.command("REPLICAOF", "127.0.0.1", "1")

    def end(self) -> None:
        self.command("REPLICAOF", "NO", "ONE")


class Occupied(Breakage):
    """Somebody else's keys have the names of ours."""

    def begin(self) -> None:
        with self.server.client() as client:
            client.set(fleet.keys(ENDPOINT)[0], "not ours")

    def end(self) -> None:
        self.command("FLUSHALL")


@pytest.mark.parametrize("kind", [Away, Slow, Full, Demoted, Occupied])
def test_without_help_each_paces_alone_and_with_help_again_together(
    server: Server, caplog: pytest.LogCaptureFixture, kind: type[Breakage]
) -> None:
    """One warning when it begins, one line when it ends, and never an error."""
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    in_trouble(pacer, 0.0)
    broken = kind(server)
    broken.begin()
    try:
        began = time.monotonic()
        for tenth in range(100):
            pacer.note(tenth / 10, 0, 1)
            pacer.ask(tenth / 10, tenth, 0.0)
        assert time.monotonic() - began < 5 * LONG
        assert lines(caplog) == ["WARNING"]
        assert pacer.local.queue
        (store,) = fleet._fleets.values()
        assert store._client is None  # a replica's address may have become the primary's
    finally:
        broken.end()
    # At its second try it has been back for long.
    naps = [pacer.ask(now, tenth, now) for now in (100.0, 200.0) for tenth in range(100)]
    assert min(naps) >= 0
    assert lines(caplog) == ["WARNING", "INFO"]
    assert not pacer.local.queue
    assert numbers(server)["trouble"]


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH"])
def test_a_flushed_redis_is_no_event(server: Server, caplog: pytest.LogCaptureFixture, command: str) -> None:
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    for _ in range(3):
        in_trouble(pacer, 0.0)
        pacer.ask(0.0, 1, 0.0)
        with server.client() as client:
            client.execute_command(command)
    pacer.ask(0.0, 1, 0.0)
    assert numbers(server)
    assert lines(caplog) == []


def test_a_call_ends_as_it_would_without_redis(server: Server) -> None:
    """Away from the beginning: the client's own error after all attempts, the result after fewer."""
    policy = os_retries.RetryPolicy(pacing_url="unix:///nowhere", retry_after=0.001, retries_number=2)
    failures = [HttpError(503) for _ in range(3)]
    with pytest.raises(HttpError) as raised:
        policy.execute(lambda: raise_or_return(failures.pop(0)))
    assert raised.value.os_retries.attempts[-1].number == 3
    outcomes = [HttpError(503), "result"]
    assert policy.execute(lambda: raise_or_return(outcomes.pop(0))) == "result"


def test_an_interrupt_leaves_no_answer_for_the_next_question(server: Server) -> None:
    """Ctrl-C while Redis is being asked: the next call gets its own answer."""
    pacer = fleet.pacer_for(server.url, ENDPOINT, 0.0)
    in_trouble(pacer, 0.0)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    slow = Slow(server)
    slow.begin()
    try:
        signal.setitimer(signal.ITIMER_REAL, fleet.TIMEOUT / 4)
        with pytest.raises(KeyboardInterrupt):
            pacer.ask(0.0, 1, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        slow.end()
    naps = [pacer.ask(0.0, who, 0.0) for who in range(100, 200)]
    assert naps[0] < naps[-1]


# -- what is configured


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://me:{SECRET}@127.0.0.1:1/0",
        f"unix:///nowhere?password={SECRET}",
        f"redis://me:{SECRET}#x@host/0",
        f"redis://:1/{SECRET}@127.0.0.1:1/0",
    ],
)
def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture, url: str) -> None:
    fleet.pacer_for(url, ENDPOINT, 0.0).note(0.0, 0, 1)
    assert lines(caplog) == ["WARNING"]
    assert SECRET not in caplog.text


def test_no_wrong_password_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    fleet.pacer_for(f"{server.url}?username=me&password={SECRET}", ENDPOINT, 0.0).note(0.0, 0, 1)
    assert lines(caplog) == ["WARNING"]
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SECRET}@host",
        "host:6379",
        "redis://host:port",
        f"redis://u:{SECRET}#@h:1",
        f"user:{SECRET}@host:6379",
        f"{SECRET}@host",
        f"redis:/:{SECRET}@host:6379/0",
        f"redis:{SECRET}@host",
        f"redis//:{SECRET}@host:6379",
        f":{SECRET}@host:6379",
    ],
)
def test_what_is_no_url_is_said_at_once_and_without_secrets(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"pacing_url: .* is neither host nor the URL of a Redis, such as redis://host:6379/0"
    ) as raised:
        fleet.check(url)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_without_redis_py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where it was asked for expressly; in somebody else's environment there is one warning, and no sharing."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'os-retries\[fleet\]'"):
        fleet.check("redis://host")
    for endpoint in ("one", "two"):
        pacer = fleet.pacer_for("redis://host", endpoint, 0.0)
        in_trouble(pacer, 0.0)
        assert [pacer.ask(0.0, who, 0.0) for who in range(11)].count(0.0) == BURST
    assert lines(caplog) == ["WARNING"]
    assert "os-retries[fleet]" in caplog.text


def test_configure_refuses_what_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = fixture.Config(cfg.ConfigOpts())
    conf.setUp()
    os_retries.configure(conf.conf)
    conf.config(group="timeouts", pacing_url="http://host")
    with pytest.raises(ValueError, match="pacing_url"):
        os_retries.configure(conf.conf)
    conf.config(group="timeouts", pacing_url="redis://host")
    os_retries.configure(conf.conf)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match="pacing_url needs redis-py"):
        os_retries.configure(conf.conf)
    conf.config(group="timeouts", pacing=False)
    os_retries.configure(conf.conf)
    conf.cleanUp()


def test_a_policy_shows_no_password() -> None:
    assert SECRET not in repr(os_retries.RetryPolicy(pacing_url=f"redis://:{SECRET}@host"))


def test_run_tells_the_operator_that_redis_does_not_help(tmp_path: Path) -> None:
    """In the log of os_retries alone nobody would read it."""
    config = tmp_path / "conf"
    config.write_text(f"[timeouts]\npacing_url = unix:///nowhere?password={SECRET}\nretry_after = 0.001\n")
    program = (
        "import keystoneauth1.session, os_retries\n"
        "class Unavailable(Exception): code = 503\n"
        "outcomes = [1, 2]\n"
        "def method():\n"
        "    if outcomes.pop() == 2: raise Unavailable\n"
        "    return 'result'\n"
        "print(os_retries.execute_with_retries(method))\n"
    )
    run = (
        Path(sys.executable).with_name("os-retries"),
        "run",
        "--config-file",
        config,
        "--",
        sys.executable,
        "-c",
        program,
    )
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "result\n"
    told = [line for line in done.stderr.splitlines() if "Redis" in line]
    assert len(told) == 1
    assert told[0].startswith("os-retries: pacing: Redis at unix:///nowhere is unavailable (ConnectionError")
    assert SECRET not in done.stderr


# -- the ways to write where it is


class Bridge(socketserver.ThreadingTCPServer):
    """Listens on TCP, with TLS if it has a certificate, and passes everything on to Redis's own socket."""

    daemon_threads = True

    def __init__(self, to: str, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.to = to
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Forward(socketserver.BaseRequestHandler):
    server: Bridge

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as behind:
            behind.connect(self.server.to)
            back = threading.Thread(target=self.pump, args=(behind, self.request), daemon=True)
            back.start()
            self.pump(self.request, behind)
            behind.shutdown(socket.SHUT_RDWR)
            back.join()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1's own, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(1), now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return path


@pytest.fixture
def locked(server: Server) -> Iterator[str]:
    """The password of a Redis that wants one."""
    password = "open sesame"
    with server.client() as client:
        client.config_set("requirepass", password)
    yield password
    with redis.Redis.from_url(server.url, password=password) as client:
        client.config_set("requirepass", "")


def is_shared(url: str, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether two processes that have this URL share a burst of slots, and no warning says that they cannot."""
    one, other = (SharedPacer(fleet.Fleet(url), ENDPOINT, 0.0) for _ in range(2))
    in_trouble(one, 0.0)
    in_trouble(other, 0.0)
    naps = [pacer.ask(0.0, who, 0.0) for who in range(20) for pacer in (one, other)]
    for each in one, other:
        each._store.close()
    return lines(caplog) == [] and naps.count(0.0) < 2 * BURST


@pytest.mark.parametrize("wrong", ["", "not "])
def test_a_url_with_host_port_password_and_database(
    server: Server, locked: str, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    with Bridge(server.socket) as bridge:
        assert is_shared(f"redis://:{quote(wrong + locked)}@{bridge.address}/3", caplog) == (not wrong)
        bridge.shutdown()
    assert "sesame" not in caplog.text
    with redis.Redis.from_url(server.url, password=locked, db=3) as client:
        assert bool(client.keys("os-retries:*")) == (not wrong)


@pytest.mark.parametrize("options", ["ssl_ca_certs={certificate}", "ssl_cert_reqs=none", ""])
def test_a_url_with_tls(server: Server, certificate: Path, caplog: pytest.LogCaptureFixture, options: str) -> None:
    """A certificate that nobody vouches for is not accepted."""
    with Bridge(server.socket, certificate) as bridge:
        store = is_shared(f"rediss://{bridge.address}/0?{options.format(certificate=certificate)}", caplog)
        bridge.shutdown()
    assert store == bool(options)


@pytest.mark.parametrize("answer", [[b"nan", 1], [b"-1", 1], [b"1e9", 1], [b"inf", 0], [None, 1], b"PONG", []])
def test_an_answer_that_is_none_of_the_scripts_is_a_redis_that_is_away(answer, monkeypatch):
    class Fake:
        def evalsha(self, *_arguments):
            return answer

        def close(self):
            pass

    monkeypatch.setattr(fleet, "_connect", lambda *_: Fake())
    pacer = SharedPacer(fleet.Fleet("redis://fake"), "endpoint", 0.0)
    assert 0.0 <= pacer.ask(0.0, 1, 0.0) <= 10.0


def test_a_redis_that_knows_no_auth_does_not_bring_the_password_into_the_log(monkeypatch, caplog):
    """It repeats the arguments of a command that it does not know."""
    import redis

    class Fake:
        def evalsha(self, *_arguments):
            raise redis.ResponseError("unknown command 'AUTH', with args beginning with: 'me' 's3cr3t' ")

        def close(self):
            pass

    monkeypatch.setattr(fleet, "_connect", lambda *_: Fake())
    pacer = SharedPacer(fleet.Fleet("redis://me:s3cr3t@fake"), "endpoint", 0.0)
    pacer.note(0.0, 0, 1)
    assert "is unavailable (ResponseError)" in caplog.text
    assert "s3cr3t" not in caplog.text
