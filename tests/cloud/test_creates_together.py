"""Concurrent creates: many threads, two processes, and a proxy that sends requests twice; and the full product.

The resources are counted in the service, with a session that is not attached.
"""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session, TCPKeepAliveAdapter

from os_retries import RetryPolicy, attach
from os_retries.core import hooks
from os_retries.evidence import Evidence, GiveUp
from os_retries.faults import AtRandom, Fault, Faults, only

from .creates import KINDS, Clients, Kind
from .test_creates_on_cloud import AFTER, BEFORE, World, fresh, one_and_the_callers

pytestmark = [
    pytest.mark.cloud,
    # openstacksdk's own use of what it has deprecated
    pytest.mark.filterwarnings("ignore:The _compute_attributes method is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'service_type' parameter is unnecesary"),
]

TOGETHER = "cinder-volume", "neutron-port"
both_are_there: Barrier


class Mix(AtRandom):
    """Every fault that there is: a third of the answers lost, every tenth create refused, some too late."""

    def fault(self, dice: Any) -> Fault | None:
        kind, which = dice.kind, dice.status
        if kind < 0.35:
            return _one_of([*AFTER.values()], which)
        if kind < 0.50:
            return _one_of([*BEFORE.values(), Fault.refused(429), Fault.unreachable(), Fault.stall()], which)
        return Fault.late(1) if kind < 0.53 else None


def _one_of(faults: list[Fault], dice: float) -> Fault:
    return faults[int(dice * len(faults))]


def mixed(seed: int) -> Faults:
    return Faults(
        Mix(only=only(verb="POST")),
        AtRandom(refused=0.05, reset=0.05, statuses=(503,), only=only(verb="GET")),
        seed=seed,
    )


def patient() -> RetryPolicy:
    """Wait for what lands late: these waits are real."""
    return RetryPolicy(retries_number=8, retry_after=0.2, settle_time=8, settle_time_after_timeout=8)


def create_many(session: Session, name: str, number: int, threads: int) -> dict[str, list[str]]:
    """Create so many volumes and ports of one name, with clients of their own; return the ids by kind."""
    network = Clients(session).network

    def work(each: int) -> tuple[str, list[str]]:
        own, kind = Clients(session), TOGETHER[each % 2]
        own.network = network
        return kind, KINDS[kind].ids(KINDS[kind].create(own, None, name))

    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(work, range(number)))
    return {kind: [one for its, ids in made for one in ids if its == kind] for kind in TOGETHER}


def taken_away(clean: Clients, name: str) -> dict[str, list[str]]:
    """Return what is there of that name, by kind; and delete it."""
    there = {kind: [each["id"] for each in KINDS[kind].listed(clean, None, name)] for kind in TOGETHER}
    for kind, ids in there.items():
        for each in ids:
            KINDS[kind].delete(clean, None, each)
    return there


def test_many_at_once_with_one_name_under_all_faults_make_one_each(cloud: Any, pytestconfig: pytest.Config) -> None:
    """Nothing is there twice, nothing is there that nobody knows of, and nobody gets what another one has made."""
    number = 200
    faults = mixed(pytestconfig.option.seed)
    session = cloud.session(session=faults.session())
    session.get_token()
    attach(session, patient())
    clean, name = Clients(cloud.session()), fresh()
    made = create_many(session, name, number, threads=8)
    faults.wait()
    there = taken_away(clean, name)
    assert len(faults.injected) > number / 3
    assert sum(map(len, made.values())) == number
    for kind in TOGETHER:
        assert sorted(made[kind]) == sorted(set(made[kind])) == sorted(there[kind])


def meet(barrier: Barrier) -> None:
    """Keep it for in_a_process: what two processes share can be given to them only when they begin."""
    global both_are_there  # noqa: PLW0603
    both_are_there = barrier


def in_a_process(auth: dict[str, str], seed: int, name: str) -> dict[str, list[str]]:
    faults = mixed(seed)
    session = Session(auth=v3.Password(**auth), session=faults.session())
    session.get_token()
    attach(session, patient())
    both_are_there.wait(60)
    made = create_many(session, name, 6, threads=2)
    faults.wait()
    return made


