"""Requests of an operation: what is looked up before it is sent, and what is not sent, with an adapter as the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from keystoneauth1.exceptions import Conflict, Forbidden, ServiceUnavailable
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

import os_retries
from os_retries import NotCovered, OperationError, RetryPolicy, attach, execute_with_retries, operation
from os_retries.creates.markers import KEY
from os_retries.operations.marks import prefix

from .test_creates import NOVA, Service, answer, create, port

if TYPE_CHECKING:
    from os_retries.evidence import LookedUp


class Neutron(Service):
    """Filters by description or tag, and keeps tags."""

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        query = parse_qs(parts.query)
        if request.method == "PUT" and "/tags/" in parts.path:
            self.seen.append(request)
            _, _, _, thing, _, tag = parts.path.split("/")
            self.things[thing].setdefault("tags", []).append(tag)
            return answer(request, 201)
        if request.method == "GET" and not self.gets and ("description" in query or "tags-any" in query):
            self.seen.append(request)
            found = [
                each
                for each in self.things.values()
                if each.get("description") in query.get("description", [])
                or set(each.get("tags", [])) & set(query.get("tags-any", []))
            ]
            return answer(request, 200, {parts.path.rsplit("/", 1)[1]: found})
        return super().send(request, **how)


@pytest.fixture
def service() -> Service:
    return Neutron()


@pytest.fixture
def session(service: Service) -> Session:
    return attached(service)


def attached(service: Service, **policy: Any) -> Session:
    """A session of a new run of the program."""
    inner = requests.Session()
    inner.mount("http://", service)
    return attach(Session(auth=Token("http://cloud", "token"), session=inner), RetryPolicy(retry_after=1, **policy))


def made(response: requests.Response) -> str:
    return str(next(iter(response.json().values()))["id"])


# -- the look before the first attempt


def test_a_create_is_looked_up_before_it_is_sent_and_sent_if_nothing_is_there(
    service: Service, session: Session
) -> None:
    with operation("nightly"):
        assert made(create(session)) == "id0"
    # One look before, and one after in case that another run of the operation has made it too.
    assert [each.method for each in service.seen] == ["GET", "POST", "GET"]
    marker = json.loads(service.sent("POST")[0].body)["volume"]["metadata"][KEY]
    assert marker.startswith(f"{KEY}-{prefix('nightly')}")


def test_with_a_single_writer_the_look_before_the_create_is_the_only_one(service: Service) -> None:
    """There is no other run that could make a second one at the same time."""
    with operation("nightly"):
        create(attached(service, single_writer=True))
    assert [each.method for each in service.seen] == ["GET", "POST"]


def test_what_an_earlier_run_has_made_is_the_answer(service: Service, session: Session) -> None:
    with operation("nightly"):
        first = create(session)
    service.seen.clear()
    with operation("nightly") as again:
        second = create(attached(service))
    assert (second.status_code, made(second)) == (202, made(first))
    assert [each.method for each in service.seen] == ["GET", "GET"], "the list, and the volume in full"
    assert again.found == 1


def test_equal_creates_of_a_script_are_found_one_by_one(service: Service, session: Session) -> None:
    with operation("nightly"):
        first = [made(create(session)) for _ in range(2)]
    with operation("nightly"):
        second = [made(create(attached(service))) for _ in range(3)]
    assert second == [*first, "id2"]
    assert len(service.things) == 3


def test_a_look_up_that_fails_is_repeated(service: Service, session: Session, naps: Any) -> None:
    service.gets = [503, 503]
    with operation("nightly"):
        create(session)
    assert len(service.sent("POST")) == 1
    assert naps


@pytest.mark.parametrize("failing", [[503] * 100, [403]], ids=["down", "denied"])
def test_nothing_is_sent_if_the_look_up_keeps_failing(service: Service, session: Session, failing: list[int]) -> None:
    service.gets = failing
    with operation("nightly"), pytest.raises(OperationError, match=f"the look-up failed .{failing[0]}"):
        create(session)
    assert not service.sent("POST")


def test_nothing_is_sent_if_two_are_there_and_the_error_names_them(service: Service, session: Session) -> None:
    with operation("nightly"):
        create(session)
    service.things["id9"] = service.things["id0"] | {"id": "id9"}
    with operation("nightly"), pytest.raises(OperationError, match=r"2 exist, but 1 .*id0, id9") as caught:
        create(session)
    assert caught.value.found == ("id0", "id9")
    assert len(service.sent("POST")) == 1


def test_a_loop_around_the_call_does_not_repeat_what_was_not_sent(service: Service, session: Session) -> None:
    service.gets = [403]
    with operation("nightly"), pytest.raises(OperationError):
        execute_with_retries(create, session)
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    "state", [{"status": "deleting"}, {"status": "DELETED"}, {"stack_status": "DELETE_IN_PROGRESS"}], ids=str
)
def test_what_is_being_deleted_is_made_again(service: Service, session: Session, state: dict[str, str]) -> None:
    with operation("nightly"):
        create(session)
    service.things["id0"] |= state
    with operation("nightly"):
        assert made(create(session)) == "id1"


def test_a_server_in_error_is_found(service: Service, session: Session) -> None:
    with operation("nightly"):
        create(session)
    service.things["id0"]["status"] = "ERROR"
    with operation("nightly"):
        assert made(create(session)) == "id0"


def test_another_body_at_the_same_place_is_another_resource(service: Service, session: Session) -> None:
    with operation("nightly"):
        create(session)
    with operation("nightly"):
        assert made(create(session, {"volume": {"size": 2}})) == "id1"


def test_what_another_operation_or_nobodys_has_made_is_not_taken(service: Service, session: Session) -> None:
    create(session)
    with operation("yesterday"):
        create(session)
    with operation("nightly"):
        assert made(create(session)) == "id2"


def test_a_password_that_an_earlier_run_has_drawn_is_not_told(service: Service, session: Session) -> None:
    headers = {"OpenStack-API-Version": "compute 2.60"}

    def boot(**fields: Any) -> Any:
        body = {"server": {"name": "x", "links": []} | fields}
        return session.post("/v2.1/servers", json=body, endpoint_filter=NOVA, headers=headers).json()["server"]

    with operation("nightly"):
        boot()
        boot(adminPass="mine")
    with operation("nightly"):
        found = boot()
        assert found["id"] == "id0"
        assert "adminPass" not in found
        assert boot(adminPass="mine")["adminPass"] == "mine"


# -- the places of failed requests


def test_a_create_that_the_program_tries_again_has_the_same_place(service: Service, session: Session) -> None:
    """So a run in which the first try succeeds makes no second one."""
    attach(session, RetryPolicy(retries_number=0))
    service.plan = [503]
    with operation("nightly"):
        with pytest.raises(ServiceUnavailable):
            create(session)
        create(session)
    with operation("nightly"):
        assert made(create(session)) == "id0"
    assert len(service.things) == 1


def test_a_create_that_is_tried_again_by_the_program_is_found_if_it_has_landed(
    service: Service, session: Session
) -> None:
    """Outside of an operation such a second try would make a second one."""
    attach(session, RetryPolicy(retries_number=0))
    service.plan = [(503, True)]
    service.gets = [None, 403]
    with operation("nightly"):
        with pytest.raises(ServiceUnavailable):
            create(session)
        assert made(create(session)) == "id0"
    assert len(service.things) == 1


# -- what has no marker


def rule(session: Session) -> requests.Response:
    fields = {"security_group_id": "g", "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
    return port(session, "security-group-rules", "security_group_rule", **fields)


def test_what_the_service_admits_only_once_is_found_though_it_is_older_than_the_request(
    service: Service, session: Session
) -> None:
    with operation("nightly"):
        rule(session)
    service.things["id0"]["created_at"] = "2020-01-01T00:00:00Z"
    service.seen.clear()
    with operation("nightly"):
        assert made(rule(session)) == "id0"
    assert not service.sent("POST")


def test_a_second_equal_one_of_the_same_run_gets_the_services_own_conflict(service: Service, session: Session) -> None:
    service.plan = [None, 409]
    with operation("nightly"):
        rule(session)
        with pytest.raises(Conflict):
            rule(session)


# -- a marker that outlives success


def test_a_marker_in_a_description_becomes_a_tag_before_the_description_is_emptied(
    service: Service, session: Session
) -> None:
    with operation("nightly"):
        shown = port(session, "networks", "network").json()["network"]
    (marker,) = shown["tags"]
    assert shown["description"] == ""
    assert [each.path_url for each in service.sent("PUT")] == [
        f"/v2.0/networks/id0/tags/{marker}",
        "/v2.0/networks/id0",
    ]
    service.seen.clear()
    with operation("nightly"):
        assert made(port(attached(service), "networks", "network")) == "id0"
    assert [each.method for each in service.seen] == ["GET", "GET"]


@pytest.mark.parametrize("tagged", [False, True])
def test_a_description_that_a_killed_run_has_left_is_found_and_given_back(
    service: Service, session: Session, tagged: bool
) -> None:
    with operation("nightly"):
        (marker,) = port(session, "networks", "network", description="mine").json()["network"]["tags"]
    service.things["id0"] |= {"description": f"mine {marker}", "tags": [marker] if tagged else []}
    with operation("nightly"):
        shown = port(attached(service), "networks", "network", description="mine").json()["network"]
    assert (shown["id"], shown["description"]) == ("id0", "mine")
    assert marker in service.things["id0"]["tags"]
    assert len(service.things) == 1


def test_what_another_run_has_ended_beside_what_a_killed_run_has_left_is_not_overlooked(
    service: Service, session: Session
) -> None:
    """One has the marker as a tag, the other one still in its description: the error names both, and nothing is sent."""
    with operation("nightly"):
        (marker,) = port(session, "networks", "network").json()["network"]["tags"]
    service.things["id9"] = service.things["id0"] | {"id": "id9", "description": marker, "tags": []}
    service.seen.clear()
    with operation("nightly"), pytest.raises(OperationError, match=r"2 exist, but 1 .*id9, id0"):
        port(attached(service), "networks", "network")
    assert not service.sent("POST")


def test_a_description_is_kept_as_the_place_of_the_marker_if_there_can_be_no_tag(
    service: Service, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Neutron, "send", Service.send)
    service.puts = [403]
    with operation("nightly"):
        shown = port(session, "networks", "network").json()["network"]
    assert shown["description"].startswith(KEY)
    assert len(service.sent("PUT")) == 1


# -- what is not covered


def group(session: Session) -> requests.Response:
    body = {"server_group": {"name": "x", "policies": ["affinity"]}}
    return session.post("/v2.1/os-server-groups", json=body, endpoint_filter=NOVA)


def test_a_write_that_cannot_be_recognized_is_counted_and_not_sent_if_the_operation_is_strict(
    service: Service, session: Session
) -> None:
    service.plan = [lambda request: answer(request, 200, {"server_group": {"id": "g"}})]
    with operation("nightly") as mine:
        group(session)
    assert mine.not_covered == {"compute: POST /v2.1/os-server-groups": 1}
    service.seen.clear()
    with operation("nightly", strict=True), pytest.raises(NotCovered, match="was not sent: a later run"):
        group(session)
    assert not service.sent("POST")


@pytest.mark.parametrize(
    ("verb", "path", "body", "covered"),
    [
        ("POST", "/v2.1/servers/x/metadata", {"metadata": {"a": "1"}}, True),
        ("PUT", "/v2.1/unknown", {"x": 1}, True),
        ("DELETE", "/v2.1/unknown", None, True),
        ("POST", "/v2.1/unknown", {"x": 1}, False),
        ("PATCH", "/v2.1/unknown", {"x": 1}, False),
    ],
)
def test_a_write_whose_repeat_does_no_harm_is_covered(
    service: Service, session: Session, verb: str, path: str, body: Any, covered: bool
) -> None:
    service.send = lambda request, **_how: answer(request, 200, {})  # type: ignore[method-assign]
    with operation("nightly") as mine:
        session.request(path, verb, json=body, endpoint_filter=NOVA, raise_exc=False, authenticated=False)
    assert bool(mine.not_covered) is not covered


def test_without_safe_creates_a_create_is_not_covered(service: Service) -> None:
    with operation("nightly") as mine:
        create(attached(service, safe_creates=False))
    assert mine.not_covered.total() == 1
    with operation("nightly", strict=True), pytest.raises(NotCovered):
        create(attached(service, safe_creates=False))


def test_a_create_whose_marker_the_service_refuses_is_not_covered(service: Service, session: Session) -> None:
    service.plan = [403]
    with operation("nightly") as mine:
        create(session)
    assert mine.not_covered.total() == 1
    service.things.clear()
    service.plan = [403]
    with operation("strict", strict=True), pytest.raises(Forbidden):
        create(session)
    assert not service.things


def test_a_delete_that_an_earlier_run_has_made_has_succeeded(service: Service, session: Session) -> None:
    """Without an operation it is a 404."""
    gone = lambda request, **_how: service.seen.append(request) or answer(request, 404)  # noqa: E731
    service.send = gone
    with operation("nightly"):
        assert session.delete("/v3/volumes/x", endpoint_filter=NOVA).status_code == 204
    assert session.delete("/v3/volumes/x", endpoint_filter=NOVA, raise_exc=False).status_code == 404


# -- two runs at the same time


def twin(service: Service, created: str) -> Any:
    """Have another run of the operation make the same volume just before ours."""

    def made_twice(request: requests.PreparedRequest) -> requests.Response:
        service.make(request)
        service.things["id0"]["created_at"] = created
        mine = service.make(request)
        service.things["id1"]["created_at"] = "2026-01-01T00:00:01"
        return answer(request, 202, mine)

    return made_twice


def test_of_two_runs_at_the_same_time_the_one_that_was_later_removes_its_own_at_once(
    service: Service, session: Session, naps: Any
) -> None:
    """Without a wait, because the earlier one waits for that."""
    service.plan = [twin(service, "2026-01-01T00:00:00")]
    with operation("nightly"):
        assert made(create(session)) == "id0"
    assert list(service.things) == ["id0"]
    assert not naps


@pytest.mark.parametrize("gives_way", [True, False])
def test_of_two_runs_at_the_same_time_the_earlier_one_waits_for_the_other_and_then_gives_way(
    service: Service, monkeypatch: pytest.MonkeyPatch, gives_way: bool
) -> None:
    """The other one may have looked before ours was there, or be dead."""

    def sleep(_seconds: float) -> None:
        if gives_way:
            service.things.pop("id0", None)

    service.plan = [twin(service, "2026-01-01T00:00:02")]
    with operation("nightly"):
        response = create(attached(service, sleep=sleep))
    assert [made(response)] == list(service.things) == ["id1" if gives_way else "id0"]


def test_a_conflict_of_the_other_runs_making_is_ones_own_success(service: Service, session: Session) -> None:
    def conflict(request: requests.PreparedRequest) -> requests.Response:
        service.make(request)
        return answer(request, 409)

    service.plan = [conflict]
    with operation("nightly"):
        assert made(create(session)) == "id0"
    service.plan = [409]
    with operation("another"), pytest.raises(Conflict):
        create(session)


# -- images


class Glance(Service):
    """Keeps the ids of deleted images, as glance does."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def send(self, request: requests.PreparedRequest, **_how: Any) -> requests.Response:
        self.seen.append(request)
        if request.method == "POST":
            image = json.loads(request.body or b"")
            if image["id"] in self.used:
                return answer(request, 409)
            self.used.add(image["id"])
            self.things[image["id"]] = image
            return answer(request, 201, image)
        thing = self.things.get(urlsplit(str(request.url)).path.rsplit("/", 1)[1])
        return answer(request, 404) if thing is None else answer(request, 200, thing)


def test_a_deleted_image_is_made_again_with_another_id_and_found_after_that() -> None:
    service = Glance()

    def image() -> str:
        body = {"name": "x", "disk_format": "raw", "container_format": "bare"}
        filters = {"service_type": "image"}
        return str(attached(service).post("/v2/images", json=body, endpoint_filter=filters).json()["id"])

    ids = []
    for _ in range(3):
        with operation("nightly"):
            ids.append(image())
        with operation("nightly"):
            assert image() == ids[-1]
        service.things.clear()
    assert len(set(ids)) == 3


# -- what is told


def test_what_is_found_is_told_to_the_hook(service: Service, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LookedUp] = []
    monkeypatch.setattr(os_retries.core.hooks, "sinks", (lambda event: seen.append(event.record),))
    for _ in range(2):
        with operation("nightly"):
            create(session)
    assert [(each.outcome, each.ids, each.method) for each in seen] == [("found earlier", ("id0",), "POST /v3/volumes")]


def test_outside_of_an_operation_nothing_is_looked_up(service: Service, session: Session) -> None:
    with operation("nightly"):
        pass
    create(session)
    assert [each.method for each in service.seen] == ["POST"]
