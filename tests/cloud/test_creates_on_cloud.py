"""Every kind of create x every way to lose its answer, on the real services: exactly one exists, and the caller has it.

The resources are counted in the service, with a session that is not attached.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import keystoneauth1.exceptions
import pytest

from os_retries import RetryPolicy, attach
from os_retries.core import hooks
from os_retries.evidence import Evidence, GiveUp
from os_retries.faults import Fault, Faults, Script, only

from .creates import BACKUP, BRIEF, KINDS, RUN, Clients, Kind, network

pytestmark = [
    pytest.mark.cloud,
    # openstacksdk's own use of what it has deprecated
    pytest.mark.filterwarnings("ignore:The _compute_attributes method is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'service_type' parameter is unnecesary"),
]

AFTER = {  # the service has done it, and the answer is lost
    "504": Fault.lost(504),
    "502": Fault.lost(502),
    "500": Fault.lost(500, html=False),
    "503": Fault.lost(503),
    "reset": Fault.reset(processed=True),
    "stall": Fault.stall(processed=True),
    "cut": Fault.cut(),
}
BEFORE = {  # the service has never seen it
    "504": Fault.refused(504, html=True),
    "reset": Fault.reset(),
    "503": Fault.refused(503, retry_after=2, html=True),
}


class World:
    """The clients of both accounts above faults, attached; and others above none, not attached."""

    def __init__(self, cloud: Any) -> None:
        self.creates, self.lookups = Script([]), Script([])
        self.faults = Faults(self.creates, self.lookups)
        self.real_time = False
        #: Whether a wait of the settle time ends when what is late has landed; the wait before a repeat is shorter.
        self.until_landed = False
        self.settings: dict[int, Any] = {}
        sessions = {name: cloud.session(name, session=self.faults.session()) for name in ("demo", "admin")}
        for session in sessions.values():
            session.get_token()
        self.clean = {name: Clients(cloud.session(name)) for name in sessions}
        self.clients = {name: Clients(session) for name, session in sessions.items()}
        self.attach()

    def attach(self, **changes: Any) -> None:
        for clients in self.clients.values():
            attach(clients.session, self.policy(**changes))

    def policy(self, **changes: Any) -> RetryPolicy:
        numbers: dict[str, Any] = {
            "retries_number": 3,
            "retry_after": 0.5,
            "settle_time": 2,
            "settle_time_after_timeout": 4,
        }
        return RetryPolicy(**numbers | {"sleep": self.sleep} | changes)

    def sleep(self, seconds: float) -> None:
        if self.until_landed and seconds >= 1:
            self.faults.wait()
        if self.real_time:
            time.sleep(seconds)

    def plan(self, kind: Kind, creates: list[Fault | None], lookups: list[Fault | None] | None = None) -> None:
        self.creates.left[:], self.creates.only = (
            creates,
            only(service=kind.service, verb=kind.verb, path=f"{kind.path}$"),
        )
        self.lookups.left[:], self.lookups.only = lookups or [], only(service=kind.asked or kind.service, verb="GET")
        self.faults.record.clear()

    def sent(self, kind: Kind) -> int:
        """How often the create was sent since the plan."""
        return sum(self.creates.only(entry.request) for entry in self.faults.record)

    def ready(self, kind: Kind) -> tuple[Clients, Clients, Any]:
        """Return the clients above the faults, those beside them, and what the kind needs; unhurt by any fault."""
        self.plan(kind, [])
        self.real_time, self.until_landed = kind.later, False
        self.attach(single_writer=kind.single_writer)
        clients, clean = self.clients[kind.account], self.clean[kind.account]
        _ = clients.flavor, clients.image, clients.network, kind.prepare(clients)
        if id(kind) not in self.settings:
            self.settings[id(kind)] = kind.setting(clean)
        return clients, clean, self.settings[id(kind)]


@pytest.fixture(scope="module")
def world(cloud: Any) -> World:
    return World(cloud)


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Evidence]]:
    seen: list[Evidence] = []
    monkeypatch.setattr(hooks, "sinks", (lambda event: event.name == "give_up" and seen.append(event.evidence),))
    return seen


@pytest.fixture(params=[name for name in KINDS if name not in BRIEF])
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def one_and_the_callers(world: World, kind: Kind, name: str, made: Any) -> None:
    """The service holds what was asked for, once, and the caller has been given it."""
    clean, setting = world.clean[kind.account], world.settings[id(kind)]
    there = [kind.id_of(each) for each in kind.listed(clean, setting, name)]
    try:
        assert len(there) == kind.number, "exactly what was asked for, once"
        assert set() < set(kind.ids(made)) <= set(there), "and it is what the caller was given"
        assert kind.shown(made, name), "complete"
    finally:
        for each in there:
            kind.delete(clean, setting, each)


def fresh() -> str:
    return f"{RUN}-{uuid.uuid4().hex[:6]}"


def test_every_client_has_a_kind_here() -> None:
    """The `openstack` command's are in test_run_on_cloud.py."""
    clients = {"nova", "cinder", "neutron", "glance", "heat", "keystone", "sdk"}
    assert {name.partition("-")[0] for name in KINDS} == clients


