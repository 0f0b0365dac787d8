"""The creates of the services that the sandbox starts on demand (`sandbox/cloud up --with NAME`).

The rules are those of test_creates_on_cloud.py, whose tests are run here with other kinds of creates.  One service is
drawn in each run; `--with NAME,...` chooses others, and with `--full` all of them are tested.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from keystoneauth1.identity import v3

from os_retries import attach
from os_retries.evidence import Evidence, GiveUp
from os_retries.faults import Fault
from tests.conftest import ON_DEMAND

from .creates import EXTRAS, EXTRAS_BRIEF, Kind
from .test_creates_on_cloud import (
    AFTER,
    BEFORE,
    World,
    fresh,
    given_up,
    test_a_late_winner_is_found_within_the_settle_time,
    test_a_look_up_that_fails_once_is_made_again,
    test_a_success_costs_no_look_up,
    test_what_the_service_has_done_is_found_and_not_sent_again,
    test_what_the_service_has_never_seen_is_sent_again,
    test_without_a_look_up_nothing_is_sent_again_and_the_caller_gets_the_first_error,
)
from .test_creates_on_cloud import pytestmark as marks_of_the_cloud

__all__ = [
    "given_up",
    "test_a_late_winner_is_found_within_the_settle_time",
    "test_a_look_up_that_fails_once_is_made_again",
    "test_a_success_costs_no_look_up",
    "test_what_the_service_has_done_is_found_and_not_sent_again",
    "test_what_the_service_has_never_seen_is_sent_again",
    "test_without_a_look_up_nothing_is_sent_again_and_the_caller_gets_the_first_error",
]

pytestmark = [
    *marks_of_the_cloud,
    # octaviaclient's use of osc_lib
    pytest.mark.filterwarnings("ignore:The osc_lib.version module is deprecated"),
    pytest.mark.filterwarnings("ignore:The BaseAPI class is deprecated"),
]


def chosen(config: pytest.Config) -> list[str]:
    """Return the names of the services that are tested."""
    return [name for name in config.option.extras.split(",") if name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        names = [name for service in chosen(metafunc.config) for name in EXTRAS[service]]
        if not metafunc.config.option.full:
            names = [name for name in names if name not in EXTRAS_BRIEF]
        metafunc.parametrize("kind", names, indirect=True)


@pytest.mark.parametrize("name", EXTRAS_BRIEF)
def test_a_kind_like_another_one_is_found_too_and_sent_again(
    world: World, name: str, request: pytest.FixtureRequest
) -> None:
    kinds = [kinds[name] for service in chosen(request.config) if name in (kinds := EXTRAS[service])]
    if not kinds:
        pytest.skip("its service is not tested in this run")
    test_what_the_service_has_done_is_found_and_not_sent_again(world, kinds[0], "504")
    test_what_the_service_has_never_seen_is_sent_again(world, kinds[0], "reset")


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    return next(kinds[request.param] for kinds in EXTRAS.values() if request.param in kinds)


@pytest.fixture(scope="module")
def world(cloud: Any, request: pytest.FixtureRequest) -> World:
    """Start the services beside the others, which are left alone."""
    cloud.run("up", "--with", ",".join(chosen(request.config)))
    return World(cloud)


# -- barbican


@pytest.fixture
def barbican(world: World, request: pytest.FixtureRequest) -> World:
    return only_with("barbican", world, request)


def only_with(service: str, world: World, request: pytest.FixtureRequest) -> World:
    if service not in chosen(request.config):
        pytest.skip(f"{service} is not tested in this run")
    return world


def test_the_services_that_are_drawn_are_those_with_kinds() -> None:
    assert set(ON_DEMAND) == set(EXTRAS)


def test_a_secret_of_the_same_name_with_another_payload_is_never_taken_for_ones_own(barbican: World) -> None:
    """The first never reaches the service; while it is looked up, another client of the same user makes one."""
    kind = EXTRAS["barbican"]["barbican-secret-named"]
    clients, clean, _setting = barbican.ready(kind)
    name, others = fresh(), []

    def meanwhile(_seconds: float) -> None:
        if not others:
            secret = clean.barbican.secrets.create(name=name, payload="another payload")
            others.append(secret.store())

    attach(clients.session, barbican.policy(sleep=meanwhile))
    barbican.plan(kind, [Fault.reset()])
    made = kind.create(clients, None, name)
    assert barbican.sent(kind) == 2
    assert made.secret_ref not in others
    there = {each["secret_ref"] for each in kind.listed(clean, None, name)}
    assert there == {made.secret_ref, *others}
    assert clean.barbican.secrets.get(made.secret_ref).payload == f"of {name}"
    for each in there:
        kind.delete(clean, None, each)


def test_a_consumer_is_sent_again_and_there_is_one(barbican: World) -> None:
    kind = EXTRAS["barbican"]["barbican-secret-named"]
    clients, clean, _setting = barbican.ready(kind)
    secret = clean.barbican.secrets.create(payload="x").store()
    consumers = replace(kind, path="/consumers/?")
    for way in (AFTER["504"], BEFORE["504"]):
        barbican.plan(consumers, [way])
        clients.barbican.secrets.register_consumer(secret, "compute", "server", "1")
        assert barbican.sent(consumers) == 2
    assert len(clean.barbican.secrets.get(secret).consumers) == 1
    kind.delete(clean, None, secret)


@pytest.mark.parametrize(("way", "sent"), [("after", 1), ("before", 2)])
def test_a_metadatum_is_told_by_its_key_and_value(barbican: World, way: str, sent: int) -> None:
    kind = EXTRAS["barbican"]["barbican-secret-named"]
    clients, clean, _setting = barbican.ready(kind)
    secret = clean.barbican.secrets.create(payload="x").store()
    metadata = replace(kind, path="/metadata")
    barbican.plan(metadata, [(AFTER if way == "after" else BEFORE)["504"]])
    answer = clients.session.post(
        f"{secret}/metadata", json={"key": "colour", "value": "red"}, endpoint_filter={"service_type": "key-manager"}
    )
    assert (answer.status_code, answer.json()) == (201, {"key": "colour", "value": "red"})
    assert barbican.sent(metadata) == sent
    kind.delete(clean, None, secret)


# -- designate


@pytest.fixture
def designate(world: World, request: pytest.FixtureRequest) -> World:
    return only_with("designate", world, request)


@pytest.mark.parametrize("name", ["designate-zone", "designate-recordset"])
def test_a_name_that_was_there_before_is_never_taken_for_ones_own(designate: World, name: str) -> None:
    """The answer that is lost was a conflict: the repeat's is what the caller gets."""
    kind = EXTRAS["designate"][name]
    clients, clean, setting = designate.ready(kind)
    taken = fresh()
    (theirs,) = kind.ids(kind.create(clean, setting, taken))
    time.sleep(4)  # by the service's own clock
    designate.plan(kind, [Fault.lost(504)])
    with pytest.raises(Exception, match=r"(?i)duplicate"):
        kind.create(clients, setting, taken)
    assert designate.sent(kind) == 2
    kind.delete(clean, setting, theirs)


