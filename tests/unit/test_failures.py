"""How a request of a session failed: what each answer and each broken connection is taken for."""

from __future__ import annotations

import signal
import socket
import ssl
import time

import pytest
import requests
from keystoneauth1 import exceptions as keystone
from requests import exceptions as of_requests
from urllib3 import exceptions as of_urllib3

from os_retries import RetryPolicy
from os_retries.core.failure import RETRY_CODES, Failure, Kind, kind_of
from os_retries.session.failures import kind_of_answer, read_answer, read_connection, read_inside

POLICY = RetryPolicy()
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def answer(status: int, body: bytes = b"", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content, response._content_consumed = status, body, True
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def read(status: int, body: bytes = b"", **headers: str) -> Failure:
    return read_answer(answer(status, body, **headers), POLICY, streaming=False)


# -- answers


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, "", Kind.MAYBE_PROCESSED),
        (503, "The Keystone service is temporarily unavailable", Kind.REFUSED),
        (503, "Unable to lock the project", Kind.REFUSED),
        (503, '{"type": "NoNetworkAvailable"}', Kind.REFUSED),
        (503, "HostMacAddressGenerationFailure", Kind.REFUSED),
        (503, "lack of free conductor workers", Kind.REFUSED),
        (503, "No server is available to handle this request", Kind.REFUSED),
        (502, "No server is available to handle this request", Kind.MAYBE_PROCESSED),
        (500, "Unable to lock the project", Kind.MAYBE_PROCESSED),
        (409, "Node 7 is locked by host cond-1", Kind.REFUSED),
        (409, "Load Balancer 7 is immutable and cannot be updated.", Kind.REFUSED),
        (409, "Invalid state PENDING_UPDATE of loadbalancer resource 7", Kind.REFUSED),
        (409, "Invalid state ERROR of loadbalancer resource 7", Kind.PERMANENT),
        (409, "This pool already has a health monitor", Kind.PERMANENT),
        (409, "Node 7 is associated with an instance", Kind.PERMANENT),
        (400, "Node 7 is locked by host cond-1", Kind.PERMANENT),
        (503, "Node 7 is locked by host cond-1", Kind.MAYBE_PROCESSED),
        (413, "", Kind.REFUSED),
        (413, "Quota exceeded for instances", Kind.PERMANENT),
        (413, "Request is too large.", Kind.PERMANENT),
        (429, "Quota exceeded for instances", Kind.REFUSED),
        (404, "", Kind.PERMANENT),
    ],
)
def test_the_body_tells_what_has_become_of_a_request_where_its_status_does_not(status, body, kind):
    assert kind_of_answer(status, {}, body, RETRY_CODES) is kind


def test_a_413_that_asks_for_no_wait_is_a_quota_and_another_status_is_not():
    assert kind_of_answer(413, {"retry-after": " 0 "}, "", RETRY_CODES) is Kind.PERMANENT
    assert kind_of_answer(413, {"retry-after": "7"}, "", RETRY_CODES) is Kind.REFUSED
    assert kind_of_answer(429, {"retry-after": "0"}, "", RETRY_CODES) is Kind.REFUSED


def test_the_balancers_words_count_only_without_the_id_of_a_service():
    words = "No server is available to handle this request"
    headers = {"x-openstack-request-id": "req-1"}
    assert kind_of_answer(503, headers, words, RETRY_CODES) is Kind.MAYBE_PROCESSED
    assert kind_of_answer(503, headers, "Unable to lock the project", RETRY_CODES) is Kind.REFUSED


def test_a_status_that_the_policy_leaves_out_is_permanent_whatever_its_body_says():
    assert kind_of_answer(503, {}, "Unable to lock the project", {500}) is Kind.PERMANENT
    assert kind_of_answer(413, {}, "", {500}) is Kind.PERMANENT


@pytest.mark.parametrize("name", ["X-Openstack-Request-Id", "x-compute-request-id", "X-Trans-Id"])
def test_the_id_of_a_request_is_read_off_each_header_that_services_use(name):
    assert read(503, **{name: "req-1"}).request_id == "req-1"


