"""The specification's clients, and glanceclient, on real services, with faults injected below every layer of retries.

The numbers of requests come from the record of the faults, and the numbers of resources from the service.
"""

from __future__ import annotations

import functools
import hashlib
import io
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import cinderclient.client
import glanceclient
import glanceclient.exc
import heatclient.client
import heatclient.exc
import keystoneauth1.exceptions
import keystoneclient.v3.client
import neutronclient.common.exceptions
import neutronclient.v2_0.client
import novaclient.client
import pytest
import swiftclient
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from oslo_config import cfg

from os_retries import client_options, configure, execute_with_retries, policy
from os_retries.evidence import GiveUp
from os_retries.faults import Fault, Faults, Script, only
from os_retries.testing import NoWaits

pytestmark = pytest.mark.cloud

STATUSES = frozenset({408, 413, 429, 500, 502, 503, 504})  # the specification's, not the code's
RUN = "rt" + uuid.uuid4().hex[:8]
STACK = {"heat_template_version": "2018-08-31", "resources": {"nothing": {"type": "OS::Heat::None"}}}


@dataclass(frozen=True)
class Subject:
    """How one client lists, creates and deletes one kind of thing: what execute_with_retries is given."""

    service: str
    make: Callable[[Any, dict[str, Any]], Any]
    list: Callable[[Any], tuple[Any, ...]]
    names: Callable[[Any], Iterable[str]]
    create: Callable[[Any, str], tuple[Any, ...]]
    delete: Callable[[Any, str], tuple[Any, ...]]
    error: type[Exception]
    id: Callable[[Any, str], str] = lambda made, _name: made.id
    account: str = "demo"
    create_verb: str = "POST"
    ready: Callable[[Any, str], bool] | None = None
    # Where the client's exceptions lose the status; where they keep a Retry-After of seconds, and of a date (measured).
    lost: frozenset[int] = frozenset()
    keeps_seconds: frozenset[int] = frozenset()
    keeps_date: frozenset[int] = frozenset()

    def listed(self, client: Any) -> list[str]:
        """What is there of this run, asked for without retries."""
        method, *args = self.list(client)
        return own(self.names(method(*args)))


def names_by(attribute: str) -> Callable[[Any], Iterable[str]]:
    return lambda things: [getattr(thing, attribute) for thing in things]


def own(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name and name.startswith(RUN))


