"""NoWaits, the fixture for users' tests."""

from __future__ import annotations

import threading
import time
import unittest

import fixtures
import pytest

from os_retries import GiveUp, RetryPolicy, execute_with_retries
from os_retries.testing import NoWaits

from .conftest import HttpError, Scripted

LONG = RetryPolicy(retry_after=3600)  # a test that really waited would never end


@pytest.fixture(autouse=True)
def _nothing_sleeps(monkeypatch):
    def slept(seconds):
        raise AssertionError(f"slept {seconds} s")

    monkeypatch.setattr(time, "sleep", slept)


def fails(times, status=503):
    return Scripted(*[HttpError(status) for _ in range(times)], "result")


def test_inside_the_with_nothing_waits_and_every_attempt_is_recorded():
    with NoWaits() as recorded:
        assert LONG.execute(fails(2)) == "result"
    assert recorded.waits == [3600.0, 3600.0]
    assert [(attempt.number, attempt.status, attempt.wait) for attempt in recorded.attempts] == [
        (1, 503, 3600.0),
        (2, 503, 3600.0),
    ]
    assert [(retry.method, retry.attempts, retry.source) for retry in recorded.retries] == [
        ("Scripted", 6, "retry_after")
    ] * 2
    assert recorded.given_up == []


def test_a_call_that_is_given_up_is_recorded_with_its_evidence():
    error = HttpError(503)
    with NoWaits() as recorded, pytest.raises(HttpError):
        RetryPolicy(retries_number=1).execute(Scripted(error))
    assert recorded.given_up == [error.os_retries]
    assert recorded.given_up[0].reason is GiveUp.ATTEMPTS
    assert [(attempt.number, attempt.wait) for attempt in recorded.attempts] == [(1, 10.0), (2, None)]
    assert recorded.waits == [10.0]


def test_a_call_that_succeeds_at_once_and_one_that_fails_for_good_leave_no_record():
    with NoWaits() as recorded:
        execute_with_retries(fails(0))
        with pytest.raises(HttpError):
            execute_with_retries(fails(1, 404))
    assert (recorded.retries, recorded.given_up, recorded.attempts, recorded.waits) == ([], [], [], [])


def test_a_policy_s_own_sleep_is_not_asked_either():
    def slept(seconds):
        raise AssertionError(f"slept {seconds} s")

    with NoWaits() as recorded:
        assert RetryPolicy(sleep=slept).execute(fails(1)) == "result"
    assert recorded.waits == [10.0]


def test_on_retry_is_told_all_the_same():
    told = []
    with NoWaits() as recorded:
        RetryPolicy(on_retry=told.append).execute(fails(1))
    assert told == recorded.retries


def test_the_wait_that_a_service_asks_for_is_recorded():
    with NoWaits() as recorded:
        execute_with_retries(Scripted(HttpError(503, headers={"Retry-After": "7"}), "result"))
    assert recorded.waits == [7.0]
    assert recorded.retries[0].source == "Retry-After"


def test_after_the_with_calls_wait_again_even_if_it_was_left_by_an_exception():
    with pytest.raises(ZeroDivisionError), NoWaits():
        raise ZeroDivisionError
    with pytest.raises(AssertionError, match=r"slept 3600\.0 s"):
        LONG.execute(fails(1))


def test_a_fixture_of_pytest_is_the_with_statement(recorded):
    """The conftest's fixture is written as the documentation shows."""
    assert LONG.execute(fails(1)) == "result"
    assert recorded.waits == [3600.0]


def test_of_nested_ones_the_inner_records_and_then_the_outer_again():
    with NoWaits() as outer:
        LONG.execute(fails(1))
        with NoWaits() as inner:
            LONG.execute(fails(2))
        LONG.execute(fails(1))
    assert (len(outer.retries), len(inner.retries)) == (2, 2)


def test_one_can_be_entered_again_and_goes_on_recording():
    recorder = NoWaits()
    with recorder:
        LONG.execute(fails(1))
    with recorder:
        LONG.execute(fails(1))
    assert recorder.waits == [3600.0, 3600.0]
    with pytest.raises(AssertionError, match="slept"):
        LONG.execute(fails(1))


def test_one_can_be_entered_inside_itself():
    recorder = NoWaits()
    with recorder:
        with recorder:
            LONG.execute(fails(1))
        LONG.execute(fails(1))
    assert len(recorder.retries) == 2
    with pytest.raises(AssertionError, match="slept"):
        LONG.execute(fails(1))


def test_calls_in_other_threads_do_not_wait_and_are_all_recorded():
    ended = []

    def work():
        ended.extend(LONG.execute(fails(2)) for _ in range(50))

    with NoWaits() as recorded:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert ended == ["result"] * 400
    assert len(recorded.retries) == len(recorded.attempts) == 800


class UseFixture(fixtures.TestWithFixtures, unittest.TestCase):
    """python-fixtures' way, as in the test classes of OpenStack's services."""

    def test_it_begins_with_use_fixture_and_ends_with_the_test(self):
        recorded = self.useFixture(NoWaits())
        assert LONG.execute(fails(1)) == "result"
        assert recorded.waits == [3600.0]
        self.doCleanups()
        with pytest.raises(AssertionError, match="slept"):
            LONG.execute(fails(1))

    def test_a_failing_test_asks_it_for_details(self):
        assert self.useFixture(NoWaits()).getDetails() == {}


class SomeService(fixtures.Fixture):
    """A fixture made of fixtures."""

    def _setUp(self):  # noqa: N802
        self.recorded = self.useFixture(NoWaits())


def test_it_can_be_a_part_of_another_fixture():
    with SomeService() as service:
        assert LONG.execute(fails(1)) == "result"
        assert service.recorded.waits == [3600.0]
    with pytest.raises(AssertionError, match="slept"):
        LONG.execute(fails(1))
