"""The pacer on a virtual clock: when trouble begins and ends, how many slots there are, and which calls get them.

The tests that take ``make`` are the rules of every pacer.  Here it makes one of a single process; tests/fleet/test_pacers.py
runs the same tests on those that processes share.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from os_retries.pacing import local
from os_retries.pacing.local import LocalPacer, Turn


class Local(LocalPacer):
    def forget_this_second(self) -> None:
        self.bad = 0


def alone() -> Local:
    """A new pacer of a single process, at the instant 0."""
    return Local(0.0)


@pytest.fixture
def make() -> Callable[[], Any]:
    """Return the function that makes a new pacer."""
    return alone


# A pacer is made for each example.
FRESH = [HealthCheck.function_scoped_fixture]


def in_trouble(make: Callable[[], Any], calls: int = 1000) -> Any:
    """A pacer at which as many calls have failed at once, and of which nobody knows when they will be back."""
    pacer = make()
    for _ in range(calls):
        pacer.call_failed()
    pacer.note(0.0, 0, max(calls, 20), 0.0)
    assert pacer.trouble
    pacer.forget_this_second()  # the rate is what it is at the beginning of trouble
    return pacer


class Queue:
    """Callers who ask when they were told to ask, and what becomes of them."""

    def __init__(self, pacer: Any, works: bool | None = False) -> None:
        self.pacer = pacer
        self.works = works  # whether an attempt with a slot succeeds; None: nobody tells
        self.heap: list[tuple[float, int, float]] = []  # when, who, since when
        self.went: list[tuple[float, int]] = []
        self.naps: list[float] = []

    def come(self, now: float, who: int) -> None:
        heapq.heappush(self.heap, (now, who, now))

    def until(self, end: float) -> Queue:
        while self.heap and self.heap[0][0] <= end:
            now, who, since = heapq.heappop(self.heap)
            nap = self.pacer.ask(now, who, now - since)
            if nap:
                self.naps.append(nap)
                heapq.heappush(self.heap, (now + nap, who, since))
            else:
                self.went.append((now, who))
                if self.works is not None:
                    self.pacer.note(now, int(self.works), int(not self.works))
        return self


# When nobody waits


@given(st.integers(0, 2**32), st.floats(0.01, 0.3), st.floats(0.2, 500.0))
@settings(max_examples=25, deadline=None, suppress_health_check=FRESH)
def test_nobody_waits_at_a_service_that_fails_up_to_three_in_ten_at_random(make, seed, failing, rate):
    dice, pacer, now = random.Random(seed), make(), 0.0
    for _ in range(50):
        pacer.call_failed()
    for who in range(1500):
        now += dice.expovariate(rate)
        fails = dice.random() < failing
        pacer.note(now, int(not fails), int(fails), 10.0)
        if fails:
            assert pacer.ask(now, who, 0.0) == 0.0
        assert not pacer.trouble


def test_trouble_begins_when_the_latest_failures_outnumber_the_successes_by_ten(make):
    pacer = make()
    pacer.note(0.0, 5, 14)
    assert not pacer.trouble
    pacer.note(0.0, 0, 1)
    assert pacer.trouble


@pytest.mark.parametrize("rate", [1, 10, 100, 1000])
def test_trouble_begins_soon_after_the_last_success_whatever_the_rate(make, rate):
    pacer, now = make(), 0.0
    for _ in range(min(100 * rate, 4000)):  # far more than the pacer remembers
        now += 1 / rate
        pacer.note(now, 1, 0)
    failures = 0
    while not pacer.trouble:
        now += 0.5 / rate  # first attempts, and as many retries
        failures += 1
        pacer.note(now, 0, 1)
    assert failures <= 50


def test_what_was_long_ago_does_not_count(make):
    pacer = make()
    for now in range(0, 1000, 2):
        pacer.note(float(now), 0, 1)
    assert not pacer.trouble


@pytest.mark.parametrize("calls", [1, 10])
def test_up_to_ten_calls_in_trouble_never_wait(calls):
    """Shared pacers do not count calls: a call in trouble that is the only one of its process waits with all others."""
    pacer = in_trouble(alone, calls)
    for step in range(500):
        assert pacer.ask(step / 10, step % calls, 0.0) == 0.0
        pacer.note(step / 10, 0, 1)


def test_the_eleventh_call_waits_when_the_burst_is_used_up(make):
    pacer = in_trouble(make, 11)
    assert [pacer.ask(0.0, who, 0.0) for who in range(10)] == [0.0] * 10
    assert pacer.ask(0.0, 11, 0.0) > 0.0


def test_calls_that_need_no_slot_use_the_burst_up_all_the_same():
    """They load the service as well, so an eleventh call that comes behind them waits."""
    pacer = in_trouble(alone, 10)
    assert [pacer.ask(0.0, who, 0.0) for who in range(9)] == [0.0] * 9
    assert pacer.tokens == 1.0
    assert [pacer.ask(0.0, who, 0.0) for who in range(3)] == [0.0] * 3
    assert pacer.tokens == 0.0  # and no debt
    pacer.call_failed()
    assert pacer.ask(0.0, 11, 0.0) > 0.0


# When it is over


def test_trouble_is_over_when_most_succeed_and_nobody_waits(make):
    pacer = in_trouble(make)
    pacer.note(1.0, 30, 0)
    assert pacer.trouble
    pacer.note(1.1, 100, 0)
    pacer.note(1.2, 1, 0)
    assert not pacer.trouble


def test_trouble_is_not_over_while_somebody_waits(make):
    pacer = in_trouble(make)
    for who in range(20):
        pacer.ask(0.5, who, 0.0)
    pacer.note(1.1, 100, 0)
    pacer.note(1.2, 1, 0)
    assert pacer.trouble


def test_trouble_is_not_over_before_those_who_failed_in_it_have_come_back(make):
    pacer = in_trouble(make)
    pacer.note(1.0, 0, 1, 10.0)
    pacer.note(2.0, 100, 0)
    pacer.note(10.9, 1, 0)
    assert pacer.trouble
    pacer.note(11.1, 1, 0)
    assert not pacer.trouble


def test_a_call_that_fails_while_most_succeed_does_not_prolong_the_trouble(make):
    pacer = in_trouble(make, 20)
    pacer.note(0.0, 21, 0)
    pacer.note(0.0, 0, 1, 7.0)
    assert (pacer.succeeded, pacer.failed, pacer.back) == pytest.approx((21.0, 21.0, 0.0))
    pacer.note(0.0, 0, 1, 7.0)
    assert pacer.back == pytest.approx(7.0)


def test_trouble_that_nobody_has_heard_of_for_long_is_over(make):
    pacer = in_trouble(make)
    pacer.note(1000.0, 0, 1)
    assert not pacer.trouble
    assert pacer.rate == local.START


@given(st.lists(st.integers(0, 30), max_size=60))
@settings(deadline=None, suppress_health_check=FRESH)
def test_who_leaves_is_gone_and_nobody_else(make, who):
    pacer = in_trouble(make)
    for each in range(31, 50):
        pacer.ask(0.0, each, 0.0)
    asked = {each for each in who if pacer.ask(0.0, each, each / 2)}
    before = len(pacer.queue)
    for each in asked:
        pacer.stop_waiting(0.0, each)
        pacer.stop_waiting(0.0, each)
    assert len(pacer.queue) == len(pacer.places) == before - len(asked)


# How many slots there are

STEPS = st.lists(
    st.tuples(st.floats(-3.0, 20.0), st.sampled_from(["ask", "works", "fails", "leave", "look"]), st.integers(0, 40)),
    max_size=200,
)


@given(STEPS)
@settings(max_examples=200, deadline=None, suppress_health_check=FRESH)
def test_there_are_never_more_slots_than_a_burst_and_the_rate_times_the_time(make, steps):
    """Whatever happens in whatever order, and though the clock goes back a little now and then."""
    pacer, now, highest, room = in_trouble(make), 0.0, 0.0, local.BURST
    for passes, what, who in steps:
        rate = pacer.rate
        now += passes
        room += rate * max(0.0, now - highest)
        highest = max(highest, now)
        if what == "ask":
            nap = pacer.ask(now, who, who / 4)
            assert nap == 0.0 or local.NAP[0] <= nap <= local.NAP[2]
            if not nap and pacer.trouble:
                room -= 1
                assert room >= -0.01  # a shared pacer counts microseconds
        elif what == "leave":
            pacer.stop_waiting(now, who)
        else:
            pacer.note(now, what == "works", what == "fails", who)
        assert pacer.rate >= local.LOWEST
        if not pacer.trouble:  # it begins again, with a full burst
            pacer.note(now, 0, 100, 10.0)
            room = local.BURST


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=100))
@settings(deadline=None, suppress_health_check=FRESH)
def test_the_rate_grows_by_ten_or_a_share_of_what_has_succeeded_at_most_and_never_falls_below_one(make, seconds):
    pacer = in_trouble(make)
    for now, (works, fails) in enumerate(seconds, 1):
        for who in range(60):
            pacer.ask(float(now), who, 0.0)
        before, waiting = pacer.rate, bool(pacer.queue)
        pacer.note(now + 0.5, works, fails)
        carried = pacer.good
        pacer.ask(now + 1.0, 1000, 0.0)
        if pacer.trouble and waiting:
            assert local.LOWEST <= pacer.rate <= before + max(local.FAST * carried, min(before, local.BURST)) + 1e-9


def test_while_the_service_is_down_one_probe_a_second_goes(make):
    queue = Queue(in_trouble(make))
    for who in range(300):
        queue.come(0.0, who)
    queue.until(30.0)
    before = len(queue.went)
    queue.until(130.0)
    assert 95 <= len(queue.went) - before <= 101


def test_a_service_that_works_again_gets_more_each_second(make):
    queue = Queue(in_trouble(make), works=True)
    for who in range(1000):
        queue.come(0.0, who)
    queue.until(200.0)
    assert len(queue.went) == 1000
    assert queue.went[-1][0] < 30.0  # at ten a second it would have been a hundred


@given(st.integers(1, 40))
@settings(max_examples=20, deadline=None, suppress_health_check=FRESH)
def test_no_slot_is_lost_though_everybody_sleeps_until_he_asks_again(make, number):
    """Of ten slots a second, as nobody tells what becomes of them, at least nine are used."""
    queue = Queue(in_trouble(make), works=None)
    for who in range(10 * number):
        queue.come(0.0, who)
    queue.until(number / 0.9 + 1.0)
    assert len(queue.went) == 10 * number


def test_a_rate_that_rises_is_followed_by_thousands_who_sleep():
    """Those in front may be asleep for seconds when the service is back: then those behind them go."""
    queue = Queue(in_trouble(alone, 4000))
    for who in range(4000):
        queue.come(who / 4000, who)
    queue.until(60.0)
    queue.works, before, slots, now = True, len(queue.went), 0.0, 60.0
    while now < 75.0:
        now += 0.1
        queue.pacer.note(now, 10, 0)  # first attempts, a hundred a second
        slots += queue.pacer.rate * 0.1
        queue.until(now)
    assert len(queue.went) - before > 0.9 * slots > 200


# Who gets them


def test_slots_go_to_those_who_came_first_within_the_time_that_one_sleeps(make):
    queue = Queue(in_trouble(make), works=None)
    for who in range(600):
        queue.come(who / 100, who)
    queue.until(70.0)
    assert len(queue.went) == 600
    position = {who: place for place, (_, who) in enumerate(queue.went)}
    assert max(abs(place - who) for who, place in position.items()) <= 12


def test_nobody_starves_though_others_keep_coming():
    queue = Queue(in_trouble(alone, 5000), works=None)
    for who in range(3000):  # twice as many as there are slots for
        queue.come(who / 20, who)
    queue.until(150.0)
    went = {who for _, who in queue.went}
    first = sorted(went)[: len(went) - 40]
    assert first == list(range(len(first)))


def test_a_slot_used_in_vain_costs_thirty_seconds_of_seniority(make):
    turn, pacer = Turn(1), in_trouble(make)
    for who in range(100, 200):
        pacer.ask(0.0, who, 0.0)
    turn.start_waiting(0.0, 300.0)
    assert turn.ask(pacer, 0.0)
    assert pacer.places[1] == pytest.approx(0.0, abs=1e-6)
    pacer.stop_waiting(0.0, 1)
    for who in range(100, 200):
        pacer.ask(10.0, who, 10.0)
    turn.start_waiting(10.0, 300.0)
    assert turn.ask(pacer, 10.0)
    assert pacer.places[1] == pytest.approx(-30.0)


def test_while_the_service_is_down_each_probe_is_another_calls(make):
    """Three hundred calls, an outage of two minutes: nobody's attempts are used up."""
    pacer = in_trouble(make, 300)
    turns = [Turn(who) for who in range(300)]
    attempts = [0] * 300
    heap = [(0.0, who) for who in range(300)]
    for _, who in heap:
        turns[who].start_waiting(0.0, 300.0)
    while heap[0][0] < 120.0:
        now, who = heapq.heappop(heap)
        nap = turns[who].ask(pacer, now)
        if nap == 0.0:
            attempts[who] += 1
            pacer.note(now, 0, 1, 10.0)
            turns[who].start_waiting(now + 10.0, 300.0)
        heapq.heappush(heap, (now + (nap or 10.0), who))
    assert sum(attempts) >= 110
    assert max(attempts) == 1