SUBJECTS = {
    "keystone": Subject(
        "identity",
        lambda session, options: keystoneclient.v3.client.Client(session=session, **options),
        lambda client: (client.projects.list,),
        names_by("name"),
        lambda client, name: (client.projects.create, name, "default"),
        lambda client, made: (client.projects.delete, made),
        keystoneauth1.exceptions.ServiceUnavailable,
        account="admin",
        keeps_seconds=STATUSES,
        keeps_date=STATUSES,
    ),
    "nova": Subject(  # servers have a test of their own: they take seconds
        "compute",
        lambda session, options: novaclient.client.Client("2.60", session=session, **options),
        lambda client: (client.server_groups.list,),
        names_by("name"),
        lambda client, name: (client.server_groups.create, name, ["anti-affinity"]),
        lambda client, made: (client.server_groups.delete, made),
        novaclient.exceptions.ClientException,
        keeps_seconds=frozenset({413, 429}),
    ),
    "neutron": Subject(
        "network",
        lambda session, options: neutronclient.v2_0.client.Client(session=session, **options),
        lambda client: (client.list_networks,),
        lambda answer: [each["name"] for each in answer["networks"]],
        lambda client, name: (client.create_network, {"network": {"name": name}}),
        lambda client, made: (client.delete_network, made),
        neutronclient.common.exceptions.ServiceUnavailable,
        id=lambda made, _name: made["network"]["id"],
    ),
    "cinder": Subject(
        "block-storage",
        lambda session, options: cinderclient.client.Client("3", session=session, **options),
        lambda client: (client.volumes.list,),
        names_by("name"),
        lambda client, name: (functools.partial(client.volumes.create, 1, name=name),),
        lambda client, made: (client.volumes.delete, made),
        cinderclient.exceptions.ClientException,
        ready=lambda client, made: client.volumes.get(made).status == "available",
        keeps_seconds=frozenset({413}),
        keeps_date=frozenset({413}),
    ),
    "heat": Subject(  # stacks have a test of their own: they take seconds
        "orchestration",
        lambda session, options: heatclient.client.Client("1", session=session, **options),
        lambda client: (client.software_configs.list,),
        names_by("name"),
        lambda client, name: (functools.partial(client.software_configs.create, name=name, group="script"),),
        lambda client, made: (client.software_configs.delete, made),
        heatclient.exc.HTTPServiceUnavailable,
    ),
    "glance": Subject(
        "image",
        lambda session, options: glanceclient.Client("2", session=session, **options),
        lambda client: (lambda: list(client.images.list()),),  # lazy: read within the call
        names_by("name"),
        lambda client, name: (functools.partial(client.images.create, name=name, disk_format="raw"),),
        lambda client, made: (client.images.delete, made),
        glanceclient.exc.HTTPServiceUnavailable,
        lost=frozenset({408, 429, 504}),
    ),
    "swift": Subject(
        "object-store",
        lambda connection, _options: connection,
        lambda client: (client.get_account,),
        lambda answer: [each["name"] for each in answer[1]],
        lambda client, name: (client.put_container, name),
        lambda client, made: (client.delete_container, made),
        swiftclient.ClientException,
        id=lambda _made, name: name,
        create_verb="PUT",
        keeps_seconds=frozenset({413}),  # all others it repeats by itself, and looks at no Retry-After
        keeps_date=frozenset({413}),
    ),
}


class World:
    """The clients of two accounts, once above a plan of faults and once above none."""

    def __init__(self, cloud: Any) -> None:
        self.script = Script([])
        self.faults = Faults(self.script)
        self.cloud = cloud
        self.sessions = {
            account: cloud.session(account, session=self.faults.session()) for account in ("demo", "admin")
        }
        self.clean_sessions = {account: cloud.session(account) for account in ("demo", "admin")}
        self.clean = {
            name: subject.make(
                swiftclient.Connection(session=self.clean_sessions["demo"])
                if name == "swift"
                else self.clean_sessions[subject.account],
                {},
            )
            for name, subject in SUBJECTS.items()
        }

    def client(self, name: str) -> Any:
        """A client above the faults, made the way the documentation says."""
        subject = SUBJECTS[name]
        session, options = self.sessions[subject.account], client_options(name)
        if name == "swift":
            return self.faults.swift_connection(session=session, **options)
        self.plan([])
        client = subject.make(session, options)
        subject.listed(client)  # glance asks for its schema once
        return client

    def plan(self, faults: list[Fault | None], **which: Any) -> None:
        self.script.left[:] = faults
        self.script.only = only(**which)
        self.faults.record.clear()

    def seen(self, **which: Any) -> list[int | None]:
        """The statuses of the requests since the last plan."""
        assert not self.script.left, "not every fault was met"
        matches = only(**which)
        return [entry.status for entry in self.faults.record if matches(entry.request) and not entry.request.token]


@pytest.fixture(scope="module")
def world(cloud: Any) -> World:
    world = World(cloud)
    for session in world.sessions.values():
        session.get_token()  # the catalog comes with it
    return world


@pytest.fixture(autouse=True)
def waits() -> Iterator[NoWaits]:
    """No test waits between attempts, and each begins with the specification's policy; swift does not sleep either."""
    policy.provide(None)
    with NoWaits() as recorder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(swiftclient.client, "sleep", lambda _seconds: None)
        yield recorder
    policy.provide(None)