def test_two_processes_with_identical_requests_make_one_each(cloud: Any, pytestconfig: pytest.Config) -> None:
    """The same names at the same time under the same faults: each knows its own."""
    clean, name = Clients(cloud.session()), fresh()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, initializer=meet, initargs=(spawn.Barrier(2),)) as pool:
        arguments = cloud.demo, pytestconfig.option.seed, name
        both = [work.result() for work in [pool.submit(in_a_process, *arguments) for _ in range(2)]]
    there = taken_away(clean, name)
    for kind in TOGETHER:
        made = [each for one in both for each in one[kind]]
        assert len(made) == 6
        assert sorted(made) == sorted(set(made)) == sorted(there[kind])


# -- two hits


class Twice(TCPKeepAliveAdapter):
    """A proxy that has sent a create to the service twice, and has no answer."""

    armed = False
    sent = 0

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        response = super().send(request, **how)
        if request.method == "POST" and self.armed:
            self.sent += 1
            assert response.content  # the connection is free again
            response = super().send(request, **how)
            assert response.content
            response.status_code, response._content = 502, b"<html>Bad Gateway</html>"
        return response


@pytest.mark.parametrize("name", ["nova-server-tag", "nova-server-metadata", "cinder-volume", "neutron-port"])
def test_two_that_are_there_are_named_and_nothing_is_sent_again(
    cloud: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Evidence] = []
    monkeypatch.setattr(
        hooks, "sinks", (lambda event: seen.append(event.evidence) if event.name == "give_up" else None,)
    )
    kind, adapter, inner = KINDS[name], Twice(), requests.Session()
    inner.mount("http://", adapter)
    session = cloud.session(session=inner)
    attach(session, RetryPolicy(retries_number=2, sleep=lambda _seconds: None))
    clients, clean = Clients(session), Clients(cloud.session())
    _ = clients.flavor, clients.image, clients.network
    wanted = fresh()
    adapter.armed = True
    with pytest.raises(Exception):
        kind.create(clients, None, wanted)
    there = [kind.id_of(each) for each in kind.listed(clean, None, wanted)]
    for each in there:
        kind.delete(clean, None, each)
    inner.close()
    (evidence,) = seen
    assert (adapter.sent, len(there)) == (1, 2)
    assert evidence.reason is GiveUp.NOT_REPEATABLE
    assert sorted(evidence.found) == sorted(there)
    assert all(each in str(evidence) for each in there)


# -- the full product


WAYS = [*(f"{way} after" for way in AFTER), *(f"{way} before" for way in BEFORE), "late"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "round_" in metafunc.fixturenames:
        metafunc.parametrize("round_", range(metafunc.config.option.repeat if metafunc.config.option.full else 1))


@pytest.fixture(scope="module")
def full_world(cloud: Any) -> World:
    return World(cloud)


def plan_for(way: str, dice: random.Random) -> tuple[list[Fault | None], list[Fault | None]]:
    """Return what the creates and the look-ups meet: the way first, then what the dice say."""
    first = Fault.late(1) if way == "late" else (AFTER if way.endswith("after") else BEFORE)[way.split(maxsplit=1)[0]]
    more = [*BEFORE.values(), *AFTER.values(), Fault.refused(429), Fault.unreachable(), None]
    looks = [Fault.refused(503), Fault.reset(), Fault.stall(), None, None]
    creates = [first, *dice.choices(more, k=dice.randrange(3))]
    return creates, dice.choices(looks, k=dice.randrange(3))


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_whatever_else_happens_there_is_exactly_one_and_the_caller_has_it(
    full_world: World, name: str, way: str, round_: int, pytestconfig: pytest.Config
) -> None:
    world, kind = full_world, KINDS[name]
    dice = random.Random(f"{pytestconfig.option.seed} {name} {way} {round_}")
    clients, clean, setting = world.ready(kind)
    wanted = fresh()
    creates, looks = plan_for(way, dice)
    world.real_time = True
    world.plan(kind, list(creates), list(looks))
    met = f"creates met {[*map(str, creates)]}, look-ups {[*map(str, looks)]}"
    try:
        made = kind.create(clients, setting, wanted)
    except Exception:
        if not kind.asks_before:
            raise AssertionError(met) from None
        assert gone_or_one(world, kind, clean, setting, wanted), met
    else:
        try:
            one_and_the_callers(world, kind, wanted, made)
        except AssertionError as error:
            error.add_note(met)
            raise
    finally:
        world.faults.wait()


def gone_or_one(world: World, kind: Kind, clean: Clients, setting: Any, name: str) -> bool:
    """What is not sent again because nobody could say what there was before is there as asked for at most."""
    there = [kind.id_of(each) for each in kind.listed(clean, setting, name)]
    for each in there:
        kind.delete(clean, setting, each)
    return len(there) in (0, kind.number)
