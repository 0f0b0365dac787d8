"""The recipes of the services that the sandbox starts on demand: what is marked, and what a look-up makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from os_retries.creates.look_up import Reply, look
from os_retries.creates.requests import _microversion
from os_retries.creates.twins import twins
from tests.unit.test_creates import create_for

if TYPE_CHECKING:
    from os_retries.creates.create import Create, Get

# -- barbican


NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()


class Flying:
    """A create that is in flight."""

    def __init__(self, create: Create) -> None:
        self.create = create
        self.crowded = False


SECRET = {"name": "mine", "payload": "of mine", "payload_content_type": "text/plain"}


def holding(create: Create, content: Reply) -> Callable[[Get], Reply]:
    """Answer as a barbican that has one more secret like ours, and return ``content`` as its payload."""
    shown = {"name": "mine", "secret_type": "opaque", "creator_id": "u", "secret_ref": "http://b/v1/secrets/7"}

    def send(get: Get) -> Reply:
        assert get.raw == get.path.endswith("/v1/secrets/7/payload")
        return content if get.raw else Reply(200, {"secrets": [shown]})

    return send


def secret_create() -> Create:
    create = create_for("key-manager", "http://b/v1/secrets/", SECRET)
    assert create is not None
    return replace(create, groups={**create.groups, "user": "u"}).with_baseline([])


def test_a_secret_is_ours_if_its_payload_is_what_was_sent() -> None:
    create = secret_create()
    finding = look(create, holding(create, Reply(200, b"of mine")))
    assert finding.found
    assert create.answer(list(finding.hits)) == {"secret_ref": "http://b/v1/secrets/7"}
    assert finding.ids == ("http://b/v1/secrets/7",)


@pytest.mark.parametrize("content", [Reply(200, b"of another"), Reply(404)], ids=["another payload", "none"])
def test_a_secret_of_our_name_with_another_payload_is_not_ours(content: Reply) -> None:
    create = secret_create()
    assert look(create, holding(create, content)).absent


def test_a_secret_whose_payload_we_may_not_read_proves_nothing() -> None:
    create = secret_create()
    finding = look(create, holding(create, Reply(403)))
    assert finding.problem
    assert not finding.hits


def test_a_secret_whose_payload_was_sent_in_base64_holds_the_bytes() -> None:
    sent = SECRET | {"payload": "AP8=", "payload_content_encoding": "base64"}
    create = create_for("key-manager", "/v1/secrets", sent)
    assert create is not None
    create = replace(create, groups={**create.groups, "user": "u"}).with_baseline([])
    assert look(create, holding(create, Reply(200, b"\x00\xff"))).found


def test_equal_creates_are_told_from_others_also_if_they_have_a_time() -> None:
    """A client may send a datetime, which the session turns into text."""
    members = []
    for name in ("mine", "mine", "another"):
        create = create_for(
            "key-manager", "/v1/secrets", SECRET | {"name": name, "expiration": datetime(2100, 1, 1, tzinfo=UTC)}
        )
        assert create is not None
        members.append(Flying(create))
    for member in members:
        twins.add(member)
    assert [member.crowded for member in members] == [True, True, False]
    for member in members:
        twins.remove(member)


@pytest.mark.parametrize("name", ["a+b", "50%"])
def test_a_name_that_barbican_would_decode_twice_is_no_filter(name: str) -> None:
    create = create_for("key-manager", "/v1/secrets", SECRET | {"name": name})
    assert create is not None
    assert dict(create.get(create.look.path, create.look.query).query) == {"limit": "100"}


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("/v1/secrets", {"algorithm": "aes"}, False),
        ("/v1/secrets", {"name": "x"}, True),
        ("/v1/containers", {"type": "generic", "name": "x", "secret_refs": []}, True),
        ("/v1/secrets", {"payload": "x", "transport_key_needed": "true"}, True),
        ("/v1/orders", {"type": "key", "meta": {"algorithm": "aes"}}, False),
        ("/v1/orders", {"type": "key", "meta": {"name": "x"}}, True),
        ("/v1/containers", {"type": "generic", "secret_refs": []}, False),
        ("/v1/secret-stores/1/preferred", {}, True),
    ],
)
def test_what_barbican_generates_or_leaves_empty_is_found_by_a_name_of_ours_alone(
    path: str, body: Any, refused: bool
) -> None:
    create = create_for("key-manager", path, body)
    assert create is not None
    assert bool(create.recipe.refused) is refused
    assert ("os-retries-" in str(create.body)) is not refused


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/secrets", {"payload": "x"}),
        (
            "/v1/containers",
            {"type": "generic", "secret_refs": [{"name": "key", "secret_ref": "http://b/v1/secrets/7"}]},
        ),
    ],
)
def test_what_its_contents_tell_from_others_gets_no_name_that_people_would_read(path: str, body: Any) -> None:
    create = create_for("key-manager", path, body)
    assert create is not None
    assert not create.recipe.refused
    assert create.body == body


# -- designate


ZONE = {"name": "Example.org.", "email": "a@example.org", "ttl": None}
RECORDSET = {"name": "www.example.org.", "type": "A", "records": ["10.0.0.1", "10.0.0.2"]}


@pytest.mark.parametrize(
    ("path", "sent", "shown", "ours"),
    [
        ("/v2/zones", ZONE, {"name": "example.org.", "email": "a@example.org", "ttl": 3600}, True),
        ("/v2/zones", ZONE, {"name": "example.org.", "email": "another@example.org", "ttl": 3600}, None),
        ("/v2/zones", ZONE, {"name": "example.com.", "email": "a@example.org", "ttl": 3600}, False),
        ("/v2/zones/z/recordsets", RECORDSET, RECORDSET | {"records": ["10.0.0.2", "10.0.0.1"]}, True),
        ("/v2/zones/z/recordsets", RECORDSET, RECORDSET | {"records": ["10.0.0.3"]}, None),
        ("/v2/zones/z/recordsets", RECORDSET, RECORDSET | {"type": "AAAA"}, False),
    ],
)
def test_what_designate_made_is_told_by_its_key_and_is_unclear_if_another_value_differs(
    path: str, sent: dict[str, Any], shown: dict[str, Any], ours: bool | None
) -> None:
    create = create_for("dns", path, sent)
    assert create is not None
    assert create.is_ours(shown | {"created_at": "2026-11-27T10:00:00.000000"}, NOON - 2 * 3600) is ours


def test_what_was_there_before_is_not_what_designate_made() -> None:
    create = create_for("dns", "/v2/zones", ZONE)
    assert create is not None
    assert create.is_ours(ZONE | {"created_at": "2026-11-27T10:00:00.000000"}, NOON) is False


# -- octavia


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/v2.0/lbaas/loadbalancers", "loadbalancer"),
        ("http://o/v2.0/lbaas/listeners", "listener"),
        ("/lbaas/pools/1/members", "member"),
        ("/lbaas/l7policies/1/rules", "rule"),
    ],
)
def test_what_octavia_makes_is_told_by_one_more_tag(path: str, member: str) -> None:
    create = create_for("load-balancer", path, {member: {"name": "x", "tags": ["mine"]}})
    assert create is not None
    assert create.sent[0]["tags"] == ["mine", create.markers[0]]
    assert create.get(create.look.path, create.look.query).query == [("tags", create.markers[0])]
    assert create.is_ours({"tags": ["mine", create.markers[0]]}) is True
    assert create.is_ours({"tags": ["mine"]}) is False


# -- ironic


@pytest.mark.parametrize("collection", ["nodes", "ports", "portgroups", "allocations", "deploy_templates"])
def test_what_ironic_makes_is_told_by_a_uuid_of_ours(collection: str) -> None:
    create = create_for("baremetal", f"/v1/{collection}", {"name": "x"})
    assert create is not None
    uuid = create.sent[0]["uuid"]
    assert create.get(create.look.path, {}).path == f"/v1/{collection}/{uuid}"
    young = {"created_at": "2026-11-27T10:00:00+00:00"}
    assert create.is_ours(young | {"uuid": uuid}, NOON - 2 * 3600) is True
    assert create.is_ours(young | {"uuid": "another"}, NOON - 2 * 3600) is False


def test_a_node_with_a_uuid_of_the_callers_that_was_there_before_is_not_ours() -> None:
    sent = {"uuid": "7", "name": "x", "driver": "fake-hardware"}
    create = create_for("baremetal", "/v1/nodes", sent)
    assert create is not None
    assert create.body == sent
    shown = sent | {"created_at": "2026-11-27T10:00:00+00:00"}
    assert create.is_ours(shown, NOON) is False
    assert create.is_ours(shown, NOON - 2 * 3600) is True
    assert create.is_ours(shown | {"driver": "redfish"}, NOON - 2 * 3600) is False


@pytest.mark.parametrize(
    ("what", "target", "shown", "ours"),
    [
        ("provision", "manage", {"provision_state": "verifying"}, True),
        ("provision", "manage", {"provision_state": "enroll"}, False),
        ("provision", "deleted", {"provision_state": "deleting"}, True),
        ("provision", "deleted", {"provision_state": "active"}, False),
        ("provision", "rebuild", {"provision_state": "active"}, None),
        ("power", "power on", {"power_state": "power off", "target_power_state": "power on"}, True),
        ("power", "soft power off", {"power_state": "power off", "target_power_state": None}, True),
        ("power", "power on", {"power_state": "power off", "target_power_state": None}, False),
        ("power", "rebooting", {"power_state": "power on", "target_power_state": None}, None),
    ],
)
def test_a_change_of_a_nodes_state_is_told_by_the_state_if_that_shows_it(
    what: str, target: str, shown: dict[str, Any], ours: bool | None
) -> None:
    create = create_for("baremetal", f"/v1/nodes/7/states/{what}", {"target": target}, verb="PUT")
    assert create is not None
    assert create.is_ours(shown) is ours
    assert create.answer([shown]) is None


# -- manila


def manila_create(path: str, body: Any, microversion: tuple[int, int] = (2, 98)) -> Create:
    create = create_for("shared-file-system", f"/v2{path}", body, microversion)
    assert create is not None
    return create


@pytest.mark.parametrize(
    ("shown", "ours"),
    [
        ({}, True),
        ({"access_level": "ro"}, False),
        ({"access_to": "10.0.0.2"}, False),
        ({"access_to": "******"}, None),
        ({"created_at": "2026-11-27T11:59:00.000000"}, False),
    ],
    ids=["same", "another level", "another address", "locked", "older"],
)
def test_a_rule_of_a_share_is_told_by_who_gets_access_and_its_age(shown: dict[str, Any], ours: bool | None) -> None:
    create = manila_create("/shares/7/action", {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1"}})
    rule = {
        "access_type": "ip",
        "access_to": "10.0.0.1",
        "access_level": "rw",
        "created_at": "2026-11-27T12:00:00.000000",
    }
    assert create.is_ours(rule | shown, NOON) is ours


def test_below_2_45_the_rules_of_a_share_cannot_be_listed() -> None:
    for action in ("allow_access", "os-allow_access"):
        create = manila_create("/shares/7/action", {action: {"access_to": "10.0.0.1"}}, (2, 44))
        assert create.recipe.refused


@pytest.mark.parametrize(
    ("action", "shown", "ours"),
    [
        ("extend", {"size": 2, "status": "available"}, True),
        ("extend", {"size": 1, "status": "extending"}, None),
        ("extend", {"size": 1, "status": "available"}, False),
        ("shrink", {"size": 1, "status": "shrinking"}, None),
    ],
)
def test_the_size_of_a_share_shows_a_change_when_it_is_over(
    action: str, shown: dict[str, Any], ours: bool | None
) -> None:
    assert manila_create("/shares/7/action", {action: {"new_size": 2}}).is_ours(shown) is ours


def test_a_type_of_the_same_name_that_differs_proves_nothing() -> None:
    sent = {"name": "t", "extra_specs": {"driver_handles_share_servers": False}, "share_type_access:is_public": False}
    create = manila_create("/types", {"share_type": sent})
    shown = sent | {"extra_specs": {"driver_handles_share_servers": "False", "snapshot_support": "True"}}
    assert create.is_ours(shown | {"description": None}) is True
    assert create.is_ours(shown | {"share_type_access:is_public": True}) is None
    assert create.is_ours(shown | {"name": "another"}) is False
    assert set(create.answer([shown])) == {"share_type", "volume_type"}


@pytest.mark.parametrize("header", ["X-OpenStack-Manila-API-Version", "OpenStack-API-Version"])
def test_a_microversion_in_manilas_own_header_is_read(header: str) -> None:
    value = {"OpenStack-API-Version": "shared-file-system 2.73"}.get(header, "2.73")
    assert _microversion({"headers": {header: value}}) == (2, 73)


# -- mistral, aodh, masakari, blazar, watcher


def test_an_execution_gets_an_id_of_ours() -> None:
    create = create_for("workflow", "http://m/v2/executions", {"workflow_name": "w"})
    assert create is not None
    assert create.get(create.look.path, {}).path == f"http://m/v2/executions/{create.sent[0]['id']}"


@pytest.mark.parametrize(
    ("service", "path", "member"),
    [
        ("workflow", "/environments", None),
        ("instance-ha", "/segments", "segment"),
        ("resource-optimization", "/v1/audits", None),
    ],
)
def test_what_has_a_unique_name_is_told_by_it_by_its_age_and_by_the_rest(
    service: str, path: str, member: str | None
) -> None:
    sent = {"name": "x", "description": "mine"}
    create = create_for(service, path, sent if member is None else {member: sent})
    assert create is not None
    found = sent | {"created_at": "2026-11-27T12:00:00"}
    assert create.is_ours(found, NOON) is True
    assert create.is_ours(found | {"created_at": "2026-11-27T11:00:00"}, NOON) is False
    assert create.is_ours(found | {"description": "another"}, NOON) is None
    assert create.is_ours(found | {"name": "another"}, NOON) is False


def test_an_alarm_is_one_more_of_the_user_in_a_list_that_is_the_whole_answer() -> None:
    sent = {"name": "a", "type": "event", "event_rule": {"event_type": "x"}}
    create = create_for("alarm", "/v2/alarms", sent)
    assert create is not None
    create = replace(create, groups={**create.groups, "user": "u"}).with_baseline([{"alarm_id": "1"}])
    shown = sent | {"event_rule": {"event_type": "x", "query": []}, "user_id": "u"}
    old, new, others = shown | {"alarm_id": "1"}, shown | {"alarm_id": "2"}, shown | {"alarm_id": "3", "user_id": "v"}
    finding = look(create, lambda _get: Reply(200, [old, new, others]))
    assert finding.hits == (new,)
    assert look(create, lambda _get: Reply(200, {"alarms": [new]})).problem


def test_a_lease_of_the_same_name_for_other_days_is_not_ours() -> None:
    sent = {
        "name": "l",
        "start_date": "2030-01-01 10:00",
        "end_date": "2030-01-02 10:00",
        "reservations": [{"resource_type": "physical:host"}],
    }
    create = create_for("reservation", "/v1/leases", sent)
    assert create is not None
    create = replace(create, groups={**create.groups, "user": "u"}).with_baseline([])
    shown = sent | {
        "id": "1",
        "user_id": "u",
        "start_date": "2030-01-01T10:00:00.000000",
        "end_date": "2030-01-02T10:00:00.000000",
    }
    assert create.is_ours(shown) is True
    assert create.is_ours(shown | {"start_date": "2031-01-01T10:00:00.000000"}) is False
    assert create.is_ours(shown | {"reservations": []}) is None
    assert create.answer([shown]) == {"lease": shown}


@pytest.mark.parametrize(("collection", "harmless"), [("subscriptions", True), ("messages", False), ("claims", False)])
def test_of_zaqar_a_subscription_alone_is_sent_again(collection: str, harmless: bool) -> None:
    create = create_for("message", f"/v2/queues/q/{collection}", {"a": 1})
    assert create is not None
    assert (create.recipe.harmless, bool(create.recipe.refused)) == (harmless, not harmless)
