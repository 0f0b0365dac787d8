"""Errors in answer to a repeat which show that the first attempt has taken effect."""

from __future__ import annotations

import hashlib

import pytest

from os_retries.session.repeatable import is_absolute
from os_retries.session.second_answers import Answered, Sent, read_second

CONTENT = b"0123456789" * 1000


def image(**changes):
    shown = {"status": "active", "size": len(CONTENT), "os_hash_algo": "sha512"}
    return shown | {"os_hash_value": hashlib.sha512(CONTENT).hexdigest()} | changes


def ask(status, body=None):
    asked = []

    def get(url):
        asked.append(url)
        return status, body

    get.asked = asked
    return get


@pytest.mark.parametrize(
    "shown",
    [
        (404, None),
        (200, {"volume": {"status": "deleting"}}),
        (200, {"server": {"status": "ACTIVE", "OS-EXT-STS:task_state": "deleting"}}),
        (200, {"server": {"status": "DELETED"}}),
        (200, {"server": {"status": "SOFT_DELETED"}}),
        (200, {"stack": {"stack_status": "DELETE_COMPLETE"}}),
        (200, {"stack": {"stack_status": "DELETE_IN_PROGRESS"}}),
        (200, {"loadbalancer": {"provisioning_status": "PENDING_DELETE"}}),
    ],
)
@pytest.mark.parametrize("status", [400, 409])
def test_a_delete_of_what_is_gone_or_going_has_succeeded(status, shown):
    get = ask(*shown)
    assert read_second(Sent("DELETE", "/volumes/1"), status, get) == Answered(204)
    assert get.asked == ["/volumes/1"]


@pytest.mark.parametrize(
    "shown",
    [
        (200, {"volume": {"status": "in-use"}}),
        (200, {"volume": {"status": "error_deleting"}}),
        (200, {"server": {"status": "ACTIVE", "OS-EXT-STS:task_state": None}}),
        (200, ["deleting"]),
        (503, None),
        (403, None),
    ],
)
def test_a_delete_that_the_service_refuses_for_another_reason_is_an_error(shown):
    assert read_second(Sent("DELETE", "/volumes/1"), 400, ask(*shown)) is None


def test_the_end_of_an_attachment_is_not_told_by_a_404_that_its_beginning_gives_too():
    """From 2.89 on nova does not show an attachment that is still under way."""
    for status in (400, 409):
        get = ask(404)
        assert read_second(Sent("DELETE", "/servers/1/os-volume_attachments/2"), status, get) is None
        assert get.asked == []


def test_manila_says_with_a_403_that_a_share_is_being_deleted_already():
    sent = Sent("DELETE", "/v2/shares/1")
    assert read_second(sent, 403, ask(200, {"share": {"status": "deleting"}})) == Answered(204)
    assert read_second(sent, 403, ask(200, {"share": {"status": "available"}})) is None


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_another_status_proves_nothing_and_nobody_is_asked(status):
    get = ask(404)
    assert read_second(Sent("DELETE", "/volumes/1"), status, get) is None
    assert get.asked == []


def upload(content=CONTENT):
    return Sent("PUT", "/v2/images/7/file", content=lambda: content and [content[:1], content[1:]])


@pytest.mark.parametrize("base", ["/v2/", ""])  # openstacksdk's has no slash
def test_an_upload_to_an_image_that_has_these_very_bytes_has_succeeded(base):
    get = ask(200, image())
    sent = Sent("PUT", f"{base}images/7/file", content=lambda: [CONTENT[:1], CONTENT[1:]])
    assert read_second(sent, 409, get) == Answered(204)
    assert get.asked == [f"{base}images/7"]


@pytest.mark.parametrize(
    "shown",
    [
        image(status="queued"),
        image(status="saving"),
        image(size=1),
        image(os_hash_value=hashlib.sha512(b"other").hexdigest()),
        image(os_hash_algo=None),
        image(os_hash_algo="of my own"),
        {},
        None,
    ],
)
def test_an_upload_to_an_image_with_other_bytes_or_none_is_an_error(shown):
    assert read_second(upload(), 409, ask(200, shown)) is None


def test_an_upload_that_cannot_be_read_again_proves_nothing():
    assert read_second(upload(None), 409, ask(200, image())) is None


@pytest.mark.parametrize("status", [409, 412])
def test_a_put_of_what_the_resource_shows_already_has_succeeded(status):
    shown = {"network": {"id": "7", "name": "new", "shared": False}}
    sent = Sent("PUT", "/v2.0/networks/7", {"network": {"name": "new"}})
    assert read_second(sent, status, ask(200, shown)) == Answered(200, shown)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({"network": {"name": "new"}}, {"network": {"name": "old"}}),
        ({"network": {"name": None}}, {"network": {}}),  # not shown is not None
        ({"network": {}}, {"network": {"name": "new"}}),
        (["x"], ["x"]),
        (None, {"network": {"name": "new"}}),
    ],
)
def test_a_put_of_what_the_resource_does_not_show_is_an_error(wanted, shown):
    assert read_second(Sent("PUT", "/v2.0/networks/7", wanted), 409, ask(200, shown)) is None


