"""RetryPolicy: its values, and the decision that follows from them."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_retries import GiveUp, RetryPolicy
from os_retries.core.failure import Failure, Kind
from os_retries.evidence import Wait

BUSY = Failure(503, kind=Kind.MAYBE_PROCESSED)


def asks(seconds: float) -> Failure:
    return dataclasses.replace(BUSY, retry_after=seconds)


def decide(
    policy: RetryPolicy,
    failure: Failure = BUSY,
    *,
    attempt: int = 1,
    extra_left: float | None = None,
    dice: float = 0.0,
):
    left = policy.retry_max_wait if extra_left is None else extra_left
    return policy.wait_after(failure, attempt=attempt, extra_left=left, dice=dice)


policies = st.builds(
    RetryPolicy,
    retries_number=st.integers(0, 50),
    retry_after=st.floats(0, 1000),
    retry_backoff=st.floats(1, 100),
    retry_jitter=st.floats(0, 1),
    retry_max_wait=st.floats(0, 10_000),
)


def test_the_defaults_are_the_specifications():
    policy = RetryPolicy()
    assert (policy.retries_number, policy.retry_after) == (5, 10)
    assert policy.retry_codes == frozenset({408, 413, 429, 500, 502, 503, 504})
    assert [decide(policy, attempt=n) for n in range(1, 8)] == [Wait(10.0, "retry_after")] * 5 + [GiveUp.ATTEMPTS] * 2


@given(policies, st.integers(1, 60), st.floats(0, 1))
def test_there_is_a_wait_after_each_of_the_first_retries_number_attempts_and_after_no_other(policy, attempt, dice):
    decision = decide(policy, attempt=attempt, dice=dice)
    assert isinstance(decision, Wait) == (attempt <= policy.retries_number)


@given(policies, st.integers(1, 50), st.floats(0, 1))
def test_the_configured_wait_grows_by_the_backoff_and_the_jitter_only_adds(policy, attempt, dice):
    policy = dataclasses.replace(policy, retries_number=50)
    wait = decide(policy, attempt=attempt, dice=dice)
    own = policy.own_wait(attempt)
    assert own <= wait.seconds <= own * (1 + policy.retry_jitter)
    assert math.isfinite(wait.seconds)
    assert wait.extra == 0
    assert policy.own_wait(attempt + 1) >= own


def test_no_wait_stays_none_and_one_that_grows_ends_at_an_hour():
    """A program with many retries still ends within a day or so."""
    none = RetryPolicy(retries_number=10_000, retry_after=0, retry_backoff=2)
    assert {none.own_wait(attempt) for attempt in (1, 1025, 2000, 10_000)} == {0.0}
    many = RetryPolicy(retries_number=20, retry_after=1, retry_backoff=2)
    assert [many.own_wait(attempt) for attempt in (12, 13, 20, 5000)] == [2048, 3600, 3600, 3600]
    assert sum(many.own_wait(attempt) for attempt in range(1, 21)) < 10 * 3600  # 4.5 days without that end
    assert RetryPolicy(retry_after=7200, retry_backoff=2).own_wait(3) == 7200


def test_the_first_wait_is_the_configured_one_and_each_further_one_longer_by_the_factor():
    policy = RetryPolicy(retry_after=3, retry_backoff=2)
    assert [decide(policy, attempt=number).seconds for number in range(1, 6)] == [3, 6, 12, 24, 48]


@given(policies, st.floats(0, 10**6), st.floats(0, 1), st.floats(0, 10**4))
def test_a_retry_after_is_waited_instead_and_never_cut_short(policy, seconds, dice, left):
    """It is waited in full, or the call fails at once; the dice have no say in which."""
    policy = dataclasses.replace(policy, retries_number=1)
    decision = decide(policy, asks(seconds), extra_left=left, dice=dice)
    if seconds - policy.own_wait(1) > left:
        assert decision is GiveUp.MAX_WAIT
    else:
        assert seconds <= decision.seconds <= seconds * (1 + policy.retry_jitter)
        assert decision.source == "Retry-After"
        assert decision.extra == max(0, decision.seconds - policy.own_wait(1))


def test_a_permanent_failure_and_one_that_a_repeat_could_double_are_not_repeated():
    assert decide(RetryPolicy(), Failure(404)) is GiveUp.PERMANENT
    assert decide(RetryPolicy(), dataclasses.replace(BUSY, repeatable=False)) is GiveUp.NOT_REPEATABLE


def test_a_shorter_retry_after_is_used_as_well_and_costs_no_extra():
    assert decide(RetryPolicy(), asks(3)) == Wait(3, "Retry-After", 0)


def test_a_longer_one_counts_only_what_is_beyond_the_configured_wait():
    assert decide(RetryPolicy(), asks(70)) == Wait(70, "Retry-After", 60)


@pytest.mark.parametrize(("seconds", "fits"), [(310, True), (310.1, False), (86_400, False), (math.inf, False)])
def test_a_retry_after_beyond_the_allowance_is_not_begun(seconds, fits):
    assert isinstance(decide(RetryPolicy(), asks(seconds)), Wait) == fits


def test_a_backoff_that_overflows_ends_at_an_hour():
    policy = RetryPolicy(retries_number=10_000, retry_after=10, retry_backoff=100)
    assert decide(policy, attempt=9_999).seconds == 3600


@pytest.mark.parametrize(
    ("option", "value", "error", "said"),
    [
        ("retries_number", -1, ValueError, "retries_number must be from 0 to 10000, not -1"),
        ("retries_number", 2.5, TypeError, "retries_number must be a whole number, not 2.5"),
        ("retries_number", "5", TypeError, "retries_number must be a whole number, not '5'"),
        ("retries_number", True, TypeError, "retries_number must be a whole number, not True"),
        ("retry_after", -0.1, ValueError, "retry_after must be from 0 to 86400, not -0.1"),
        ("retry_after", math.nan, ValueError, "retry_after must be from 0 to 86400, not nan"),
        ("retry_after", None, TypeError, "retry_after must be a number, not None"),
        ("retry_backoff", 0.5, ValueError, "retry_backoff must be from 1 to 100, not 0.5"),
        ("retry_jitter", 1.5, ValueError, "retry_jitter must be from 0 to 1, not 1.5"),
        ("retry_max_wait", -1, ValueError, "retry_max_wait must be from 0 to 1e+09, not -1"),
        ("retry_max_wait", math.inf, ValueError, "retry_max_wait must be from 0 to 1e+09, not inf"),
        ("attempt_timeout", 1e300, ValueError, "attempt_timeout must be from 0.001 to 1e+09, not 1e+300"),
        ("settle_time", -1, ValueError, "settle_time must be from 0 to 86400, not -1"),
        ("settle_time", 86_401, ValueError, "settle_time must be from 0 to 86400, not 86401"),
        ("settle_time_after_timeout", -1, ValueError, "settle_time_after_timeout must be from 0 to 86400, not -1"),
        (
            "settle_time_after_timeout",
            86_401,
            ValueError,
            "settle_time_after_timeout must be from 0 to 86400, not 86401",
        ),
        ("retry_codes", [99], ValueError, "retry_codes: 99 is not the status of an error (400 to 599)"),
        ("retry_codes", [200], ValueError, "retry_codes: 200 is not the status of an error (400 to 599)"),
        ("retry_codes", ["503"], TypeError, "retry_codes: '503' is not a number"),
        ("retry_codes", "503", TypeError, "retry_codes must be a list of HTTP statuses, not '503'"),
        ("retry_codes", 503, TypeError, "retry_codes must be a list of HTTP statuses, not 503"),
        ("sleep", 3, TypeError, "sleep must be a function or None, not 3"),
        ("on_retry", "x", TypeError, "on_retry must be a function or None, not 'x'"),
    ],
)
def test_a_bad_number_is_a_clear_error(option, value, error, said):
    with pytest.raises(error) as raised:
        RetryPolicy(**{option: value})
    assert str(raised.value) == said


def test_a_policy_cannot_be_changed_and_two_of_the_same_numbers_are_equal():
    policy = RetryPolicy(retry_codes=[503, 503])
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.retries_number = 1  # type: ignore[misc]
    assert policy == RetryPolicy(retry_codes={503})
    assert hash(policy) == hash(RetryPolicy(retry_codes=(503,)))
