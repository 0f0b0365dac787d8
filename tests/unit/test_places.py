"""The pacers of a process, and the place of a call at one of them: one rule at a time, on a clock of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from os_retries.pacing.local import FADING, LocalPacer
from os_retries.pacing.process import Locked, Pacers, Place


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        return True


class Scripted:
    """A pacer that answers as told, and writes down what it is told."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.told: list[tuple[object, ...]] = []

    def note(self, *what: object) -> None:
        self.told.append(("note", *what))

    def ask(self, *what: object) -> float:
        self.told.append(("ask", *what))
        return self.answers.pop(0)

    def stop_waiting(self, *what: object) -> None:
        self.told.append(("stop_waiting", *what))

    def call_failed(self) -> None:
        self.told.append(("call_failed",))

    def call_ended(self) -> None:
        self.told.append(("call_ended",))

    def idle(self, now: float) -> bool:
        self.told.append(("idle", now))
        return bool(self.answers and self.answers.pop(0))


class Target:
    def __init__(self, endpoint: Callable[[object], str | None]) -> None:
        self.endpoint = endpoint


@pytest.fixture
def clock() -> Clock:
    return Clock()


def at(clock: Clock, *answers: float) -> tuple[Pacers, Scripted]:
    """Pacers that all are this one."""
    of, pacer = Pacers(clock), Scripted(*answers)
    of.shared = lambda _endpoint, _url: pacer
    return of, pacer


def test_a_locked_pacer_passes_everything_on():
    pacer = Scripted(7.0, 1.0)
    locked = Locked(pacer)  # type: ignore[arg-type]
    locked.note(1.0, 2, 3, 4.0)
    locked.note(1.0, 2, 3)
    assert locked.ask(1.0, 2, 3.0) == 7.0
    locked.stop_waiting(1.0, 2)
    locked.call_failed()
    locked.call_ended()
    assert locked.idle(5.0) is True
    assert pacer.told == [
        ("note", 1.0, 2, 3, 4.0),
        ("note", 1.0, 2, 3, 0.0),
        ("ask", 1.0, 2, 3.0),
        ("stop_waiting", 1.0, 2),
        ("call_failed",),
        ("call_ended",),
        ("idle", 5.0),
    ]


# -- a place


def test_a_call_takes_its_place_with_its_first_failure_and_gives_it_back_once(clock):
    of, pacer = at(clock)
    place = Place(of)
    place.close()
    place.failed("x", "url", 3.0)
    place.failed("x", "url", 0.0)
    place.close()
    assert pacer.told == [
        ("call_failed",),
        ("note", 1000.0, 0, 1, 3.0),
        ("note", 1000.0, 0, 1, 0.0),
        ("call_ended",),
    ]


def test_a_call_that_was_never_paced_has_a_slot_at_once(clock):
    assert Place(Pacers(clock)).wait(clock.sleep, 10.0, lambda: None) == (True, 0.0)
    assert clock.now == 1000.0


def test_a_call_sleeps_until_it_has_a_slot_and_tells_once(clock):
    of, pacer = at(clock, 2.0, 3.0, 0.0)
    place, told = Place(of), []
    place.failed("x", "url", 0.0)
    assert place.wait(clock.sleep, 10.0, lambda: told.append(clock.now)) == (True, 5.0)
    assert told == [1000.0]
    assert pacer.told[2:] == [("ask", 1000.0, 1, 0.0), ("ask", 1002.0, 1, 2.0), ("ask", 1005.0, 1, 5.0)]


def test_a_call_that_has_a_slot_at_once_tells_nobody(clock):
    of, _ = at(clock, 0.0)
    place, told = Place(of), []
    place.failed("x", "url", 0.0)
    assert place.wait(clock.sleep, 10.0, lambda: told.append(1)) == (True, 0.0)
    assert told == []


def test_a_call_sleeps_no_longer_than_it_may_wait_and_leaves_the_queue_then(clock):
    of, pacer = at(clock, 2.0, 9.0, 9.0)
    place = Place(of)
    place.failed("x", "url", 0.0)
    assert place.wait(clock.sleep, 3.5, lambda: None) == (False, 3.5)
    assert pacer.told[-2:] == [("ask", 1003.5, 1, 3.5), ("stop_waiting", 1003.5, 1)]


def test_a_call_that_may_not_wait_still_takes_a_free_slot(clock):
    of, pacer = at(clock, 0.0, 1.0)
    place = Place(of)
    place.failed("x", "url", 0.0)
    assert place.wait(clock.sleep, 0.0, lambda: None) == (True, 0.0)
    assert place.wait(clock.sleep, 0.0, lambda: None) == (False, 0.0)
    assert pacer.told[-1][0] == "stop_waiting"


def test_a_slot_used_in_vain_costs_thirty_seconds_of_seniority(clock):
    of, pacer = at(clock, 0.0, 0.0)
    place = Place(of)
    place.failed("x", "url", 0.0)
    place.wait(clock.sleep, 10.0, lambda: None)
    clock.now += 100
    place.wait(clock.sleep, 10.0, lambda: None)
    assert pacer.told[-1] == ("ask", 1100.0, 1, 70.0)


