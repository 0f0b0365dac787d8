"""The loop and the pacers: what is reported to them, how a call waits for a slot, and what a replaced sleep does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from unittest import mock

import pytest
from cinderclient.v3.volumes import VolumeManager
from novaclient.v2.images import GlanceManager
from novaclient.v2.servers import ServerManager
from openstack.compute.v2._proxy import Proxy as Compute
from openstack.image.v2._proxy import Proxy as Image

from os_retries import GiveUp, RetryPolicy, execute_with_retries, observe
from os_retries.core.target import MethodTarget
from os_retries.pacing.local import FADING, LocalPacer
from os_retries.pacing.process import pacers
from os_retries.testing import NoWaits

from .conftest import HttpError, Scripted


class Clock:
    """A clock that sleeping moves, and nothing else."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class ScriptedPacer:
    """A pacer that answers as told, the last answer forever, and writes down what it is told."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.notes: list[tuple[int, int, float]] = []
        self.asked: list[tuple[int, float]] = []
        self.left: list[int] = []
        self.calls = 0

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        self.notes.append((succeeded, failed, back))

    def ask(self, now: float, who: int, age: float) -> float:
        self.asked.append((who, age))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def stop_waiting(self, now: float, who: int) -> None:
        self.left.append(who)

    def call_failed(self) -> None:
        self.calls += 1

    def call_ended(self) -> None:
        self.calls -= 1

    def idle(self, now: float) -> bool:
        return not self.calls


@pytest.fixture(autouse=True)
def _no_pacers() -> Iterator[None]:
    pacers.forget()
    yield
    pacers.forget()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacers, "clock", lambda: clock.now)
    return clock


def paced(monkeypatch, *answers: float) -> ScriptedPacer:
    pacer = ScriptedPacer(*answers)
    monkeypatch.setattr(pacers, "pacer_of", lambda _endpoint, _url: pacer)
    return pacer


# Waiting for a slot


def test_a_failed_call_waits_its_own_time_and_then_until_it_has_a_slot(monkeypatch, clock):
    pacer = paced(monkeypatch, 3.0, 2.0, 0.0)
    method = Scripted(HttpError(503), "result")
    assert RetryPolicy(sleep=clock.sleep).execute(method) == "result"
    assert clock.slept == [10.0, 3.0, 2.0]
    assert pacer.notes == [(0, 1, 10.0)]
    assert len({who for who, _ in pacer.asked}) == 1
    assert [age for _, age in pacer.asked] == [0.0, 3.0, 5.0]
    assert pacer.left == []
    assert pacer.calls == 0


def test_a_first_attempt_is_never_held(monkeypatch, clock):
    pacer = paced(monkeypatch, 5.0)
    assert RetryPolicy(sleep=clock.sleep).execute(Scripted("result")) == "result"
    assert pacer.asked == []
    assert clock.slept == []


def test_the_evidence_counts_the_time_that_was_waited_for_a_slot(monkeypatch, clock):
    paced(monkeypatch, 3.0, 0.0)
    with pytest.raises(HttpError) as raised:
        RetryPolicy(retries_number=1, sleep=clock.sleep).execute(Scripted(HttpError(503)))
    assert [attempt.wait for attempt in raised.value.os_retries.attempts] == [13.0, None]
    assert "13 s of waiting" in raised.value.__notes__[0]


def test_a_call_gives_up_when_retry_max_wait_is_over_and_raises_its_own_error_as_it_was(monkeypatch, clock, caplog):
    pacer = paced(monkeypatch, 7.0)
    cause = OSError("below")
    error = HttpError(503)
    error.__context__ = cause
    method = Scripted(error)
    policy = RetryPolicy(retry_max_wait=20, sleep=clock.sleep)
    with pytest.raises(HttpError) as raised:
        try:
            raise KeyError("what the caller is busy with")
        except KeyError:
            policy.execute(method)
    assert raised.value is error
    assert clock.slept == [10.0, 7.0, 7.0, 6.0]
    assert len(method.calls) == 1
    evidence = error.os_retries
    assert evidence.reason is GiveUp.PACED
    assert [attempt.wait for attempt in evidence.attempts] == [30.0]
    assert len(pacer.left) == 1
    assert pacer.calls == 0
    assert "giving up: no slot became free" in caplog.text


def test_an_error_given_up_while_paced_keeps_its_context(monkeypatch, clock):
    paced(monkeypatch, 7.0)

    def method():
        try:
            raise OSError("below")
        except OSError:
            raise HttpError(503)

    with pytest.raises(HttpError) as raised:
        try:
            raise KeyError("what the caller is busy with")
        except KeyError:
            RetryPolicy(retry_max_wait=1, sleep=clock.sleep).execute(method)
    assert isinstance(raised.value.__context__, OSError)


def test_the_allowance_is_the_calls_and_not_the_waits(monkeypatch, clock):
    """Two waits for a slot share one ``retry_max_wait``."""
    paced(monkeypatch, 15.0, 0.0, 15.0)
    with pytest.raises(HttpError) as raised:
        RetryPolicy(retry_max_wait=20, sleep=clock.sleep).execute(Scripted(HttpError(503)))
    assert [attempt.wait for attempt in raised.value.os_retries.attempts] == [25.0, 15.0]


def test_the_log_and_on_retry_say_that_a_wait_is_the_pacers(monkeypatch, clock, caplog):
    paced(monkeypatch, 3.0, 2.0, 0.0)
    retries = []
    policy = RetryPolicy(sleep=clock.sleep, on_retry=retries.append, retry_max_wait=60)
    with caplog.at_level(logging.WARNING):
        policy.execute(Scripted(HttpError(503), "result"))
    assert [(retry.source, retry.attempt.wait) for retry in retries] == [("retry_after", 10.0), ("pacing", 60.0)]
    assert [retry.attempt.number for retry in retries] == [1, 1]
    assert "in 60 s at most (pacing)" in caplog.messages[1]
    assert [record.os_retries for record in caplog.records] == retries
    assert len(caplog.messages) == 2


def test_a_wait_for_a_slot_has_events_of_its_own(monkeypatch, clock):
    paced(monkeypatch, 3.0, 2.0, 0.0)
    told = []
    with observe.add(told.append):
        RetryPolicy(sleep=clock.sleep, retry_max_wait=60).execute(Scripted(HttpError(503), "result"))
    assert [(event.name, getattr(event, "seconds", None), getattr(event, "wait", None)) for event in told] == [
        ("attempt_failed", None, None),
        ("retry", None, 10.0),
        ("waited", 10.0, None),
        ("paced", None, 60.0),
        ("waited", 5.0, None),
        ("succeeded", None, None),
    ]
    assert told[-1].waited == 15.0


def test_whoever_is_interrupted_while_he_is_told_that_he_waits_leaves_the_queue(monkeypatch, clock):
    pacer = paced(monkeypatch, 3.0)

    def on_retry(retry):
        if retry.source == "pacing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RetryPolicy(sleep=clock.sleep, on_retry=on_retry).execute(Scripted(HttpError(503)))
    assert (len(pacer.left), pacer.calls) == (1, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_was_forked_while_another_thread_gave_up_gives_up_too():
    """In a process of its own: pytest's has threads, which a fork leaves in any state."""
    program = """if True:
        import os
        from oslo_config import cfg
        from os_retries import RetryPolicy, config, configure
        from os_retries.core import retries
        from os_retries.session import attaching
        class Error(Exception):
            code = 503
        def fail():
            raise Error
        retries._given_up_lock.acquire()
        attaching._lock.acquire()
        config._lock.acquire()
        child = os.fork()
        if not child:
            try:
                RetryPolicy(retries_number=0).execute(fail)
            except Error as error:
                from keystoneauth1.session import Session
                attaching.attach(Session())
                configure(cfg.ConfigOpts())
                os._exit(error.os_retries is None)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_whoever_is_interrupted_while_he_waits_leaves_the_queue(monkeypatch, clock, kind):
    pacer = paced(monkeypatch, 3.0)

    def sleep(seconds):
        if seconds == 3.0:
            raise kind
        clock.sleep(seconds)

    with pytest.raises(kind) as raised:
        RetryPolicy(sleep=sleep).execute(Scripted(HttpError(503)))
    assert len(pacer.left) == 1
    assert pacer.calls == 0
    assert raised.value.__context__ is None


# Sleeps that do not sleep


def test_a_call_whose_wait_for_a_slot_the_program_ends_leaves_the_queue_and_sleeps_no_more(monkeypatch, clock):
    pacer = paced(monkeypatch, 3.0)

    def sleep(seconds: float) -> bool:
        clock.sleep(seconds)
        return seconds == 3.0

    with pytest.raises(HttpError) as raised:
        RetryPolicy(sleep=sleep).execute(Scripted(HttpError(503)))
    assert raised.value.os_retries.reason is GiveUp.STOPPED
    assert (clock.slept, len(pacer.left), pacer.calls) == ([10.0, 3.0], 1, 0)


def test_where_sleeping_takes_no_time_nobody_asks_for_a_slot(monkeypatch):
    pacer = paced(monkeypatch, 3.0)
    waits = []
    with pytest.raises(HttpError):
        RetryPolicy(sleep=waits.append).execute(Scripted(HttpError(503)))
    assert waits == [10.0] * 5
    assert pacer.asked == []


def test_a_hundred_failing_calls_with_a_mocked_sleep_neither_spin_nor_hang():
    with mock.patch("time.sleep") as sleep:
        for _ in range(100):
            with pytest.raises(HttpError):
                execute_with_retries(Scripted(HttpError(503)))
    assert sleep.call_args_list == [mock.call(10.0)] * 500


def test_a_wait_for_a_slot_that_returns_at_once_counts_as_the_whole_wait(monkeypatch, clock):
    """With no wait of its own a call cannot know that its sleep does not sleep before it waits for a slot."""
    pacer = paced(monkeypatch, 3.0)
    waits = []
    with pytest.raises(HttpError) as raised:
        RetryPolicy(retries_number=2, retry_after=0, sleep=waits.append).execute(Scripted(HttpError(503)))
    assert waits == [0.0, 3.0, 0.0, 3.0]
    assert len(pacer.left) == 2
    assert [attempt.wait for attempt in raised.value.os_retries.attempts] == [3.0, 3.0, None]


def test_a_call_after_the_other_is_never_paced_though_it_does_not_wait_itself():
    """A suite that sets retry_after to 0 runs as fast as before."""
    began = time.monotonic()
    for _ in range(200):
        with pytest.raises(HttpError):
            RetryPolicy(retry_after=0).execute(Scripted(HttpError(503)))
    assert pacers._pacers
    assert time.monotonic() - began < 5.0  # a thousand retries; paced they would take minutes


def test_under_no_waits_nothing_is_paced_and_nothing_is_remembered():
    with NoWaits() as recorded:
        for _ in range(50):
            with pytest.raises(HttpError):
                execute_with_retries(Scripted(HttpError(503)))
    assert recorded.waits == [10.0] * 250
    assert not pacers._pacers
    assert not pacers.watching


def test_without_pacing_nobody_is_told_anything(monkeypatch, clock):
    pacer = paced(monkeypatch, 3.0)
    RetryPolicy(pacing=False, sleep=clock.sleep).execute(Scripted(HttpError(503), "result"))
    assert clock.slept == [10.0]
    assert pacer.notes == pacer.asked == []


# What the pacers are told


def pacer_at(endpoint: str) -> LocalPacer:
    return pacers._pacers[endpoint][None]._pacer


def test_a_success_is_counted_only_while_something_fails_and_where_it_belongs(clock):
    policy = RetryPolicy(sleep=clock.sleep, retry_after=1)
    policy.execute(Scripted("result"))
    assert not pacers._pacers
    assert not pacers.watching
    policy.execute(Scripted(HttpError(503), "result"))
    assert pacers.watching
    policy.execute(Scripted("result"))
    pacer = pacer_at("tests")
    assert 0.5 < pacer.failed < 1.0
    assert 1.0 < pacer.succeeded <= 2.0
    assert list(pacers._pacers) == ["tests"]
    assert pacer.calls == 0


@pytest.mark.parametrize("retries", [0, 2])
def test_the_attempt_with_which_a_call_gives_up_is_a_failure_too(retries, clock):
    """A service that is down is in trouble also for the calls that have no attempts left."""
    policy = RetryPolicy(sleep=clock.sleep, retry_after=0, retries_number=retries)
    for _ in range(4):
        with pytest.raises(HttpError):
            policy.execute(Scripted(HttpError(503)))
    assert pacer_at("tests").failed == 4 * (retries + 1)
    assert pacer_at("tests").calls == 0


def test_a_call_that_gives_up_says_that_it_will_not_be_back(monkeypatch, clock):
    pacer = paced(monkeypatch, 0.0)
    with pytest.raises(HttpError):
        RetryPolicy(sleep=clock.sleep, retries_number=1).execute(Scripted(HttpError(503)))
    assert pacer.notes == [(0, 1, 10.0), (0, 1, 0.0)]


def test_nobody_watches_any_more_when_nothing_has_failed_for_ten_seconds(clock):
    policy = RetryPolicy(sleep=clock.sleep)
    policy.execute(Scripted(HttpError(503), "result"))
    clock.now += 2 * FADING
    policy.execute(Scripted("result"))
    clock.now += 2 * FADING
    policy.execute(Scripted("result"))
    assert not pacers.watching


def test_an_answer_that_is_not_to_be_repeated_counts_as_a_success(clock):
    policy = RetryPolicy(sleep=clock.sleep, retry_after=1)
    policy.execute(Scripted(HttpError(503), "result"))
    before = pacer_at("tests").succeeded
    with pytest.raises(HttpError):
        policy.execute(Scripted(HttpError(404)))
    assert pacer_at("tests").succeeded == before + 1


def test_a_bug_is_no_answer(clock):
    policy = RetryPolicy(sleep=clock.sleep, retry_after=1)
    policy.execute(Scripted(HttpError(503), "result"))
    before = pacer_at("tests").succeeded
    with pytest.raises(ValueError):
        policy.execute(Scripted(ValueError()))
    assert pacer_at("tests").succeeded == before


def test_no_more_than_a_thousand_pacers_are_kept_and_idle_ones_go_first(clock):
    for number in range(1200):
        pacers.pacer_of(f"endpoint {number}", None).call_failed()
    assert len(pacers._pacers) <= 1000
    for number in range(10):
        pacers.pacer_of(f"idle {number}", None)
    clock.now += 2 * FADING
    pacers.pacer_of("new", None)
    assert not any(name.startswith("idle") for name in pacers._pacers)
    assert "new" in pacers._pacers


def test_a_call_in_trouble_keeps_its_pacer_though_others_come(clock):
    pacer = pacers.pacer_of("mine", None)
    pacer.call_failed()
    clock.now += 1000
    pacers.pacer_of("another", None)
    assert pacers.pacer_of("mine", None) is pacer


def test_a_fleets_pacer_takes_the_place_of_the_local_one(monkeypatch, clock):
    made = []
    monkeypatch.setattr(pacers, "shared", lambda endpoint, url: made.append((endpoint, url)) or ScriptedPacer(0.0))
    policy = RetryPolicy(sleep=clock.sleep, pacing_url="redis://localhost")
    policy.execute(Scripted(HttpError(503), HttpError(503), "result"))
    assert made == [("tests", "redis://localhost")]


def test_a_forked_child_begins_anew():
    """A thread of the parent may hold a lock, or a place in the queue, that nobody gives back in the child."""
    script = """
import os, threading
from os_retries.pacing.process import pacers
pacers.pacer_of("x", None).call_failed()
held = threading.Event(); go_on = threading.Event()
def hold():
    with pacers._lock:
        held.set(); go_on.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    pacers.pacer_of("y", None)
    os._exit(0 if list(pacers._pacers) == ["y"] else 1)
print(os.waitpid(child, 0)[1])
go_on.set()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout.strip() == "0", done.stderr


# What is paced together


def test_the_methods_of_one_package_are_paced_together():
    endpoints = [
        MethodTarget(method, lambda _: RetryPolicy()).endpoint(None)
        for method in (ServerManager(None).list, GlanceManager(None).list, VolumeManager(None).list, "".join)
    ]
    assert endpoints == ["novaclient", "novaclient", "cinderclient", "builtins"]


def test_the_services_of_openstacksdk_are_paced_apart():
    endpoints = {
        MethodTarget(method, lambda _: RetryPolicy()).endpoint(None)
        for method in (Compute.__new__(Compute).servers, Image.__new__(Image).images)
    }
    assert endpoints == {"openstack compute", "openstack image"}
