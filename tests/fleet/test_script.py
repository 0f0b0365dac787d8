"""The script in Redis and the state in a file decide as LocalPacer does, and leave nothing behind."""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING

import pytest

from os_retries.pacing import fleet
from os_retries.pacing.local import BURST, FADING, LONGEST_BACK, LocalPacer
from os_retries.pacing.shared import GRACE
from tests.fleet.shared import BY_OUR_CLOCK, NOW, File, Script, exact

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Server


@pytest.fixture
def script(server: Server):
    assert BY_OUR_CLOCK != fleet.SCRIPT
    with server.client() as client:
        yield Script(client)


@pytest.fixture(params=["redis", "host"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Each way to share a pacer."""
    if request.param == "redis":
        return request.getfixturevalue("script")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return File()


def local_pacer() -> LocalPacer:
    """A pacer with more than ten calls in trouble: fewer need no slots, and the fleet does not count them."""
    pacer = LocalPacer(NOW)
    for _ in range(int(BURST) + 1):
        pacer.call_failed()
    return pacer


@pytest.mark.parametrize("seed", range(6))
def test_it_gives_the_same_answers_as_the_local_pacer_whatever_happens(shared: Script, seed: int) -> None:
    dice = random.Random(seed)
    local, now = local_pacer(), NOW
    waiting: dict[int, tuple[float, float]] = {}  # who: since when, and when to ask again
    answers = troubles = slots = 0
    failing = 0.5
    for who in range(1500):
        if who % 100 == 0:
            failing = dice.choice([0.0, 0.1, 0.3, 0.6, 1.0, 1.0])
        now = exact(now + dice.choice([0.0, 0.001, 0.03, 0.3, 0.3, 3.0]) * dice.random())
        if dice.random() < 0.01:
            # Redis forgets whoever is too late, and after a jump back everybody: so nobody waits now.
            for each in waiting:
                local.stop_waiting(now, each)
                shared.run(now, what="leave", who=each)
            waiting.clear()
            now = exact(now + dice.choice([-20.0, -1.0, 5.0, 30.0]))
        many = dice.choice([1, 1, 1, 5, 40])
        failed = sum(dice.random() < failing for _ in range(many))
        outcomes = many - failed, failed, dice.choice([0.0, 10.0, 500.0])
        if dice.random() < 0.6:
            local.note(now, *outcomes)
            shared.run(now, *outcomes)
        if dice.random() < 0.5:
            # No two of the same instant: among those the order is anybody's.
            waiting[who] = now - dice.choice([0.0, 7.5, -30.0]) - who / 1000, now
        for each, (since, due) in sorted(waiting.items()):
            if due <= now:
                nap = local.ask(now, each, now - since)
                assert shared.ask(now, each, now - since) == pytest.approx(nap, rel=1e-6, abs=1e-9), (who, each)
                answers += 1
                slots += not nap
                if nap:
                    waiting[each] = since, now + nap
                else:
                    del waiting[each]
        for each in [each for each in waiting if dice.random() < 0.02]:
            local.stop_waiting(now, each)
            shared.run(now, what="leave", who=each)
            del waiting[each]
        assert shared.trouble == local.trouble
        troubles += local.trouble
    assert answers > 500
    assert 100 < slots < answers
    assert 100 < troubles < 1500


def test_it_recovers_as_the_local_pacer_does(shared: Script) -> None:
    """From one slot a second on, while each slot is used with success."""
    local, rates = local_pacer(), []
    local.note(NOW, 0, 60)
    shared.run(NOW, 0, 60, 0.0)
    due = dict.fromkeys(range(300), NOW)
    for tenth in range(150):
        now = exact(NOW + tenth / 10)
        for who in [who for who, when in due.items() if when <= now]:
            nap = local.ask(now, who, 1 - who / 1000)
            assert shared.ask(now, who, 1 - who / 1000) == pytest.approx(nap)
            if nap:
                due[who] = now + nap
            else:
                del due[who]
                local.note(now, 1, 0)
                shared.run(now, 1, 0, 0.0)
        rates.append(local.rate)
        assert shared.rate == pytest.approx(local.rate)
    assert min(rates) == 1
    assert max(rates) > 2.5 * BURST


def trouble(shared: Script, now: float = NOW, *, unaware: bool = False) -> None:
    shared.run(now, 0, 60, 0.0)
    if unaware:
        shared.all_are_unaware()
    assert shared.trouble


def test_who_does_not_ask_again_loses_his_place(shared: Script) -> None:
    """A process that dies while it waits must not stand in the way."""
    trouble(shared)
    for who in range(10):
        assert shared.ask(NOW, who) == 0  # the slots that are always there
    dead, living = (shared.ask(NOW, who) for who in (100, 101))
    assert 0 < dead < living
    now = NOW + dead + GRACE + 0.001
    shared.run(now, 0, 1, 0.0)
    assert shared.waiting == [101]  # the one who naps longer
    shared.run(NOW + living + GRACE + 0.001, 0, 1, 0.0)
    assert shared.waiting == []


def test_who_was_late_gets_his_old_place_again(shared: Script) -> None:
    trouble(shared)
    for who in range(10):
        shared.ask(NOW, who)
    shared.ask(NOW, 100)
    now = NOW + 20
    trouble(shared, now)
    for who in range(10):
        shared.ask(now, who)
    shared.ask(now, 101)
    shared.ask(now, 100, age=20.0)
    assert shared.waiting == [100, 101]


def test_all_keys_of_an_endpoint_are_ours_expire_and_share_a_node_of_a_cluster(script: Script) -> None:
    trouble(script)
    for who in range(20):
        script.ask(NOW, who)
    names = set(script.client.scan_iter())
    assert names == set(script.keys)
    assert len(names) == 3
    for name in names:
        assert name.startswith(f"{fleet.PREFIX}:{fleet.SHA[:8]}:")
        assert 0 < script.client.ttl(name) <= fleet.FORGET
        assert re.findall(r"\{(.*?)\}", name) == ["http://nova:8774%20compute"]


def test_nothing_is_forgotten_that_still_matters() -> None:
    """Redis keeps the numbers for longer than trouble lasts by itself, and than anybody naps."""
    assert fleet.FORGET > LONGEST_BACK + 3 * FADING


def test_no_name_of_an_endpoint_can_leave_its_hash_tag() -> None:
    for name in fleet.keys("a}b{c} d\n:é"):
        assert re.findall(r"\{(.*?)\}", name) == ["a%7Db%7Bc%7D%20d%0A:%C3%A9"]


def test_other_endpoints_have_other_keys() -> None:
    assert not set(fleet.keys("nova compute")) & set(fleet.keys("nova volume"))


def test_a_clock_set_back_loses_nobody(shared: Script) -> None:
    """A replica with another clock takes over: those who wait come again, with their age."""
    trouble(shared)
    for who in range(12):
        shared.ask(NOW, who)
    back = NOW - 3600
    shared.run(back, 0, 1, 0.0)
    assert shared.waiting == []  # not even those who never come again
    naps = [shared.ask(back + 0.1 * i, who, age=1.0 + 0.1 * i) for i in range(1, 200) for who in (10, 11)]
    assert 0 in naps


def test_failures_of_those_who_did_not_know_of_the_trouble_do_not_slow_the_queue(shared: Script) -> None:
    """Processes that live for one call tell of their failures alone: that share says nothing of the service."""
    trouble(shared, unaware=True)
    now, slots, rates = NOW, 0, []
    for second in range(60):
        for i in range(10):
            now = NOW + second + i / 10
            shared.run(now, 0, 1, 0.0, unaware=True)  # they fail, and nobody knows how many do not
            slots += (went := not shared.ask(now, 1000 + 10 * second + i, age=0.0))
            if went:
                shared.run(now, 1, 0, 0.0)
        rates.append(shared.rate)
    assert min(rates) >= 10
    assert slots == 600


def test_only_who_knows_of_the_trouble_tells_how_many_succeed(shared: Script) -> None:
    trouble(shared)
    shared.run(NOW, 5, 1, 0.0, unaware=True)
    assert shared.good == 0
    shared.run(NOW, 3, 1, 0.0)
    assert shared.good == 3


def test_it_uses_nothing_that_redis_6_2_or_a_cluster_refuses(server: Server) -> None:
    """Every key is declared: the script names none that it was not given."""
    calls = re.findall(r"redis\.call\('(\w+)'(?:, (\w+))?", fleet.SCRIPT)
    assert {command for command, _ in calls} <= {
        *("TIME", "HMGET", "HSET", "EXPIRE", "DEL"),
        *("ZADD", "ZREM", "ZCARD", "ZRANK", "ZRANGEBYSCORE"),
    }
    assert {key for _, key in calls} <= {"NUMBERS", "QUEUE", "ALIVE", "key", ""}


def test_one_decision_is_cheap_with_ten_thousand_waiting(script: Script) -> None:
    trouble(script)
    with script.client.pipeline(transaction=False) as pipe:
        for who in range(10_000):
            pipe.zadd(script.keys[1], {f"other:{who}": NOW})
        pipe.execute()
    began = time.monotonic()
    for who in range(200):
        script.ask(NOW + 0.001 * who, who)
    assert (time.monotonic() - began) / 200 < 0.01  # seconds; a hundred times what it takes
