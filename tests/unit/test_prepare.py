"""One create as the engine sees it: when a recipe applies, what is sent, and how its resource is recognized."""

from __future__ import annotations

from typing import Any

import pytest

from os_retries.creates.create import Create, Get, prepare, texts
from os_retries.creates.markers import Tag
from os_retries.creates.recipe import Look, Recipe

GROUPS = {"base": "/v2", "path": "/v2/things"}
LOOK = Look(path="{base}/things", list="things", query={"tags": "{marker}"})


def prepared(asked: Any, microversion: Any = None, **recipe: Any) -> Create | None:
    fields = {"path": "/things", "body": "thing", "carrier": Tag(), "look": LOOK} | recipe
    return prepare(Recipe(**fields), GROUPS, asked, microversion)


def created(asked: Any, **recipe: Any) -> Create:
    create = prepared(asked, **recipe)
    assert create is not None
    return create


THING = {"thing": {"name": "x"}}


# -- when a recipe applies


@pytest.mark.parametrize(
    ("microversion", "applies"), [(None, False), ((2, 51), False), ((2, 52), True), ((2, 90), True)]
)
def test_a_recipe_holds_from_its_microversion_on(microversion, applies):
    assert (prepared(THING, microversion, since=(2, 52)) is not None) is applies


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"thing": None}, {"thing": []}, {"other": {}}, THING | {"hint": 1}]
)
def test_a_body_of_another_form_is_not_touched(body):
    assert prepared(body) is None


def test_a_member_beside_it_must_be_known():
    create = created(THING | {"hint": 1}, beside=frozenset({"hint"}))
    assert create.body == {"thing": create.sent[0], "hint": 1}
    assert prepared(THING | {"hint": 1, "more": 2}, beside=frozenset({"hint"})) is None


def test_null_is_an_empty_object_where_the_recipe_says_so():
    assert created({"thing": None}, optional=True).asked == [{}]
    assert prepared({}, optional=True) is None
    assert prepared({"other": None}, optional=True) is None


def test_a_body_that_is_the_thing_itself_may_have_one_key_alone():
    assert created({"name": "x"}, body=None).body["name"] == "x"
    assert created({"resize": 7}, body=None, key="resize", carrier=None).body == {"resize": 7}
    assert prepared({"resize": 7, "more": 1}, body=None, key="resize", carrier=None) is None
    assert prepared({"other": 7}, body=None, key="resize", carrier=None) is None


@pytest.mark.parametrize("nothing", [None, "", False])
def test_fields_that_must_be_given_hold_something_and_those_that_must_not_hold_nothing(nothing):
    assert prepared({"thing": {"name": "x"}}, given=("name",)) is not None
    assert prepared({"thing": {"name": nothing}}, given=("name",)) is None
    assert prepared({"thing": {"size": 1}}, given=("name",)) is None
    assert prepared({"thing": {"name": "x"}}, not_given=("name",)) is None
    assert prepared({"thing": {"name": nothing}}, not_given=("name",)) is not None
    assert prepared({"thing": {"name": "x"}}, given=("name",), not_given=("size",)) is not None
    assert prepared({"thing": {"name": "x", "size": 1}}, given=("name",), not_given=("size",)) is None


