"""Creates through an attached session: what is sent, looked up and answered, with an adapter as the service."""

from __future__ import annotations

import gc
import http
import io
import json
import logging
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import urllib3
from keystoneauth1.exceptions import (
    BadGateway,
    BadRequest,
    Conflict,
    ConnectFailure,
    Forbidden,
    GatewayTimeout,
    ServiceUnavailable,
)
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from requests.adapters import BaseAdapter, HTTPAdapter

from os_retries import RetryPolicy, attach, execute_with_retries, observe
from os_retries.core import hooks
from os_retries.creates.markers import KEY
from os_retries.evidence import GiveUp, LookedUp

VOLUMES = {"service_type": "block-storage"}
NETWORK = {"service_type": "network"}
NOVA = {"service_type": "compute"}


class Service(BaseAdapter):
    """Keeps what is created under the last part of the path, lists all of it, and does before that what it was told.

    Each entry of ``plan`` meets one POST: a status or exception instead of processing it, the same in a tuple with
    True after processing it, or a function that does as it likes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plan: list[Any] = []
        self.gets: list[Any] = []  # what meets the next GETs
        self.puts: list[Any] = []  # and the next PUTs
        self.things: dict[str, dict[str, Any]] = {}
        self.seen: list[requests.PreparedRequest] = []
        self.extensions = False
        self.keeps_tags = True

    def make(self, request: requests.PreparedRequest, *, count: int = 1) -> dict[str, Any]:
        ((member, item),) = json.loads(request.body or b"").items()
        if isinstance(item, list):
            made = [{"description": ""} | each | {"id": f"id{number}"} for number, each in enumerate(item)]
            self.things |= {each["id"]: each for each in reversed(made)}
            return {member: made}
        for _ in range(count):
            made = {"description": ""} | item | {"id": f"id{len(self.things)}"}
            if not self.keeps_tags:
                made["tags"] = []
            self.things[made["id"]] = made
        return {member: made}

    def send(self, request: requests.PreparedRequest, **_how: Any) -> requests.Response:
        self.seen.append(request)
        path = urlsplit(request.url).path
        if request.method == "GET":
            if "/extensions/" in path:
                return answer(request, 200 if self.extensions else 404)
            if self.gets and (fault := self.gets.pop(0)) is not None:
                return answer(request, fault)
            collection = path.removesuffix("/detail").rsplit("/", 1)[1].replace("-", "_")
            if collection in self.things:  # one of them, in full
                return answer(request, 200, {path.rsplit("/", 2)[1].removesuffix("s"): self.things[collection]})
            return answer(request, 200, {collection: list(self.things.values())})
        if request.method == "DELETE":
            return answer(request, 202 if self.things.pop(path.rsplit("/", 1)[1], None) else 404)
        if request.method == "PUT":
            if self.puts:
                fault = self.puts.pop(0)
                if isinstance(fault, type):
                    raise fault("broken")
                return answer(request, fault)
            ((member, item),) = json.loads(request.body).items()
            thing = self.things[path.rsplit("/", 1)[1]]
            thing |= item | {"revision_number": 2}
            return answer(request, 200, {member: thing})
        step = self.plan.pop(0) if self.plan else None
        if callable(step) and not isinstance(step, type):
            return step(request)
        step, processed = step if isinstance(step, tuple) else (step, step is None)
        made = self.make(request) if processed else None
        if isinstance(step, type):
            raise step("broken")
        return answer(request, step, None) if step is not None else answer(request, 202, made)

    def close(self) -> None:
        pass

    def sent(self, verb: str) -> list[requests.PreparedRequest]:
        return [each for each in self.seen if each.method == verb]


def answer(request: requests.PreparedRequest, status: int, body: Any = None, cut: int = 0) -> requests.Response:
    content = json.dumps({} if body is None else body).encode()
    raw = urllib3.HTTPResponse(
        body=io.BytesIO(content[: len(content) - cut]),
        headers={
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "X-Openstack-Request-Id": "req-1",
        },
        status=status,
        reason=http.HTTPStatus(status).phrase,
        preload_content=False,
        enforce_content_length=True,
        request_method=request.method,
    )
    return HTTPAdapter().build_response(request, raw)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def session(service: Service) -> Session:
    inner = requests.Session()
    inner.mount("http://", service)
    return attach(Session(auth=Token("http://cloud", "token"), session=inner), RetryPolicy(retry_after=1))


def create(session: Session, body: Any = None, **how: Any) -> requests.Response:
    how = {"json": body or {"volume": {"size": 1}}, "endpoint_filter": VOLUMES} | how
    return session.post("/v3/volumes", **how)


def port(session: Session, collection: str = "ports", member: str = "port", **fields: Any) -> requests.Response:
    return session.post(f"/v2.0/{collection}", json={member: {"name": "x"} | fields}, endpoint_filter=NETWORK)


def test_a_found_create_is_answered_as_the_service_would_have(service: Service, session: Session) -> None:
    service.plan = [(504, True)]
    response = create(session)
    assert (response.status_code, response.reason, response.ok) == (202, "Accepted", True)
    assert response.json()["volume"]["id"] == "id0"
    assert response.headers["Content-Type"] == "application/json"
    assert b"".join(response.iter_content(3)) == response.content
    assert response.request is not None
    assert len(service.sent("POST")) == 1


@pytest.mark.parametrize("how", ["json", "text", "bytes"])
def test_the_marker_goes_into_a_copy_however_the_body_is_handed_over(
    service: Service, session: Session, how: str
) -> None:
    body = {"volume": {"size": 1, "metadata": {"mine": "1"}}}
    text = json.dumps(body)
    given = {"json": body} if how == "json" else {"json": None, "data": text if how == "text" else text.encode()}
    service.plan = [504, (504, True)]
    create(session, **given)
    first, second = (json.loads(each.body)["volume"]["metadata"] for each in service.sent("POST"))
    assert first == second, "one marker over all attempts"
    assert set(first) == {"mine", KEY}
    assert body == {"volume": {"size": 1, "metadata": {"mine": "1"}}}


def test_without_safe_creates_nothing_is_changed_and_nothing_looked_up(service: Service, session: Session) -> None:
    attach(session, RetryPolicy(safe_creates=False))
    service.plan = [(504, True)]
    with pytest.raises(GatewayTimeout):
        create(session)
    (sent,) = service.seen
    assert json.loads(sent.body) == {"volume": {"size": 1}}


def test_the_callers_microversion_is_kept_and_the_look_up_has_its_own(service: Service, session: Session) -> None:
    service.plan = [(504, True)]
    create(session, headers={"OpenStack-API-Version": "volume 3.60", "Content-Type": "application/json"})
    assert service.sent("POST")[0].headers["OpenStack-API-Version"] == "volume 3.60"
    get, in_full = service.sent("GET")
    assert get.headers["OpenStack-API-Version"] == "volume 3.0"
    assert in_full.headers["OpenStack-API-Version"] == "volume 3.60", "the answer has the caller's microversion"
    assert "Content-Type" not in get.headers
    marker = json.loads(service.sent("POST")[0].body)["volume"]["metadata"][KEY]
    assert parse_qsl(urlsplit(get.url).query) == [("metadata", f"{{'{KEY}': '{marker}'}}")]


def test_a_conflict_of_the_re_send_is_ones_own_success(service: Service, session: Session) -> None:
    def conflict(request: requests.PreparedRequest) -> requests.Response:
        service.make(request)  # the first attempt has landed at the last moment
        return answer(request, 409)

    service.plan = [502, conflict]
    assert create(session).json()["volume"]["id"] == "id0"
    assert len(service.sent("POST")) == 2


def test_a_conflict_of_anothers_making_is_the_callers(service: Service, session: Session) -> None:
    service.plan = [409]
    with pytest.raises(Conflict):
        create(session)
    assert not service.sent("GET")
    service.plan = [502, 409]
    with pytest.raises(Conflict):
        create(session)


def test_a_late_winner_seen_before_the_re_send_is_the_answer(service: Service, session: Session, naps: Any) -> None:
    def late(request: requests.PreparedRequest) -> requests.Response:
        naps_until_it_lands = len(naps)
        original = service.send

        def send(following: requests.PreparedRequest, **how: Any) -> requests.Response:
            if len(naps) > naps_until_it_lands and not service.things:  # after the loop's own wait
                service.make(request)
            return original(following, **how)

        service.send = send
        return answer(request, 503)

    service.plan = [late]
    assert create(session).json()["volume"]["id"] == "id0"
    assert len(service.sent("POST")) == 1


@pytest.mark.parametrize("failing", [3, 100])
def test_what_lands_after_a_503_while_the_look_before_the_re_send_fails_is_not_made_twice(
    service: Service, session: Session, failing: int
) -> None:
    def lands_in_the_wait(request: requests.PreparedRequest) -> requests.Response:
        service.plan = [lambda again: service.make(again) and answer(again, 500)]
        service.gets = [None, *[503] * failing]
        late.append(request)
        return answer(request, 503)

    late: list[requests.PreparedRequest] = []
    service.plan = [lands_in_the_wait]
    attach(session, RetryPolicy(retry_after=1, on_retry=lambda _retry: service.make(late[0]) and None))
    if failing < 10:
        assert create(session).json()["volume"]["id"] == "id0"
    else:
        with pytest.raises(ServiceUnavailable) as raised:
            create(session)
        evidence = raised.value.os_retries
        assert (evidence.reason, len(evidence.attempts)) == (GiveUp.NOT_REPEATABLE, 1)
        assert "the look-up failed (503)" in evidence.detail
    assert (len(service.sent("POST")), len(service.things)) == (1, 1)


@pytest.mark.parametrize("reap", [False, True])
def test_a_late_duplicate_is_reported_with_both_ids_and_deleted_if_that_is_asked_for(
    service: Service, session: Session, caplog: pytest.LogCaptureFixture, reap: bool
) -> None:
    attach(session, RetryPolicy(reap_late_duplicates=reap))

    def twice(request: requests.PreparedRequest) -> requests.Response:
        service.make(request)
        return answer(request, 202, service.make(request))

    service.plan = [502, twice]
    with caplog.at_level(logging.WARNING, "os_retries"):
        assert create(session).json()["volume"]["id"] == "id1"
    (record,) = [each for each in caplog.records if "also taken effect" in each.getMessage()]
    assert record.os_retries.ids == ("id0",)
    assert "id0" in record.getMessage()
    assert "id1" in record.getMessage()
    assert set(service.things) == ({"id1"} if reap else {"id0", "id1"})


def test_two_hits_are_an_error_that_names_them_and_nothing_is_sent_again(service: Service, session: Session) -> None:
    def two(request: requests.PreparedRequest) -> requests.Response:
        service.make(request, count=2)
        return answer(request, 502)

    service.plan = [two]
    with pytest.raises(BadGateway) as caught:
        create(session)
    evidence = caught.value.response.os_retries
    assert (evidence.reason, evidence.found) == (GiveUp.NOT_REPEATABLE, ("id0", "id1"))
    assert "id0, id1" in str(evidence)
    assert len(service.sent("POST")) == 1


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_filter_that_is_denied_is_an_error_and_nothing_is_sent_again(
    service: Service, session: Session, status: int
) -> None:
    service.plan, service.gets = [(502, True)], [status]
    with pytest.raises(BadGateway) as caught:
        create(session)
    assert f"the look-up failed ({status})" in caught.value.response.os_retries.detail
    assert (len(service.sent("POST")), len(service.sent("GET"))) == (1, 1)


def test_a_filter_that_is_ignored_finds_ones_own_among_the_others(service: Service, session: Session) -> None:
    for _ in range(3):
        create(session)
    service.plan = [(504, True), 504]
    assert create(session).json()["volume"]["id"] == "id3"
    attach(session, RetryPolicy(retries_number=0))
    with pytest.raises(GatewayTimeout) as caught:
        create(session)
    assert caught.value.response.os_retries.found == (), "what others have made is none of ours"
    assert len(service.things) == 4


def test_while_a_cell_is_down_an_empty_list_is_an_error_and_nothing_is_sent_again(
    service: Service, session: Session
) -> None:
    service.things["id9"] = {"id": "id9", "status": "UNKNOWN", "tags": []}
    service.plan = [504]
    headers = {"OpenStack-API-Version": "compute 2.60"}
    with pytest.raises(GatewayTimeout) as caught:
        session.post("/v2.1/servers", json={"server": {"name": "x"}}, endpoint_filter=NOVA, headers=headers)
    assert "a cell of the compute service is down" in caught.value.response.os_retries.detail
    assert len(service.sent("POST")) == 1
    assert service.sent("GET")[-1].headers["OpenStack-API-Version"] == "compute 2.69"


def test_a_caller_that_wants_the_response_gets_it_found_or_not(service: Service, session: Session) -> None:
    service.plan = [(504, True)]
    assert create(session, raise_exc=False).status_code == 202
    service.plan, service.gets = [(504, True)], [403]
    response = create(session, raise_exc=False)
    assert response.status_code == 504
    assert "403" in response.os_retries.detail


def test_a_denied_look_up_is_made_once_and_one_that_fails_as_long_as_the_retries_would_take(
    service: Service, session: Session, naps: list[float]
) -> None:
    service.plan, service.gets = [(502, True), (502, True)], [403]
    with pytest.raises(BadGateway):
        create(session)
    assert (len(service.sent("GET")), naps) == (1, [])
    attach(session, RetryPolicy(retries_number=3, retry_after=20))
    service.seen.clear()
    service.gets = [503] * 100
    with pytest.raises(BadGateway):
        create(session)
    assert sum(naps) == pytest.approx(60, abs=1)
    assert len(service.sent("POST")) == 1


def test_a_fault_of_ours_sends_the_create_as_it_is(
    service: Service, session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("os_retries.session.targets.creation_for", lambda *_, **__: 1 / 0)
    assert create(session).status_code == 202
    assert KEY not in str(service.sent("POST")[0].body)
    assert "sent unchanged" in caplog.text


@pytest.mark.parametrize("gateways", [None, {}, {"X-Request-ID": "8a6c1f"}, {"x-amz-request-id": "4442587FB7D0A2F9"}])
def test_a_404_proves_something_only_if_it_is_the_services_own(
    service: Service, session: Session, gateways: dict[str, str] | None
) -> None:
    """A gateway that does not find the service says 404 too, in JSON or not, and may have an id of its own."""
    service.plan = [(504, True)]
    service.things["1"] = {"status": "deleting"}
    plain = service.send

    def in_front(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if request.method != "GET":
            return plain(request, **how)
        response = answer(request, 404)
        if gateways is not None:
            del response.headers["X-Openstack-Request-Id"]
            response.headers.update(gateways)
        return response

    service.send = in_front  # type: ignore[method-assign]
    post = {"json": {"os-force_delete": {}}, "endpoint_filter": VOLUMES, "raise_exc": False}
    assert session.post("/v3/volumes/1/action", **post).status_code == (202 if gateways is None else 504)
    assert len(service.sent("POST")) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_off_is_looked_up_even_if_it_is_streamed(
    service: Service, session: Session, stream: bool
) -> None:
    service.plan = [lambda request: answer(request, 202, service.make(request), cut=4)]
    response = create(session, stream=stream)
    assert json.loads(b"".join(response.iter_content(10)))["volume"]["id"] == "id0"
    assert len(service.sent("POST")) == 1


def test_a_broken_connection_is_looked_up_when_no_attempts_are_left_either(service: Service, session: Session) -> None:
    attach(session, RetryPolicy(retries_number=0))
    service.plan = [(requests.exceptions.ConnectionError, True)]
    assert create(session).status_code == 202
    service.plan = [requests.exceptions.ConnectionError]
    with pytest.raises(ConnectFailure):
        create(session)


def test_all_waiting_comes_from_one_allowance(service: Service, session: Session, naps: list[float]) -> None:
    """Two settle times of 120 s go into 300 s, a third does not: then nothing is sent again."""
    service.plan = [504] * 5
    with pytest.raises(GatewayTimeout) as caught:
        execute_with_retries(create, session)
    assert len(service.sent("POST")) == 3
    assert "retry_max_wait" in caught.value.response.os_retries.detail
    assert sum(naps) <= 300 + 2


def test_a_wait_that_is_ended_ends_the_create(service: Service, session: Session) -> None:
    class Stopped(Exception):
        pass

    def stop(_seconds: float) -> None:
        raise Stopped

    attach(session, RetryPolicy(sleep=stop))
    service.plan = [504]
    with pytest.raises(Stopped):
        create(session)
    assert len(service.sent("POST")) == 1


def test_a_status_that_is_not_repeated_is_looked_up_and_not_sent_again(service: Service, session: Session) -> None:
    attach(session, RetryPolicy(retry_codes=[503]))
    service.plan = [(504, True)]
    assert create(session).status_code == 202
    service.plan = [504]
    with pytest.raises(GatewayTimeout):
        create(session)
    assert len(service.sent("POST")) == 2


# -- a marker in the description


def test_a_description_is_lent_and_given_back(service: Service, session: Session) -> None:
    response = port(session, "security-groups", "security_group")
    assert json.loads(service.sent("POST")[0].body)["security_group"]["description"].startswith("os-retries-")
    assert response.json()["security_group"]["description"] == ""
    assert response.json()["security_group"]["revision_number"] == 2, "what the service holds now"
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert service.things["id0"]["description"] == ""


@pytest.mark.parametrize("puts", [[503, 502], [requests.ConnectionError, 503], [requests.Timeout] * 2], ids=str)
def test_a_description_is_given_back_although_that_fails_twice(
    service: Service, session: Session, naps: list[float], puts: list[Any]
) -> None:
    service.puts = list(puts)
    made = session.post("/v2.0/networks", json={"network": {"name": "x"}}, endpoint_filter=NETWORK).json()
    assert made["network"]["description"] == ""
    assert [thing["description"] for thing in service.things.values()] == [""]
    assert naps == [1.0, 1.0]


def test_a_description_of_the_callers_own_carries_the_marker_until_it_is_given_back(
    service: Service, session: Session
) -> None:
    service.plan = [(504, True)]
    made = port(session, "floatingips", "floatingip", description="mine").json()["floatingip"]
    (post,) = service.sent("POST")
    assert json.loads(post.body)["floatingip"]["description"].startswith(f"mine {KEY}-")
    assert made["description"] == service.things["id0"]["description"] == "mine"


def test_a_description_that_cannot_be_given_back_is_said_to_stay_and_why(
    service: Service, session: Session, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    service.puts = [403]
    session.post("/v2.0/networks", json={"network": {"name": "x"}}, endpoint_filter=NETWORK)
    assert "the marker is still in the description of id0 (403" in caplog.text
    assert naps == []


def no_marker_please(status: int) -> Any:
    """Refuse a body that has a marker in it: a quota of metadata, a policy, an attribute that the service is too old for."""

    def step(request: requests.PreparedRequest) -> requests.Response:
        assert KEY in str(request.body)
        return answer(request, status)

    return step


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("text", [False, True])
def test_what_the_service_refuses_for_the_marker_s_sake_is_sent_as_the_caller_wrote_it(
    status: int, text: bool, service: Service, session: Session, naps: list[float]
) -> None:
    """A call that works on a session without os-retries works on an attached one."""
    body = {"volume": {"size": 1, "metadata": {"a": "b"}}}
    sent: dict[str, Any] = {"data": json.dumps(body)} if text else {"json": body}
    service.plan = [no_marker_please(status)]
    made = session.post("/volumes", endpoint_filter=VOLUMES, **sent)
    assert made.status_code == 202
    assert json.loads(service.sent("POST")[1].body) == body
    assert [thing["metadata"] for thing in service.things.values()] == [{"a": "b"}]
    assert naps == []


def test_a_refusal_for_another_reason_is_the_caller_s_after_one_more_request(
    service: Service, session: Session
) -> None:
    service.plan = [403, 403]
    with pytest.raises(Forbidden):
        create(session)
    assert len(service.sent("POST")) == 2


def test_once_unmarked_a_create_is_refused_again_without_it_and_handed_over_when_its_answer_is_lost(
    service: Service, session: Session
) -> None:
    service.plan = [403, 429, (504, True)]
    with pytest.raises(GatewayTimeout) as raised:
        create(session)
    assert raised.value.os_retries.reason is GiveUp.NOT_REPEATABLE
    assert [KEY in str(each.body) for each in service.sent("POST")] == [True, False, False]


def test_a_refusal_after_a_lost_answer_is_not_answered_by_an_unmarked_create(
    service: Service, session: Session
) -> None:
    """The first one may still land: it must stay to be told from a second."""
    service.plan = [502, 403]
    with pytest.raises(Forbidden):
        create(session)
    assert [KEY in str(each.body) for each in service.sent("POST")] == [True, True]


def test_a_body_that_is_no_json_is_nobody_s_business(
    service: Service, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    service.plan = [400]
    with pytest.raises(BadRequest):
        session.post("/volumes", data="no json", endpoint_filter=VOLUMES)
    assert "could not be read" not in caplog.text
    assert len(service.sent("POST")) == 1


def test_a_description_of_the_callers_own_is_restored_after_the_marker_has_been_found(
    service: Service, session: Session
) -> None:
    service.plan = [(502, True)]
    group = port(session, "security-groups", "security_group", description="mine").json()["security_group"]
    assert (group["id"], group["description"]) == ("id0", "mine")
    assert [each["description"] for each in service.things.values()] == ["mine"]
    assert json.loads(service.sent("POST")[0].body)["security_group"]["description"].startswith("mine os-retries-")
    assert len(service.sent("POST")) == 1


def test_a_description_that_leaves_no_room_is_kept_and_the_create_refused(service: Service, session: Session) -> None:
    service.plan = [(502, True)]
    with pytest.raises(BadGateway):
        port(session, "security-groups", "security_group", description="x" * 250)
    assert [each["description"] for each in service.things.values()] == ["x" * 250]
    assert len(service.sent("POST")) == 1


def test_a_port_is_tagged_only_where_tags_are_kept_and_that_is_asked_once(service: Service, session: Session) -> None:
    service.extensions = True
    for _ in range(3):
        port(session)
    assert len(service.sent("GET")) == 1
    assert all(json.loads(each.body)["port"]["tags"] for each in service.sent("POST"))
    assert not service.sent("PUT")


def test_tags_that_a_success_lacks_are_not_sent_again_although_the_extension_says_so(
    service: Service, session: Session
) -> None:
    service.extensions, service.keeps_tags = True, False
    port(session)
    service.plan = [(504, True)]
    assert port(session, name="y").json()["port"]["description"] == ""
    first, second = (json.loads(each.body)["port"] for each in service.sent("POST"))
    assert ("tags" in first, "tags" in second) == (True, False)
    assert second["description"].startswith("os-retries-")


@pytest.mark.parametrize("another", [False, True])
def test_until_tags_are_seen_to_be_kept_a_port_like_it_without_one_is_no_proof_of_absence(
    service: Service, session: Session, another: bool
) -> None:
    """The create that is lost may be the first one: there is nothing yet to tell that its tag was thrown away."""
    service.extensions, service.keeps_tags = True, False
    if another:
        service.things["other"] = {"id": "other", "name": "of somebody else", "tags": []}
    service.plan = [(504, True)]
    with pytest.raises(GatewayTimeout) as caught:
        port(session)
    assert len(service.sent("POST")) == 1
    assert "not known yet" in caught.value.response.os_retries.detail


@pytest.mark.parametrize("proven", [False, True])
def test_a_port_that_is_not_there_is_sent_again_whether_tags_are_known_to_be_kept_or_not(
    service: Service, session: Session, proven: bool
) -> None:
    service.extensions = True
    if proven:
        service.things["twin"] = {"id": "twin", "name": "x", "tags": []}
        port(session)
    service.plan = [504]
    assert port(session).status_code == 202
    assert len(service.sent("POST")) == 2 + proven


def test_without_that_extension_a_ports_description_carries_the_marker(service: Service, session: Session) -> None:
    service.plan = [(504, True)]
    assert port(session).json()["port"]["description"] == ""
    assert "tags" not in json.loads(service.sent("POST")[0].body)["port"]
    assert len([each for each in service.sent("GET") if "/extensions/" in each.url]) == 1


def test_several_ports_with_lent_descriptions_are_answered_in_the_order_of_the_request(
    service: Service, session: Session
) -> None:
    service.plan = [(504, True)]
    ports = [{"name": name} for name in ("c", "a", "b")]
    made = session.post("/v2.0/ports", json={"ports": ports}, endpoint_filter=NETWORK).json()["ports"]
    assert [(each["name"], each["description"]) for each in made] == [("c", ""), ("a", ""), ("b", "")]


def test_each_outcome_of_a_look_up_is_told_with_the_failure_that_led_to_it(
    service: Service, session: Session, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[LookedUp] = []
    monkeypatch.setattr(hooks, "sinks", (lambda event: event.name == "look_up" and told.append(event.record),))

    def two(request: requests.PreparedRequest) -> requests.Response:
        service.make(request, count=2)
        return answer(request, 502)

    service.plan = [(504, True)]
    create(session)
    assert [(each.outcome, each.ids, each.status, each.detail) for each in told] == [("found", ("id0",), 504, "")]
    told.clear()
    service.plan = [502, two]
    with pytest.raises(BadGateway):
        create(session)
    assert [(each.outcome, len(each.ids)) for each in told] == [("looking", 0), ("not there", 0), ("unclear", 2)]
    assert {(each.service, each.method, each.status) for each in told} == {("block-storage", "POST /v3/volumes", 502)}


def test_a_create_that_is_found_reports_its_failed_attempt_and_its_success(
    service: Service, session: Session, naps: list[float]
) -> None:
    """The loop does not see the failure of a create that is found at once."""
    told: list[observe.Event] = []
    with observe.add(told.append):
        service.plan = [(504, True)]
        create(session)
        service.plan = [503, (504, True)]
        create(session)
    assert [(each.name, each.attempt, each.status) for each in told if each.name != "waited"] == [
        ("look_up", 1, 504),
        ("attempt_failed", 1, 504),
        ("succeeded", 1, None),
        ("look_up", 1, 503),
        ("attempt_failed", 1, 503),
        ("retry", 1, 503),
        ("look_up", 2, 504),
        ("attempt_failed", 2, 504),
        ("succeeded", 2, None),
    ]
    assert {(each.verb, each.path) for each in told} == {("POST", "/v3/volumes")}


# -- what a look-up must not do


def test_an_id_from_a_look_up_cannot_forge_a_line_of_the_log(
    service: Service, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    service.plan = [lambda request: (service.make(request), service.things.update(), answer(request, 504))[-1]]
    plain = service.send

    def hostile(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        response = plain(request, **how)
        if request.method == "GET":
            in_full = "/detail" not in request.url
            body = {"volume": dict(service.things["id0"])} if in_full else json.loads(response.content)
            for each in [body["volume"]] if in_full else body["volumes"]:
                each["id"] = "id0\n2026-11-27 CRITICAL forged\x1b[2J" + "x" * 1000
            return answer(request, 200, body)
        return response

    service.send = hostile  # type: ignore[method-assign]
    create(session)
    text = "".join(record.getMessage() for record in caplog.records)
    assert "CRITICAL" in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert "x" * 300 not in text


def test_a_marker_that_stays_is_told_without_the_url_and_its_password(
    service: Service, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    service.plan, service.puts = [], [409]
    session.post("http://user:s3cr3t@cloud/v2.0/networks", json={"network": {"name": "x"}}, endpoint_filter=NETWORK)
    assert "the marker is still in the description of id0 (409)" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_a_look_up_follows_no_redirect_where_the_caller_forbids_it(service: Service, session: Session) -> None:
    """The token would go to another host."""
    plain = service.send

    def redirecting(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if request.method == "GET" and "elsewhere" not in request.url:
            service.seen.append(request)
            response = answer(request, 302)
            response.headers["Location"] = "http://elsewhere/v3/volumes"
            return response
        return plain(request, **how)

    service.send = redirecting  # type: ignore[method-assign]
    session.session.mount("http://elsewhere", service)
    service.plan = [(504, True)]
    with pytest.raises(GatewayTimeout):
        create(session, redirect=False)
    assert not [each for each in service.seen if "elsewhere" in each.url]


def test_the_time_of_the_look_ups_counts_against_retry_max_wait(
    service: Service, session: Session, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    """A service that answers a look-up after two seconds must not hold a call of three seconds up for a minute."""
    now = [0.0]
    monkeypatch.setattr("os_retries.creates.asking.clock", lambda: now[0])
    plain = service.send

    def slow(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        now[0] += 2.0 if request.method == "GET" else 0.0
        return plain(request, **how)

    service.send = slow  # type: ignore[method-assign]
    attach(session, RetryPolicy(retry_after=1, retry_max_wait=3))
    service.plan = [504] * 9
    with pytest.raises(GatewayTimeout) as caught:
        create(session)
    assert "retry_max_wait is used up" in str(caught.value.response.os_retries)
    assert now[0] <= 4.0
    assert sum(naps) <= 3.0


def test_a_wait_that_the_program_ends_ends_the_look_up_and_nothing_is_sent_again(
    service: Service, session: Session
) -> None:
    """``sleep=event.wait``: the event is set, and each wait returns True at once."""
    attach(session, RetryPolicy(sleep=lambda _seconds: True))
    service.plan = [504]
    with pytest.raises(GatewayTimeout) as caught:
        create(session)
    assert len(service.sent("POST")) == 1
    assert "the program has ended the wait" in str(caught.value.response.os_retries)


def test_a_create_is_gone_when_it_has_ended(service: Service, session: Session) -> None:
    """Nothing that it leaves has to wait for a garbage collection."""
    create(session)
    gc.collect()
    gc.disable()
    try:
        before = sum(type(each).__name__ in ("Creation", "Keeper") for each in gc.get_objects())
        create(session)
        assert sum(type(each).__name__ in ("Creation", "Keeper") for each in gc.get_objects()) == before
    finally:
        gc.enable()


# -- what is there before a create


def attachment(session: Session) -> requests.Response:
    body = {"attachment": {"volume_uuid": "v", "instance_uuid": "s"}}
    return session.post("/v3/attachments", json=body, endpoint_filter=VOLUMES)


def attached(service: Service, status: int = 502) -> Any:
    """Create the attachment, and lose the answer."""

    def lost(request: requests.PreparedRequest) -> requests.Response:
        service.things["a"] = {"id": "a", "volume_id": "v", "instance": "s", "status": "reserved"}
        return answer(request, status)

    return lost


def test_a_create_waits_for_the_list_of_what_is_there_while_the_service_is_away(
    service: Service, session: Session, naps: Any
) -> None:
    """Without that list its lost answer could not be looked up."""
    service.gets, service.plan = [503] * 5, [attached(service)]
    assert attachment(session).json()["attachment"]["id"] == "a"
    assert [each.method for each in service.seen] == [*["GET"] * 6, "POST", "GET"]
    assert naps == [1, 1]


def test_a_create_does_not_wait_for_a_list_that_is_denied(service: Service, session: Session, naps: Any) -> None:
    service.gets, service.plan = [403], [attached(service)]
    with pytest.raises(BadGateway):
        attachment(session)
    assert ([each.method for each in service.seen], naps) == (["GET", "POST"], [])


def test_the_wait_for_a_list_counts_against_retry_max_wait(service: Service, session: Session, naps: Any) -> None:
    attach(session, RetryPolicy(retry_after=10, retry_max_wait=25))
    service.gets, service.plan = [503] * 100, [attached(service)]
    with pytest.raises(BadGateway):
        attachment(session)
    assert (len(service.sent("POST")), naps) == (1, [10, 10])


class Stopped(Exception):
    """What a program raises from its sleep to stop."""


def test_a_program_that_stops_while_a_list_is_waited_for_is_not_held_up(service: Service, session: Session) -> None:
    """Its exception goes up and nothing is sent; if its sleep returns True instead, there is no further wait."""

    def stop(_seconds: float) -> bool:
        raise Stopped

    attach(session, RetryPolicy(retry_after=1, sleep=stop))
    service.gets = [503] * 100
    with pytest.raises(Stopped):
        attachment(session)
    assert not service.sent("POST")
    attach(session, RetryPolicy(retry_after=1, sleep=lambda _seconds: True))
    attachment(session)
    assert [each.method for each in service.seen] == [*["GET"] * 4, "POST"]
