"""The faults themselves: an injected fault looks like a real one, and the seed decides which requests get it."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import keystoneauth1.session
import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from os_retries.core.failure import RETRY_CODES
from os_retries.faults import AtRandom, Fault, Faults, Request, Script, only

UUID = "6f70656e-7374-6163-6b20-726574726965"
CATALOG = {
    "token": {
        "catalog": [
            {"type": kind, "endpoints": [{"url": url}]}
            for kind, url in (
                ("compute", "http://cloud:8774/v2.1"),
                ("volumev3", f"http://cloud:8776/v3/{UUID}"),
                ("object-store", f"http://cloud/object-store/v1/AUTH_{UUID.replace('-', '')}"),
                ("image", "http://cloud/image"),
                ("identity", "http://cloud/identity/v3"),
                ("network", "http://cloud/identity/v3/nested"),
            )
        ]
    }
}


class Service(BaseAdapter):
    """In place of the connection: reads the body, remembers the request, answers 200 or a token."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, bytes]] = []
        self.closed = False
        self.answers: list[urllib3.HTTPResponse] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        body = request.body
        content = b"" if body is None else body.encode() if isinstance(body, str) else body
        if not isinstance(content, bytes):
            content = content.read() if hasattr(content, "read") else b"".join(content)
        self.seen.append((str(request.method), str(request.path_url), content))
        token = request.path_url.endswith("/auth/tokens")
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(json.dumps(CATALOG if token else {"ok": True}).encode()),
            headers={"X-Subject-Token": "t"},
            status=201 if token else 200,
            preload_content=False,
        )
        self.answers.append(raw)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        self.closed = True


