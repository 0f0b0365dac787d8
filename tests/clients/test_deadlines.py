"""A deadline that a signal handler of the program raises ends whatever os_retries is doing at that moment."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import signal
import threading

import pytest
from keystoneauth1.exceptions import ConnectFailure, ConnectTimeout
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

import os_retries

from .cloud import answer_json, refusal
from .server import HangUp, Stall

NOVA = {"service_type": "compute"}
SERVER = {"server": {"name": "one", "flavorRef": "1", "imageRef": "1", "networks": "none"}}


class SoftTimeLimitExceeded(Exception):
    """Celery's: an Exception that no HTTP library knows."""


def raise_soft(*_: object) -> None:
    raise SoftTimeLimitExceeded


def raise_builtin(*_: object) -> None:
    raise TimeoutError("the program's own")


class DeathPenalty:
    """rq's: the handler is a bound method."""

    def handle(self, *_: object) -> None:
        raise SoftTimeLimitExceeded


HANDLERS = {
    "Celery": raise_soft,
    "rq": DeathPenalty().handle,
    "TimeoutError": raise_builtin,
    "partial": functools.partial(raise_builtin, 1),
}


@contextlib.contextmanager
def deadline(handler, seconds: float = 0.2):
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def session(cloud):
    yield os_retries.attach(Session(Token(cloud.url("nova"), "t")))
    cloud.release()


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_deadline_during_a_look_up_goes_up_and_nothing_is_sent_after_it(handler, cloud, session, naps):
    """The answer to a create is lost, and the deadline comes while the look-up waits for its answer."""
    cloud.plan(HangUp(), method="POST", path="/servers")
    cloud.plan(*[Stall()] * 5, method="GET", path="/servers")
    expected = SoftTimeLimitExceeded if handler in ("Celery", "rq") else TimeoutError
    with deadline(HANDLERS[handler]), pytest.raises(expected):
        session.post("/servers", json=SERVER, endpoint_filter=NOVA, microversion="2.90")
    assert (cloud.count(method="POST"), cloud.count(method="GET"), naps) == (1, 1, [])


def test_a_deadline_that_another_thread_raises_here_goes_up_too(cloud, session, naps):
    """As rq's timer does it, where there are no signals."""
    cloud.plan(HangUp(), method="POST", path="/servers")
    cloud.plan(*[Stall()] * 5, method="GET", path="/servers")
    outcome = []

    def work() -> None:
        try:
            session.post("/servers", json=SERVER, endpoint_filter=NOVA, microversion="2.90")
        except BaseException as error:
            outcome.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not cloud.count(method="GET"):
        pass
    injected = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SoftTimeLimitExceeded)
    )
    cloud.release()  # a thread that waits for a socket meets it when the socket answers
    thread.join(30)
    assert (injected, outcome) == (1, [SoftTimeLimitExceeded])
    assert cloud.count(method="POST") == 1


class PluginError(Exception):
    """Of an adapter or an auth plugin that nobody here knows."""


def test_an_error_of_an_unknown_plugin_in_a_look_up_is_a_look_up_that_fails(cloud, session, naps):
    """It must not take the place of the caller's own error."""
    plain = session.session.send

    def send(request, **how):
        if request.method == "GET":
            raise PluginError
        return plain(request, **how)

    session.session.send = send
    cloud.plan(HangUp(), method="POST", path="/servers")
    with pytest.raises(ConnectFailure):
        session.post("/servers", json=SERVER, endpoint_filter=NOVA, microversion="2.90")


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_deadline_during_a_look_at_a_refused_delete_goes_up(handler, cloud, session, naps):
    cloud.plan(refusal("nova", 504), refusal("nova", 409), method="DELETE", path="/servers")
    cloud.plan(Stall(), method="GET", path="/servers")
    expected = SoftTimeLimitExceeded if handler in ("Celery", "rq") else TimeoutError
    with deadline(HANDLERS[handler]), pytest.raises(expected):
        session.delete("/servers/1", endpoint_filter=NOVA)
    assert naps == [10.0]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_deadline_during_a_request_is_no_failure_of_it(handler, verb, cloud, session, naps):
    """Without os_retries keystoneauth makes a ConnectTimeout of a TimeoutError; so it does with it."""
    cloud.plan(Stall(), method=verb, path="/servers")
    expected = SoftTimeLimitExceeded if handler in ("Celery", "rq") else ConnectTimeout
    with deadline(HANDLERS[handler]), pytest.raises(expected):
        session.request("/servers", verb, json=SERVER if verb == "POST" else None, endpoint_filter=NOVA)
    assert (cloud.count(), naps) == (1, [])


def test_a_deadline_during_a_call_of_any_client_is_not_repeated(naps):
    calls = []

    class Busy(Exception):
        code = 503

    def handler(*_: object) -> None:
        raise Busy

    def method() -> None:
        calls.append(1)
        signal.raise_signal(signal.SIGALRM)

    with deadline(handler, 100), pytest.raises(Busy):
        os_retries.execute_with_retries(method)
    assert (len(calls), naps) == (1, [])


def test_a_socket_that_times_out_is_repeated_while_a_handler_is_installed(cloud, session, naps):
    """What tells a deadline is that its handler has raised it, and not that there is a handler."""
    cloud.plan(Stall(), method="GET", path="/servers")
    cloud.plan(answer_json(200, {"servers": []}), method="GET", path="/servers")
    with deadline(raise_builtin, 100):
        session.get("/servers", endpoint_filter=NOVA, timeout=0.2)
    assert (cloud.count(), naps) == (2, [10.0])
