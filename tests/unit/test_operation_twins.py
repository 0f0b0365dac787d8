"""Two runs of one operation at the same time, with a model of a service: every order of their requests, and crashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import requests
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Tools
from os_retries.creates.together import all_made, give_way
from os_retries.operations.scope import OperationError

from .test_operation_model import BY_DESCRIPTION, BY_TAG, LIMITS, SCRIPT, Run, Service

SIZES = {"a": 1, "b": 1, "c": 1}


class Deleting:
    """The part of ``Around`` that removes a resource."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def request(self, _verb: str, path: str) -> requests.Response:
        identity = path.rsplit("/", 1)[1]
        self.service.things = [each for each in self.service.things if each["id"] != identity]
        response = requests.Response()
        response.status_code = 204
        return response


class Twin(Run):
    """A run that can be stopped before each of its requests that changes something."""

    def __init__(self, service: Service, recipe: Any, meanwhile: Callable[[], object]) -> None:
        super().__init__(service, recipe, "nightly", SIZES)
        self.meanwhile = meanwhile
        self.going = False
        self.parts = self.requests()

    def go_on(self) -> None:
        """Go on to the next request, or to the end; an error ends the run, and a new one begins."""
        if self.going or self.ended:
            return
        self.going = True
        try:
            next(self.parts, None)
        except OperationError:
            self.__init__(self.service, self.recipe, self.meanwhile)  # type: ignore[misc]
        finally:
            self.going = False

    def requests(self) -> Iterator[None]:
        while not self.ended:
            create, claim = self.create()
            tools = Tools(self.service.get, self.service.wait, lambda: self.service.now)
            finding, found_by = Keeper(create, tools).before_first(**LIMITS)
            yield
            if finding.found:
                made = self.of(finding.hits[0]["id"])
            elif finding.absent:
                made = self.service.process(create.sent[0])
                yield
                theirs = give_way(
                    made,
                    create,
                    Deleting(self.service),  # type: ignore[arg-type]
                    look=lambda create=create: all_made(create, tools, **LIMITS),  # type: ignore[misc]
                    sleep=lambda _seconds: self.meanwhile() and None,
                    who="twin",
                )
                made = made if theirs is None else self.of(theirs["id"])
            else:
                raise OperationError("two are there", finding.ids)
            if made is None:  # another run has removed what it had just made
                raise OperationError("it is gone")
            if self.recipe.carrier is not None and self.recipe.carrier.taken_away and found_by is create:
                yield
                made["tags"] = sorted({*made["tags"], claim.marker})
                yield
                made["description"] = ""
            claim.end(done=True)
            self.ids.append(made["id"])
            self.at += 1
            yield

    def of(self, identity: str) -> dict[str, Any] | None:
        return next((each for each in self.service.things if each["id"] == identity), None)


class Together(RuleBasedStateMachine):
    """Two runs that go on in any order."""

    recipe = BY_TAG

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.runs = [Twin(self.service, self.recipe, lambda other=other: self.go_on(other)) for other in (1, 0)]  # type: ignore[misc]

    def go_on(self, which: int) -> None:
        self.runs[which].go_on()

    @rule(which=st.integers(0, 1), requests=st.sampled_from([1, 1, 2, 5]))
    def one_goes_on(self, which: int, requests: int) -> None:
        for _ in range(requests):
            self.go_on(which)

    def both_end(self) -> None:
        for _ in range(100):
            for which in (0, 1):
                self.go_on(which)

    def teardown(self) -> None:
        """Whatever has happened, both end with the same resources, and there is one of each."""
        self.both_end()
        assert self.runs[0].ids == self.runs[1].ids
        assert sorted(self.runs[0].ids) == sorted(each["id"] for each in self.service.things)
        assert len(self.service.things) == len(SCRIPT)
        assert all(each["description"] == "" for each in self.service.things)


class TogetherWithDescriptions(Together):
    recipe = BY_DESCRIPTION


class TogetherAndCrashing(Together):
    """One of them crashes, and is run again.

    If it dies after its create and before its look, and the other one has ended, two are there.  The next run says so.
    """

    recipe = BY_DESCRIPTION

    @rule(which=st.integers(0, 1), others=st.integers(0, 8))
    def one_dies_after_its_next_request_and_is_run_again(self, which: int, others: int) -> None:
        for _ in range(others):  # it has looked, and the other one goes on before it sends
            self.go_on(1 - which)
        self.go_on(which)
        self.runs[which] = Twin(self.service, self.recipe, lambda: self.go_on(1 - which))

    @invariant()
    def nothing_is_sent_while_two_are_there(self) -> None:
        for name in SIZES:
            assert len(self.service.named(name)) <= 2 * SCRIPT.count(name)

    def teardown(self) -> None:
        self.both_end()
        for run in self.runs:
            if run.ended:
                assert set(run.ids) <= {each["id"] for each in self.service.things}
        if all(run.ended for run in self.runs):
            assert self.runs[0].ids == self.runs[1].ids


TestTogether = Together.TestCase
TestTogetherWithDescriptions = TogetherWithDescriptions.TestCase
TestTogetherAndCrashing = TogetherAndCrashing.TestCase
TestTogether.settings = TestTogetherWithDescriptions.settings = TestTogetherAndCrashing.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None
)


def test_a_run_that_was_killed_does_not_take_its_own_if_the_other_one_has_ended_another() -> None:
    """Both have looked before either has sent.  The marker of one is a tag already, that of the other still visible."""
    both = TogetherAndCrashing()
    both.go_on(0)
    for _ in range(6):
        both.go_on(1)
    both.one_dies_after_its_next_request_and_is_run_again(0, 0)
    both.both_end()
    assert both.runs[1].ended
    assert both.runs[0].ids == [], "it raises an error, and takes neither"
    assert [each["description"] != "" for each in both.service.things[:2]] == [False, True]