def test_the_id_of_oslo_is_read_before_that_of_nova():
    ids = {"X-Compute-Request-Id": "req-2", "X-Trans-Id": "tx3", "X-Openstack-Request-Id": "req-1"}
    assert read(503, **ids).request_id == "req-1"
    del ids["X-Openstack-Request-Id"]
    assert read(503, **ids).request_id == "req-2"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", None), ("soon", None), ("Tue, 14 Nov 2023 22:14:50 GMT", 90.0), (DATE, None)],
)
def test_the_wait_that_a_service_asks_for_is_read_by_its_own_clock(value, seconds):
    assert read(503, Retry_After=value, Date=DATE).retry_after == seconds


def test_without_a_date_the_wait_is_measured_by_ones_own_clock(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    assert read(503, Retry_After="Tue, 14 Nov 2023 22:14:50 GMT").retry_after == 90.0


def test_the_wait_counts_for_a_locked_node_and_for_no_permanent_error():
    assert read(409, b"Node 7 is locked by host cond-1", Retry_After="7") == Failure(409, 7.0, None, Kind.REFUSED)
    assert read(404, Retry_After="7") == Failure(404, None, None, Kind.PERMANENT)
    assert read(501, Retry_After="7").retry_after is None


def test_no_more_than_four_kilobytes_of_a_body_are_looked_at():
    words = b"Unable to lock the project"
    assert read(503, b"x" * (4096 - len(words)) + words).kind is Kind.REFUSED
    assert read(503, b"x" * 4096 + words).kind is Kind.MAYBE_PROCESSED


# -- answers that the caller wants as a stream


class Wire:
    """The raw side of a streamed response: a socket with a timeout, and its bytes."""

    def __init__(self, body: bytes = b"", timeout: float | None = None) -> None:
        self.body, self.timeout = body, timeout
        self.timeouts: list[float | None] = []
        self._connection = self
        self.sock: Wire | None = self
        self.broken: Exception | None = None

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, seconds: float | None) -> None:
        self.timeout = seconds
        self.timeouts.append(seconds)

    def stream(self, *_: object, **__: object) -> list[bytes]:
        if self.broken is not None:
            raise self.broken
        return [self.body]


def streamed(status: int, wire: Wire, **headers: str) -> requests.Response:
    response = answer(status, **headers)
    response._content, response._content_consumed, response.raw = False, False, wire
    return response


LOCKED = b"Unable to lock the project"


@pytest.mark.parametrize(("before", "during"), [(None, 5.0), (60.0, 5.0), (2.0, 2.0)])
def test_a_short_error_of_a_stream_is_read_within_five_seconds_and_can_be_read_again(before, during):
    wire = Wire(LOCKED, before)
    response = streamed(503, wire, Content_Length=str(len(LOCKED)))
    assert read_answer(response, POLICY, streaming=True).kind is Kind.REFUSED
    assert wire.timeouts == [during, before]
    assert response.content == LOCKED


@pytest.mark.parametrize("status", [409, 413, 503])
@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        ({"Content-Length": "65536"}, True),
        ({"Content-Length": "65537"}, False),
        ({"Content-Length": "-1"}, False),
        ({}, False),
        ({"Content-Length": "30", "Content-Encoding": "gzip"}, False),
    ],
)
def test_an_error_of_a_stream_is_read_only_if_it_is_known_to_be_short_and_plain(status, headers, is_read):
    wire = Wire(b"{}")
    read_answer(streamed(status, wire, **headers), POLICY, streaming=True)
    assert bool(wire.timeouts) is is_read


def test_an_error_of_a_stream_whose_body_makes_no_difference_is_not_read():
    wire = Wire(LOCKED)
    read_answer(streamed(500, wire, Content_Length="30"), POLICY, streaming=True)
    assert wire.timeouts == []


def test_a_stream_that_the_caller_has_read_is_not_asked_for_its_length():
    assert read_answer(answer(503, LOCKED), POLICY, streaming=True).kind is Kind.REFUSED


def test_a_body_that_breaks_off_leaves_the_status():
    wire = Wire()
    wire.broken = of_urllib3.ProtocolError("cut off")
    failure = read_answer(streamed(503, wire, Content_Length="30"), POLICY, streaming=True)
    assert failure == Failure(503, None, None, Kind.MAYBE_PROCESSED)
    assert wire.timeouts == [5.0, None]


