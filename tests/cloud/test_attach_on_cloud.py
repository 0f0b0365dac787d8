"""Attached sessions on the real services: a repeat never does anything twice, and an unsafe repeat is not made."""

from __future__ import annotations

import hashlib
import io
import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import openstack
import pytest

from os_retries import RetryPolicy, attach
from os_retries.faults import AtRandom, Fault, Faults, Script, only

from .test_clients_on_cloud import RUN, SUBJECTS, World, until

if TYPE_CHECKING:
    from keystoneauth1.session import Session

pytestmark = [
    pytest.mark.cloud,
    # openstacksdk's own use of what it has deprecated
    pytest.mark.filterwarnings("ignore:The _compute_attributes method is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'service_type' parameter is unnecesary"),
]

ON_A_SESSION = [name for name in SUBJECTS if name != "swift"]


@pytest.fixture(scope="module")
def world(cloud: Any) -> World:
    """The clients above faults, on attached sessions that wait for nothing."""
    world = World(cloud)
    for session in world.sessions.values():
        session.get_token()
        attach(session, RetryPolicy(sleep=lambda _seconds: None))
    return world


@pytest.mark.parametrize("name", ON_A_SESSION)
def test_lists_and_deletes_are_repeated_after_any_fault_and_creates_after_a_refusal(world: World, name: str) -> None:
    subject, client, clean = SUBJECTS[name], world.client(name), world.clean[name]
    broken = [Fault.lost(504), Fault.reset(processed=True), Fault.stall(), Fault.unreachable(), Fault.refused(503)]

    method, *args = subject.list(client)
    world.plan(list(broken), service=subject.service, verb="GET")
    method(*args)
    assert len(world.seen(service=subject.service, verb="GET")) == 6

    wanted = f"{RUN}-attached"
    method, *args = subject.create(client, wanted)
    world.plan([Fault.refused(429), Fault.unreachable(), Fault.refused(429)], service=subject.service, verb="POST")
    made = subject.id(method(*args), wanted)
    assert subject.listed(clean) == [wanted], "exactly one"

    if subject.ready is not None:
        until(lambda: subject.ready(clean, made))  # type: ignore[misc]
    method, *args = subject.delete(client, made)
    # The first one is done and its answer lost: the second finds nothing, or is refused because the first is under way.
    world.plan([Fault.lost(502)], service=subject.service, verb="DELETE")
    method(*args)
    assert len(world.seen(service=subject.service, verb="DELETE")) == 2
    until(lambda: not subject.listed(clean))


@pytest.mark.parametrize("fault", [Fault.lost(504), Fault.reset(processed=True), Fault.lost(503, html=True)])
@pytest.mark.parametrize("name", ON_A_SESSION)
def test_a_create_whose_answer_is_lost_is_not_sent_again(world: World, name: str, fault: Fault) -> None:
    """The service has done it: a second one would be a duplicate.  Without safe_creates the caller is told."""
    subject, client, clean = SUBJECTS[name], world.client(name), world.clean[name]
    attach(world.sessions[subject.account], RetryPolicy(sleep=lambda _seconds: None, safe_creates=False))
    wanted = f"{RUN}-lost-{uuid.uuid4().hex[:6]}"
    method, *args = subject.create(client, wanted)
    world.plan([fault], service=subject.service, verb="POST")
    with pytest.raises(Exception):
        method(*args)
    assert len(world.seen(service=subject.service, verb="POST")) == 1
    assert subject.listed(clean) == [wanted], "exactly one"
    things = [thing for thing in _things(subject, clean) if _name(thing) == wanted]
    if subject.ready is not None:
        until(lambda: subject.ready(clean, _id(things[0])))  # type: ignore[misc]
    method, *args = subject.delete(clean, _id(things[0]))
    method(*args)
    until(lambda: not subject.listed(clean))


def _things(subject: Any, client: Any) -> list[Any]:
    method, *args = subject.list(client)
    answer = method(*args)
    return answer["networks"] if isinstance(answer, dict) else list(answer)


def _name(thing: Any) -> str:
    return thing["name"] if isinstance(thing, dict) else thing.name


