"""The engine with a model of a service: even with lost or late answers, there is one resource, and the caller gets it."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from os_retries.creates.create import Create, Get, prepare
from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Finding, Reply, Tools, find_out, look, there_before
from os_retries.creates.markers import KEY, Attribute, ClientId, Description, Metadata, Tag
from os_retries.creates.recipe import Look, Recipe, fingerprint, password
from os_retries.creates.recipes import TABLE, elsewhere, network, recipes_for

SETTLE = 15.0

BY_TAG = Recipe(
    path="/things",
    body="thing",
    carrier=Tag(),
    look=Look(path="{base}/things", list="things", query={"tags": "{marker}"}),
)


def prepared(recipe: Recipe = BY_TAG, body: Any = None, microversion: Any = None) -> Create | None:
    return prepare(
        recipe, {"base": "", "path": "/things"}, {"thing": {"name": "same"}} if body is None else body, microversion
    )


class Service:
    """A service that makes whatever reaches it, at once or later, and lists it unless its look-ups fail."""

    def __init__(self) -> None:
        self.now = 0.0
        self.coming: list[tuple[float, dict[str, Any]]] = []
        self.things: list[dict[str, Any]] = []
        self.failing: list[Reply] = []
        self.filters = True

    def process(self, thing: dict[str, Any], delay: float = 0.0) -> dict[str, Any]:
        thing = copy.deepcopy(thing) | {"id": f"id{len(self.things) + len(self.coming)}"}
        self.coming.append((self.now + delay, thing))
        self.arrive()
        return thing

    def arrive(self) -> None:
        for due in [each for each in self.coming if each[0] <= self.now]:
            self.coming.remove(due)
            self.things.append(due[1])

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.arrive()

    def get(self, get: Get) -> Reply:
        if self.failing:
            return self.failing.pop(0)
        wanted = dict(get.query).get("tags")
        found = [each for each in self.things if not self.filters or wanted in each.get("tags", [])]
        return Reply(200, {"things": copy.deepcopy(found)})

    def tools(self) -> Tools:
        return Tools(self.get, self.wait, lambda: self.now)


class OneCreate(RuleBasedStateMachine):
    """One logical create, driven as session.py drives it, beside other writers with the same request."""

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        create = prepared()
        assert create is not None
        self.create = create
        self.marker = create.markers[0]
        self.keeper = Keeper(create, self.service.tools())
        self.may_send = True
        self.ended = False
        self.answer: tuple[str, ...] = ()
        self.reported: tuple[str, ...] = ()
        self.later_than_settled = False

    def mine(self) -> list[str]:
        return [each["id"] for each in self.service.things if self.marker in each.get("tags", [])]

    def find_out(self, settle: float = SETTLE) -> None:
        finding, _ = self.keeper.after_ambiguous(settle=settle, patience=20, retries=5, allowance=1000)
        if finding.found:
            self.succeed(finding)
        elif finding.absent:
            self.may_send = True
        else:
            self.ended = True  # the original error, with what was found

    def succeed(self, finding: Finding) -> None:
        self.answer, self.ended = finding.ids, True

    @rule(delay=st.floats(0, 100), filters=st.booleans())
    def others_write(self, delay: float, filters: bool) -> None:
        self.service.filters = filters
        self.service.process({"name": "same", "tags": ["os-retries-of-another"]}, delay)

    @rule(count=st.integers(1, 8), reply=st.sampled_from([Reply(503, again=True), Reply(None, again=True), Reply(403)]))
    def look_ups_fail(self, count: int, reply: Reply) -> None:
        self.service.failing += [reply] * count

    @rule(seconds=st.floats(0.1, 50))
    def time_passes(self, seconds: float) -> None:
        self.service.wait(seconds)

    def before_send(self) -> bool:
        self.may_send = False
        finding = self.keeper.before_send(patience=20, retries=5, allowance=1000)
        if finding is None:
            return True
        if finding.found:
            self.succeed(finding)
        else:
            self.ended = True
        return False

    @precondition(lambda self: self.may_send and not self.ended)
    @rule()
    def an_answer_comes(self) -> None:
        if self.before_send():
            made = self.service.process(self.create.sent[0])
            self.answer, self.ended = (made["id"],), True
            self.reported = self.keeper.after_success([made])

    @precondition(lambda self: self.may_send and not self.ended)
    @rule(delay=st.floats(0, SETTLE))
    def it_is_processed_and_the_answer_is_lost(self, delay: float) -> None:
        if self.before_send():
            self.service.process(self.create.sent[0], delay)
            self.find_out()

    @precondition(lambda self: self.may_send and not self.ended)
    @rule()
    def a_gateway_answers_503_and_it_lands_before_the_repeat(self) -> None:
        if self.before_send():
            self.service.process(self.create.sent[0], delay=1.0)
            self.find_out(settle=0.0)
            self.service.wait(1.0)  # the loop's own wait

    @precondition(lambda self: self.may_send and not self.ended)
    @rule()
    def it_is_lost_on_the_way(self) -> None:
        if self.before_send():
            self.find_out()

    @precondition(lambda self: self.may_send and not self.ended)
    @rule(delay=st.floats(SETTLE * 1.01, 60))
    def it_is_processed_later_than_anybody_waits(self, delay: float) -> None:
        if self.before_send():
            self.later_than_settled = True
            self.service.process(self.create.sent[0], delay)
            self.find_out()

    @precondition(lambda self: self.may_send and not self.ended)
    @rule(delay=st.floats(0, 5))
    def it_is_refused(self, delay: float) -> None:
        if self.before_send():
            finding = self.keeper.one_look()
            if finding is None:
                self.may_send = True
            elif finding.found:
                self.succeed(finding)
            else:
                self.ended = True

    @invariant()
    def at_most_one_of_them_unless_it_came_too_late(self) -> None:
        if not self.later_than_settled:
            assert len(self.mine()) + sum(self.marker in thing["tags"] for _, thing in self.service.coming) <= 1

    @invariant()
    def a_reported_success_is_true_and_ones_own(self) -> None:
        if self.answer:
            assert len(self.answer) == 1
            assert self.answer[0] in self.mine()

    @invariant()
    def what_is_reported_as_a_late_duplicate_is_one_and_never_the_answer(self) -> None:
        assert set(self.reported) <= set(self.mine()) - set(self.answer)


TestOneCreate = OneCreate.TestCase
TestOneCreate.settings = settings(max_examples=1500, stateful_step_count=12, deadline=None)


def test_what_landed_after_the_settle_time_is_reported_with_its_id() -> None:
    service = Service()
    create = prepared()
    assert create is not None
    keeper = Keeper(create, service.tools())
    service.process(create.sent[0], delay=SETTLE + 5)
    assert keeper.after_ambiguous(settle=SETTLE, patience=0, retries=5, allowance=100)[0].absent
    made = service.process(create.sent[0])
    service.wait(10)
    assert keeper.after_success([made]) == ("id0",)


# -- the waits


def test_it_looks_at_0_1_2_4_8_seconds_and_once_more_at_the_end() -> None:
    service, looked = Service(), []
    create = prepared()
    assert create is not None

    def get(get: Get) -> Reply:
        looked.append(service.now)
        return service.get(get)

    finding, waited = find_out(
        create, Tools(get, service.wait, lambda: service.now), settle=15, patience=50, retries=5, allowance=100
    )
    assert (finding.absent, waited, looked) == (True, 15, [0, 1, 2, 4, 8, 15])


def test_where_nothing_waits_nothing_spins() -> None:
    """Tests replace time.sleep by nothing: the waits that were asked for count as time."""
    looks: list[Get] = []
    create = prepared()
    assert create is not None
    tools = Tools(lambda get: looks.append(get) or Reply(200, {"things": []}), lambda _seconds: None, lambda: 0.0)
    finding, waited = find_out(create, tools, settle=120, patience=50, retries=5, allowance=1000)
    assert (finding.absent, waited, len(looks)) == (True, 120, 9)


def test_without_time_to_be_sure_nothing_is_sent_again() -> None:
    service = Service()
    create = prepared()
    assert create is not None
    finding, waited = find_out(create, service.tools(), settle=120, patience=0, retries=5, allowance=60)
    assert not finding.absent
    assert not finding.found
    assert "retry_max_wait" in finding.problem
    assert waited <= 60


@given(failing=st.integers(1, 4))
def test_a_look_up_that_fails_is_made_again_while_there_is_patience(failing: int) -> None:
    service = Service()
    create = prepared()
    assert create is not None
    service.process(create.sent[0])
    service.failing = [Reply(503, again=True)] * failing
    assert find_out(create, service.tools(), settle=0, patience=50, retries=5, allowance=100)[0].found


@given(retries=st.integers(1, 30), patience=st.floats(0.1, 60))
def test_a_failing_look_up_is_repeated_as_often_as_a_request_however_short_the_waits(
    retries: int, patience: float
) -> None:
    """The waits of the look-ups alone would end a short patience after two or three of them."""
    service = Service()
    create = prepared()
    assert create is not None
    service.process(create.sent[0])
    service.failing = [Reply(503, again=True)] * retries
    finding, waited = find_out(create, service.tools(), settle=0, patience=patience, retries=retries, allowance=100)
    assert finding.found
    assert waited <= patience * 1.001


@given(at=st.integers(0, 5), failing=st.integers(1, 3))
def test_a_look_up_that_fails_at_the_end_of_the_settle_time_is_made_again_as_well(at: int, failing: int) -> None:
    """Whichever of 0, 1, 2, 4, 8 and 15 seconds: one that fails late has the same patience."""
    service = Service()
    create = prepared()
    assert create is not None
    replies = iter([Reply(200, {"things": []})] * at + [Reply(503, again=True)] * failing)
    tools = Tools(lambda _get: next(replies, Reply(200, {"things": []})), service.wait, lambda: service.now)
    finding, waited = find_out(create, tools, settle=15, patience=10, retries=5, allowance=100)
    assert finding.absent
    assert 15 <= waited <= 25


def test_what_is_found_and_cannot_be_read_in_full_is_asked_for_again() -> None:
    """After a 503 that is not recognized there is no settle time, and one GET in ten fails too."""
    recipe = Recipe(
        path="/things", body="thing", carrier=Tag(), look=Look(path="/things", list="things", then="/things/{id}")
    )
    create = prepared(recipe)
    assert create is not None
    whole = {"id": "1", "tags": create.markers, "all": True}
    replies = [Reply(503, again=True), Reply(None, again=True), Reply(200, {"thing": whole})]

    def get(get: Get) -> Reply:
        return Reply(200, {"things": [whole]}) if get.path == "/things" else replies.pop(0)

    service = Service()
    tools = Tools(get, service.wait, lambda: service.now)
    finding, _ = find_out(create, tools, settle=0, patience=10, retries=5, allowance=100)
    assert finding.found
    replies[:] = [Reply(503, again=True)] * 99
    finding, waited = find_out(create, tools, settle=0, patience=10, retries=5, allowance=100)
    assert (finding.found, finding.ids, waited) == (False, ("1",), 10.0)


def test_a_denied_look_up_is_not_made_again_and_proves_nothing() -> None:
    service = Service()
    create = prepared()
    assert create is not None
    service.failing = [Reply(403)]
    finding, waited = find_out(create, service.tools(), settle=15, patience=50, retries=5, allowance=100)
    assert (finding.problem, waited) == ("the look-up failed (403)", 0)


# -- what one look proves


def test_two_of_ours_are_never_an_answer() -> None:
    service = Service()
    create = prepared()
    assert create is not None
    for _ in range(2):
        service.process(create.sent[0])
    finding = look(create, service.get)
    assert (finding.found, finding.absent, finding.ids) == (False, False, ("id0", "id1"))


def test_a_list_that_does_not_say_whose_things_are_proves_nothing() -> None:
    create = prepared()
    assert create is not None
    finding = look(create, lambda _get: Reply(200, {"things": [{"id": "1", "name": "same"}]}))
    assert not finding.found
    assert not finding.absent


def test_every_page_is_read_by_the_services_own_way_to_name_the_next() -> None:
    create = prepared()
    assert create is not None
    mine = create.sent[0] | {"id": "mine"}
    for more in (
        {"things_links": [{"rel": "next", "href": "http://elsewhere/things?marker=2"}]},
        {"links": {"next": "/v3/things?marker=2"}},
        {"next": "/v2/things?marker=2"},
    ):
        pages = {"": {"things": [], **more}, "2": {"things": [mine]}}
        finding = look(create, lambda get, pages=pages: Reply(200, pages[dict(get.query).get("marker", "")]))
        assert finding.ids == ("mine",)


def test_a_list_without_end_proves_nothing() -> None:
    create = prepared()
    assert create is not None
    numbers = iter(range(10**6))
    finding = look(create, lambda _get: Reply(200, {"things": [], "next": f"/things?marker={next(numbers)}"}))
    assert "too many" in finding.problem


# -- what is marked, and what is left alone


@pytest.mark.parametrize(
    ("carrier", "item"),
    [
        (Tag(), {"tags": "a,b"}),
        (Tag(), {"tags": ["t"] * 50}),
        (Tag(), {"tags": [1]}),
        (Metadata(), {"metadata": [["a", "b"]]}),
        (Metadata(), {"metadata": {KEY: "mine"}}),
        (Attribute(), {KEY: "mine"}),
        (Description(), {"description": "mine"}),
    ],
)
def test_a_place_that_the_caller_uses_otherwise_is_left_alone(carrier: Any, item: dict[str, Any]) -> None:
    assert carrier.put(item, "os-retries-0") is None


def test_a_description_that_says_the_name_once_more_is_taken_and_put_back() -> None:
    create = create_for("network", "/networks", {"network": {"name": "web", "description": "web"}})
    assert create.sent[0]["description"] == create.markers[0]
    assert create.before("description", create.markers[0]) == "web"
    assert create.before("description", "another's") == ""
    two = {"networks": [{"name": "a"}, {"name": "b", "description": "b"}]}
    create = create_for("network", "/networks", two)
    assert [create.before("description", marker) for marker in create.markers] == ["", "b"]


@pytest.mark.parametrize("carrier", [Tag(), Metadata(), Attribute(), Description(), ClientId()])
def test_a_marker_is_seen_again_and_anothers_is_not(carrier: Any) -> None:
    own, other = (f"os-retries-{digit * 32}" for digit in "ab")
    sent, twin = carrier.put({"name": "same"}, own), carrier.put({"name": "same"}, other)
    found = json.loads(json.dumps(sent))
    assert carrier.shows(found, sent, own) is True
    assert not carrier.shows(twin, sent, own)


@pytest.mark.parametrize(
    "body",
    [
        {"thing": {"name": "x"}, "other": 1},
        {"things": [{"name": "x"}]},
        {"thing": ["x"]},
        {"thing": None},
        {},
        [],
        None,
        "thing",
    ],
)
def test_a_body_that_is_not_known_to_the_last_key_is_not_touched(body: Any) -> None:
    assert prepared(BY_TAG, body if body is not None else "") is None


def test_the_callers_own_body_is_never_changed() -> None:
    body = {"thing": {"name": "x", "tags": ["t"], "deep": {"a": [1]}}}
    before = copy.deepcopy(body)
    create = prepared(BY_TAG, body)
    assert create is not None
    assert body == before
    assert create.body["thing"]["tags"][0] == "t"
    assert len(create.body["thing"]["tags"]) == 2


def test_no_two_creates_have_one_marker() -> None:
    assert len({prepared().markers[0] for _ in range(100)}) == 100  # type: ignore[union-attr]


# -- the table


def create_for(
    service: str, path: str, body: Any, microversion: Any = None, verb: str = "POST", single_writer: bool = False
) -> Create | None:
    for recipe, groups in recipes_for(service, verb, path, single_writer=single_writer):
        create = prepare(recipe, groups, body, microversion)
        if create is not None:
            return create
    return None


@pytest.mark.parametrize(
    ("microversion", "place"), [((2, 52), "tags"), ((999, 0), "tags"), ((2, 51), "metadata"), (None, "metadata")]
)
def test_a_server_is_tagged_from_2_52_on_and_has_metadata_below(microversion: Any, place: str) -> None:
    create = create_for("compute", "/servers", {"server": {"name": "x"}}, microversion)
    assert create is not None
    assert set(create.sent[0]) == {"name", place, "adminPass"}


def test_the_callers_own_password_is_kept() -> None:
    create = create_for("compute", "/servers", {"server": {"name": "x", "adminPass": "mine"}})
    assert create is not None
    assert create.sent[0]["adminPass"] == "mine"


def test_a_password_of_ours_has_twelve_letters_and_digits_each_kind_at_least_once_and_none_more_often():
    made = [password() for _ in range(3000)]
    assert len(set(made)) == len(made)
    for kind in (str.islower, str.isupper, str.isdigit):
        assert all(any(map(kind, each)) for each in made)
    assert all(len(each) == 12 and each.isascii() and each.isalnum() for each in made)
    counts = Counter("".join(made))
    assert len(counts) == 62
    assert max(counts.values()) < 1.6 * min(counts.values())  # some 580 of each, give or take 24


@pytest.mark.parametrize(
    ("service", "path", "body"),
    [
        ("compute", "/servers", {"server": {"name": "x", "return_reservation_id": True}}),
        ("compute", "/os-keypairs", {"keypair": {"name": "x"}}),
        ("compute", "/servers/1/os-interface", {"interfaceAttachment": {"net_id": "n", "tag": "mine"}}),
        ("compute", "/servers/1/action", {"addFixedIp": {"networkId": "n"}}),
        ("compute", "/servers/1/action", {"createBackup": {"name": "x"}}),
        ("compute", "/servers/1/action", {"trigger_crash_dump": None}),
        ("identity", "/users/1/credentials/OS-EC2", {"tenant_id": "1"}),
        ("block-storage", "/volume-transfers", {"transfer": {"volume_id": "1"}}),
        ("block-storage", "/groups", {"group": {"name": "x"}}),
        ("block-storage", "/groups/action", {"create-from-src": {"name": "x"}}),
        ("block-storage", "/group_snapshots", {"group_snapshot": {"name": "x"}}),
        ("block-storage", "/volumes/1/action", {"os-volume_upload_image": {"image_name": "x"}}),
        ("block-storage", "/volumes/1/action", {"revert": {"snapshot_id": "x"}}),
        ("block-storage", "/snapshots/1/action", {"os-update_snapshot_status": {"status": "x"}}),
        ("block-storage", "/backups/1/action", {"os-force_delete": {}}),
        ("block-storage", "/backups/1/restore", {"restore": {}}),
    ],
)
def test_what_cannot_be_made_safe_is_refused_and_not_marked(service: str, path: str, body: Any) -> None:
    create = create_for(service, path, body, (2, 60))
    assert create is not None
    assert create.recipe.refused
    assert create.body == body


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        ({"name": "x", "description": "mine", "mtu": 1500, "id": "1"}, True),
        ({"name": "x", "description": "mine", "mtu": "1500"}, True),
        ({"name": "x", "description": "another's", "mtu": 1500}, None),
        ({"name": "x", "description": "mine"}, None),  # it does not show all that was asked for
        ({"name": "y", "description": "mine", "mtu": 1500}, False),
    ],
)
def test_a_fingerprint_is_all_that_was_asked_for_and_else_it_cannot_be_told(found: Any, ours: bool | None) -> None:
    sent = {"name": "x", "description": "mine", "mtu": 1500}
    assert fingerprint("name")(found, sent) is ours


FULL = "x" * 212  # a description that leaves no room for a marker
ONLY_FOR_A_SINGLE_WRITER = ("network", "/networks", {"network": {"name": "x", "description": FULL}}, "networks")
ONE_MORE = ("network", "/address-scopes", {"address_scope": {"name": "x", "ip_version": 4}}, "address_scopes")


@pytest.mark.parametrize(("service", "path", "body", "listed"), [ONLY_FOR_A_SINGLE_WRITER, ONE_MORE])
def test_what_is_new_equal_and_of_the_project_is_found(service: str, path: str, body: Any, listed: str) -> None:
    ((_, item),) = body.items()
    create = create_for(service, path, body, (2, 60), single_writer=True)
    assert create is not None
    assert create.body == body
    create = replace(create, known=frozenset({"old"}), groups={**create.groups, "project": "mine"})
    twins = [item | each for each in ({"id": "old", "project_id": "mine"}, {"id": "theirs", "project_id": "other"})]
    own = item | {"id": "own", "project_id": "mine"}
    assert look(create, lambda _get: Reply(200, {listed: twins})).absent
    assert look(create, lambda _get: Reply(200, {listed: [*twins, own]})).ids == ("own",)
    two = look(create, lambda _get: Reply(200, {listed: [*twins, own, own | {"id": "another"}]}))
    assert two.problem
    assert two.ids == ("own", "another")


def test_without_the_promise_of_a_single_writer_what_others_may_have_made_too_is_refused() -> None:
    service, path, body, _ = ONLY_FOR_A_SINGLE_WRITER
    create = create_for(service, path, body, (2, 60))
    assert create is not None
    assert create.recipe.refused


@pytest.mark.parametrize("before", [None, "2026-11-27T18:41:53Z"])
def test_an_update_of_a_stack_is_told_from_an_earlier_one_by_its_time(before: str | None) -> None:
    """Before its first update a stack has no time of an update."""
    create = create_for("orchestration", "/v1/p/stacks/x/1", {"tags": "a"}, verb="PATCH")
    assert create is not None
    stack = {"stack_status": "UPDATE_COMPLETE" if before else "CREATE_COMPLETE", "updated_time": before}
    known = there_before(create, lambda _get: Reply(200, {"stack": stack}))
    assert known == [stack]
    create = create.with_baseline(known)
    assert look(create, lambda _get: Reply(200, {"stack": stack})).absent
    updated = {"stack_status": "UPDATE_IN_PROGRESS", "updated_time": "2026-11-27T18:42:00Z"}
    assert look(create, lambda _get: Reply(200, {"stack": updated})).found
    suspended = updated | {"stack_status": "SUSPEND_COMPLETE"}
    assert look(create, lambda _get: Reply(200, {"stack": suspended})).absent


def test_what_stands_in_the_path_of_a_request_stands_so_in_its_look_up() -> None:
    """It is a part of a URL already.  Quoted once more, a slash in it would be a character of a name."""
    create = create_for("orchestration", "/v1/p/stacks/a%20b/1/actions", {"suspend": None})
    assert create is not None
    assert create.get(create.look.path, {}).path == "/v1/p/stacks/a%20b/1"


def log_of(*records: tuple[str, str, str]) -> Reply:
    return Reply(
        200,
        {"instanceActions": [{"action": what, "user_id": who, "request_id": which} for what, who, which in records]},
    )


def rebooting(before: Reply) -> Create:
    create = create_for("compute", "/servers/1/action", {"reboot": {"type": "HARD"}})
    assert create is not None
    known = there_before(create, lambda _get: before)
    assert known is not None
    return replace(create.with_baseline(known), groups={**create.groups, "user": "me"})


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ([], ()),
        ([("reboot", "me", "2")], ("2",)),
        ([("reboot", "you", "2")], ()),
        ([("rebuild", "me", "2")], ()),
        ([("reboot", "you", "3"), ("reboot", "me", "2")], ("2",)),
    ],
)
def test_a_servers_log_shows_what_one_has_done_oneself_since_the_request(now: Any, found: Any) -> None:
    before = [("reboot", "me", "1"), ("reboot", "you", "0")]
    create = rebooting(log_of(*before))
    finding = look(create, lambda _get: log_of(*now, *before))
    assert (finding.ids, finding.problem) == (found, "")


def test_two_of_ones_own_since_the_request_prove_nothing() -> None:
    finding = look(rebooting(log_of()), lambda _get: log_of(("reboot", "me", "1"), ("reboot", "me", "2")))
    assert finding.ids == ("1", "2")
    assert finding.problem


@pytest.mark.parametrize("replies", [[Reply(403)], [Reply(503, again=True)] * 2, [Reply(200, {"no": "log"})]])
def test_what_was_there_before_is_asked_for_twice_at_most_and_else_unknown(replies: list[Reply]) -> None:
    create = create_for("compute", "/servers/1/action", {"reboot": {"type": "HARD"}})
    assert create is not None
    left = list(replies)
    assert there_before(create, lambda _get: left.pop(0)) is None
    assert not left
    left = [Reply(503, again=True), log_of(("reboot", "me", "1"))]
    there = there_before(create, lambda _get: left.pop(0))
    assert there is not None
    assert create.with_baseline(there).known == {"1"}


@pytest.mark.parametrize("given", [None, {}])
def test_a_password_of_ours_is_in_the_rescue_and_in_its_answer(given: Any) -> None:
    create = create_for("compute", "/servers/1/action", {"rescue": given})
    assert create is not None
    ours = create.sent[0]["adminPass"]
    assert create.body == {"rescue": {"adminPass": ours}}
    assert create.answer([{"request_id": "1"}]) == {"adminPass": ours}


def test_a_live_migration_is_looked_up_only_where_nova_answers_before_it_tries() -> None:
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    older, newer = (create_for("compute", "/servers/1/action", body, version) for version in ((2, 33), (2, 34)))
    assert older is not None
    assert newer is not None
    assert (bool(older.recipe.refused), bool(newer.recipe.refused)) == (True, False)


@pytest.mark.parametrize(
    ("status", "found", "problem"), [(201, ("1",), ""), (401, (), ""), (503, (), "do not show which create made them")]
)
def test_an_application_credential_is_ours_if_it_takes_our_secret(status: int, found: Any, problem: str) -> None:
    asked: list[Get] = []
    create = create_for("identity", "/v3/users/1/application_credentials", {"application_credential": {"name": "x"}})
    assert create is not None

    def get(get: Get) -> Reply:
        if get.body is None:
            return Reply(200, {"application_credentials": [{"id": "0", "name": "another"}, {"id": "1", "name": "x"}]})
        asked.append(get)
        return Reply(status)

    finding = look(create, get)
    assert (finding.ids, bool(problem)) == (found, bool(finding.problem))
    assert problem in finding.problem
    (one,) = asked
    secret = create.sent[0]["secret"]
    assert (one.path, one.body["auth"]["identity"]["application_credential"]) == (
        "/v3/auth/tokens",
        {"id": "1", "secret": secret},
    )
    assert 43 <= len(secret) <= 86
    if found:
        assert create.answer(list(finding.hits))["application_credential"]["secret"] == secret


def test_a_secret_of_the_callers_own_is_not_replaced() -> None:
    body = {"application_credential": {"name": "x", "secret": "mine"}}
    create = create_for("identity", "/users/1/application_credentials", body)
    assert create is not None
    assert create.body == body


@pytest.mark.parametrize("path", ["/servers/1/actions", "/servers/1", "/os-servers", "/volumes"])
def test_a_path_that_is_no_create_has_no_recipe(path: str) -> None:
    assert create_for("compute", path, {"server": {"name": "x"}}) is None


@pytest.mark.parametrize(("path", "base"), [("/servers", ""), ("https://a:8774/v2.1/servers", "https://a:8774/v2.1")])
def test_look_ups_go_where_the_create_went(path: str, base: str) -> None:
    create = create_for("compute", path, {"server": {"name": "my-server.1"}})
    assert create is not None
    assert create.get(create.look.path, create.look.query) == Get(f"{base}/servers/detail", [("name", "^my-server")])


def test_what_nova_takes_for_a_pattern_is_not_asked_for() -> None:
    create = create_for("compute", "/servers", {"server": {"name": "*"}})
    assert create is not None
    assert create.get(create.look.path, create.look.query).query == []


def test_each_of_a_bulk_has_a_marker_of_its_own_and_the_answer_is_in_the_order_of_the_request() -> None:
    create = prepare(
        network.RECIPES[0], {"base": "", "path": "/ports"}, {"ports": [{"name": "b"}, {"name": "a"}]}, None
    )
    assert create is not None
    found = [sent | {"id": number} for number, sent in enumerate(create.sent)]
    ports = create.answer(create.in_order(reversed(found)))["ports"]
    assert [port["name"] for port in ports] == ["b", "a"]
    assert look(create, lambda _get: Reply(200, {"ports": found})).found
    assert look(create, lambda _get: Reply(200, {"ports": found[:1]})).problem
    assert look(create, lambda _get: Reply(200, {"ports": [found[0], found[0]]})).problem


def test_a_down_cell_makes_an_empty_list_no_proof() -> None:
    create = create_for("compute", "/servers", {"server": {"name": "x"}}, (2, 60))
    assert create is not None

    def get(get: Get) -> Reply:
        status = "UNKNOWN" if get.path == "/servers" else "ACTIVE"
        return Reply(200, {"servers": [{"id": "1", "status": status, "tags": []}]})

    finding, _ = find_out(
        create, Tools(get, lambda _seconds: None, lambda: 0.0), settle=0, patience=0, retries=5, allowance=9
    )
    assert finding.problem == "a cell of the compute service is down"


def test_the_look_for_a_down_cell_is_made_again_when_it_fails() -> None:
    create = create_for("compute", "/servers", {"server": {"name": "x"}}, (2, 60))
    assert create is not None
    cells = [Reply(503, again=True), Reply(200, {"servers": []})]

    def get(get: Get) -> Reply:
        return cells.pop(0) if get.path == "/servers" else Reply(200, {"servers": []})

    tools = Tools(get, lambda _seconds: None, lambda: 0.0)
    assert find_out(create, tools, settle=0, patience=9, retries=5, allowance=9)[0].absent
    assert not cells
    cells = [Reply(503, again=True)] * 9
    assert (
        find_out(create, tools, settle=0, patience=9, retries=5, allowance=9)[0].problem == "the look-up failed (503)"
    )


@pytest.mark.parametrize(
    "recipe", [recipe for recipes in TABLE.values() for recipe in recipes], ids=lambda recipe: recipe.path
)
def test_every_recipe_can_find_what_it_marks_or_says_why_it_refuses(recipe: Recipe) -> None:
    if recipe.refused or recipe.harmless:
        assert (recipe.carrier, recipe.look) == (None, None)
    else:
        assert recipe.look is not None
        assert recipe.carrier is not None or recipe.same or recipe.match is not None


def test_what_landed_after_the_settle_time_and_before_the_re_send_is_the_answer() -> None:
    service = Service()
    create = prepared()
    assert create is not None
    keeper = Keeper(create, service.tools())
    service.process(create.sent[0], delay=SETTLE + 5)
    assert keeper.after_ambiguous(settle=SETTLE, patience=0, retries=5, allowance=100)[0].absent
    service.wait(10)  # the loop's own wait
    finding = keeper.before_send(patience=0, retries=5, allowance=100)
    assert finding is not None
    assert finding.ids == ("id0",)


def test_a_look_before_the_re_send_that_keeps_failing_holds_it_back_and_one_that_recovers_does_not() -> None:
    """A 503 has no settle time: what it may have done lands while the loop waits, and only that look would see it."""
    service = Service()
    create = prepared()
    assert create is not None
    keeper = Keeper(create, service.tools())
    assert keeper.after_ambiguous(settle=0, patience=10, retries=5, allowance=100)[0].absent
    service.failing = [Reply(503, again=True)] * 3
    assert keeper.before_send(patience=10, retries=5, allowance=100) is None
    service.process(create.sent[0])
    service.failing = [Reply(503, again=True)] * 100
    held_back = keeper.before_send(patience=10, retries=5, allowance=100)
    assert held_back is not None
    assert (held_back.found, held_back.problem) == (False, "the look-up failed (503)")


def test_a_create_that_was_never_lost_is_not_looked_up() -> None:
    create = prepared()
    assert create is not None
    keeper = Keeper(create, Tools(lambda _get: pytest.fail("looked"), lambda _seconds: None, lambda: 0.0))
    assert keeper.one_look() is None
    assert keeper.before_send(patience=10, retries=5, allowance=100) is None
    assert keeper.after_success([{"id": "1"}]) == ()


def test_a_recipe_may_match_by_a_function_and_answer_nothing() -> None:
    recipe = Recipe(
        verb="PUT",
        path="/routers/(?P<router>[^/]+)/add_router_interface",
        body=None,
        match=lambda found, sent: sent["subnet_id"] in found["subnets"],
        look=Look(path="{base}/ports", list="ports", query={"device_id": "{router}"}),
        view=lambda _sent, _found: None,
    )
    create = prepare(recipe, {"base": "/v2.0", "path": "", "router": "r"}, {"subnet_id": "s"}, None)
    assert create is not None
    assert create.get(create.look.path, create.look.query) == Get("/v2.0/ports", [("device_id", "r")])
    assert look(create, lambda _get: Reply(200, {"ports": [{"id": "1", "subnets": ["s"]}]})).found
    assert look(create, lambda _get: Reply(200, {"ports": [{"id": "1", "subnets": ["t"]}]})).absent
    assert create.answer([{"id": "1"}]) is None


# -- natural keys: no marker tells whose it is


RULE = {"security_group_id": "g", "direction": "ingress", "protocol": "tcp", "port_range_min": "22"}


@pytest.mark.parametrize(
    ("made", "since", "found"),
    [
        ("2026-11-22T10:00:30Z", "2026-11-22T10:00:30", True),
        ("2026-11-22T10:00:29Z", "2026-11-22T10:00:30", True),  # whole seconds, and clocks that differ
        ("2026-11-22T10:00:30.123456", "2026-11-22T10:00:30", True),
        ("2026-11-22T10:00:20Z", "2026-11-22T10:00:30", False),
        ("2026-11-22T10:00:30Z", None, None),
        ("yesterday", "2026-11-22T10:00:30", None),
        (None, "2026-11-22T10:00:30", None),
    ],
)
def test_without_a_marker_what_is_older_than_the_request_is_not_its_doing(made: Any, since: Any, found: Any) -> None:
    create = create_for("network", "/security-group-rules", {"security_group_rule": RULE})
    assert create is not None
    moment = None if since is None else datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp()
    rule = RULE | {"id": "1", "ethertype": "IPv4", "port_range_min": 22, "created_at": made}
    finding = look(create, lambda _get: Reply(200, {"security_group_rules": [rule]}, since=moment))
    assert (finding.found, bool(finding.problem)) == (found is True, found is None)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"description": "another"}, True),
        ({"protocol": "udp"}, False),
        ({"remote_ip_prefix": "10.0.0.0/8"}, False),
        ({"direction": "egress"}, False),
        ({"port_range_min": None}, False),
    ],
)
def test_a_rule_is_told_by_what_neutron_takes_for_its_key(change: dict[str, Any], same: bool) -> None:
    create = create_for("network", "/security-group-rules", {"security_group_rule": RULE | {"protocol": "TCP"}})
    assert create is not None
    rule = RULE | {"ethertype": "IPv4", "port_range_min": 22} | change
    assert create.recipe.shows(rule, create.sent[0], "") is same


def test_the_port_of_another_router_is_no_answer_although_the_filter_is_ignored() -> None:
    create = create_for("network", "/v2.0/routers/r1/add_router_interface", {"subnet_id": "s"}, verb="PUT")
    assert create is not None
    port = {"id": "p", "fixed_ips": [{"subnet_id": "s"}], "device_owner": "network:router_interface"}
    assert create.is_ours(port | {"device_id": "r1"})
    assert not create.is_ours(port | {"device_id": "r2"})
    assert not create.is_ours(port | {"device_id": "r1", "device_owner": "network:router_gateway"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/networks", {"network": {"name": "x", "description": FULL}}),
        ("/subnets", {"subnet": {"network_id": "n", "prefixlen": 24, "description": FULL}}),
        ("/routers", {"routers": [{"name": "x"}, {"name": "y", "description": "mine"}]}),
        ("/floatingips", {"floatingip": {"floating_network_id": "n", "description": FULL}}),
        ("/qos/policies", {"policy": {"name": "x", "description": FULL}}),
        ("/address-scopes", {"address_scope": {"ip_version": 4}}),
    ],
)
def test_what_has_no_place_for_a_marker_is_refused_and_not_touched(path: str, body: Any) -> None:
    create = create_for("network", path, body)
    assert create is not None
    assert create.recipe.refused
    assert create.body == body


@pytest.mark.parametrize("service", elsewhere.RECIPES)
def test_a_service_that_nobody_has_tried_is_refused_by_name(service: str) -> None:
    create = create_for(service, "/v2/things", {"thing": {"name": "x"}})
    assert create is not None
    assert service in create.recipe.refused
    assert create.body == {"thing": {"name": "x"}}


@pytest.mark.parametrize(("action", "known"), [("suspend", True), ("check", True), ("cancel_update", False)])
def test_an_action_of_a_stack_whose_state_does_not_say_it_is_refused(action: str, known: bool) -> None:
    create = create_for("orchestration", "/stacks/s/1/actions", {action: None})
    assert create is not None
    assert bool(create.recipe.refused) is not known


def test_a_stack_is_told_by_one_more_tag() -> None:
    create = create_for("orchestration", "/stacks", {"stack_name": "s", "tags": "mine"})
    assert create is not None
    mine, marker = create.sent[0]["tags"].split(",")
    assert (mine, marker) == ("mine", create.markers[0])
    stack = {"id": "1", "links": [], "stack_name": "s", "tags": ["mine", marker]}
    assert create.answer([stack]) == {"stack": {"id": "1", "links": []}}


def test_the_evidence_names_what_has_no_id_by_what_it_has() -> None:
    assert Finding(({"id": "1", "name": "n"}, {"name": "n"}, {"member_id": "m"}, {})).ids == ("1", "n", "m", "?")


def test_what_a_list_shows_in_part_is_asked_for_in_full() -> None:
    recipe = Recipe(
        path="/things",
        body="thing",
        carrier=Tag(),
        look=Look(path="{base}/things", list="things", then="{base}/things/{id}"),
    )
    create = prepared(recipe)
    assert create is not None
    part = {"id": "1", "tags": create.markers}
    replies = {"/things": Reply(200, {"things": [part]}), "/things/1": Reply(200, {"thing": part | {"all": True}})}
    assert look(create, lambda get: replies[get.path]).hits == (part | {"all": True},)
    replies["/things/1"] = Reply(503, again=True)
    finding = look(create, lambda get: replies[get.path])
    assert (finding.found, finding.problem, finding.ids) == (False, "the look-up failed (503)", ("1",))


def test_a_recipe_may_hold_for_one_key_of_a_body_that_is_the_thing_itself() -> None:
    recipe = Recipe(path="/action", body=None, key="lock", harmless=True)
    assert prepare(recipe, {}, {"lock": None}, None) is not None
    assert prepare(recipe, {}, {"unlock": None}, None) is None
    assert prepare(recipe, {}, {"lock": None, "more": 1}, None) is None


def test_an_answer_may_stand_by_itself() -> None:
    recipe = Recipe(
        path="/action",
        body="createImage",
        carrier=Metadata(),
        wrapped=False,
        view=lambda _s, found: {"x": found[0]["id"]},
    )
    create = prepare(recipe, {}, {"createImage": {"name": "n"}}, None)
    assert create is not None
    assert create.answer([{"id": "1"}]) == {"x": "1"}
    assert create.made({"x": "1"}) == []


@pytest.mark.parametrize(
    ("vm_state", "task", "there"),
    [
        ("active", "powering-off", True),
        ("stopped", None, True),
        ("active", None, False),
        ("stopped", "powering-on", False),
    ],
)
def test_a_server_has_been_stopped_when_it_is_or_is_about_to_be(vm_state: str, task: str | None, there: bool) -> None:
    create = create_for("compute", "/servers/1/action", {"os-stop": None}, (2, 60))
    assert create is not None
    shown = {"server": {"id": "1", "OS-EXT-STS:vm_state": vm_state, "OS-EXT-STS:task_state": task}}
    assert look(create, lambda get: Reply(200, shown if get.path == "/servers/1" else None)).found is there


@pytest.mark.parametrize(
    ("sent", "found", "there"),
    [
        ({"volumeId": "v"}, {"volumeId": "v"}, True),
        ({"volumeId": "v"}, {"volumeId": "w"}, False),
        ({"volumeId": "v", "tag": "t"}, {"volumeId": "v"}, True),  # this microversion does not show it
        ({"volumeId": "v", "tag": "t"}, {"volumeId": "v", "tag": None}, False),
    ],
)
def test_an_attachment_is_told_by_the_volume_and_by_what_is_shown_of_it(sent: Any, found: Any, there: bool) -> None:
    create = create_for("compute", "/servers/1/os-volume_attachments", {"volumeAttachment": sent}, (2, 60))
    assert create is not None
    assert look(create, lambda _get: Reply(200, {"volumeAttachments": [found]})).found is there


@pytest.mark.parametrize(("made", "there"), [("2026-11-22T10:00:30.5", True), ("2026-11-22T10:00:20.5", False)])
def test_an_aggregate_of_the_name_that_is_older_was_there_before(made: str, there: bool) -> None:
    create = create_for("compute", "/os-aggregates", {"aggregate": {"name": "x"}})
    assert create is not None
    begun = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC).timestamp()
    shown = {"id": 1, "name": "x", "availability_zone": None, "created_at": made, "hosts": [], "metadata": {}}
    assert look(create, lambda _get: Reply(200, {"aggregates": [shown]}, since=begun)).found is there
    assert "hosts" not in create.answer([shown])["aggregate"]


def test_a_backup_is_refused_where_it_has_no_metadata() -> None:
    """Backups have metadata from 3.43 on."""
    body = {"backup": {"volume_id": "v", "name": "x"}}
    older, newer = (create_for("block-storage", "/backups", body, (3, minor)) for minor in (42, 43))
    assert older is not None
    assert older.recipe.refused
    assert newer is not None
    assert newer.get(newer.look.path, newer.look.query) == Get("/backups/detail", [("volume_id", "v")])
    found = {"id": "1", "name": "x", "volume_id": "v", "links": [], "status": "creating"}
    found["metadata"] = newer.sent[0]["metadata"]
    assert look(newer, lambda _get: Reply(200, {"backups": [found]})).found
    assert newer.answer([found]) == {"backup": {"id": "1", "name": "x", "volume_id": "v", "links": []}}


@pytest.mark.parametrize(
    ("volume", "there"),
    [
        ({"size": 2, "status": "available"}, (True, "")),
        ({"size": 1, "status": "available"}, (False, "")),
        ({"size": 1, "status": "extending"}, (False, "the listed resources do not show which create made them")),
    ],
)
def test_a_volume_has_been_extended_when_it_has_the_size(volume: Any, there: tuple[bool, str]) -> None:
    create = create_for("block-storage", "/volumes/1/action", {"os-extend": {"new_size": 2}})
    assert create is not None
    finding = look(create, lambda _get: Reply(200, {"volume": volume}))
    assert (finding.found, finding.problem) == there


AN_ID = "5a2a1f5e-4b34-4b3e-8a7e-0d3e5f4b6a11"


@pytest.mark.parametrize(
    ("wanted", "volume", "found"),
    [
        ("fast", {"volume_type": "fast", "status": "available"}, True),
        ("fast", {"volume_type": "slow", "status": "available"}, False),
        ("fast", {"volume_type": "slow", "status": "retyping"}, None),  # to whichever type
        (AN_ID, {"volume_type": "slow", "status": "available"}, None),  # its id is shown from 3.63 on
        (AN_ID, {"volume_type": "slow", "volume_type_id": "another", "status": "available"}, False),
        (AN_ID, {"volume_type": "slow", "volume_type_id": AN_ID, "status": "available"}, True),
    ],
)
def test_a_volume_has_been_retyped_when_it_shows_the_type(wanted: str, volume: Any, found: bool | None) -> None:
    create = create_for("block-storage", "/volumes/1/action", {"os-retype": {"new_type": wanted}})
    assert create is not None
    finding = look(create, lambda _get: Reply(200, {"volume": volume}))
    assert (finding.found, bool(finding.problem)) == (found is True, found is None)


@pytest.mark.parametrize(
    ("path", "action", "member", "leaving"),
    [
        ("/servers/1", {"forceDelete": None}, "server", {"OS-EXT-STS:task_state": "deleting"}),
        ("/volumes/1", {"os-force_delete": {}}, "volume", {"status": "deleting"}),
        ("/snapshots/1", {"os-force_delete": {}}, "snapshot", {"status": "deleting"}),
    ],
)
def test_what_was_to_be_deleted_is_found_when_it_is_gone_or_going(
    path: str, action: Any, member: str, leaving: Any
) -> None:
    create = create_for("compute" if member == "server" else "block-storage", f"{path}/action", action)
    assert create is not None
    gone = look(create, lambda get: Reply(404) if get.path == path else Reply(500))
    assert (gone.found, create.answer(list(gone.hits))) == (True, None)
    assert look(create, lambda _get: Reply(200, {member: leaving})).found
    assert look(create, lambda _get: Reply(200, {member: {"status": "available"}})).absent


@pytest.mark.parametrize(("shared", "found"), [(True, True), ("True", True), ("False", False)])
def test_an_evacuation_to_a_disk_that_may_be_new_is_not_answered_without_its_password(shared: Any, found: bool) -> None:
    create = create_for("compute", "/servers/1/action", {"evacuate": {"onSharedStorage": shared}}, (2, 1))
    assert create is not None
    create = replace(create, groups={**create.groups, "user": "me"})
    logged = {"action": "evacuate", "user_id": "me", "request_id": "req-1"}
    assert look(create, lambda _get: Reply(200, {"instanceActions": [logged]})).found is found


@pytest.mark.parametrize(
    ("found", "there"),
    [
        ({}, True),
        ({"extra_specs": {"ssd": "true"}}, False),
        ({"description": "mine"}, False),
        ({"is_public": False}, False),
        ({"name": "y"}, False),
    ],
)
def test_a_type_of_the_same_name_must_be_the_same_in_all(found: Any, there: bool) -> None:
    create = create_for("block-storage", "/types", {"volume_type": {"name": "x", "description": None}})
    assert create is not None
    shown = {"id": "1", "name": "x", "description": None, "is_public": True, "extra_specs": {}, **found}
    assert look(create, lambda _get: Reply(200, {"volume_types": [shown]})).found is there


@pytest.mark.parametrize(
    ("service", "path", "body"),
    [
        ("compute", "/servers/1/action", {"lock": None}),
        ("compute", "/servers/1/action", {"os-resetState": {"state": "error"}}),
        ("compute", "/servers/1/metadata", {"metadata": {"a": "b"}}),
        ("compute", "/flavors/1/os-extra_specs", {"extra_specs": {"a": "b"}}),
        ("compute", "/os-aggregates/1/action", {"set_metadata": {"metadata": {"a": None}}}),
        ("block-storage", "/volumes/1/action", {"os-set_bootable": {"bootable": True}}),
        ("block-storage", "/snapshots/1/action", {"os-reset_status": {"status": "available"}}),
        ("block-storage", "/group_types/1/group_specs", {"group_specs": {"a": "b"}}),
        ("block-storage", "/volumes/1/metadata", {"metadata": {"a": "b"}}),
        ("block-storage", "/types/1/extra_specs", {"extra_specs": {"a": "b"}}),
        ("network", "/v2.0/networks/1/tags", {"tags": ["a"]}),
        ("orchestration", "/stacks/preview", {"stack_name": "s", "template": {}}),
        ("orchestration", "/validate", {"template": {}}),
    ],
)
def test_what_a_second_one_does_not_change_needs_no_look(service: str, path: str, body: Any) -> None:
    create = create_for(service, path, body)
    assert create is not None
    assert create.recipe.harmless
    assert create.body == body


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        ({"swap": "", "OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": True}, True),
        ({"swap": 512, "OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": True}, False),
        ({"swap": "", "OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": False}, False),
    ],
)
def test_a_flavor_with_an_id_of_the_callers_own_is_equal_in_all_that_was_asked_for(
    shown: dict[str, Any], there: bool
) -> None:
    asked = {"id": "m1", "name": "m1", "ram": "512", "vcpus": 1, "disk": 1, "swap": 0}
    asked |= {"OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": True}
    create = create_for("compute", "/flavors", {"flavor": asked})
    assert create is not None
    found = asked | {"ram": 512} | shown
    assert look(create, lambda _get: Reply(200, {"flavor": found})).found is there