@pytest.mark.parametrize("way", AFTER)
def test_what_the_service_has_done_is_found_and_not_sent_again(world: World, kind: Kind, way: str) -> None:
    clients, _clean, setting = world.ready(kind)
    name = fresh()
    world.plan(kind, [AFTER[way]])
    made = kind.create(clients, setting, name)
    assert world.sent(kind) == 1
    one_and_the_callers(world, kind, name, made)


@pytest.mark.parametrize("way", BEFORE)
def test_what_the_service_has_never_seen_is_sent_again(world: World, kind: Kind, way: str) -> None:
    clients, _clean, setting = world.ready(kind)
    name = fresh()
    world.plan(kind, [BEFORE[way]])
    made = kind.create(clients, setting, name)
    assert world.sent(kind) == 2
    one_and_the_callers(world, kind, name, made)


@pytest.mark.parametrize("name", BRIEF)
def test_a_kind_like_another_one_is_found_too_and_sent_again(world: World, name: str) -> None:
    """The recipe and the client are those of a kind that goes through all the ways."""
    test_what_the_service_has_done_is_found_and_not_sent_again(world, KINDS[name], "504")
    test_what_the_service_has_never_seen_is_sent_again(world, KINDS[name], "reset")


def test_a_late_winner_is_found_within_the_settle_time(world: World, kind: Kind) -> None:
    clients, _clean, setting = world.ready(kind)
    name = fresh()
    world.until_landed = True
    world.plan(kind, [Fault.late(0.5)])
    made = kind.create(clients, setting, name)
    assert world.sent(kind) == 1
    world.faults.wait()
    one_and_the_callers(world, kind, name, made)


def test_a_look_up_that_fails_once_is_made_again(world: World, kind: Kind) -> None:
    clients, _clean, setting = world.ready(kind)
    name = fresh()
    world.plan(kind, [Fault.lost(502)], [Fault.refused(503)])
    made = kind.create(clients, setting, name)
    assert world.sent(kind) == 1
    one_and_the_callers(world, kind, name, made)


@pytest.mark.parametrize("name", ["cinder-attachment", "nova-server-group"])
def test_what_is_there_is_asked_for_until_it_is_told_and_only_then_is_the_create_sent(world: World, name: str) -> None:
    """The service is away for a while: first for the list of what is there, and then it loses the create's answer."""
    kind = KINDS[name]
    clients, _clean, setting = world.ready(kind)
    wanted = fresh()
    world.plan(kind, [Fault.lost(502)], [Fault.refused(503)] * 5)
    made = kind.create(clients, setting, wanted)
    assert world.sent(kind) == 1
    one_and_the_callers(world, kind, wanted, made)


@pytest.mark.parametrize("fault", [Fault.refused(503), Fault.refused(403), Fault.stall()], ids=str)
def test_without_a_look_up_nothing_is_sent_again_and_the_caller_gets_the_first_error(
    world: World, kind: Kind, fault: Fault, given_up: list[Evidence]
) -> None:
    clients, clean, setting = world.ready(kind)
    name = fresh()
    world.plan(kind, [Fault.lost(502)], [fault] * 100)
    with pytest.raises(Exception) as caught:
        kind.create(clients, setting, name)
    world.lookups.left.clear()
    assert world.sent(kind) == 1
    (evidence,) = given_up
    assert evidence.reason is GiveUp.NOT_REPEATABLE
    assert evidence.attempts[-1].status == 502
    assert ("the existing resources could not be listed" if kind.asks_before else "looked up") in evidence.detail
    assert "502" in str(caught.value) or "502" in repr(caught.value.__dict__)
    there = [kind.id_of(each) for each in kind.listed(clean, setting, name)]
    for each in there:
        kind.delete(clean, setting, each)
    assert len(there) == kind.number