def test_a_deadline_of_the_program_while_a_body_is_read_goes_up():
    class Struck(Wire):
        def stream(self, *_: object, **__: object) -> list[bytes]:
            signal.raise_signal(signal.SIGUSR1)
            return []

    def handle(*_: object) -> None:
        raise TimeoutError("the program's own")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(TimeoutError, match="the program's own"):
            read_answer(streamed(503, Struck(), Content_Length="30"), POLICY, streaming=True)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_stream_without_a_socket_is_read_as_it_is():
    wire = Wire(LOCKED)
    wire.sock = None
    assert read_answer(streamed(503, wire, Content_Length="30"), POLICY, streaming=True).kind is Kind.REFUSED


def test_a_socket_that_was_closed_meanwhile_is_no_error():
    class Closed(Wire):
        def settimeout(self, seconds: float | None) -> None:
            super().settimeout(seconds)
            if len(self.timeouts) > 1:
                raise OSError("closed")

    response = streamed(503, Closed(LOCKED), Content_Length="30")
    assert read_answer(response, POLICY, streaming=True).kind is Kind.REFUSED


# -- broken connections


def carried(inner: BaseException, outer: type[Exception] = keystone.ConnectFailure) -> Exception:
    """An error of keystoneauth's, raised out of requests' with urllib3's in its arguments."""
    try:
        try:
            raise of_requests.ConnectionError(of_urllib3.MaxRetryError(None, "/", inner))
        except Exception as error:
            raise outer("Unable to connect") from error
    except Exception as error:
        return error


@pytest.mark.parametrize(
    ("inner", "kind", "what"),
    [
        (of_urllib3.NameResolutionError("host", None, socket.gaierror()), Kind.NOT_SENT, "name not resolved"),
        (socket.gaierror(), Kind.NOT_SENT, "name not resolved"),
        (ConnectionRefusedError(), Kind.NOT_SENT, "connection refused"),
        (of_urllib3.NewConnectionError(None, "x"), Kind.NOT_SENT, "no connection"),
        (of_urllib3.ConnectTimeoutError(), Kind.NOT_SENT, "no connection in time"),
        (of_requests.ConnectTimeout(), Kind.NOT_SENT, "no connection in time"),
        (of_urllib3.ProxyError("x", OSError()), Kind.NOT_SENT, "no connection to the proxy"),
        (of_urllib3.EmptyPoolError(None, "x"), Kind.NOT_SENT, "no connection free"),
        (of_urllib3.ReadTimeoutError(None, "/", "x"), Kind.MAYBE_PROCESSED, "no answer in time"),
        (of_requests.ReadTimeout(), Kind.MAYBE_PROCESSED, "no answer in time"),
        (ConnectionResetError(), Kind.MAYBE_PROCESSED, "connection reset"),
        (BrokenPipeError(), Kind.MAYBE_PROCESSED, "connection closed while sending"),
        (ConnectionAbortedError(), Kind.MAYBE_PROCESSED, "connection aborted"),
        (of_urllib3.IncompleteRead(1, 2), Kind.MAYBE_PROCESSED, "answer cut off"),
        (of_requests.ChunkedEncodingError(), Kind.MAYBE_PROCESSED, "answer cut off"),
        (of_urllib3.ProtocolError("x"), Kind.MAYBE_PROCESSED, "connection broken"),
        (of_urllib3.ProtocolError("x", ConnectionResetError()), Kind.MAYBE_PROCESSED, "connection reset"),
        (RuntimeError(), Kind.MAYBE_PROCESSED, "connection failed"),
        (ssl.SSLCertVerificationError(), Kind.PERMANENT, "certificate not accepted"),
        (of_requests.InvalidHeader(), None, ""),
    ],
)
def test_the_innermost_exception_tells_how_a_connection_broke(inner, kind, what):
    expected = Failure(None) if kind is None else Failure(None, kind=kind, what=what)
    assert read_connection(carried(inner), None) == expected


@pytest.mark.parametrize("outer", [keystone.ConnectFailure, keystone.ConnectTimeout, keystone.SSLError])
def test_keystoneauths_own_word_holds_where_nothing_below_it_says_more(outer):
    assert read_connection(outer("x"), None) == Failure(None, kind=Kind.MAYBE_PROCESSED, what="connection failed")


def test_another_error_of_keystoneauths_is_no_broken_connection():
    assert read_connection(keystone.EndpointNotFound("x"), None) == Failure(None)