@pytest.mark.parametrize(
    ("service", "body", "absolute"),
    [
        ("identity", {"user": {"email": "x"}}, True),
        ("identity", '{"project": {"enabled": false}}', True),
        ("dns", {"ttl": 7, "email": "x"}, True),
        ("identity", {"user": {"password": "new"}}, False),
        ("identity", {"user": {"original_password": "old"}}, False),
        ("image", [{"op": "replace", "path": "/name", "value": "x"}], True),
        ("image", b'[{"op": "add", "path": "/_os", "value": "x"}]', True),
        ("baremetal", [{"op": "add", "path": "/extra/rack", "value": "x"}], True),
        ("image", [{"op": "add", "path": "/tags/-", "value": "x"}], False),
        ("image", [{"op": "add", "path": "/locations/0", "value": {}}], False),
        ("image", [{"op": "remove", "path": "/_os"}], False),
        ("image", [{"op": "replace", "path": "/name", "value": "x"}, {"op": "remove", "path": "/_os"}], False),
        ("image", [{"path": "/name"}], False),
        ("image", {"name": "x"}, False),
        ("image", "no json", False),
        ("compute", {"server": {"name": "x"}}, False),
        ("orchestration", {"parameters": {}}, False),
        (None, {"x": {}}, False),
    ],
)
def test_a_patch_that_sets_values_is_told_from_one_that_adds_or_removes(service, body, absolute):
    assert is_absolute(service, body) is absolute


GENERATION = {"resource_provider_generation": 4}
INVENTORY = {
    "total": 8,
    "reserved": 0,
    "min_unit": 1,
    "max_unit": 2147483647,
    "step_size": 1,
    "allocation_ratio": 1.0,
}


@pytest.mark.parametrize(
    ("thing", "wanted", "shown"),
    [
        ("inventories", {"inventories": {"VCPU": {"total": 8}}}, {"inventories": {"VCPU": INVENTORY}}),
        ("inventories/VCPU", {"total": 8}, INVENTORY),
        ("traits", {"traits": ["A", "B"]}, {"traits": ["B", "A"]}),
        ("aggregates", {"aggregates": ["1", "2"]}, {"aggregates": ["2", "1"]}),
    ],
)
def test_a_write_of_a_provider_has_succeeded_if_it_is_the_one_write_since(thing, wanted, shown):
    sent = Sent("PUT", f"/resource_providers/1/{thing}", wanted | {"resource_provider_generation": 3})
    assert read_second(sent, 409, ask(200, shown | GENERATION)) == Answered(200, shown | GENERATION)
    assert read_second(sent, 409, ask(200, shown | {"resource_provider_generation": 5})) is None, "another's, too"
    assert read_second(sent, 409, ask(200, shown | {"resource_provider_generation": 3})) is None
    assert read_second(sent, 409, ask(404)) is None
    for name in wanted:
        other = {"VCPU": INVENTORY | {"reserved": 1}} if name == "inventories" else 9 if name == "total" else ["C"]
        assert read_second(sent, 409, ask(200, shown | GENERATION | {name: other})) is None


@pytest.mark.parametrize(
    ("change", "succeeded"),
    [
        ({}, True),
        ({"allocations": {"1": {"resources": {"VCPU": 2}, "generation": 9}}}, True),
        ({"allocations": {"1": {"resources": {"VCPU": 3}}}}, False),
        ({"allocations": {}}, False),
        ({"project_id": "another"}, False),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_an_allocation_has_succeeded_if_the_consumer_has_been_given_it(change, succeeded, older):
    resources = {"resources": {"VCPU": 2}}
    body = {"project_id": "p", "user_id": "u"} | (
        {"allocations": [resources | {"resource_provider": {"uuid": "1"}}]}
        if older
        else {"allocations": {"1": resources}, "consumer_generation": None}
    )
    shown = {"allocations": {"1": resources}, "project_id": "p", "user_id": "u", "consumer_generation": 1} | change
    sent = Sent("PUT", "/allocations/c", body)
    assert read_second(sent, 409, ask(200, shown)) == (Answered(204) if succeeded else None)


@pytest.mark.parametrize(
    ("shown", "succeeded"),
    [
        ({"server": {"VCPU": 2}, "move": {}}, True),
        ({"server": {"VCPU": 2}, "move": {"VCPU": 1}}, False),
        ({"server": {}, "move": {}}, False),
    ],
)
def test_allocations_of_several_consumers_have_succeeded_if_each_has_what_was_sent(shown, succeeded):
    """Placement replaces them together, so one that differs shows that this request had no effect."""
    owner = {"project_id": "p", "user_id": "u", "consumer_generation": 3}
    body = {
        "server": {"allocations": {"1": {"resources": {"VCPU": 2}}}, **owner},
        "move": {"allocations": {}, **owner},
    }

    def ask_for(url):
        has = shown[url.removeprefix("/allocations/")]
        return 200, {"allocations": {"1": {"resources": has}}, **owner} if has else {"allocations": {}}

    sent = Sent("POST", "/allocations?x=1", body)
    assert read_second(sent, 409, ask_for) is None, "another path"
    assert read_second(Sent("POST", "/allocations", body), 409, ask_for) == (Answered(204) if succeeded else None)
    assert read_second(Sent("POST", "/allocations", {"name": "x"}), 409, ask_for) is None, "ironic's"