@pytest.mark.parametrize(("count", "applies"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_bulk_request_is_marked_up_to_a_hundred(count, applies):
    assert (prepared({"things": [{"name": "x"}] * count}, bulk="things") is not None) is applies


@pytest.mark.parametrize("items", [None, {}, "x", [{"name": "x"}, "y"], [None]])
def test_a_bulk_request_of_another_form_is_not_touched(items):
    assert prepared({"things": items}, bulk="things") is None
    assert prepared({"things": [{"name": "x"}], "more": 1}, bulk="things") is None
    assert prepared({"things": [{"name": "x"}]}) is None


def test_one_item_without_room_for_a_marker_leaves_all_as_they_are():
    class Full(Tag):
        def put(self, item: Any, marker: str) -> Any:
            return None if item["name"] == "full" else super().put(item, marker)

    assert prepared({"things": [{"name": "x"}, {"name": "full"}]}, bulk="things", carrier=Full()) is None
    assert prepared({"things": [{"name": "x"}, {"name": "y"}]}, bulk="things", carrier=Full()) is not None


# -- what is sent


def test_each_item_of_a_bulk_has_a_number_behind_the_marker_and_one_alone_has_none():
    create = created({"things": [{"name": "x"}, {"name": "y"}]}, bulk="things")
    first, second = create.markers
    assert (first[:-2], first[-2:], second[-2:]) == (second[:-2], "-0", "-1")
    assert create.body == {"things": create.sent}
    assert (create.bulk, create.low, create.high) == (True, 2, 2)
    alone = created(THING, bulk="things", count=lambda _item: (1, 3))
    assert alone.sent == [{"name": "x", "tags": alone.markers}]
    assert (alone.bulk, alone.low, alone.high) == (False, 1, 3)


def test_what_the_service_would_choose_is_chosen_where_the_caller_has_not():
    chosen = {"secret": lambda: "ours"}
    assert created(THING, chosen=chosen).sent[0]["secret"] == "ours"
    assert created({"thing": {"secret": None}}, chosen=chosen).sent[0]["secret"] == "ours"
    assert created({"thing": {"secret": "theirs"}}, chosen=chosen).sent[0]["secret"] == "theirs"
    assert created({"thing": {"secret": ""}}, chosen=chosen).sent[0]["secret"] == ""


def test_without_a_carrier_the_item_is_sent_as_it_is():
    assert created(THING, carrier=None).body == THING


# -- whose it is


def test_what_was_there_before_is_not_ours():
    look = Look(path="/things", list="things", baseline="id")
    create = created(THING, look=look).with_baseline([{"id": "1"}, {"id": "2"}])
    tags = {"tags": create.markers}
    assert create.known == {"1", "2"}
    assert [create.is_ours({"id": each} | tags) for each in ("1", "2", "3")] == [False, False, True]


def test_fields_that_must_hold_are_compared_whatever_the_filter_did():
    create = created(THING, look=Look(path="/things", list="things", holds={"size": "7", "owner": "{base}"}))
    ours = {"tags": create.markers, "size": 7, "owner": "/v2"}
    assert create.is_ours(ours) is True
    assert create.is_ours(ours | {"size": 8}) is False
    assert create.is_ours(ours | {"owner": "another"}) is False
    assert create.is_ours({"tags": create.markers, "owner": "/v2"}) is False


SINCE = 1_700_000_000.0  # 22:13:20


@pytest.mark.parametrize(
    ("made", "since", "ours"),
    [
        ("2023-11-14T22:13:20", SINCE, True),
        ("2023-11-14T22:13:20Z", SINCE, True),
        ("2023-11-14T23:13:20+01:00", SINCE, True),
        ("2023-11-14T22:13:18.001", SINCE, True),
        ("2023-11-14T22:13:18", SINCE, False),  # two seconds are what clocks may differ
        ("2023-11-14T21:13:20", SINCE, False),
        ("2023-11-14T22:13:20", None, None),
        ("yesterday", SINCE, None),
        (None, SINCE, None),
        (SINCE, SINCE, None),
    ],
)
def test_where_no_marker_tells_what_is_older_than_the_request_is_not_ours(made, since, ours):
    create = created(THING, look=Look(path="/things", list="things", born="created_at"))
    assert create.is_ours({"tags": create.markers, "created_at": made}, since) is ours
    assert create.is_ours({"tags": ["another"], "created_at": made}, since) is False


# -- the answer


def test_the_answer_has_the_envelope_that_the_service_would_have_used():
    hits = [{"id": "1"}]
    assert created(THING).answer(hits) == {"thing": {"id": "1"}}
    assert created(THING, wrapped=False).answer(hits) == {"id": "1"}
    assert created({"name": "x"}, body=None).answer(hits) == {"id": "1"}
    assert created(THING, view=lambda _sent, _found: None).answer(hits) is None
    assert created({"things": [{"name": "x"}]}, bulk="things").answer(hits) == {"things": hits}


def test_what_was_made_is_read_off_the_answer():
    one = {"id": "1"}
    assert created(THING).made({"thing": one}) == [one]
    assert created(THING).made({"other": one}) == []
    assert created(THING).made([one]) == []
    assert created(THING, wrapped=False).made({"thing": one}) == []
    assert created({"name": "x"}, body=None).made(one) == [one]
    bulk = created({"things": [{"name": "x"}]}, bulk="things")
    assert bulk.made({"things": [one, "x"]}) == [one]
    assert bulk.made({"thing": one}) == []


def test_a_bulk_is_answered_in_the_order_in_which_it_was_asked_for():
    create = created({"things": [{"name": "x"}, {"name": "x"}]}, bulk="things")
    found = [{"id": str(number), "tags": [marker]} for number, marker in enumerate(create.markers)]
    assert create.in_order(reversed(found)) == found
    alone = created(THING)
    assert alone.in_order([{"id": "2"}, {"id": "1"}]) == [{"id": "2"}, {"id": "1"}]


def test_what_the_caller_wrote_in_the_place_of_the_marker_is_known():
    create = created({"thing": {"name": "mine"}})
    assert create.before("tags", create.sent[0]["tags"]) == ""
    assert create.before("name", "mine") == "mine"
    assert create.before("name", "another") == ""


# -- the GETs


def test_a_get_is_filled_in_with_what_was_sent_and_the_marker():
    create = created({"thing": {"name": "x y", "size": 7, "parts": []}})
    query = {
        "name": "{name}",
        "tags": "{marker}",
        "both": lambda sent, markers: [sent["name"], *markers],
        "one": lambda _sent, _markers: "1",
        "none": lambda _sent, _markers: None,
    }
    marker = create.markers[0]
    expected = [("name", "x y"), ("tags", marker), ("both", "x y"), ("both", marker), ("one", "1")]
    assert create.get("{base}/things/{size}", query, microversion="2.7") == Get(
        "/v2/things/7", expected, microversion="2.7"
    )
    assert create.member({"id": "9"}) == "/v2/things/9"


def test_only_texts_and_numbers_stand_in_a_template():
    assert texts({"a": "x", "b": 7, "c": None, "d": [], "e": 1.5}) == {"a": "x", "b": "7"}