def test_a_sleep_that_takes_no_time_counts_as_the_whole_wait(clock):
    of, pacer = at(clock, 2.0)
    place = Place(of)
    place.failed("x", "url", 0.0)
    assert place.wait(lambda _seconds: False, 10.0, lambda: None) == (True, 2.0)
    assert pacer.told[-1] == ("stop_waiting", 1000.0, 1)


@pytest.mark.parametrize("where", ["tell", "sleep"])
def test_a_call_that_is_interrupted_leaves_the_queue(where, clock):
    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    of, pacer = at(clock, 2.0)
    place = Place(of)
    place.failed("x", "url", 0.0)
    with pytest.raises(KeyboardInterrupt):
        place.wait(interrupt if where == "sleep" else clock.sleep, 10.0, interrupt if where == "tell" else lambda: None)
    assert pacer.told[-1] == ("stop_waiting", 1000.0, 1)


# -- the pacers


def test_each_endpoint_and_each_url_has_a_pacer_of_its_own(clock):
    of = Pacers(clock)
    of.shared = lambda endpoint, url: Scripted()
    one = of.pacer_of("x", None)
    assert isinstance(one, Locked)
    assert of.pacer_of("x", None) is one
    assert of.pacer_of("y", None) is not one
    shared = of.pacer_of("x", "redis://a")
    assert isinstance(shared, Scripted)
    assert of.pacer_of("x", "redis://a") is shared
    assert of.pacer_of("x", "redis://b") is not shared


def test_without_a_fleet_a_url_is_of_no_use(clock):
    assert isinstance(Pacers(clock).pacer_of("x", "redis://a"), Locked)


def test_turns_have_numbers_of_their_own_from_one_on(clock):
    of = Pacers(clock)
    assert [of.turn().who for _ in range(3)] == [1, 2, 3]


def test_a_success_is_told_to_each_pacer_of_its_endpoint_and_to_no_other(clock):
    of = Pacers(clock)
    told = {}
    of.shared = lambda endpoint, url: told.setdefault((endpoint, url), Scripted())
    for endpoint, url in (("x", "a"), ("x", "b"), ("y", "a")):
        of.pacer_of(endpoint, url)
    of.note_answer(Target(lambda outcome: outcome), "x")
    of.note_answer(Target(lambda _outcome: None), "y")
    of.note_answer(Target(lambda outcome: outcome), "unknown")
    noted = [("note", 1000.0, 1, 0)]
    assert {key: [each for each in pacer.told if each[0] == "note"] for key, pacer in told.items()} == {
        ("x", "a"): noted,
        ("x", "b"): noted,
        ("y", "a"): [],
    }


def test_a_target_that_fails_hides_no_result(clock, caplog):
    def fail(_outcome: object) -> str:
        raise RuntimeError

    Pacers(clock).note_answer(Target(fail), "x")
    assert caplog.messages == ["a success could not be counted"]


@pytest.mark.parametrize(("later", "watching"), [(FADING, True), (FADING + 0.1, False)])
def test_nobody_watches_when_nothing_has_failed_for_as_long_as_outcomes_fade(later, watching, clock):
    of, _ = at(clock, 1.0)
    assert not of.watching
    of.pacer_of("x", "url")
    assert of.watching
    clock.now += later
    of.note_success("x")
    assert of.watching is watching


def test_the_program_goes_on_watching_while_one_pacer_is_in_use(clock):
    of, _ = at(clock, 1.0, 0.0)
    of.pacer_of("x", "a")
    of._pacers["x"]["b"] = Scripted(0.0)
    clock.now += 2 * FADING
    of.note_success("x")
    assert of.watching


def test_pacers_that_are_idle_go_when_another_one_comes(clock):
    of = Pacers(clock)
    of.shared = lambda _endpoint, url: Scripted(float(url == "idle"), 0.0)
    of.pacer_of("x", "idle")
    of.pacer_of("y", "busy")
    of.pacer_of("z", "busy")
    assert list(of._pacers) == ["y", "z"]


def test_the_oldest_goes_when_there_are_a_thousand(clock):
    of = Pacers(clock)
    for number in range(1001):
        of.pacer_of(str(number), None).call_failed()
    assert len(of._pacers) == 1000
    assert "0" not in of._pacers
    assert "1" in of._pacers


def test_everything_can_be_forgotten(clock):
    of = Pacers(clock)
    of.pacer_of("x", None)
    of.forget()
    assert (of.watching, of._pacers) == (False, {})


# -- when the pacer of one endpoint can be forgotten


def test_a_pacer_is_idle_when_no_call_is_under_way_none_waits_and_its_failures_have_faded():
    pacer = LocalPacer(0.0)
    assert pacer.idle(0.0)
    pacer.call_failed()
    assert not pacer.idle(0.0)
    pacer.call_ended()
    pacer.note(0.0, 0, 1)
    assert not pacer.idle(0.0)
    assert not pacer.idle(6.9)  # half of a failure is left after 10 s * ln 2
    assert pacer.idle(7.0)