class Caller(requests.Session):
    """A session whose connections are a Service, with faults in between."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.service = Service()
        self.faults = faults
        self.mount("http://", self.service)
        faults.mount(self)

    def login(self) -> Caller:
        self.post("http://cloud/identity/v3/auth/tokens", json={})
        return self

    def met(self, verb: str, url: str) -> str | None:
        with contextlib.suppress(requests.RequestException):
            self.request(verb, url)
        fault = self.faults.record[-1].fault
        return None if fault is None else str(fault)


def caller(*faults: Fault | None, **options: Any) -> Caller:
    return Caller(Faults(Script(faults, **options)))


# -- single faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(RETRY_CODES))
def test_a_refusal_answers_with_its_status_and_the_service_sees_nothing(status: int) -> None:
    session = caller(Fault.refused(status))
    answer = session.get("http://cloud/v1/x")
    assert (answer.status_code, session.service.seen) == (status, [])
    assert answer.reason
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_off_has_a_good_status_line_and_half_a_body(stream: bool) -> None:
    session = caller(Fault.cut())
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = session.get("http://cloud/v1/x", stream=stream).content
    assert len(session.service.seen) == 1
    assert session.faults.record[0].status == 200


def test_a_late_winner_is_answered_at_once_and_reaches_the_service_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go = threading.Event()
    monkeypatch.setattr("os_retries.faults.adapter.time.sleep", lambda seconds: may_go.wait(10 * seconds))
    session = caller(Fault.late(1))
    assert session.post("http://cloud/v1/x", data=b"body").status_code == 504
    assert session.service.seen == []
    may_go.set()
    session.faults.wait()
    assert session.service.seen == [("POST", "/v1/x", b"body")]


@pytest.mark.parametrize("seconds", [-1, True, "1", float("inf"), float("nan")])
def test_a_late_winner_needs_a_time(seconds: Any) -> None:
    with pytest.raises(ValueError, match="seconds must be 0 or more"):
        Fault.late(seconds)


@pytest.mark.parametrize(("given", "sent"), [(3, "3"), (0.5, "0.5"), ("soon", "soon"), (0, "0"), (120.0, "120")])
def test_a_retry_after_is_sent_as_given(given: float | str, sent: str) -> None:
    assert caller(Fault.refused(503, retry_after=given)).get("http://cloud/v1/x").headers["Retry-After"] == sent


def test_a_refusal_uses_up_the_body_as_a_service_does() -> None:
    """Whoever repeats without bringing the body anew must be caught sending nothing."""
    session = caller(Fault.refused(503), Fault.refused(503))
    file = io.BytesIO(b"x" * 200_000)
    session.put("http://cloud/v1/x", data=file)
    assert file.tell() == 200_000
    pieces = iter([b"a", b"b"])
    session.put("http://cloud/v1/x", data=pieces)
    assert list(pieces) == []


@pytest.mark.parametrize("fault", [Fault.unreachable(), None])
def test_a_request_that_is_not_sent_or_not_met_by_a_fault_leaves_its_body_alone(fault: Fault | None) -> None:
    session = caller(fault)
    file = io.BytesIO(b"body")
    with contextlib.suppress(requests.ConnectionError):
        session.put("http://cloud/v1/x", data=file)
    assert file.tell() == (0 if fault else 4)
    assert [body for *_, body in session.service.seen] == ([] if fault else [b"body"])


def test_a_lost_answer_is_processed_once_and_answered_by_the_gateway() -> None:
    session = caller(Fault.lost(502))
    answer = session.post("http://cloud/v1/x", data=b"body")
    assert (answer.status_code, session.service.seen) == (502, [("POST", "/v1/x", b"body")])
    assert "<h1>502 Bad Gateway" in answer.text
    assert session.service.answers[0].tell() == len('{"ok": true}'), (
        "the service was not left in the middle of its answer"
    )


@pytest.mark.parametrize("make", [Fault.reset, Fault.stall])
@pytest.mark.parametrize("processed", [False, True])
def test_a_reset_and_a_stall_come_before_or_after_the_service_has_processed(make: Any, processed: bool) -> None:
    session = caller(make(processed=processed))
    with pytest.raises(requests.RequestException):
        session.post("http://cloud/v1/x", data=b"body")
    assert session.service.seen == ([("POST", "/v1/x", b"body")] if processed else [])


def _shape(error: BaseException) -> list[str]:
    """The types of an exception and of what it carries, as code that looks inside relies on."""
    found = [type(error).__name__]
    inner = [getattr(error, "reason", None), *error.args]
    return found + [name for each in inner[:3] if isinstance(each, BaseException) for name in _shape(each)]


@contextlib.contextmanager
def _server(behave: str) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if behave != "refuse":
            listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if behave == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                else:
                    connection.recv(1000)  # until the client hangs up

        thread = threading.Thread(target=serve)
        if behave != "refuse":
            thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/x"
        if behave != "refuse":
            thread.join()


@pytest.mark.parametrize(
    ("behave", "fault"),
    [("refuse", Fault.unreachable()), ("reset", Fault.reset()), ("stall", Fault.stall())],
)
def test_an_injected_error_has_the_shape_of_the_real_one(behave: str, fault: Fault) -> None:
    with _server(behave) as url, requests.Session() as session:
        with pytest.raises(requests.RequestException) as real:
            session.get(url, timeout=0.05)
        with pytest.raises(requests.RequestException) as injected:
            caller(fault).get(url, timeout=0.05)
    assert _shape(injected.value) == _shape(real.value)
    assert len(_shape(real.value)) > 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://cloud:8774/v2.1/servers", "overLimit"),
        ("http://cloud/image/v2/images", "<html>"),
        ("http://cloud/identity/v3/users", '"error"'),
        ("http://elsewhere/v1/x", '"error"'),
    ],
)
def test_a_refusal_speaks_the_dialect_of_the_service_or_the_balancers(url: str, expected: str) -> None:
    session = caller(Fault.refused(429), Fault.refused(429, html=True)).login()
    own, balancer = session.get(url), session.get(url)
    assert expected in own.text
    assert balancer.headers["Content-Type"].startswith("text/html")


def test_a_refused_head_has_no_body() -> None:
    assert caller(Fault.refused(503)).head("http://cloud/v1/x").content == b""


def test_an_unregistered_status_is_answered_too() -> None:
    assert caller(Fault.refused(498)).get("http://cloud/v1/x").status_code == 498


# -- which requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "service", "pattern"),
    [
        (f"http://cloud:8774/v2.1/servers/{UUID}", "compute", "/v2.1/servers/{id}"),
        ("http://cloud:8774/", "compute", "/"),
        (f"http://cloud:8776/v3/{UUID}/volumes/7", "block-storage", "/v3/{id}/volumes/{id}"),
        ("http://cloud/object-store/v1/AUTH_0a/jobs/wordcount.jar", "object-store", None),
        ("http://cloud/image/v2/images", "image", "/image/v2/images"),
        ("http://cloud/imagery/v2", None, None),
        ("http://cloud/identity/v3/nested/v2.0/ports", "network", None),
        ("http://cloud/v1/stacks/cluster-4711", None, "/v1/stacks/{id}"),
        ("http://elsewhere:8774/v2.1/servers", None, None),
    ],
)
def test_the_service_is_told_from_the_catalog_that_came_with_the_token(
    url: str, service: str | None, pattern: str | None
) -> None:
    session = Caller(Faults()).login()
    session.get(url)
    seen = session.faults.record[-1].request
    assert seen.service == service
    assert pattern in (None, seen.pattern)


def test_a_filter_lets_through_what_matches_all_of_it() -> None:
    request = Request("compute", "GET", "/v2.1/servers/7", "/v2.1/servers/{id}")
    assert only()(request)
    assert only(service="compute", verb={"GET", "POST"}, path="servers/[0-9]")(request)
    for wrong in ({"service": "image"}, {"verb": "POST"}, {"path": "^/servers"}):
        assert not only(**wrong)(request)  # type: ignore[arg-type]


def test_a_script_is_used_up_by_the_requests_that_its_filter_lets_through() -> None:
    session = caller(Fault.refused(503), None, Fault.refused(429), only=only(verb="POST"))
    got = [
        session.request(verb, "http://cloud/v1/x").status_code
        for verb in ("GET", "POST", "POST", "GET", "POST", "POST")
    ]
    assert got == [200, 503, 200, 200, 429, 200]


def test_the_first_rule_that_lets_a_request_through_decides_about_it() -> None:
    session = Caller(Faults(Script([None], only=only(path="a")), Script([Fault.refused(500)] * 9)))
    assert [session.get(f"http://cloud/v1/{path}").status_code for path in "aab"] == [200, 200, 500]


def test_tokens_and_version_documents_are_left_alone_unless_asked_for() -> None:
    for tokens, expected in ((False, [201, 200, 200, 503]), (True, [503, 503, 503, 503])):
        session = Caller(Faults(AtRandom(refused=1, statuses=[503]), tokens=tokens))
        answers = [session.post("http://cloud/identity/v3/auth/tokens")]
        answers += [session.get(url) for url in ("http://cloud:8774/v2.1/", "http://cloud/image", "http://cloud/v3/x")]
        assert [answer.status_code for answer in answers] == expected
        assert len(session.faults.record) == 4


# -- dice ------------------------------------------------------------------------------------------------------------


def test_the_nth_request_of_a_kind_meets_the_same_fault_however_the_kinds_interleave() -> None:
    rule = AtRandom(refused=0.3, lost=0.1, reset=0.1, stall=0.1, unreachable=0.1)
    kinds = [("GET", f"http://cloud:8774/v2.1/servers/{UUID}"), ("POST", "http://cloud:8774/v2.1/servers")]

    def run(seed: int, order: list[int]) -> list[list[str | None]]:
        session = Caller(Faults(rule, seed=seed)).login()
        met: list[list[str | None]] = [[], []]
        for which in order:
            met[which].append(session.met(*kinds[which]))
        return met

    one_by_one = run(7, [0] * 40 + [1] * 40)
    assert one_by_one == run(7, [1, 0] * 40)
    assert one_by_one != run(8, [1, 0] * 40)
    assert one_by_one[0] != one_by_one[1]
    assert {None, "reset"} < set(one_by_one[0])


def test_the_dice_of_a_seed_never_change() -> None:
    """What a seed means must outlive a release and a Python: somebody wrote it into a bug report."""
    session = Caller(Faults(AtRandom(refused=0.5), seed=4711)).login()
    met = [session.met("GET", "http://cloud:8774/v2.1/servers") for _ in range(6)]
    assert " ".join(str(each) for each in met) == "None 502 502 408 (Retry-After: 2) 408 (Retry-After: 2) None"


def test_ids_do_not_make_another_kind() -> None:
    faults = Faults(AtRandom(refused=0.5), seed=1)
    one = Caller(faults).login()
    numbers = []
    for number in range(3):
        one.met("GET", f"http://cloud:8774/v2.1/servers/{number}")
        numbers.append(faults.record[-1].request.number)
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("name", ["refused", "lost", "reset", "stall", "unreachable"])
def test_a_rate_is_the_share_of_the_requests_that_meet_the_fault(name: str) -> None:
    session = Caller(Faults(AtRandom(**{name: 0.25}), seed=3))
    met = [session.met("GET", "http://cloud/v1/x") for _ in range(800)]
    assert 160 < sum(fault is not None for fault in met) < 240
    refused_or_never = {"refused", "reset", "stall", "unreachable"}
    processed = [entry for entry in session.faults.injected if entry.fault and entry.fault.processed]
    assert bool(processed) == (name not in refused_or_never)


def test_refusals_are_drawn_from_all_statuses_and_all_forms_given() -> None:
    session = Caller(Faults(AtRandom(refused=1, retry_after=(None, 2, "soon")), seed=3))
    for _ in range(400):
        session.get("http://cloud/v1/x")
    drawn = [entry.fault for entry in session.faults.injected if entry.fault]
    assert {fault.status for fault in drawn} == RETRY_CODES
    assert {fault.retry_after for fault in drawn} == {None, "2", "soon"}
    assert {fault.html for fault in drawn} == {False, True}


def test_many_threads_lose_no_entry_and_share_one_count() -> None:
    faults = Faults(AtRandom(refused=0.5), seed=5)

    def work() -> None:
        session = Caller(faults)
        for _ in range(100):
            session.get("http://cloud/v1/x")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.request.number for entry in faults.record) == list(range(1, 801))


# -- the record and the seams ----------------------------------------------------------------------------------------


def test_the_record_tells_every_request_its_fault_and_what_the_caller_saw() -> None:
    session = caller(None, Fault.refused(503), Fault.reset())
    for _ in range(3):
        session.met("GET", "http://cloud/v1/x")
    entries = session.faults.record
    assert [(str(entry.fault), entry.status) for entry in entries] == [("None", 200), ("503", 503), ("reset", None)]
    assert session.faults.injected == entries[1:]


def test_a_session_of_ours_has_keystoneauths_adapter_inside() -> None:
    """Or TCP keep-alive would be lost, and a rehearsal would differ from the real thing."""
    with Faults().session() as session:
        for adapter in session.adapters.values():
            assert isinstance(adapter.inner, keystoneauth1.session.TCPKeepAliveAdapter)  # type: ignore[attr-defined]


def test_closing_the_session_closes_the_adapter_inside() -> None:
    session = Caller(Faults())
    session.close()
    assert session.service.closed


def test_swifts_own_connections_are_met_too() -> None:
    faults = Faults(Script([Fault.refused(503), Fault.refused(507)]))
    swift = faults.swift_connection(preauthurl="http://127.0.0.1:1/v1/AUTH_a", preauthtoken="t", starting_backoff=0)
    with pytest.raises(Exception, match=r"Connection refused|Failed to establish"):  # what really is at that port
        swift.head_account()
    assert [entry.status for entry in faults.record][:2] == [503, 507]
    assert type(swift).__name__ == "Connection"


# -- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AtRandom(refused=1.5), "refused must be a share from 0 to 1, not 1.5"),
        (lambda: AtRandom(lost=-0.1), "lost must be a share"),
        (lambda: AtRandom(reset=True), "reset must be a share"),
        (lambda: AtRandom(stall=float("nan")), "stall must be a share"),
        (lambda: AtRandom(refused=0.6, reset=0.6), "add up to 1.2"),
        (lambda: AtRandom(statuses=[200]), "200 is not the status of an error"),
        (lambda: AtRandom(statuses=[]), "statuses must be a list"),
        (lambda: AtRandom(retry_after="2"), "retry_after must be a list"),
        (lambda: AtRandom(retry_after=["2\r\nX: y"]), "retry_after must be seconds"),
        (lambda: Fault.refused(302), "302 is not the status of an error"),
        (lambda: Fault.lost(True), "True is not the status of an error"),
        (lambda: Script(["503"]), "a script holds Faults and None, not '503'"),  # type: ignore[list-item]
        (lambda: Faults(Fault.reset()), "a rule is an AtRandom or a Script"),  # type: ignore[arg-type]
        (lambda: Faults(seed="x"), "seed must be a whole number, not 'x'"),  # type: ignore[arg-type]
        (lambda: only(verb="FETCH"), "unknown verb FETCH"),
        (lambda: only(path="("), r"path is not a regular expression: '\('"),
    ],
)
def test_a_mistake_is_named_at_once(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()
