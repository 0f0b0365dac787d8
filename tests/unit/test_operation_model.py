"""A program in an operation, with a model of a service: it crashes, runs again, and has a twin; there is one of each."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from os_retries.creates.create import Create, Get, prepare
from os_retries.creates.durable import in_operation
from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Limits, Reply, Tools
from os_retries.creates.markers import Description, Tag
from os_retries.creates.recipe import Look, Recipe
from os_retries.creates.together import all_made
from os_retries.operations.scope import Claim, Operation, operation

LIMITS = Limits(patience=20.0, retries=5, allowance=1000.0)
BY_TAG = Recipe(
    path="/things",
    body="thing",
    carrier=Tag(),
    look=Look(path="{base}/things", list="things", query={"tags": "{marker}"}),
)
BY_DESCRIPTION = Recipe(
    path="/things",
    body="thing",
    carrier=Description(tags="{base}/things/{id}/tags"),
    look=Look(path="{base}/things", list="things"),
)
#: What the program makes, in this order: two of them are equal.
SCRIPT = ("a", "b", "a", "c")


class Service:
    """A service that makes whatever reaches it, and lists it unless its look-ups fail."""

    def __init__(self) -> None:
        self.now = 0.0
        self.things: list[dict[str, Any]] = []
        self.failing: list[Reply] = []
        self.made = 0

    def process(self, thing: dict[str, Any]) -> dict[str, Any]:
        self.made += 1
        made = copy.deepcopy(thing) | {"id": f"id{self.made:03}", "created_at": f"{self.now:012.3f}"}
        self.now += 1.0
        self.things.append({"tags": [], "description": ""} | made)
        return self.things[-1]

    def get(self, get: Get) -> Reply:
        if self.failing:
            return self.failing.pop(0)
        query = dict(get.query)
        found = [
            each
            for each in self.things
            if query.get("tags", query.get("tags-any")) in (None, *each["tags"])
            and query.get("description") in (None, each["description"])
        ]
        return Reply(200, {"things": copy.deepcopy(found)})

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def named(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.things if each["name"] == name]


class Run:
    """One run of the program, which goes on step by step, as creates/earlier.py drives the engine."""

    def __init__(self, service: Service, recipe: Recipe, key: str, sizes: dict[str, int]) -> None:
        self.service, self.recipe, self.sizes = service, in_operation(recipe), dict(sizes)
        self.operation: Operation = operation(key)
        self.at = 0
        self.ids: list[str] = []
        self.claim: Claim | None = None

    @property
    def ended(self) -> bool:
        return self.at == len(SCRIPT)

    def create(self) -> tuple[Create, Claim]:
        name = SCRIPT[self.at]
        body = {"thing": {"name": name, "size": self.sizes[name]}}
        claim = self.claim = self.operation.claim(body=body)
        create = prepare(self.recipe, {"base": "", "path": "/things"}, body, None, lambda: claim.marker)
        assert create is not None
        return create, claim

    def step(self, *, dies: str = "") -> bool:
        """Make the next thing; return whether the run goes on.

        :param dies: when the process dies: ``before``, ``after`` or ``tagged``, after the tag was added
        """
        create, claim = self.create()
        keeper = Keeper(create, Tools(self.service.get, self.service.wait, lambda: self.service.now))
        finding, found_by = keeper.before_first(**LIMITS)
        if not (finding.found or finding.absent):
            claim.end(done=False)  # an error: nothing was sent
            return False
        if finding.absent:
            if dies == "before":
                return False
            made = self.service.process(create.sent[0])
            if dies == "after":
                return False
        else:
            assert len(finding.hits) == 1
            made = next(each for each in self.service.things if each["id"] == finding.hits[0]["id"])
        if self.recipe.carrier is not None and self.recipe.carrier.taken_away and found_by is create:
            made["tags"] = sorted({*made["tags"], claim.marker})
            if dies == "tagged":
                return False
            made["description"] = ""
        claim.end(done=True)
        self.ids.append(made["id"])
        self.at += 1
        return True


class Crashing(RuleBasedStateMachine):
    """A program that is killed and run again with the same key, beside other writers of equal things."""

    recipe = BY_TAG

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.sizes = {"a": 1, "b": 1, "c": 1}
        self.changed = 0
        self.run = self.begin()
        self.ends: list[list[str]] = []

    def begin(self) -> Run:
        return Run(self.service, self.recipe, "nightly", self.sizes)

    @rule()
    def it_goes_on(self) -> None:
        if self.run.ended:
            return
        if not self.run.step():
            self.run = self.begin()
        elif self.run.ended:
            self.ends.append(self.run.ids)

    @rule(dies=st.sampled_from(["before", "after", "tagged"]))
    def it_dies_and_is_run_again(self, dies: str) -> None:
        if not self.run.ended:
            self.run.step(dies=dies)
        self.run = self.begin()

    @rule()
    def it_is_run_again(self) -> None:
        self.run = self.begin()

    @rule(count=st.integers(1, 12))
    def look_ups_fail(self, count: int) -> None:
        self.service.failing += [Reply(503, again=True)] * count

    @rule(name=st.sampled_from("abc"), key=st.sampled_from(["yesterday", None]))
    def others_make_an_equal_thing(self, name: str, key: str | None) -> None:
        if key is None:
            self.service.process({"name": name, "size": self.sizes[name], "by": "others"})
            return
        other = Run(self.service, self.recipe, key, self.sizes)
        other.at = SCRIPT.index(name)
        create, _ = other.create()
        self.service.process(create.sent[0] | {"by": "others"})

    @precondition(lambda self: self.changed < 2)
    @rule(name=st.sampled_from("abc"))
    def the_body_of_one_changes(self, name: str) -> None:
        self.changed += 1
        self.sizes[name] += 1
        self.run = self.begin()

    def mine(self, name: str, size: int) -> list[str]:
        return [each["id"] for each in self.service.named(name) if each["size"] == size and each.get("by") != "others"]

    @invariant()
    def there_are_never_more_than_were_asked_for(self) -> None:
        for name, size in self.run.sizes.items():
            assert len(self.mine(name, size)) <= SCRIPT.count(name)

    @invariant()
    def a_run_that_ends_has_one_of_everything_and_takes_nothing_of_others(self) -> None:
        if self.run.ended:
            assert sorted(self.run.ids) == sorted(
                each for name, size in self.run.sizes.items() for each in self.mine(name, size)
            )

    @invariant()
    def nobody_reads_a_marker_of_a_create_that_has_ended(self) -> None:
        for each in self.service.things:
            if each["id"] in self.run.ids:
                assert each["description"] == ""


class CrashingWithDescriptions(Crashing):
    recipe = BY_DESCRIPTION


TestCrashing = Crashing.TestCase
TestCrashingWithDescriptions = CrashingWithDescriptions.TestCase
TestCrashing.settings = TestCrashingWithDescriptions.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None
)


def test_both_resources_of_two_runs_are_seen_wherever_their_marker_is() -> None:
    """One is in its description still, the other one a tag already."""
    service = Service()
    first, second = (Run(service, BY_DESCRIPTION, "nightly", {"a": 1}) for _ in range(2))
    create, claim = first.create()
    service.process(create.sent[0])
    other = service.process(second.create()[0].sent[0])
    other |= {"tags": [claim.marker], "description": ""}
    found = all_made(create, Tools(service.get, service.wait, lambda: service.now), **LIMITS)
    assert [each["id"] for each in found] == ["id001", "id002"]