def handshake(error: ssl.SSLError, step: str) -> ssl.SSLError:
    """The error with the traceback of a function of that name."""
    space: dict[str, object] = {"error": error}
    exec(f"def {step}():\n    raise error\ndef connect():\n    {step}()", space)
    try:
        space["connect"]()  # type: ignore[operator]
    except ssl.SSLError as raised:
        return raised
    raise AssertionError


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("do_handshake", Kind.NOT_SENT),
        ("ssl_wrap_socket", Kind.NOT_SENT),
        ("recv_into", Kind.MAYBE_PROCESSED),
        ("sendall", Kind.MAYBE_PROCESSED),
    ],
)
def test_what_fails_before_the_handshake_is_over_was_not_sent(step, kind):
    """The traceback tells; tests/clients/test_tls.py has the same with a server."""
    failure = read_connection(carried(handshake(ssl.SSLError("x"), step), keystone.SSLError), None)
    assert failure == Failure(None, kind=kind, what="TLS failed")


def test_what_the_caller_was_handling_says_nothing():
    handled = ConnectionRefusedError()
    try:
        try:
            raise handled
        except Exception:
            raise keystone.ConnectFailure("x") from None
    except Exception as raised:
        error = raised
    error.__suppress_context__ = False
    assert read_connection(error, handled).what == "connection failed"
    assert read_connection(error, None).what == "connection refused"
    assert read_connection(of_requests.ConnectionError(handled), handled) == Failure(None)


def test_a_ring_of_reasons_ends():
    one, two = of_urllib3.MaxRetryError(None, "/"), of_urllib3.MaxRetryError(None, "/")
    one.reason, two.reason = two, one
    assert read_connection(carried(one), None).what == "connection failed"


# -- a request made inside: a token's, or that of a discovery document


def test_a_request_without_one_inside_is_its_own():
    assert read_inside(keystone.ServiceUnavailable(), None, POLICY, None) is None


def test_a_token_that_the_service_refused_leaves_the_request_not_sent():
    error = keystone.ServiceUnavailable(response=answer(503, Retry_After="7", X_Openstack_Request_Id="req-1"))
    what = "token or discovery: 503"
    assert read_inside(error, error, POLICY, None) == Failure(503, 7.0, "req-1", Kind.NOT_SENT, what)


def test_wrong_credentials_are_not_the_tokens_trouble():
    error = keystone.Unauthorized(response=answer(401))
    assert read_inside(error, error, POLICY, None) is None


def test_a_token_whose_connection_broke_leaves_the_request_not_sent():
    error = carried(ConnectionResetError())
    failure = read_inside(error, error, POLICY, None)
    assert failure == Failure(None, kind=Kind.NOT_SENT, what="token or discovery: connection reset")
    plain = ValueError()
    assert read_inside(plain, plain, POLICY, None) is None


def test_the_error_of_a_discovery_is_behind_keystoneauths_own_without_an_answer():
    """EndpointNotFound has neither a status nor the error that led to it."""
    inside = keystone.ServiceUnavailable(response=answer(503))
    failure = read_inside(keystone.EndpointNotFound("x"), inside, POLICY, None)
    assert failure == Failure(503, None, None, Kind.NOT_SENT, "token or discovery: 503")


def test_an_error_inside_that_was_overcome_is_not_the_one_of_the_request():
    inside = keystone.ServiceUnavailable(response=answer(503))
    assert read_inside(keystone.NotFound(response=answer(404)), inside, POLICY, None) is None
    assert read_inside(carried(ConnectionResetError()), inside, POLICY, None) is None


def test_the_error_inside_counts_where_the_one_of_the_request_came_of_it():
    inside = keystone.ServiceUnavailable(response=answer(503))
    outer = keystone.NotFound(response=answer(404))
    outer.__cause__ = inside
    failure = read_inside(outer, inside, POLICY, None)
    assert failure is not None
    assert failure.status == 503


# -- by the status alone


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (413, Kind.REFUSED),
        (429, Kind.REFUSED),
        (500, Kind.MAYBE_PROCESSED),
        (503, Kind.MAYBE_PROCESSED),
        (404, Kind.PERMANENT),
        (None, Kind.PERMANENT),
    ],
)
def test_a_service_that_answers_413_or_429_has_not_processed_the_request(status, kind):
    assert kind_of(status, RETRY_CODES) is kind
    assert kind_of(status, ()) is Kind.PERMANENT