def test_a_success_costs_no_look_up(world: World, kind: Kind, request: pytest.FixtureRequest) -> None:
    clients, _clean, setting = world.ready(kind)
    name = fresh()
    one_and_the_callers(
        world, kind, name, kind.create(clients, setting, name)
    )  # neutron is asked for an extension once
    world.plan(kind, [])
    clients.asked.clear()
    name = fresh()  # the first one's removal may go on, and it is listed until it is over
    made = kind.create(clients, setting, name)
    one_and_the_callers(world, kind, name, made)
    gets = [entry for entry in world.faults.record if entry.request.verb == "GET"]
    assert len(gets) == kind.asks_before, "but for what there was before"
    # None at all where the client does not know the newest microversion yet, and the session sends it.
    assert clients.asked <= {request.node.callspec.params["kind"].partition("-")[0]}, "by the client of its name"


@pytest.mark.parametrize(
    ("name", "url", "body"),
    [
        (
            "neutron-rule",
            "/v2.0/security-group-rules",
            lambda setting, name: {"security_group_rule": network.rule(setting, name)},
        ),
        (
            "neutron-subnet-described",
            "/v2.0/subnets",
            lambda setting, name: {"subnet": network.subnet(setting, name) | {"description": name}},
        ),
        ("nova-aggregate", "/os-aggregates", lambda _setting, name: {"aggregate": {"name": name}}),
        ("glance-member", "/v2/images/{}/members", lambda _setting, name: {"member": name}),
    ],
)
def test_a_twin_that_was_there_before_is_never_handed_over(world: World, name: str, url: str, body: Any) -> None:
    """Where no marker tells whose it is, its age does: the caller gets what the service says of a second one."""
    kind = KINDS[name]
    clients, clean, setting = world.ready(kind)
    wanted = fresh()
    request = {"json": body(setting, wanted), "endpoint_filter": {"service_type": kind.service}}
    clean.session.post(url.format(setting), **request)
    time.sleep(4)  # by the service's own clock
    world.plan(kind, [Fault.lost(502)])
    answer = clients.session.post(url.format(setting), raise_exc=False, **request)
    assert answer.status_code in (400, 409)
    assert world.sent(kind) == 2
    (twin,) = kind.listed(clean, setting, wanted)
    kind.delete(clean, setting, kind.id_of(twin))


@pytest.mark.parametrize(
    "name", ["keystone-user", "keystone-project", "keystone-role", "keystone-application-credential"]
)
def test_what_was_there_before_under_a_unique_name_is_never_taken_for_ones_own(world: World, name: str) -> None:
    """The answer that is lost was a conflict: the repeat's is what the caller gets."""
    kind = KINDS[name]
    clients, clean, setting = world.ready(kind)
    taken = fresh()
    (theirs,) = kind.ids(kind.create(clean, setting, taken))
    world.plan(kind, [Fault.lost(504)])
    with pytest.raises(keystoneauth1.exceptions.Conflict):
        kind.create(clients, setting, taken)
    assert world.sent(kind) == 2
    kind.delete(clean, setting, theirs)


def test_a_backup_is_found(world: World) -> None:
    clients, _clean, setting = world.ready(BACKUP)
    name = fresh()
    world.plan(BACKUP, [Fault.lost(504)])
    made = BACKUP.create(clients, setting, name)
    assert world.sent(BACKUP) == 1
    one_and_the_callers(world, BACKUP, name, made)