def until(holds: Callable[[], bool], limit: float = 60) -> None:
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline, "the service did not come to it"
        time.sleep(0.05)


FORMS = ("bare", "seconds", "date", "balancer")


def refusal(status: int, form: str) -> Fault:
    retry_after = {"seconds": 3, "date": formatdate(time.time() + 100, usegmt=True)}.get(form)
    return Fault.refused(status, retry_after=retry_after, html=form == "balancer")


def expected_wait(subject: Subject, status: int, form: str) -> Any:
    if form == "seconds" and status in subject.keeps_seconds:
        return 3
    if form == "date" and status in subject.keeps_date:
        return pytest.approx(95, abs=6)
    return 10


MATRIX = [
    pytest.param(name, status, id=f"{name}-{status}")
    for name, subject in SUBJECTS.items()
    for status in sorted(STATUSES - subject.lost)
]


@pytest.mark.parametrize(("name", "status"), MATRIX)
def test_refused_lists_creates_and_deletes_are_repeated_and_done_exactly_once(
    world: World, waits: NoWaits, name: str, status: int
) -> None:
    subject, client, clean = SUBJECTS[name], world.client(name), world.clean[name]

    def refused_once(form: str, verb: str, method: Callable[..., Any], *args: Any) -> Any:
        waits.retries.clear()
        world.plan([refusal(status, form)], service=subject.service, verb=verb)
        result = execute_with_retries(method, *args)
        first, second = world.seen(service=subject.service, verb=verb)
        assert (first, (second or 999) < 300) == (status, True), (form, verb)
        by_itself = name == "swift" and status != 413
        assert waits.waits == ([] if by_itself else [expected_wait(subject, status, form)]), (form, verb)
        return result

    made: dict[str, str] = {}
    for form in FORMS:
        listed = refused_once(form, "GET", *subject.list(client))
        assert own(subject.names(listed)) == sorted(made)
        wanted = f"{RUN}-{status}-{form}"
        answer = refused_once(form, subject.create_verb, *subject.create(client, wanted))
        made[wanted] = subject.id(answer, wanted)
    assert subject.listed(clean) == sorted(made), "exactly one of each"

    for form, thing in zip(FORMS, made.values(), strict=True):
        if subject.ready is not None:
            until(lambda thing=thing: subject.ready(clean, thing))  # type: ignore[misc]
        refused_once(form, "DELETE", *subject.delete(client, thing))
    until(lambda: not subject.listed(clean))


def test_a_server_refused_twice_is_booted_once(world: World) -> None:
    client, clean, name = world.client("nova"), world.clean["nova"], f"{RUN}-server"
    boot_from = clean.glance.find_image("cirros"), clean.flavors.find(name="tiny")
    world.plan([Fault.refused(503), Fault.refused(413, retry_after=2)], service="compute", verb="POST")
    server = execute_with_retries(client.servers.create, name, *boot_from, nics="none")
    assert world.seen(service="compute", verb="POST") == [503, 413, 202]
    assert [each.id for each in clean.servers.list(search_opts={"name": name})] == [server.id]
    world.plan([Fault.refused(500, html=True)], service="compute", verb="DELETE")
    execute_with_retries(client.servers.delete, server.id)
    until(lambda: not clean.servers.list(search_opts={"name": name}))


def test_a_stack_refused_twice_is_created_once(world: World) -> None:
    client, clean, name = world.client("heat"), world.clean["heat"], f"{RUN}-stack"
    world.plan([Fault.refused(503), Fault.refused(429, retry_after=2)], service="orchestration", verb="POST")
    made = execute_with_retries(client.stacks.create, stack_name=name, template=STACK)["stack"]["id"]
    assert world.seen(service="orchestration", verb="POST") == [503, 429, 201]
    assert [each.id for each in clean.stacks.list(filters={"name": name})] == [made]
    world.plan([Fault.refused(500, html=True)], service="orchestration", verb="DELETE")
    execute_with_retries(client.stacks.delete, f"{name}/{made}")
    until(lambda: not list(clean.stacks.list(filters={"name": name})))


