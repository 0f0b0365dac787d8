"""What one look at a service proves, and how long the engine goes on looking: one rule at a time.

tests/unit/test_creates.py drives the engine through random histories of a service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from os_retries.creates.create import Create, Get, prepare
from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Finding, Reply, Tools, find_out, lists_nothing, look, name_of, there_before
from os_retries.creates.markers import Description, Tag
from os_retries.creates.recipe import Blind, Look, Recipe

LOOK: dict[str, Any] = {"path": "{base}/things", "list": "things", "query": {"tags": "{marker}"}}


def created(body: Any = None, *, look: dict[str, Any] | None = None, **recipe: Any) -> Create:
    """A create of things that are told by a tag, as the recipe says otherwise."""
    made = prepare(
        Recipe(path="/things", body="thing", carrier=Tag(), look=Look(**LOOK | (look or {})), **recipe),
        {"base": "", "path": "/things"},
        {"thing": {"name": "same"}} if body is None else body,
        None,
    )
    assert made is not None
    return made


def bulk(count: int, **recipe: Any) -> Create:
    return created({"things": [{"name": "same"}] * count}, bulk="things", **recipe)


def of(create: Create, number: int = 0, **fields: Any) -> dict[str, Any]:
    """What the service made of one item of the create."""
    return create.sent[number] | {"id": f"id{number}"} | fields


def listing(*items: dict[str, Any], **more: Any) -> Reply:
    return Reply(200, {"things": list(items), **more})


def always(reply: Reply) -> Callable[[Get], Reply]:
    return lambda _get: reply


class Scripted:
    """Replies one after the other, the last one forever; what was asked and when, on a clock that waits move."""

    def __init__(self, *replies: Reply, takes: float = 0.0, stop_after: float | None = None) -> None:
        self.replies = list(replies)
        self.now, self.takes, self.stop_after = 100.0, takes, stop_after
        self.asked: list[tuple[float, Get]] = []
        self.waits: list[float] = []

    def send(self, get: Get) -> Reply:
        self.asked.append((self.now - 100.0, get))
        self.now += self.takes
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return self.stop_after is not None and self.now - 100.0 >= self.stop_after

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.asked]

    @property
    def tools(self) -> Tools:
        return Tools(self.send, self.wait, lambda: self.now)


FAILED = Reply(503, again=True)


# -- one look


def test_a_look_that_does_not_say_what_it_lists_may_say_it_later():
    """A list without ``things`` with status 200 is not final, and a denial is."""
    create = created()
    assert look(create, always(Reply(200, {"other": []}))) == Finding((), "the look-up failed (200)", again=True)
    assert look(create, always(Reply(403))) == Finding((), "the look-up failed (403)", again=False)
    assert look(create, always(FAILED)) == Finding((), "the look-up failed (503)", again=True)
    lost = Reply(None, what="ConnectFailure", again=True)
    assert look(create, always(lost)) == Finding((), "the look-up failed (ConnectFailure)", again=True)


@pytest.mark.parametrize("body", [None, [], "x", {"things": None}, {"things": {}}, {"things": "x"}])
def test_a_body_that_is_no_list_of_the_kind_lists_nothing_and_is_no_absence(body):
    assert look(created(), always(Reply(200, body))).problem == "the look-up failed (200)"


def test_a_list_of_another_status_is_no_list():
    assert look(created(), always(Reply(203, {"things": []}))).problem == "the look-up failed (203)"


def test_what_is_no_object_in_a_list_is_passed_over():
    create = created()
    assert look(create, always(Reply(200, {"things": ["x", None, of(create)]}))).ids == ("id0",)


def test_one_that_cannot_be_told_does_not_outweigh_one_that_is_ours():
    create = created()
    unclear = {"id": "9", "name": "same"}
    assert look(create, always(listing(unclear, of(create)))).ids == ("id0",)
    assert look(create, always(listing(of(create), unclear))).found
    finding = look(create, always(listing(unclear, {"id": "8", "tags": ["another"]})))
    assert finding == Finding((), "the listed resources do not show which create made them", again=True)


@pytest.mark.parametrize(
    ("there", "found", "again"),
    [((), False, False), ((0,), False, True), ((0, 1), True, False), ((0, 1, 1), False, False)],
)
def test_of_a_bulk_as_many_as_were_asked_for_are_the_answer(there, found, again):
    """Fewer may become more; more are too many for good."""
    create = bulk(2)
    finding = look(create, always(listing(*(of(create, each) for each in there))))
    assert (finding.found, finding.again) == (found, again)
    assert len(finding.hits) == len(there)
    if there and not found:
        assert finding.problem == f"{len(there)} exist, but 2 were asked for"


def test_of_a_bulk_one_that_is_there_twice_does_not_stand_for_another():
    create = bulk(2)
    finding = look(create, always(listing(of(create, 0), of(create, 0, id="again"))))
    assert (finding.problem, finding.again) == ("some of them exist twice", False)


@pytest.mark.parametrize(("there", "found"), [(1, False), (2, True), (3, True), (4, False)])
def test_where_a_number_is_left_to_the_service_any_of_its_range_is_an_answer(there, found):
    create = created(count=lambda _item: (2, 3))
    finding = look(create, always(listing(*(of(create, id=f"{number}") for number in range(there)))))
    assert finding.found is found
    assert finding.again is (there < 2)


def test_where_one_is_shown_by_itself_404_is_its_absence_and_other_errors_are_not():
    create = created(look={"path": "/things/1", "list": None, "query": {}, "one": "thing"})
    assert look(create, always(Reply(404))).absent
    assert look(create, always(Reply(200, {"thing": of(create)}))).ids == ("id0",)
    assert look(create, always(Reply(200, {"other": of(create)}))).problem
    assert look(create, always(Reply(410))).problem == "the look-up failed (410)"
    whole = created(look={"path": "/things/1", "list": None, "query": {}, "one": None})
    assert look(whole, always(Reply(200, of(whole)))).ids == ("id0",)


def test_a_404_of_a_list_is_no_absence():
    assert look(created(), always(Reply(404))) == Finding((), "the look-up failed (404)")


def test_where_absence_is_what_was_asked_for_404_is_the_answer():
    create = created(look={"path": "/things/1", "list": None, "query": {}, "one": "thing", "gone": True})
    assert look(create, always(Reply(404))) == Finding(({},))


def test_where_a_list_must_lose_it_what_was_there_before_is_the_answer():
    create = created(look={"gone": True})
    there = of(create)
    create = create.with_baseline([there, {"id": "2", "tags": ["another"]}])
    assert create.was == (there,)
    assert look(create, always(listing())) == Finding((there,))
    assert look(create, always(listing(there))).absent


# -- pages


def test_a_link_to_the_next_page_is_read_in_each_form():
    create = created()
    for more in (
        {"things_links": [{"rel": "previous", "href": "?marker=0"}, {"rel": "next", "href": "http://x/t?marker=1&a="}]},
        {"share_things_links": [{"rel": "next", "href": "http://x/t?marker=1&a="}]},  # manila's snapshots
        {"links": {"next": "http://x/t?marker=1&a="}},
        {"next": "/t?marker=1&a="},
        {"links": [], "next": "/t?marker=1&a="},
    ):
        world = Scripted(listing(**more), listing(of(create)))
        assert look(create, world.send).ids == ("id0",)
        assert world.asked[1][1].query == [("marker", "1"), ("a", "")]
        assert world.asked[1][1].path == world.asked[0][1].path


def test_a_page_that_names_itself_as_the_next_is_the_last():
    create = created(look={"query": {"tags": "{marker}"}})
    world = Scripted(listing(of(create), next=f"/things?tags={create.markers[0]}"), FAILED)
    assert look(create, world.send).ids == ("id0",)
    assert len(world.asked) == 1


@pytest.mark.parametrize(("pages", "problem"), [(100, ""), (101, "the service lists too many resources to search")])
def test_a_hundred_pages_are_read_and_no_more(pages, problem):
    create = created()
    replies = [listing(next=f"?marker={number}") for number in range(1, pages)] + [listing(of(create))]
    world = Scripted(*replies)
    finding = look(create, world.send)
    assert finding.problem == problem
    assert len(world.asked) == 100
    assert finding.found is not bool(problem)


def test_a_page_that_fails_is_a_look_that_fails():
    create = created()
    assert look(create, Scripted(listing(of(create), next="?marker=1"), FAILED).send) == Finding(
        (), "the look-up failed (503)", again=True
    )


def test_a_second_get_adds_what_the_first_does_not_show():
    create = created(look={"also": "{base}/more"})
    world = Scripted(Reply(200, {}), listing(of(create)))
    assert look(create, world.send).ids == ("id0",)
    assert [get.path for _, get in world.asked] == ["/things", "/more"]
    assert look(create, Scripted(listing(of(create)), FAILED).send).problem == "the look-up failed (503)"
    assert look(create, Scripted(listing(of(create)), Reply(200, [])).send).problem
    world = Scripted(FAILED)
    assert look(create, world.send).problem == "the look-up failed (503)"
    assert len(world.asked) == 1


def test_what_is_found_is_asked_for_in_full_and_a_failure_of_that_proves_nothing():
    create = created(look={"then": "/things/{id}", "microversion": "3.0"})
    whole = of(create, size=7)
    world = Scripted(listing(of(create)), Reply(200, {"thing": whole}))
    assert look(create, world.send) == Finding((whole,))
    assert world.asked[1][1].path == "/things/id0"
    assert [get.microversion for _, get in world.asked] == ["3.0", None], "the answer has the caller's microversion"
    for reply, again in ((FAILED, True), (Reply(404), False), (Reply(200, []), False), (Reply(200, {"x": 1}), False)):
        finding = look(create, Scripted(listing(of(create)), reply).send)
        assert (finding.found, finding.absent, finding.ids, finding.again) == (False, False, ("id0",), again)
    world = Scripted(listing(), FAILED)
    assert look(create, world.send).absent
    assert len(world.asked) == 1


# -- what was there before


BASELINE = {"look": {"baseline": "id"}}


def test_what_was_there_before_is_every_page_of_it():
    world = Scripted(listing({"id": "1"}, next="?marker=1"), listing({"id": "2"}))
    assert there_before(created(**BASELINE), world.send) == [{"id": "1"}, {"id": "2"}]


def test_a_get_that_fails_is_made_once_more_and_one_that_is_denied_is_not():
    create = created(**BASELINE)
    assert there_before(create, Scripted(FAILED, listing({"id": "1"})).send) == [{"id": "1"}]
    world = Scripted(FAILED, FAILED, listing())
    assert there_before(create, world.send) is None
    assert len(world.asked) == 2
    world = Scripted(Reply(403), listing())
    assert there_before(create, world.send) is None
    assert len(world.asked) == 1


def test_what_does_not_identify_itself_or_has_no_end_is_not_known():
    create = created(**BASELINE)
    assert there_before(create, always(listing({"id": "1"}, {"name": "x"}))) is None
    numbers = iter(range(1000))
    assert there_before(create, lambda _get: listing(next=f"?marker={next(numbers)}")) is None


# -- how long


def test_what_is_there_at_once_is_found_without_a_wait():
    create = created()
    world = Scripted(listing(of(create)))
    finding, waited = find_out(create, world.tools, settle=15, patience=0, retries=5, allowance=100)
    assert (finding.ids, waited, world.waits) == (("id0",), 0.0, [])


def test_fewer_than_may_come_are_the_answer_when_a_second_look_shows_the_same():
    create = created(count=lambda _item: (1, 3))
    one, two = listing(of(create, id="a")), listing(of(create, id="a"), of(create, id="b"))
    world = Scripted(one, two, two)
    finding, waited = find_out(create, world.tools, settle=15, patience=0, retries=5, allowance=100)
    assert (finding.ids, waited) == (("a", "b"), 2.0)
    assert world.times == [0.0, 1.0, 2.0]


def test_too_few_are_waited_for_until_the_settle_time_is_over():
    create = bulk(2)
    world = Scripted(listing(of(create, 0)))
    finding, waited = find_out(create, world.tools, settle=5, patience=100, retries=5, allowance=100)
    assert (finding.ids, waited, world.times) == (("id0",), 5.0, [0, 1, 2, 4, 5])
    assert finding.problem == "1 exist, but 2 were asked for"


def test_too_many_are_no_reason_to_wait():
    create = created()
    world = Scripted(listing(of(create, id="a"), of(create, id="b")))
    finding, waited = find_out(create, world.tools, settle=15, patience=100, retries=5, allowance=100)
    assert (finding.ids, waited) == (("a", "b"), 0.0)


def test_a_look_that_fails_is_made_again_from_one_second_on_for_as_long_as_the_patience():
    world = Scripted(FAILED)
    finding, waited = find_out(created(), world.tools, settle=0, patience=10, retries=1, allowance=100)
    assert (finding.problem, waited) == ("the look-up failed (503)", 10.0)
    assert world.times == [0, 1, 2, 4, 8, 10]


def test_the_patience_begins_with_the_first_failure_after_a_look_that_did_not_fail():
    nothing = listing()
    world = Scripted(nothing, nothing, nothing, FAILED)
    _, waited = find_out(created(), world.tools, settle=4, patience=7, retries=1, allowance=100)
    assert world.times[:4] == [0, 1, 2, 4]
    assert waited == 11.0


def test_the_patience_is_not_less_than_the_settle_time():
    world = Scripted(FAILED)
    assert find_out(created(), world.tools, settle=15, patience=2, retries=5, allowance=100)[1] == 15.0


def test_the_time_of_the_looks_counts_against_the_settle_time_and_the_allowance():
    world = Scripted(listing(), takes=4.0)
    finding, waited = find_out(created(), world.tools, settle=10, patience=0, retries=5, allowance=100)
    assert finding.absent
    assert (world.times, waited) == ([0.0, 5.0, 10.0], 2.0)
    world = Scripted(listing(), takes=4.0)
    finding, waited = find_out(created(), world.tools, settle=60, patience=0, retries=5, allowance=10)
    assert "retry_max_wait" in finding.problem
    assert waited == 2.0


@pytest.mark.parametrize(("allowance", "sure"), [(15, True), (14.9, False)])
def test_an_allowance_that_is_just_enough_is_enough(allowance, sure):
    finding, _ = find_out(created(), Scripted(listing()).tools, settle=15, patience=0, retries=5, allowance=allowance)
    assert finding.absent is sure


def test_without_time_a_look_that_failed_keeps_its_own_problem():
    finding, _ = find_out(created(), Scripted(FAILED).tools, settle=0, patience=9, retries=5, allowance=0.5)
    assert finding.problem == "the look-up failed (503)"


def test_a_wait_that_the_program_ends_leaves_it_unclear():
    world = Scripted(listing(), stop_after=1.0)
    finding, waited = find_out(created(), world.tools, settle=15, patience=0, retries=5, allowance=100)
    assert (finding, waited) == (Finding((), "the program has ended the wait"), 0.0)


BLIND = Blind(
    path="{base}/cells",
    list="cells",
    microversion="2.69",
    where=lambda item, _sent: item["down"],
    words="a cell is down",
)


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        (Reply(200, {"cells": [{"down": False}]}), Finding()),
        (Reply(200, {"cells": [{"down": False}, {"down": True}]}), Finding((), "a cell is down")),
        (Reply(406), Finding()),
        (Reply(403), Finding((), "the look-up failed (403)")),
        (Reply(200, {"other": []}), Finding((), "the look-up failed (200)")),
        (Reply(200, []), Finding((), "the look-up failed (200)")),
        (Reply(203, {"cells": []}), Finding((), "the look-up failed (203)")),
    ],
)
def test_an_absence_is_confirmed_once_in_the_end_by_a_service_that_sees_everything(reply, finding):
    world = Scripted(listing())
    asked: list[Get] = []

    def send(get: Get) -> Reply:
        if get.path == "/cells":
            asked.append(get)
            return reply
        return world.send(get)

    found, waited = find_out(
        created(look={"blind": BLIND}),
        Tools(send, world.wait, lambda: world.now),
        settle=3,
        patience=0,
        retries=5,
        allowance=100,
    )
    assert (found, waited) == (finding, 3.0)
    assert [get.microversion for get in asked] == ["2.69"]


# -- before and after a re-send


def test_before_a_re_send_there_is_a_look_that_does_not_wait_for_the_settle_time():
    create = created()
    world = Scripted(listing())
    keeper = Keeper(create, world.tools)
    assert keeper.before_send(patience=10, retries=5, allowance=100) is None
    assert world.asked == []  # no attempt may have been processed
    keeper.ambiguous = True
    assert keeper.before_send(patience=10, retries=5, allowance=100) is None
    assert (world.times, world.waits) == ([0.0], [])
    world.replies = [listing(of(create))]
    found = keeper.before_send(patience=10, retries=5, allowance=100)
    assert found is not None
    assert found.ids == ("id0",)
    world.replies = [FAILED]
    unclear = keeper.before_send(patience=10, retries=5, allowance=100)
    assert unclear is not None
    assert unclear.problem
    assert sum(world.waits) == 10


def test_after_a_lost_answer_the_looks_begin():
    world = Scripted(listing())
    keeper = Keeper(created(), world.tools)
    assert not keeper.ambiguous
    finding, waited = keeper.after_ambiguous(settle=3, patience=0, retries=5, allowance=100)
    assert (finding, waited, keeper.ambiguous) == (Finding(), 3.0, True)


def test_after_another_failure_only_what_is_there_counts():
    create = created()
    world = Scripted(listing(of(create)))
    keeper = Keeper(create, world.tools)
    assert keeper.one_look() is None
    assert world.asked == []
    keeper.ambiguous = True
    found = keeper.one_look()
    assert found is not None
    assert found.ids == ("id0",)
    for reply in (listing(), FAILED):
        world.replies = [reply]
        assert keeper.one_look() is None


def test_after_a_success_what_is_more_than_was_asked_for_is_late():
    create = created()
    world = Scripted(listing(of(create, id="a"), of(create, id="b")))
    keeper = Keeper(create, world.tools)
    assert keeper.after_success([of(create, id="a")]) == ()
    assert world.asked == []
    keeper.ambiguous = True
    assert keeper.after_success([of(create, id="a")]) == ("b",)
    assert keeper.after_success([]) == ("a", "b")  # the answer does not say which is its own
    world.replies = [listing(of(create, id="a"))]
    assert keeper.after_success([of(create, id="a")]) == ()


# -- names


@pytest.mark.parametrize(
    "name",
    [
        "order_ref",
        "container_ref",
        "secret_ref",
        "id",
        "uuid",
        "name",
        "member_id",
        "namespace",
        "port_id",
        "volumeId",
        "request_id",
        "encryption_id",
    ],
)
def test_a_resource_is_named_by_the_first_of_its_identifying_fields(name):
    assert name_of({"other": "x", name: "7"}) == "7"


def test_a_name_is_one_line_of_two_hundred_characters_at_most():
    assert name_of({"name": "x", "id": "a\nb\x1b"}) == "a?b?"
    assert name_of({"id": "x" * 300}) == "x" * 200
    assert name_of({}) == "?"


# -- the list of a whole kind, in an operation with a note


def whole(*replies: Reply, carrier: Any = None, **look: Any) -> bool | None:
    create = created(look=look)
    create = replace(create, recipe=replace(create.recipe, carrier=carrier or Tag()))
    scripted = Scripted(*replies)
    result = lists_nothing(create, scripted.tools, "os-retries-abc")
    assert scripted.asked[0][1].query == [], "the filter of the look-up would hide other resources of the operation"
    return result


def test_a_list_without_the_markers_of_an_operation_shows_that_nothing_was_made() -> None:
    assert whole(listing({"id": "x", "tags": ["os-retries-def"]})) is True
    assert whole(listing({"id": "x", "tags": ["os-retries-abc1"]})) is False


def test_a_list_must_show_each_place_of_a_marker() -> None:
    carrier = Description(tags="{base}/things/{id}/tags")
    assert whole(listing({"description": "", "tags": []}), carrier=carrier) is True
    assert whole(listing({"description": ""}), carrier=carrier) is False
    assert whole(listing({"tags": []}), carrier=carrier) is False


def test_a_list_of_a_service_that_cannot_see_all_its_resources_shows_nothing_yet() -> None:
    blind = Blind(path="/things", list="things", where=lambda item, _sent: "down" in item, words="a cell is down")
    assert whole(listing(), listing({"down": True}), blind=blind) is None
    assert whole(listing(), listing({"id": "x"}), blind=blind) is True
