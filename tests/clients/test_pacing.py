"""Pacing with two hundred threads, real sockets, and a service that is down for some seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import swiftclient.client
from keystoneauth1.exceptions import ServiceUnavailable
from keystoneauth1.identity.v3 import Password
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from os_retries import GiveUp, RetryPolicy, attach
from os_retries import policy as policy_module
from os_retries.core import hooks
from os_retries.pacing.process import pacers
from os_retries.run import swift
from os_retries.run.report import Reporter


class Outage(ThreadingHTTPServer):
    """Answers 503 for so many seconds from its first request on, and then 200."""

    daemon_threads = True
    request_queue_size = 1000

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds = seconds
        self.over_at: float | None = None
        self.lock = threading.Lock()
        self.answers: list[tuple[float, int]] = []

    def answer(self) -> int:
        now = time.monotonic()
        with self.lock:
            if self.over_at is None:
                self.over_at = now + self.seconds
            status = 503 if now < self.over_at else 200
            self.answers.append((now, status))
            return status


class Handler(BaseHTTPRequestHandler):
    server: Outage

    def do_GET(self) -> None:
        self.send_response(self.server.answer())
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_HEAD = do_GET  # noqa: N815  http.server asks for them by those names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def naps() -> None:
    """Sleep for real: the rule of this folder is that nobody does, and this one test is about time."""


@pytest.fixture
def outage() -> Iterator[Outage]:
    pacers.forget()
    server = Outage(5.0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    pacers.forget()


def get(url: str, policy: RetryPolicy) -> int:
    """Do what a program does that makes its client anew for every call."""
    session = Session(auth=NoAuth(endpoint=url))
    attach(session, policy)
    try:
        return session.get("/v2.1/servers", endpoint_filter={"service_type": "compute"}, raise_exc=False).status_code
    finally:
        session.session.close()


def test_two_hundred_calls_outlast_an_outage_and_the_service_sees_no_storm(outage):
    """Each on its own clock they would have given up after 2.5 s; paced they wait until it works again."""
    policy = RetryPolicy(retries_number=5, retry_after=0.5, retry_max_wait=60)
    url = f"http://127.0.0.1:{outage.server_port}"
    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(lambda _: get(url, policy), range(200)))
    assert statuses == [200] * 200
    refused = [status for _, status in outage.answers if status == 503]
    # First attempts; a burst of ten and a second of ten; then one probe a second, and what crossed meanwhile.
    assert 200 <= len(refused) <= 200 + 10 + 2 * 10 + 10
    assert len(outage.answers) - len(refused) == 200
    (pacer,), *others = (its.values() for its in pacers._pacers.values())
    assert not others
    assert pacer._pacer.calls == 0
    assert not pacer._pacer.queue


@pytest.fixture
def swift_obeys(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Make swiftclient what `os-retries run` makes of it; gives the reasons why it has given up."""
    for owner, name in (
        (swiftclient.client.Connection, "_retry"),
        (swiftclient.client.Connection, "get_auth"),
        (swiftclient.client, "sleep"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    reporter, reasons = Reporter({"quiet": True}), []
    monkeypatch.setattr(
        hooks, "sinks", (lambda event: event.name == "give_up" and reasons.append(event.evidence.reason),)
    )
    swift.obey(swiftclient.client, reporter)
    yield reasons
    policy_module.provide(None)


def head(url: str) -> None:
    connection = swiftclient.client.Connection(preauthurl=f"{url}/v1/AUTH_1", preauthtoken="t")
    swift.configure(connection)
    try:
        connection.head_account()
    finally:
        connection.close()


def test_swiftclients_own_loop_below_run_is_paced_as_well(outage, swift_obeys):
    """Each on its own clock they would have given up after 1.5 s."""
    policy = RetryPolicy(retries_number=3, retry_after=0.5, retry_max_wait=60)
    policy_module.provide(lambda _: policy)
    url = f"http://127.0.0.1:{outage.server_port}"
    with ThreadPoolExecutor(60) as pool:
        list(pool.map(lambda _: head(url), range(60)))
    assert swift_obeys == []
    refused = [status for _, status in outage.answers if status == 503]
    assert 60 <= len(refused) <= 60 + 10 + 2 * 10 + 10
    assert len(outage.answers) - len(refused) == 60
    assert list(pacers._pacers) == [f"127.0.0.1:{outage.server_port} object-store"]
    ((pacer,),) = (its.values() for its in pacers._pacers.values())
    assert (pacer._pacer.calls, list(pacer._pacer.queue)) == (0, [])


def test_swiftclients_loop_gives_up_when_there_is_no_slot_within_retry_max_wait(outage, swift_obeys):
    outage.seconds = 60.0
    policy = RetryPolicy(retries_number=3, retry_after=0.2, retry_max_wait=1.0)
    policy_module.provide(lambda _: policy)
    url = f"http://127.0.0.1:{outage.server_port}"
    with ThreadPoolExecutor(60) as pool:
        errors = [work.exception() for work in [pool.submit(head, url) for _ in range(60)]]
    assert {error.http_status for error in errors} == {503}
    assert GiveUp.PACED in swift_obeys
    assert len(swift_obeys) == 60


def test_services_that_share_a_host_are_paced_apart(outage):
    outage.over_at = 0.0
    session = Session(auth=NoAuth(endpoint=f"http://127.0.0.1:{outage.server_port}"))
    attach(session, RetryPolicy(retry_after=0.3))
    for service in ("compute", "image"):
        outage.over_at = time.monotonic() + 0.3
        session.get("/v2/things", endpoint_filter={"service_type": service})
    session.get(f"http://127.0.0.1:{outage.server_port}/dns/v2/zones", authenticated=False)
    session.session.close()
    hosts = {endpoint.partition(" ")[::2] for endpoint in pacers._pacers}
    assert hosts == {(f"127.0.0.1:{outage.server_port}", service) for service in ("compute", "image")}


def test_a_token_that_fails_is_identity_s_failure_and_not_that_of_the_service(outage):
    outage.over_at = time.monotonic() + 60.0
    url = f"http://127.0.0.1:{outage.server_port}"
    auth = Password(f"{url}/v3", username="u", password="p", user_domain_id="default", project_id="p")
    session = Session(auth=auth)
    attach(session, RetryPolicy(retries_number=1, retry_after=0.01))
    with pytest.raises(ServiceUnavailable):
        session.get("/v2/things", endpoint_filter={"service_type": "compute"})
    session.session.close()
    assert list(pacers._pacers) == [f"127.0.0.1:{outage.server_port} identity"]


def test_a_connection_that_was_refused_is_the_endpoint_s_failure_too(unused_port):
    pacers.forget()
    session = Session(auth=NoAuth(endpoint=f"http://127.0.0.1:{unused_port}"))
    attach(session, RetryPolicy(retries_number=1, retry_after=0.01))
    with pytest.raises(Exception, match=r"refused|establish"):
        session.get("/v2/things", endpoint_filter={"service_type": "image"})
    session.session.close()
    assert list(pacers._pacers) == [f"127.0.0.1:{unused_port} image"]
    pacers.forget()


@pytest.fixture
def unused_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        return server.server_port
