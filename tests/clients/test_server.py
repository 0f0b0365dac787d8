"""The test server itself: it misbehaves exactly as planned, counts the requests, and leaves nothing behind."""

import http.client
import socket
import threading

import pytest

from tests.clients.cloud import PROJECT, Cloud, classify
from tests.clients.server import Answer, Garbage, HangUp, Server, Stall


@pytest.fixture
def server():
    server = Server(["main"], lambda *_: "api", lambda request: Answer(200, b"healthy"))
    yield server
    server.close()


@pytest.fixture
def connect(server):
    """A connection to the server, with a time limit so that a broken harness fails instead of hanging."""
    opened = []

    def connection():
        opened.append(http.client.HTTPConnection("127.0.0.1", server.doors["main"].port, timeout=5))
        return opened[-1]

    yield connection
    for each in opened:
        each.close()


def ask(connection, method="GET", path="/", body=None):
    connection.request(method, path, body)
    with connection.getresponse() as response:
        return response.status, response.read()


def test_plans_are_taken_in_order_by_those_who_match(server, connect):
    server.plan(Answer(503), Answer(502), method="GET", path="^/a")
    server.always(Answer(404), path="^/b")
    wire = connect()
    asked = [("GET", "/a"), ("POST", "/a"), ("GET", "/b"), ("GET", "/a?x=1"), ("GET", "/b"), ("GET", "/a")]
    assert [ask(wire, *each)[0] for each in asked] == [503, 200, 404, 502, 404, 200]
    assert server.count() == 6
    assert server.count(method="GET", path="^/a") == 3
    assert server.doors["main"].connections == 1  # kept alive throughout


def test_requests_are_recorded_whole(server, connect):
    """Also a body in chunks, and before the answer is sent: whoever has an answer may count."""
    ask(connect(), "PUT", "/thing?x=1", b"0123456789")
    ask(connect(), "PUT", "/thing", iter([b"01234", b"56789"]))
    fixed, chunked = server.requests()
    assert (fixed.method, fixed.target, fixed.path, fixed.body) == ("PUT", "/thing?x=1", "/thing", b"0123456789")
    assert fixed.headers["Content-Length"] == "10"
    assert chunked.headers["transfer-encoding"] == "chunked"
    assert chunked.body == b"0123456789"


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (HangUp(), http.client.RemoteDisconnected),
        (HangUp(reset=True), ConnectionResetError),
        (Garbage(), http.client.BadStatusLine),
        (Answer(200, b"0123456789", cut=4), http.client.IncompleteRead),
        (Answer(200, b"0123456789", cut=4, chunked=True), http.client.IncompleteRead),
        (Answer(200, b"0123456789", cut=4, ending="reset"), ConnectionResetError),
    ],
)
def test_faults(step, error, server, connect):
    server.plan(step)
    wire = connect()
    with pytest.raises(error):
        ask(wire, "POST", "/", b"body")
    assert server.requests()[0].body == b"body"
    assert ask(connect()) == (200, b"healthy")


def test_reset_with_the_body_unread(server, connect):
    server.plan(HangUp(reset=True, read_body=False))
    with pytest.raises(ConnectionError):
        ask(connect(), "POST", "/", b"x" * 10_000_000)
    assert server.requests()[0].body is None


def test_reset_before_anything_is_read(server, connect):
    wire = connect()
    ask(wire)
    server.doors["main"].reset_connections(1)
    with pytest.raises((ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        ask(connect())
    assert server.count() == 1
    assert ask(connect()) == (200, b"healthy")


def test_a_shut_door_refuses_and_opens_again_on_the_same_port(server, connect):
    door = server.doors["main"]
    kept = connect()
    ask(kept)
    door.shut()
    door.shut()  # twice is once
    with pytest.raises(ConnectionRefusedError):
        connect().connect()
    assert kept.sock.recv(1) == b""  # what was kept alive has ended too
    door.open()
    assert ask(connect()) == (200, b"healthy")


def test_a_stall_lasts_until_it_is_released(server, connect):
    """No clock is involved: the caller gives up by its own timeout, or gets its answer after release()."""
    server.plan(Stall(), Stall(then=Answer(503)), Answer(200, b"0123456789", cut=4, ending="stall"))
    impatient = connect()
    impatient.timeout = 0.05
    with pytest.raises(TimeoutError):
        ask(impatient)
    answers = []
    patient = threading.Thread(target=lambda: answers.append(ask(connect())))
    patient.start()
    server.wait_for(2)
    assert answers == []
    server.release()
    patient.join()
    assert answers == [(503, b"")]
    cut = connect()
    cut.timeout = 0.05
    with pytest.raises(TimeoutError):
        ask(cut)


def test_clear_forgets_and_heals(server, connect):
    server.always(Answer(503))
    ask(connect())
    server.doors["main"].shut()
    server.clear()
    assert server.count() == 0
    assert ask(connect()) == (200, b"healthy")


def test_close_leaves_no_thread_and_no_socket():
    """Not even with a stall under way, a connection kept alive, and a door that is shut."""
    before = set(threading.enumerate())
    cloud = Cloud()
    cloud.always(Stall(), path="/servers/stall")
    wires = [socket.create_connection(("127.0.0.1", cloud.doors["services"].port)) for _ in range(2)]
    wires[0].sendall(b"GET /compute/v2.1/servers/stall HTTP/1.1\r\n\r\n")
    wires[1].sendall(b"GET /compute/v2.1/servers HTTP/1.1\r\n\r\n")
    cloud.wait_for(2)
    cloud.doors["identity"].shut()
    cloud.close()
    assert set(threading.enumerate()) == before
    for wire in wires:
        while wire.recv(4096):
            pass
        wire.close()


@pytest.mark.parametrize(
    ("door", "method", "path", "kind"),
    [
        ("identity", "POST", "/v3/auth/tokens", "token"),
        ("identity", "GET", "/auth/v1.0", "token"),
        ("identity", "GET", "/v3/", "discovery"),
        ("identity", "GET", "/v3/users", "api"),
        ("services", "GET", "/compute/", "discovery"),
        ("services", "GET", "/compute/v2.1", "discovery"),
        ("services", "GET", f"/volume/v3/{PROJECT}/", "discovery"),
        ("services", "GET", "/compute/v2.1/servers", "api"),
        ("services", "POST", "/compute/v2.1", "api"),
        ("services", "GET", f"/object/v1/AUTH_{PROJECT}", "api"),
        ("services", "GET", "/dns/zones", "api"),
    ],
)
def test_kinds_of_requests(door, method, path, kind):
    assert classify(door, method, path) == kind
