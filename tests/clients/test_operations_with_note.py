"""An operation with a note: what was surely never sent is not looked up, with an adapter as the service."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from keystoneauth1.exceptions import ConnectFailure

from os_retries import OperationError, operation
from os_retries.creates.requests import Around
from os_retries.operations.marks import START, prefix

from .test_creates import Service, answer, create, port
from .test_operations import Neutron, attached, made

if TYPE_CHECKING:
    from pathlib import Path

    import requests


@pytest.fixture
def service() -> Service:
    return Neutron()


def volume(service: Service, size: int = 1, **policy: Any) -> str:
    return made(create(attached(service, **policy), {"volume": {"size": size}}))


def sent(service: Service) -> list[str]:
    """The requests since the last call, with ``?`` for a list that is filtered."""
    verbs = [each.method + ("?" if "?" in each.path_url else "") for each in service.seen]
    service.seen.clear()
    return verbs


def test_one_list_takes_the_place_of_the_looks_before_all_creates_of_a_kind(service: Service, tmp_path: Path) -> None:
    with operation("nightly", state=tmp_path / "note"):
        volume(service)
        assert sent(service) == ["GET", "POST", "GET?"], "the list of all volumes, and the look for another run"
        volume(service)
        volume(service, 2)
        assert sent(service) == ["POST", "GET?"] * 2
    with operation("nightly", state=tmp_path / "note"):
        assert [volume(service), volume(service), volume(service, 2)] == ["id0", "id1", "id2"]
        assert "POST" not in sent(service), "what an earlier run has sent is looked up"
        assert volume(service, 3) == "id3"
        assert sent(service) == ["POST", "GET?"], "what it has not is sent"


def test_with_a_single_writer_nothing_but_the_create_is_sent(service: Service, tmp_path: Path) -> None:
    with operation("nightly", state=tmp_path / "note"):
        volume(service, single_writer=True)
        sent(service)
        volume(service, 2, single_writer=True)
        assert sent(service) == ["POST"]


def test_a_list_shows_both_places_of_a_marker_of_neutron(service: Service, tmp_path: Path) -> None:
    service.things["other"] = {"id": "other", "description": "", "tags": []}
    with operation("nightly", state=tmp_path / "note"):
        port(attached(service), "networks", "network")
        sent(service)
        port(attached(service), "networks", "network", name="another")
        assert sent(service) == ["POST", "GET?", "GET?", "PUT", "PUT"]


@pytest.mark.parametrize("field", ["description", "tags"])
def test_what_a_run_without_a_note_has_made_shows_that_the_note_does_not_know_everything(
    service: Service, tmp_path: Path, field: str
) -> None:
    with operation("nightly"):
        first = made(port(attached(service), "networks", "network"))
    marker = service.things[first]["tags"][0]
    service.things[first] |= {"description": "", "tags": []} | {field: [marker] if field == "tags" else marker}
    with operation("nightly", state=tmp_path / "note"):
        made(port(attached(service), "networks", "network", name="new"))
        assert made(port(attached(service), "networks", "network")) == first


def killed(service: Service, note: Path, *, processed: bool) -> None:
    """A run that is killed while it sends a volume, so that it records nothing about the answer."""

    class Killed(BaseException):
        pass

    def die(request: requests.PreparedRequest) -> requests.Response:
        if processed:
            service.make(request)
        raise Killed

    service.plan = [die]
    with operation("nightly", state=note), pytest.raises(Killed):
        volume(service)


@pytest.mark.parametrize("processed", [False, True])
def test_a_create_that_a_killed_run_may_have_sent_is_looked_up(
    service: Service, tmp_path: Path, processed: bool
) -> None:
    killed(service, tmp_path / "note", processed=processed)
    sent(service)
    with operation("nightly", state=tmp_path / "note"):
        assert volume(service) == "id0"
    assert sent(service)[0] == "GET?"
    assert len(service.things) == 1


def test_a_create_that_the_program_tries_again_is_looked_up(service: Service, tmp_path: Path) -> None:
    service.plan = [(503, True)]
    service.gets = [None, 403]
    with operation("nightly", state=tmp_path / "note"):
        with pytest.raises(Exception, match="503"):
            volume(service, retries_number=0)
        assert volume(service) == "id0"


@pytest.mark.parametrize("gone", ["removed", "damaged"])
def test_without_its_note_an_operation_is_as_safe_as_ever(service: Service, tmp_path: Path, gone: str) -> None:
    killed(service, tmp_path / "note", processed=True)
    if gone == "removed":
        (tmp_path / "note").unlink()
    else:
        (tmp_path / "note").write_text("x")
    with operation("nightly", state=tmp_path / "note"):
        assert volume(service) == "id0"


def test_an_old_copy_of_a_note_makes_no_second_one_either(service: Service, tmp_path: Path) -> None:
    """The note knows nothing of what was sent since; the look after the create finds it, and the new one is removed."""
    note = tmp_path / "note"
    with operation("nightly", state=note):
        volume(service, 2)
    old = note.read_text()
    with operation("nightly", state=note):
        volume(service)
    note.write_text(old)
    service.things["id1"]["created_at"] = "2020-01-01T00:00:00"
    with operation("nightly", state=note):
        assert volume(service) == "id1"
    assert sorted(service.things) == ["id0", "id1"]


def test_nothing_is_sent_if_it_cannot_be_recorded(service: Service, tmp_path: Path) -> None:
    with operation("nightly", state=tmp_path / "note"):
        volume(service)
        (tmp_path / "note").unlink()
        sent(service)
        with pytest.raises(OperationError, match=r"was not sent: .*note cannot be written"):
            volume(service, 2)
    assert sent(service) == []


def of_the_key() -> dict[str, Any]:
    return {"metadata": {"os-retries": f"{START}{prefix('nightly')}{'0' * 20}"}}


@pytest.mark.parametrize(
    ("listed", "again"),
    [
        (lambda: {"volumes": [of_the_key()]}, False),  # something of the operation
        (lambda: {"volumes": [{"id": "x"}]}, False),  # the field of markers is not shown
        (lambda: {"volumes": [], "volumes_links": [{"rel": "next", "href": "http://x/?marker=1"}]}, False),  # no end
        (lambda: 403, False),
        (lambda: 503, True),  # it is listed again at the next create
    ],
    ids=["used", "not shown", "endless", "denied", "down"],
)
def test_a_list_that_proves_nothing_leaves_the_looks_as_they_are(
    service: Service, tmp_path: Path, listed: Any, again: bool
) -> None:
    number = [0]

    def send(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        if request.method != "GET" or "metadata" in parts.query:
            return Neutron.send(service, request, **how)
        service.seen.append(request)
        body = listed()
        if isinstance(body, int):
            return answer(request, body)
        number[0] += 1
        return answer(request, 200, json.loads(json.dumps(body).replace("marker=1", f"marker={number[0]}")))

    service.send = send  # type: ignore[method-assign]
    with operation("nightly", state=tmp_path / "note"):
        volume(service)
        assert sent(service)[-3:] == ["GET?", "POST", "GET?"]
        volume(service, 2)
        assert sent(service) == [*(["GET"] if again else []), "GET?", "POST", "GET?"]


def test_a_deadline_of_the_program_is_not_taken_for_a_failure_of_the_note(service: Service, tmp_path: Path) -> None:
    """TimeoutError is an OSError, as are those of a file that cannot be written."""
    session = attached(service)
    listing = service.send

    def slow(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if request.method == "GET":
            signal.raise_signal(signal.SIGALRM)
        return listing(request, **how)

    service.send = slow  # type: ignore[method-assign]
    before = signal.signal(signal.SIGALRM, raise_deadline)
    try:
        with operation("nightly", state=tmp_path / "note"), pytest.raises(TimeoutError, match="of the program"):
            create(session, {"volume": {"size": 1}})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert "POST" not in sent(service)


def raise_deadline(*_: object) -> None:
    raise TimeoutError("the deadline of the program")


def test_a_create_whose_list_fails_with_an_error_is_not_sent(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place has a record from then on, so a repeat would have to look it up."""
    session = attached(service)

    project, asked = Around.project, []

    def only_once(self: Around) -> str | None:
        asked.append(self)
        if len(asked) > 1:  # the first one is for the marker
            raise ConnectFailure("no route") from ConnectionRefusedError()
        return project(self)

    monkeypatch.setattr(Around, "project", only_once)
    with operation("nightly", state=tmp_path / "note"), pytest.raises(OperationError, match="could not be looked up"):
        create(session, {"volume": {"size": 1}})
    assert "POST" not in sent(service)