def test_a_call_gives_up_when_its_extra_wait_is_over_and_not_before(make):
    pacer, turn = in_trouble(make), Turn(-1)
    queue, now = Queue(pacer), 1.0
    for who in range(300):
        queue.come(0.0, who)
    queue.until(now)
    turn.start_waiting(now, 42.0)
    while nap := turn.ask(pacer, now):
        now += nap
        queue.until(now)
    assert nap is None
    assert now == pytest.approx(43.0)
    assert -1 not in pacer.places


# What it costs, and clocks


def test_ten_thousand_waiting_calls_ask_no_more_than_twelve_hundred_times_a_second():
    queue = Queue(in_trouble(alone, 10_000))
    dice = random.Random(1)
    for who in range(10_000):
        queue.come(dice.random() * 10.0, who)
    queue.until(20.0)
    queue.naps.clear()
    queue.until(50.0)
    assert len(queue.naps) / 30.0 < 1200


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 60)), max_size=60),
    st.integers(11, 60),
)
@settings(max_examples=100, deadline=None, suppress_health_check=FRESH)
def test_a_clock_that_jumps_loses_no_slot_and_lets_nobody_spin(make, jumps, number):
    """After any jumps, forwards and back, everybody has his slot as soon as if there had been none."""
    pacer, now = in_trouble(make), 0.0
    for jump, who in jumps:
        now += jump
        nap = pacer.ask(now, 10_000 + who, 0.0)
        assert nap == 0.0 or local.NAP[0] <= nap <= local.NAP[2]
        pacer.stop_waiting(now, 10_000 + who)
    pacer.note(now, 0, 100, 10.0)
    # A small step back is only waited for.
    queue, start = Queue(pacer, works=None), now + local.JUMP
    for who in range(number):
        queue.come(start, who)
    queue.until(start + number + 15.0)
    assert len(queue.went) == number


def test_a_clock_that_goes_back_and_forth_makes_no_slots(make):
    pacer = in_trouble(make)
    went = sum(pacer.ask(0.9 - (step % 2) / 2, step, 0.0) == 0.0 for step in range(1000))
    assert went <= local.BURST + 0.9 * local.START