@pytest.mark.parametrize("name", SUBJECTS)
def test_exhausted_retries_raise_the_clients_own_last_exception_and_create_nothing(world: World, name: str) -> None:
    subject, client = SUBJECTS[name], world.client(name)
    world.plan([Fault.refused(503)] * 6, service=subject.service, verb=subject.create_verb)
    with pytest.raises(subject.error) as raised:
        execute_with_retries(*subject.create(client, f"{RUN}-never"))
    assert world.seen(service=subject.service, verb=subject.create_verb) == [503] * 6
    assert [getattr(raised.value, each, None) for each in ("http_status", "code", "status_code")].count(503) >= 1
    evidence = raised.value.os_retries  # type: ignore[attr-defined]
    assert len(evidence.attempts) == (1 if name == "swift" else 6)
    assert evidence.reason == (GiveUp.CLIENT if name == "swift" else GiveUp.ATTEMPTS)
    assert subject.listed(world.clean[name]) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 501])
@pytest.mark.parametrize("name", SUBJECTS)
def test_other_errors_go_up_at_once(world: World, name: str, status: int) -> None:
    """A 401 makes keystoneauth and swift ask for a token and send once more: theirs, not ours.  So does swift a 501."""
    subject, client = SUBJECTS[name], world.client(name)
    sent = 6 if (name, status) == ("swift", 501) else 2 if status == 401 else 1
    world.plan([Fault.refused(status)] * sent, service=subject.service, verb=subject.create_verb)
    with pytest.raises(Exception) as raised:
        execute_with_retries(*subject.create(client, f"{RUN}-never"))
    assert len(world.seen(service=subject.service, verb=subject.create_verb)) == sent
    assert not hasattr(raised.value, "os_retries")


@pytest.mark.parametrize("kind", [io.BytesIO, tempfile.TemporaryFile], ids=["memory", "file"])
def test_an_image_uploaded_again_after_a_503_is_stored_whole(world: World, kind: Callable[[], Any]) -> None:
    content = uuid.uuid4().bytes * 20_000
    client, clean = world.client("glance"), world.clean["glance"]
    world.plan([])
    image = client.images.create(name=f"{RUN}-upload", disk_format="raw", container_format="bare")
    with kind() as file:
        file.write(content)
        file.seek(0)
        world.plan([Fault.refused(503), Fault.refused(500)], service="image", verb="PUT")
        execute_with_retries(client.images.upload, image.id, file)
    assert world.seen(service="image", verb="PUT") == [503, 500, 204]
    stored = clean.images.get(image.id)
    assert (stored.status, stored.size) == ("active", len(content))
    assert stored.os_hash_value == hashlib.new(stored.os_hash_algo, content).hexdigest()
    clean.images.delete(image.id)


@pytest.mark.parametrize("statuses", [[503], [413], [413, 503, 429, 413]])
def test_an_object_uploaded_again_is_stored_whole(world: World, statuses: list[int]) -> None:
    content = uuid.uuid4().bytes * 20_000
    client, clean = world.client("swift"), world.clean["swift"]
    clean.put_container(f"{RUN}-c")
    world.plan([Fault.refused(status) for status in statuses], service="object-store", verb="PUT")
    execute_with_retries(client.put_object, f"{RUN}-c", "o", io.BytesIO(content))
    assert world.seen(service="object-store", verb="PUT") == [*statuses, 201]
    head = clean.head_object(f"{RUN}-c", "o")
    assert (head["etag"], head["content-length"]) == (hashlib.md5(content).hexdigest(), str(len(content)))
    clean.delete_object(f"{RUN}-c", "o")
    clean.delete_container(f"{RUN}-c")