def test_a_transfer_is_accepted_once_and_the_answer_is_its_own(designate: World) -> None:
    kind = EXTRAS["designate"]["designate-tld"]  # an administrator's, whose project gets the zone
    clients, clean, _setting = designate.ready(kind)
    owner = designate.clean["demo"].designate
    for way, sent in ((AFTER["504"], 1), (BEFORE["504"], 2)):
        zone = owner.zones.create(f"{fresh()}.example.", email="admin@sandbox.example")["id"]
        request = owner.zone_transfers.create_request(zone, None)
        accepts = replace(kind, path="/transfer_accepts")
        designate.plan(accepts, [way])
        accept = clients.designate.zone_transfers.accept_request(request["id"], request["key"])
        assert designate.sent(accepts) == sent
        assert (accept["zone_id"], accept["status"]) == (zone, "COMPLETE")
        clean.designate.zones.delete(zone)


def test_a_change_of_a_zone_or_a_recordset_is_sent_again(designate: World) -> None:
    kind = EXTRAS["designate"]["designate-recordset"]
    clients, clean, setting = designate.ready(kind)
    zone, recordset = setting["id"], kind.create(clean, setting, fresh())["id"]
    changed = replace(kind, verb="PUT", path="/recordsets/.*")
    designate.plan(changed, [Fault.lost(504)])
    made = clients.designate.recordsets.update(zone, recordset, {"records": ["10.0.0.3"]})
    assert (made["records"], designate.sent(changed)) == (["10.0.0.3"], 2)
    changed = replace(kind, verb="PATCH", path="/zones/[^/]*")
    designate.plan(changed, [Fault.lost(504)])
    assert clients.designate.zones.update(zone, {"description": "new"})["description"] == "new"
    assert designate.sent(changed) == 2
    removed = replace(kind, verb="DELETE", path="/recordsets/.*")
    designate.plan(removed, [Fault.lost(504)])
    clients.designate.recordsets.delete(zone, recordset)
    assert designate.sent(removed) == 2