def test_two_that_are_alike_of_one_program_are_never_taken_for_each_other(world: World) -> None:
    """The first never reaches the service; while it is looked up, another thread makes one that is like it."""
    kind = KINDS["neutron-router-without-room"]
    clients, clean, setting = world.ready(kind)
    name, others = fresh(), []

    def meanwhile(_seconds: float) -> None:
        if not others:
            thread = threading.Thread(target=lambda: others.append(kind.create(clients, setting, name)))
            thread.start()
            thread.join()

    attach(clients.session, world.policy(single_writer=True, sleep=meanwhile))
    world.plan(kind, [Fault.reset()])
    with pytest.raises(keystoneauth1.exceptions.ConnectFailure):
        kind.create(clients, setting, name)
    assert world.sent(kind) == 2
    (there,) = kind.listed(clean, setting, name)
    assert kind.ids(others[0]) == [there["id"]]

    world.ready(kind)  # both are over: a third one is told from the second, which was there before
    world.plan(kind, [Fault.lost(504)])
    third = kind.create(clients, setting, name)
    assert world.sent(kind) == 1
    assert set(kind.ids(third)) == {each["id"] for each in kind.listed(clean, setting, name)} - {there["id"]}
    for each in kind.listed(clean, setting, name):
        kind.delete(clean, setting, each["id"])


