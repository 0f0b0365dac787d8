"""The recipes of placement, and the recipes with a second GET or with a GET before the create: what they recognize."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from os_retries.creates.look_up import Finding, Reply, look, there_before
from os_retries.creates.markers import new_marker

from .test_creates import create_for

if TYPE_CHECKING:
    from os_retries.creates.create import Get
    from os_retries.creates.markers import Item


def test_a_description_of_a_floating_ip_carries_the_marker_at_its_end_and_is_put_back() -> None:
    create = create_for("network", "/floatingips", {"floatingip": {"floating_network_id": "n", "description": "mine"}})
    assert create is not None
    (item,) = create.sent
    assert item["description"] == f"mine {create.markers[0]}"
    asked: list[Get] = []
    made = item | {"id": "1"}
    others = [made | {"description": "mine"}, made | {"description": f"mine {new_marker()}"}]

    def reply(get: Get) -> Reply:
        asked.append(get)
        return Reply(200, {"floatingips": [*others, made]})

    assert look(create, reply).hits == (made,)
    assert asked[0].query == [("description", item["description"])]
    assert create.before("description", item["description"]) == "mine"
    assert create.asked == [{"floating_network_id": "n", "description": "mine"}]


def removed(was: list[Item], now: list[Item], body: Item) -> Finding:
    create = create_for("network", "/routers/r/remove_router_interface", body, verb="PUT")
    assert create is not None
    there = there_before(create, lambda _get: Reply(200, {"ports": was}))
    assert there is not None
    return look(create.with_baseline(there), lambda _get: Reply(200, {"ports": now}))


@pytest.mark.parametrize("body", [{"subnet_id": "s"}, {"port_id": "1"}, {"port_id": "1", "subnet_id": "s"}], ids=str)
def test_an_interface_of_a_router_was_removed_if_it_was_there_before_and_is_not_there_now(body: Item) -> None:
    port = {"id": "1", "device_id": "r", "device_owner": "network:router_interface", "fixed_ips": [{"subnet_id": "s"}]}
    other = port | {"id": "2", "fixed_ips": [{"subnet_id": "t"}]}
    gateway = port | {"id": "3", "device_owner": "network:router_gateway"}
    anothers = port | {"id": "4", "device_id": "another"}
    assert removed([port, other, gateway], [other, gateway], body).hits == (port,)
    assert removed([port, other], [port, other], body).absent
    assert removed([other, gateway, anothers], [other], body).absent, "there was none"


@pytest.mark.parametrize(
    ("sent", "subnets"),
    [({"subnet_id": "s"}, ["s"]), ({"port_id": "1"}, ["s", "t"]), ({"port_id": "1", "subnet_id": "t"}, ["t"])],
)
def test_the_answer_of_a_removed_interface_names_what_was_removed(sent: Item, subnets: list[str]) -> None:
    create = create_for("network", "/routers/r/remove_router_interface", sent, verb="PUT")
    assert create is not None
    port = {"id": "1", "device_id": "r", "tenant_id": "p", "project_id": "p", "network_id": "n"}
    answer = create.answer([port | {"fixed_ips": [{"subnet_id": "s"}, {"subnet_id": "t"}]}])
    assert (answer["id"], answer["port_id"], answer["subnet_id"]) == ("r", "1", subnets[0])
    assert answer["subnet_ids"] == subnets


def grouped(action: str, *groups: Item, ports: int = 2) -> Finding:
    create = create_for("compute", "/servers/1/action", {action: {"name": "web"}})
    assert create is not None
    replies = {"/servers/1/os-security-groups": {"security_groups": [{"id": "0", "name": "default"}, *groups]}}
    replies["/servers/1/os-interface"] = {"interfaceAttachments": [{}] * ports}
    return look(create, lambda get: Reply(200, replies[get.path]))


@pytest.mark.parametrize("group", [{"id": "1", "name": "web"}, {"id": "web", "name": "x"}], ids=["name", "id"])
def test_a_security_group_was_added_if_every_port_has_it_and_removed_if_none_has(group: Item) -> None:
    assert grouped("addSecurityGroup", group, group).found
    assert grouped("addSecurityGroup", group).absent
    assert grouped("addSecurityGroup").absent
    assert grouped("addSecurityGroup", ports=0).absent
    assert grouped("removeSecurityGroup").found
    assert grouped("removeSecurityGroup", group).absent


def test_two_security_groups_of_one_name_cannot_be_told_apart() -> None:
    assert grouped("addSecurityGroup", {"id": "1", "name": "web"}, {"id": "2", "name": "web"}).problem


def test_a_second_get_that_fails_proves_nothing() -> None:
    create = create_for("compute", "/servers/1/action", {"addSecurityGroup": {"name": "web"}})
    assert create is not None
    replies = {"/servers/1/os-security-groups": Reply(200, {"security_groups": []})}
    finding = look(create, lambda get: replies.get(get.path, Reply(503, again=True)))
    assert (finding.problem, finding.again) == ("the look-up failed (503)", True)


@pytest.mark.parametrize("microversion", [(2, 1), (2, 60)])
def test_a_server_group_is_told_by_being_new_equal_and_of_this_user(microversion: Any) -> None:
    body = {"server_group": {"name": "x", "policies": ["affinity"]}}
    create = create_for("compute", "/os-server-groups", body, microversion)
    assert create is not None
    mine = body["server_group"] | {"id": "old", "project_id": "p", "user_id": "u"}
    create = replace(create, groups={**create.groups, "project": "p", "user": "u"}).with_baseline([mine])
    own = mine | {"id": "own"}
    anothers = [own | {"user_id": "another"}, own | {"project_id": "another"}]
    gets: list[Get] = []

    def reply(get: Get, *groups: Item) -> Reply:
        gets.append(get)
        return Reply(200, {"server_groups": [mine, *anothers, *groups]})

    assert look(create, reply).absent
    assert look(create, lambda get: reply(get, own)).ids == ("own",)
    assert look(create, lambda get: reply(get, own, own | {"id": "second"})).problem
    assert look(create, lambda get: reply(get, own | {"policies": ["anti-affinity"]})).problem
    older = microversion < (2, 13)
    assert gets[0].microversion == ("2.13" if older else None)
    assert ("user_id" in create.answer([own])["server_group"]) is not older


@pytest.mark.parametrize(("microversion", "status"), [((1, 14), 201), ((1, 20), 200)])
def test_a_resource_provider_is_found_by_an_id_of_ours_and_shown_from_1_20(microversion: Any, status: int) -> None:
    create = create_for("placement", "/resource_providers", {"name": "x"}, microversion)
    assert create is not None
    found = {"uuid": create.sent[0]["uuid"], "name": "x", "links": [{"rel": "self", "href": "/resource_providers/1"}]}
    assert look(create, lambda _get: Reply(200, found)).found
    assert look(create, lambda _get: Reply(200, found | {"uuid": "another"})).absent
    assert create.recipe.status == status
    assert create.answer([found]) == (found if status == 200 else None)
    assert create.recipe.headers({}, [found]) == {"Location": "/resource_providers/1"}


@pytest.mark.parametrize(("name", "there"), [("x", True), ("y", False)])
def test_a_resource_provider_with_an_id_of_the_callers_own_is_equal_in_all(name: str, there: bool) -> None:
    create = create_for("placement", "/resource_providers", {"name": "x", "uuid": "mine"}, (1, 20))
    assert create is not None
    assert create.body == {"name": "x", "uuid": "mine"}
    assert look(create, lambda _get: Reply(200, {"uuid": "mine", "name": name})).found is there


@pytest.mark.parametrize(
    ("connector", "status", "there"),
    [(None, "reserved", True), ({"host": "h"}, "reserved", None), ({"host": "h"}, "attaching", True)],
)
def test_an_attachment_with_a_connector_is_complete_when_the_volume_s_host_has_answered(
    connector: Any, status: str, there: bool | None
) -> None:
    create = create_for(
        "block-storage",
        "/attachments",
        {"attachment": {"volume_uuid": "v", "instance_uuid": "s", "connector": connector}},
    )
    assert create is not None
    assert create.is_ours({"id": "1", "volume_id": "v", "instance": "s", "status": status}) is there
    assert create.is_ours({"id": "1", "volume_id": "v", "instance": "other", "status": status}) is False
    assert (
        create.with_baseline([{"id": "1"}]).is_ours({"id": "1", "volume_id": "v", "instance": "s", "status": status})
        is False
    )


@pytest.mark.parametrize(("status", "there"), [("detaching", True), ("in-use", False), ("available", None)])
def test_a_volume_that_is_free_again_does_not_show_whether_its_detachment_was_begun(
    status: str, there: bool | None
) -> None:
    create = create_for("block-storage", "/volumes/1/action", {"os-begin_detaching": None})
    assert create is not None
    assert create.is_ours({"id": "1", "status": status}) is there


@pytest.mark.parametrize(
    ("host", "vif_type", "there"),
    [("h", "ovs", True), ("h", "unbound", None), ("h", "binding_failed", None), ("other", "ovs", False)],
)
def test_a_port_is_bound_to_a_host_if_it_has_a_binding_there_that_serves(
    host: str, vif_type: str, there: bool | None
) -> None:
    create = create_for("network", "/v2.0/ports/1/bindings", {"binding": {"host": "h"}})
    assert create is not None
    assert create.is_ours({"host": host, "vif_type": vif_type}) is there