def _id(thing: Any) -> str:
    return thing["id"] if isinstance(thing, dict) else thing.id


@pytest.fixture
def connection(cloud: Any) -> Iterator[tuple[Any, Script, Faults]]:
    """An openstacksdk Connection above faults, attached."""
    script = Script([])
    faults = Faults(script, tokens=True)
    sdk = openstack.connection.Connection(session=cloud.session(session=faults.session()))
    attach(sdk, RetryPolicy(sleep=lambda _seconds: None))
    yield sdk, script, faults
    sdk.close()


@pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO")  # openstacksdk does not close what it opened
@pytest.mark.parametrize(
    "fault", [Fault.refused(503), Fault.reset(), Fault.stall(), Fault.lost(504), Fault.reset(processed=True)]
)
def test_an_image_made_from_a_file_is_stored_whole(connection: Any, tmp_path: Any, fault: Fault) -> None:
    """Openstacksdk alone stores nothing at all here, or is told 409, and reports success."""
    sdk, script, _faults = connection
    content = uuid.uuid4().bytes * 50_000
    path = tmp_path / "image"
    path.write_bytes(content)
    script.only, script.left[:] = only(service="image", verb="PUT", path="/file$"), [fault, fault]
    image = sdk.image.create_image(
        f"{RUN}-sdk", filename=str(path), disk_format="raw", container_format="bare", allow_duplicates=True
    )
    stored = sdk.image.get_image(image.id)
    assert (stored.status, stored.size) == ("active", len(content))
    assert stored.hash_value == hashlib.new(stored.hash_algo, content).hexdigest()
    sdk.image.delete_image(image.id)


def test_an_image_with_other_bytes_is_no_upload_that_had_worked(connection: Any) -> None:
    """Somebody else has uploaded meanwhile: glance's 409 stands."""
    sdk, script, _faults = connection
    image = sdk.image.create_image(f"{RUN}-other", disk_format="raw", container_format="bare", allow_duplicates=True)
    script.only, script.left[:] = only(service="image", verb="PUT", path="/file$"), [Fault.lost(504)]
    other = io.BytesIO(b"mine")

    def somebody_else(_seconds: float) -> None:
        other.seek(0)
        other.write(b"different")

    attach(sdk, RetryPolicy(sleep=somebody_else))
    upload = sdk.image.put(f"/images/{image.id}/file", data=other, headers={"Content-Type": "application/octet-stream"})
    assert upload.status_code == 409
    sdk.image.delete_image(image.id)


def test_every_service_of_the_sdk_is_listed_under_random_faults_of_all_kinds(cloud: Any) -> None:
    """One in four requests fails, tokens included; the seed is drawn and printed."""
    seed = uuid.uuid4().int % 1_000_000
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance = AtRandom(refused=0.1, lost=0.05, unreachable=0.05, reset=0.03, stall=0.02)
    faults = Faults(chance, seed=seed, tokens=True)
    sdk = openstack.connection.Connection(session=cloud.session(session=faults.session()))
    attach(sdk, RetryPolicy(retries_number=20, sleep=lambda _seconds: None))
    for _ in range(5):
        assert [flavor.name for flavor in sdk.compute.flavors()]
        assert [network.name for network in sdk.network.networks()]
        assert [image.name for image in sdk.image.images()]
        list(sdk.block_storage.volumes())
        list(sdk.orchestration.stacks())
        list(sdk.object_store.containers())
        assert sdk.current_project_id
    assert faults.injected
    sdk.close()


def test_many_threads_on_one_attached_session_each_get_their_answer(cloud: Any) -> None:
    faults = Faults(AtRandom(refused=0.2, lost=0.05, reset=0.05), seed=7, tokens=True)
    session: Session = cloud.session(session=faults.session())
    attach(session, RetryPolicy(retries_number=50, sleep=lambda _seconds: None))
    results: dict[int, int] = {}

    def work(number: int) -> None:
        for _ in range(4):
            results[number] = session.get("/flavors", endpoint_filter={"service_type": "compute"}).status_code

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(32), 200)
    assert faults.injected