@pytest.mark.parametrize("microversion", ["2.60", "2.101"])
def test_nova_itself_refuses_a_second_attachment_of_a_volume_also_while_the_first_is_at_work(
    world: World, microversion: str
) -> None:
    """So an attachment may be sent again although the first request may land at any later time."""
    kind = KINDS["nova-volume-attachment"]
    _, clean, (server, volume) = world.ready(kind)
    statuses: list[int] = []

    def attach_it() -> None:
        answer = clean.session.post(
            f"/servers/{server}/os-volume_attachments",
            json={"volumeAttachment": {"volumeId": volume}},
            endpoint_filter={"service_type": "compute"},
            headers={"OpenStack-API-Version": f"compute {microversion}"},
            raise_exc=False,
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=attach_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clean.until(lambda: clean.get("block-storage", f"/volumes/{volume}")["volume"]["status"] == "in-use")
    time.sleep(1)  # from 2.101 on nova goes on after its answers
    attach_it()
    assert statuses[-1] == 400
    if microversion == "2.60":
        assert sorted(statuses) == [200, 400, 400, 400, 400]
    attachments = clean.session.get(
        f"/attachments?volume_id={volume}",
        endpoint_filter={"service_type": "block-storage"},
        headers={"OpenStack-API-Version": "volume 3.27"},
    )
    assert [each["status"] for each in attachments.json()["attachments"]] == ["attached"]
    (there,) = kind.listed(clean, (server, volume), "")
    kind.delete(clean, (server, volume), kind.id_of(there))


def test_an_attachment_that_lands_after_its_repeat_is_refused_and_there_is_one(world: World) -> None:
    """The first request reaches nova when it has been given up for lost and sent again."""
    kind = KINDS["nova-volume-attachment"]
    clients, _clean, setting = world.ready(kind)
    world.real_time = True
    world.plan(kind, [Fault.late(6)])
    made = kind.create(clients, setting, fresh())
    assert world.sent(kind) == 2
    world.faults.wait()
    one_and_the_callers(world, kind, "", made)


def test_two_threads_that_reboot_a_server_are_never_taken_for_each_other(world: World) -> None:
    kind = KINDS["nova-stop"]
    clients, clean, server = world.ready(kind)
    reboot = {
        "json": {"reboot": {"type": "HARD"}},
        "endpoint_filter": {"service_type": "compute"},
    }
    others: list[Any] = []

    def meanwhile(_seconds: float) -> None:
        if not others:
            work = lambda: others.append(clients.session.post(f"/servers/{server}/action", **reboot))  # noqa: E731
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    before = records(world, server)
    attach(clients.session, world.policy(sleep=meanwhile))
    world.plan(kind, [Fault.reset()])
    with pytest.raises(keystoneauth1.exceptions.ConnectFailure):
        clients.session.post(f"/servers/{server}/action", **reboot)
    assert len(others) == 1
    assert sorted(records(world, server)) == sorted([*before, "reboot"])
    world.clean["demo"].until(lambda: clean.state(server) == ("active", None))


@pytest.mark.parametrize("name", ["neutron-router-without-room", "keystone-ec2"])
def test_where_others_may_write_too_what_has_no_room_for_a_marker_is_handed_over(
    world: World, name: str, given_up: list[Evidence]
) -> None:
    kind = KINDS[name]
    clients, clean, setting = world.ready(kind)
    world.attach(single_writer=False)
    wanted = fresh()
    before = kind.listed(clean, setting, wanted)
    world.plan(kind, [Fault.lost(504)])
    with pytest.raises(Exception):
        kind.create(clients, setting, wanted)
    assert world.sent(kind) == 1
    assert given_up[-1].reason is GiveUp.NOT_REPEATABLE
    assert not [entry for entry in world.faults.record if entry.request.verb == "GET"]
    (made,) = [each for each in kind.listed(clean, setting, wanted) if each not in before]
    kind.delete(clean, setting, kind.id_of(made))


# In this order each has the state that it begins with.
ACTIONS = {
    "os-stop": "stopped",
    "os-start": "active",
    "pause": "paused",
    "unpause": "active",
    "suspend": "suspended",
    "resume": "active",
    "shelve": "shelved_offloaded",
    "unshelve": "active",
}


def act(
    world: World, action: dict[str, Any], way: Fault | None, account: str = "demo", microversion: str = "2.60"
) -> tuple[str, Any, int]:
    """Do something to a server; return the server, the answer, and how often it was sent."""
    kind = KINDS["nova-stop"]
    _, _, server = world.ready(kind)
    world.plan(kind, [way])
    answer = world.clients[account].session.post(
        f"/servers/{server}/action",
        json=action,
        endpoint_filter={"service_type": "compute"},
        headers={"OpenStack-API-Version": f"compute {microversion}"},
    )
    return server, answer, world.sent(kind)


@pytest.mark.parametrize(("way", "sent"), [(AFTER["504"], 1), (BEFORE["504"], 2)], ids=["after", "before"])
def test_every_change_of_a_servers_state_is_told_by_the_state(world: World, way: Fault, sent: int) -> None:
    for action, state in ACTIONS.items():
        server, _, number = act(world, {action: None}, way)
        assert (action, number) == (action, sent)
        world.clean["demo"].until(lambda: world.clean["demo"].state(server) == (state, None))


def test_what_may_be_done_twice_to_a_server_is_sent_again(world: World) -> None:
    """In this order and in one test, for a locked server refuses the actions of other tests."""
    for action in ({"lock": None}, {"unlock": None}, {"changePassword": {"adminPass": "x"}}):
        _, _, number = act(world, action, Fault.lost(504))
        assert number == 2


# In this order each has the state that it begins with: who does it, what, how nova's log calls it, the state after it.
LOGGED = (
    ("demo", {"reboot": {"type": "SOFT"}}, "reboot", "active"),
    ("demo", {"reboot": {"type": "HARD"}}, "reboot", "active"),
    ("demo", {"rebuild": {"imageRef": "the image"}}, "rebuild", "active"),
    ("demo", {"resize": {"flavorRef": "the larger flavor"}}, "resize", "resized"),
    ("demo", {"revertResize": None}, "revertResize", "active"),
    ("demo", {"resize": {"flavorRef": "the larger flavor"}}, "resize", "resized"),
    ("demo", {"confirmResize": None}, "confirmResize", "active"),
    ("demo", {"resize": {"flavorRef": "the flavor"}}, "resize", "resized"),
    ("demo", {"confirmResize": None}, "confirmResize", "active"),
    ("demo", {"rescue": None}, "rescue", "rescued"),
    ("demo", {"unrescue": None}, "unrescue", "active"),
    ("demo", {"rescue": {"rescue_image_ref": "the image"}}, "rescue", "rescued"),
    ("demo", {"unrescue": None}, "unrescue", "active"),
    # There is one host: nova takes them, and cannot do them.
    ("admin", {"migrate": None}, "migrate", "active"),
    ("admin", {"os-migrateLive": {"host": None, "block_migration": "auto"}}, "live-migration", "active"),
)


def records(world: World, server: str) -> list[str]:
    """Name what nova's log says has been done to a server."""
    log = world.clean["demo"].get("compute", f"/servers/{server}/os-instance-actions")["instanceActions"]
    return [each["action"] for each in log]


@pytest.mark.parametrize(("way", "sent"), [(AFTER["504"], 1), (BEFORE["504"], 2)], ids=["after", "before"])
def test_what_is_done_to_a_server_is_told_by_novas_log_and_done_once(world: World, way: Fault, sent: int) -> None:
    clean = world.clean["demo"]
    larger = next(each["id"] for each in clean.get("compute", "/flavors")["flavors"] if each["name"] == "small")
    texts = {"the image": clean.image, "the flavor": clean.flavor, "the larger flavor": larger}
    server = world.ready(KINDS["nova-stop"])[2]
    for account, action, name, state in LOGGED:
        before = records(world, server)
        ((key, value),) = action.items()
        if value is not None:
            value = {each: texts.get(text, text) for each, text in value.items()}
        _, answer, number = act(world, {key: value}, way, account)
        after = records(world, server)
        assert (key, number) == (key, sent)
        assert sorted(after) == sorted([*before, name])
        assert bool(answer.content) == (key in ("rebuild", "rescue"))
        if key == "rescue":
            assert answer.json()["adminPass"]
        if key == "rebuild":
            assert (answer.json()["server"]["id"], answer.headers["Location"].rpartition("/")[2]) == (server, server)
            assert answer.json()["server"]["adminPass"]
        clean.until(lambda: clean.state(server) == (state, None))


def test_what_was_done_to_a_server_just_before_is_not_taken_for_what_is_asked_now(world: World) -> None:
    """By the same user, within the same second: only what the log had before tells them apart."""
    _, _, server = world.ready(KINDS["nova-stop"])
    clean = world.clean["demo"]
    clean.until(lambda: clean.state(server) == ("active", None))
    clean.nova("2.60").servers.reboot(server)
    clean.until(lambda: clean.state(server) == ("active", None))
    before = records(world, server)
    _, _, number = act(world, {"reboot": {"type": "SOFT"}}, BEFORE["504"])
    assert number == 2
    assert len(records(world, server)) == len(before) + 1


def test_where_novas_log_cannot_be_read_before_it_is_done_once_and_a_lost_answer_is_handed_over(
    world: World, given_up: list[Evidence]
) -> None:
    kind = KINDS["nova-stop"]
    _, _, server = world.ready(kind)
    world.clean["demo"].until(
        lambda: world.clean["demo"].state(server) == ("active", None)
    )  # nova refuses it meanwhile
    before = records(world, server)
    world.plan(kind, [Fault.lost(504)], [Fault.refused(403)])
    with pytest.raises(keystoneauth1.exceptions.GatewayTimeout):
        world.clients["demo"].session.post(
            f"/servers/{server}/action",
            json={"reboot": {"type": "HARD"}},
            endpoint_filter={"service_type": "compute"},
        )
    assert world.sent(kind) == 1
    assert len(records(world, server)) == len(before) + 1
    assert "the existing resources could not be listed" in given_up[-1].detail
    world.clean["demo"].until(lambda: world.clean["demo"].state(server) == ("active", None))


def test_where_novas_log_could_not_be_read_before_it_is_read_before_the_repeat(world: World) -> None:
    """While a service refuses everything it refuses that too; nothing has been processed until then."""
    kind = KINDS["nova-stop"]
    _, _, server = world.ready(kind)
    clean = world.clean["demo"]
    clean.until(lambda: clean.state(server) == ("active", None))  # otherwise the lost answer may be a refusal
    before = records(world, server)
    world.plan(kind, [Fault.refused(429), Fault.lost(504)], [Fault.refused(503)] * 2)
    answer = world.clients["demo"].session.post(
        f"/servers/{server}/action", json={"rescue": None}, endpoint_filter={"service_type": "compute"}
    )
    assert answer.json()["adminPass"]
    assert world.sent(kind) == 2
    assert sorted(records(world, server)) == sorted([*before, "rescue"])
    clean.until(lambda: clean.state(server) == ("rescued", None))
    clean.nova("2.60").servers.unrescue(server)
    clean.until(lambda: clean.state(server) == ("active", None))


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ({"createBackup": {"name": "x", "backup_type": "daily", "rotation": 1}}, "of the older ones"),
        ({"trigger_crash_dump": None}, "does not show"),
    ],
    ids=str,
)
def test_what_a_server_would_do_twice_is_handed_to_the_caller(
    world: World, action: dict[str, Any], why: str, given_up: list[Evidence]
) -> None:
    with pytest.raises(keystoneauth1.exceptions.GatewayTimeout):
        act(world, action, Fault.refused(504, html=True))
    assert world.sent(KINDS["nova-stop"]) == 1
    assert why in given_up[-1].detail