def test_a_trust_is_made_and_used_though_every_step_of_it_is_refused_once(world: World) -> None:
    """The token of the trust is asked for inside nova's call, which is repeated as a whole."""
    admin, clean = world.client("keystone"), world.clean["keystone"]
    tenant = keystoneclient.v3.client.Client(session=world.sessions["demo"])
    world.plan([Fault.refused(503)], service="identity", verb="POST", path="/users$")
    proxy = execute_with_retries(admin.users.create, f"{RUN}-proxy", domain="default", password="x")
    try:
        world.plan([Fault.refused(429)], service="identity", verb="POST", path="/OS-TRUST/trusts$")
        trust = execute_with_retries(
            tenant.trusts.create,
            trustor_user=world.sessions["demo"].get_user_id(),
            trustee_user=proxy.id,
            project=world.sessions["demo"].get_project_id(),
            role_names=["member"],
            impersonation=True,
        )
        assert world.seen(path="/OS-TRUST/trusts$") == [429, 201]

        faults = Faults(Script([Fault.refused(503)], only=only(path="/auth/tokens$")), tokens=True)
        auth = v3.Password(world.cloud.auth_url, user_id=proxy.id, password="x", trust_id=trust.id)
        session = Session(auth, session=faults.session())
        nova = novaclient.client.Client("2.60", session=session)
        execute_with_retries(nova.servers.list)
        assert [entry.status for entry in faults.record if entry.request.token] == [503, 201]
        assert session.get_project_id() == world.sessions["demo"].get_project_id()
        own_trusts = clean.trusts.list(trustee_user=proxy.id)
        assert [each.id for each in own_trusts] == [trust.id], "exactly one"
    finally:
        clean.users.delete(proxy)  # and its trusts with it


# -- [timeouts] ------------------------------------------------------------------------------------------------------


def configured(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "service.conf"
    file.write_text(text)
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(file)], project="os-retries-test", default_config_files=[])
    configure(conf)
    return conf


def sent_when_refused(world: World, name: str, status: int = 503) -> int:
    """How many times a list is asked for when every answer is a refusal."""
    subject, client = SUBJECTS[name], world.client(name)
    world.plan([Fault.refused(status)] * 40, service=subject.service, verb="GET")
    with pytest.raises(Exception):
        execute_with_retries(*subject.list(client))
    return 40 - len(world.script.left)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_configuration_file_says_how_often_every_client_repeats(world: World, tmp_path: Path, name: str) -> None:
    """Swiftclient too: client_options makes its own loop obey."""
    configured(tmp_path, "[timeouts]\nretries_number = 2\n")
    assert sent_when_refused(world, name) == 3


def test_a_configuration_file_says_how_long_and_on_what(world: World, waits: NoWaits, tmp_path: Path) -> None:
    configured(tmp_path, "[timeouts]\nretry_after = 7\nretries_number = 2\nretry_codes = 409\nretry_backoff = 2\n")
    assert sent_when_refused(world, "nova", 409) == 3
    assert waits.waits == [7, 14]
    assert sent_when_refused(world, "nova", 503) == 1


@pytest.mark.parametrize("name", ["nova", "swift"])
def test_the_environment_drives_it(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OS_TIMEOUTS__RETRIES_NUMBER", "1")
    configured(tmp_path, "[timeouts]\nretries_number = 4\n")
    assert sent_when_refused(world, name) == 2


def test_a_services_own_group_overrides_for_that_service_alone(world: World, tmp_path: Path) -> None:
    configured(
        tmp_path,
        "[timeouts]\nretries_number = 2\n"
        "[timeouts_block_storage]\nretries_number = 1\n"
        "[timeouts_object_store]\nretries_number = 3\n",
    )
    assert {name: sent_when_refused(world, name) for name in ("cinder", "nova", "swift")} == {
        "cinder": 2,
        "nova": 3,
        "swift": 4,
    }


def test_retrying_switched_off_sends_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_RETRIES_DISABLED", "1")
    assert sent_when_refused(world, "neutron") == 1