# -- octavia


@pytest.fixture
def octavia(world: World, request: pytest.FixtureRequest) -> World:
    return only_with("octavia", world, request)


def test_what_octavia_refuses_because_it_is_busy_is_sent_again(octavia: World) -> None:
    """A listener and a pool are asked for while the load balancer is still being made, and it is deleted likewise."""
    kind = EXTRAS["octavia"]["octavia-load-balancer"]
    clients, clean, subnet = octavia.ready(kind)
    octavia.real_time = True
    attach(clients.session, octavia.policy(retries_number=60, pacing=False))
    name = fresh()
    balancer = clients.octavia.load_balancer_create(json={"loadbalancer": {"name": name, "vip_subnet_id": subnet}})
    whole = balancer["loadbalancer"]["id"]
    listener = {"name": name, "loadbalancer_id": whole, "protocol": "HTTP", "protocol_port": 80}
    clients.octavia.listener_create(json={"listener": listener})
    pool = {"name": name, "loadbalancer_id": whole, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    clients.octavia.pool_create(json={"pool": pool})
    refused = [entry for entry in octavia.faults.record if entry.status == 409]
    assert {entry.request.path.rpartition("/")[2] for entry in refused} == {"listeners", "pools"}
    there = clean.get("load-balancer", f"/v2.0/lbaas/loadbalancers/{whole}")["loadbalancer"]
    assert (len(there["listeners"]), len(there["pools"])) == (1, 1)
    clients.octavia.load_balancer_delete(whole, cascade=True)
    assert kind.listed(clean, subnet, name) == []


def test_a_change_that_meets_its_own_first_attempt_at_work_is_sent_again(octavia: World) -> None:
    """The answer to a change is lost; the repeat is refused while that change is under way, and repeated."""
    kind = EXTRAS["octavia"]["octavia-listener"]
    clients, clean, whole = octavia.ready(kind)
    octavia.real_time = True
    attach(clients.session, octavia.policy(retries_number=60, retry_after=0.2, pacing=False))
    made = kind.create(clients, whole, fresh())["listener"]["id"]
    whole.ready()
    changed = replace(kind, verb="PUT", path="/listeners/.*")
    octavia.plan(changed, [Fault.lost(504)])
    answer = clients.octavia.listener_set(made, json={"listener": {"description": "new"}})
    assert answer["listener"]["description"] == "new"
    assert octavia.sent(changed) >= 2
    kind.delete(clean, whole, made)


# -- ironic


@pytest.fixture
def ironic(world: World, request: pytest.FixtureRequest) -> World:
    return only_with("ironic", world, request)


@pytest.mark.parametrize(("way", "sent"), [("after", 1), ("before", 2)])
def test_every_change_of_a_nodes_state_is_told_by_the_state(ironic: World, way: str, sent: int) -> None:
    kind = EXTRAS["ironic"]["ironic-node"]
    clients, clean, _setting = ironic.ready(kind)
    node = kind.create(clean, None, fresh()).uuid

    def state(field: str) -> str:
        return str(clean.get("baremetal", f"/v1/nodes/{node}/states", "1.90")[field])

    def settled() -> bool:
        return not clean.get("baremetal", f"/v1/nodes/{node}", "1.90")["reservation"]

    changes = (
        ("provision", "manage", "provision_state", "manageable"),
        ("power", "on", "power_state", "power on"),
        ("power", "off", "power_state", "power off"),
        ("provision", "provide", "provision_state", "available"),
        ("provision", "active", "provision_state", "active"),
        ("provision", "deleted", "provision_state", "available"),
    )
    for what, target, field, wanted in changes:
        changed = replace(kind, verb="PUT", path=f"/states/{what}")
        clean.until(settled)
        ironic.plan(changed, [(AFTER if way == "after" else BEFORE)["504"]])
        getattr(clients.ironic.node, f"set_{what}_state")(node, target)
        assert (target, ironic.sent(changed)) == (target, sent)
        clean.until(lambda field=field, wanted=wanted: state(field) == wanted)
    clean.until(settled)
    kind.delete(clean, None, node)


def test_a_reboot_of_a_node_is_handed_over(ironic: World, given_up: list[Evidence]) -> None:
    kind = EXTRAS["ironic"]["ironic-node"]
    clients, clean, _setting = ironic.ready(kind)
    node = kind.create(clean, None, fresh()).uuid
    changed = replace(kind, verb="PUT", path="/states/power")
    ironic.plan(changed, [Fault.lost(504)])
    with pytest.raises(Exception, match="504"):
        clients.ironic.node.set_power_state(node, "reboot")
    assert ironic.sent(changed) == 1
    assert given_up[-1].reason is GiveUp.NOT_REPEATABLE
    clean.until(lambda: not clean.get("baremetal", f"/v1/nodes/{node}", "1.90")["reservation"])
    kind.delete(clean, None, node)


def test_traits_of_a_node_are_sent_again(ironic: World) -> None:
    kind = EXTRAS["ironic"]["ironic-node"]
    clients, clean, _setting = ironic.ready(kind)
    node = kind.create(clean, None, fresh()).uuid
    changed = replace(kind, verb="PUT", path="/traits(/.*)?")
    for change in (
        lambda: clients.ironic.node.set_traits(node, ["CUSTOM_A"]),
        lambda: clients.ironic.node.add_trait(node, "CUSTOM_B"),
    ):
        ironic.plan(changed, [Fault.lost(504)])
        change()
        assert ironic.sent(changed) == 2
    assert sorted(clean.ironic.node.get(node).traits) == ["CUSTOM_A", "CUSTOM_B"]
    kind.delete(clean, None, node)


@pytest.mark.parametrize(("way", "sent"), [("after", 1), ("before", 2)])
def test_a_chassis_is_found_by_its_uuid(ironic: World, cloud: Any, way: str, sent: int) -> None:
    """Only a token of the whole system may make one."""
    kind = replace(EXTRAS["ironic"]["ironic-node"], path="/v1/chassis")
    ironic.ready(kind)
    account = {name: value for name, value in cloud.admin.items() if not name.startswith("project")}
    session = cloud.session("admin", session=ironic.faults.session())
    session.auth = v3.Password(**account, system_scope="all")
    attach(session, ironic.policy())
    asked: dict[str, Any] = {"endpoint_filter": {"service_type": "baremetal"}, "microversion": "1.90"}
    name = fresh()
    ironic.plan(kind, [(AFTER if way == "after" else BEFORE)["504"]])
    made = session.post("/v1/chassis", json={"description": name}, **asked).json()
    assert ironic.sent(kind) == sent
    there = session.get("/v1/chassis/detail", **asked).json()["chassis"]
    assert [each["uuid"] for each in there if each["description"] == name] == [made["uuid"]]
    session.delete(f"/v1/chassis/{made['uuid']}", **asked)
