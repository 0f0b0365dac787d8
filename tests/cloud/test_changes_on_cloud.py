"""Changes that the service refuses the second time: each is made once, and the caller sees the success."""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keystoneauth1.exceptions
import pytest
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from os_retries import attach
from os_retries.faults import Fault, only

from .creates import block_storage
from .test_creates_on_cloud import AFTER, BEFORE, World, fresh

pytestmark = pytest.mark.cloud

LOST, NEVER_SEEN = AFTER["504"], BEFORE["504"]
# What cinder is to show of a volume's type: its id, too.
HEADERS = {"block-storage": {"OpenStack-API-Version": "volume 3.63"}}
#: What only neutron's answer to such a PUT has, and no GET shows.
INTERNAL = {"standard_attr_id", "shared"}


@pytest.fixture(scope="module")
def world(cloud: Any) -> World:
    return World(cloud)


class Change(NamedTuple):
    """What is asked, and where it shows that it has been done."""

    service: str
    path: str
    body: dict[str, Any]
    where: str
    is_done: Callable[[Any], bool]
    verb: str = "POST"


# In this order each begins with what the one before has left; {flavor} and the like are what `things` makes.
CHANGES = (
    Change(
        "compute",
        "/flavors/{flavor}/action",
        {"addTenantAccess": {"tenant": "{project}"}},
        "/flavors/{flavor}/os-flavor-access",
        lambda shown: len(shown["flavor_access"]) == 1,
    ),
    Change(
        "compute",
        "/flavors/{flavor}/action",
        {"removeTenantAccess": {"tenant": "{project}"}},
        "/flavors/{flavor}/os-flavor-access",
        lambda shown: shown["flavor_access"] == [],
    ),
    Change(
        "compute",
        "/os-aggregates/{aggregate}/action",
        {"add_host": {"host": "localhost"}},
        "/os-aggregates/{aggregate}",
        lambda shown: shown["aggregate"]["hosts"] == ["localhost"],
    ),
    Change(
        "compute",
        "/os-aggregates/{aggregate}/action",
        {"remove_host": {"host": "localhost"}},
        "/os-aggregates/{aggregate}",
        lambda shown: shown["aggregate"]["hosts"] == [],
    ),
    Change(
        "block-storage",
        "/types/{private}/action",
        {"addProjectAccess": {"project": "{project}"}},
        "/types/{private}/os-volume-type-access",
        lambda shown: len(shown["volume_type_access"]) == 1,
    ),
    Change(
        "block-storage",
        "/volumes/{volume}/action",
        {"os-retype": {"new_type": "{private}", "migration_policy": "never"}},
        "/volumes/{volume}",
        lambda shown: (shown["volume"]["status"], shown["volume"]["volume_type"][-8:]) == ("available", "-private"),
    ),
    Change(
        "block-storage",
        "/types/{private}/action",
        {"removeProjectAccess": {"project": "{project}"}},
        "/types/{private}/os-volume-type-access",
        lambda shown: shown["volume_type_access"] == [],
    ),
    Change(
        "block-storage",
        "/types/{public}/encryption",
        {"encryption": {"provider": "luks", "control_location": "front-end", "key_size": 256}},
        "/types/{public}/encryption",
        lambda shown: shown["key_size"] == 256,
    ),
    Change(
        "network",
        "/v2.0/address-groups/{group}/add_addresses",
        {"addresses": ["10.0.1.7/24"]},
        "/v2.0/address-groups/{group}",
        lambda shown: shown["address_group"]["addresses"] == ["10.0.1.0/24"],
        "PUT",
    ),
    Change(
        "network",
        "/v2.0/address-groups/{group}/remove_addresses",
        {"addresses": ["10.0.1.0/24"]},
        "/v2.0/address-groups/{group}",
        lambda shown: shown["address_group"]["addresses"] == [],
        "PUT",
    ),
)


def ask(world: World, service: str, verb: str, path: str, body: Any = None) -> Any:
    """Send a request with no faults below it, and return the answer."""
    return world.clean["admin"].session.request(
        path,
        verb,
        json=body,
        endpoint_filter={"service_type": service},
        headers=HEADERS.get(service, {}),
        raise_exc=False,
    )


def send(world: World, change: Change, texts: dict[str, str], way: Fault, account: str = "admin") -> tuple[Any, int]:
    """Send it attached, its first answer being lost; return the answer, and how often it was sent."""
    world.attach()
    world.real_time = "os-retype" in change.body  # which goes on after the answer
    world.creates.left[:] = [way]
    world.creates.only = only(service=change.service, verb=change.verb, path=f"{change.path.rpartition('/')[2]}$")
    world.faults.record.clear()
    answer = world.clients[account].session.request(
        change.path.format_map(texts),
        change.verb,
        json=json.loads(re.sub(r"\{(\w+)\}", lambda match: texts[match[1]], json.dumps(change.body))),
        endpoint_filter={"service_type": change.service},
        headers=HEADERS.get(change.service, {}),
    )
    return answer, sum(world.creates.only(entry.request) for entry in world.faults.record)


@pytest.fixture
def things(world: World) -> Iterator[Callable[[], dict[str, str]]]:
    """Makes a new flavor, aggregate, volume, ...; returns their ids."""
    ends: list[Callable[[], object]] = []
    clean = world.clean["admin"]

    def make() -> dict[str, str]:
        name = fresh()
        flavor = {"name": name, "ram": 64, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": False}
        private = {"name": f"{name}-private", "os-volume-type-access:is_public": False}
        texts = {"project": str(clean.session.get_project_id())}
        for thing, service, path, body in (
            ("flavor", "compute", "/flavors", {"flavor": flavor}),
            ("aggregate", "compute", "/os-aggregates", {"aggregate": {"name": name}}),
            ("private", "block-storage", "/types", {"volume_type": private}),
            ("public", "block-storage", "/types", {"volume_type": {"name": name}}),
            ("volume", "block-storage", "/volumes", {"volume": {"name": name, "size": 1}}),
            ("group", "network", "/v2.0/address-groups", {"address_group": {"name": name}}),
        ):
            (made,) = ask(world, service, "POST", path, body).json().values()
            texts[thing] = str(made["id"])
            ends.append(lambda service=service, path=f"{path}/{made['id']}": clean.delete(service, path))
        volume = f"/volumes/{texts['volume']}"
        clean.until(lambda: ask(world, "block-storage", "GET", volume).json()["volume"]["status"] == "available")
        return texts

    yield make
    for end in reversed(ends):
        end()


def test_what_is_changed_is_told_by_what_the_service_shows_of_it(
    world: World, things: Callable[[], dict[str, str]]
) -> None:
    """A blind repeat would be refused; the looked-up answer has the form of the service's own."""
    never_seen, lost = things(), things()
    for change in CHANGES:
        by_service, number = send(world, change, never_seen, NEVER_SEEN)
        assert (change.body, number) == (change.body, 2)
        by_us, number = send(world, change, lost, LOST)
        assert (change.body, number) == (change.body, 1)
        assert by_us.status_code == by_service.status_code
        forms = [form(answer.json()) if answer.content else set() for answer in (by_service, by_us)]
        assert forms[1] <= forms[0]
        assert {each.rpartition(".")[2] for each in forms[0] - forms[1]} <= INTERNAL
        for texts in (never_seen, lost):
            where = change.where.format_map(texts)
            world.clean["admin"].until(
                lambda change=change, where=where: change.is_done(ask(world, change.service, "GET", where).json())
            )


def form(value: Any, where: str = "") -> set[str]:
    """Name all members of a JSON value."""
    if isinstance(value, list):
        return {name for each in value for name in form(each, where)}
    if not isinstance(value, dict):
        return {where}
    return {where}.union(*(form(inner, f"{where}.{name}") for name, inner in value.items()))


@pytest.mark.parametrize(("way", "sent"), [(LOST, 1), (NEVER_SEEN, 2)], ids=["after", "before"])
@pytest.mark.parametrize("member", ["volume", "snapshot"])
def test_what_is_deleted_by_force_is_gone_and_that_is_what_was_asked(
    world: World, member: str, way: Fault, sent: int
) -> None:
    clean = world.clean["admin"]

    def status(path: str) -> Any:
        answer = ask(world, "block-storage", "GET", path)
        return next(iter(answer.json().values())).get("status") if answer.status_code == 200 else answer.status_code

    made = {}
    for each in ("volume", "snapshot"):
        body = {"name": fresh()} | ({"size": 1} if each == "volume" else {"volume_id": made["volume"]})
        made[each] = ask(world, "block-storage", "POST", f"/{each}s", {each: body}).json()[each]["id"]
        clean.until(lambda path=f"/{each}s/{made[each]}": status(path) == "available")
        if each == member:
            break
    change = Change("block-storage", f"/{member}s/{made[member]}/action", {"os-force_delete": {}}, "", bool)
    answer, number = send(world, change, {}, way)
    assert (answer.status_code, answer.content, number) == (202, b"", sent)
    clean.until(lambda: status(f"/{member}s/{made[member]}") == 404)
    clean.delete("block-storage", f"/volumes/{made['volume']}")


@pytest.mark.parametrize("shared", [False, True], ids=["own-disk", "shared-disk"])
@pytest.mark.parametrize(("way", "sent"), [(LOST, 1), (NEVER_SEEN, 2)], ids=["after", "before"])
def test_a_server_is_evacuated_once_and_deleted_by_force(world: World, shared: bool, way: Fault, sent: int) -> None:
    """There is one host, so that it can be asked for, and cannot be done: nova's log has it all the same."""
    clean = world.clean["admin"]
    body = {"name": fresh(), "imageRef": clean.image, "flavorRef": clean.flavor, "networks": "none"}
    headers = {"OpenStack-API-Version": "compute 2.60"}
    filters = {"service_type": "compute"}
    server = clean.session.post("/servers", json={"server": body}, endpoint_filter=filters, headers=headers).json()
    path = f"/servers/{server['server']['id']}"
    clean.until(lambda: clean.state(server["server"]["id"]) == ("active", None))
    (service,) = clean.get("compute", "/os-services?binary=nova-compute", "2.53")["services"]

    def host_is_down(down: bool) -> None:
        clean.session.put(
            f"/os-services/{service['id']}",
            json={"forced_down": down},
            endpoint_filter=filters,
            headers={"OpenStack-API-Version": "compute 2.53"},
        )

    host_is_down(True)
    try:
        change = Change("compute", f"{path}/action", {"evacuate": {"onSharedStorage": shared}}, "", bool)
        answer, number = send(world, change, {}, way)
        assert (answer.status_code, number) == (200, sent)
        assert (answer.json()["adminPass"] is None) == shared, "nova sets none on a disk that is there"
        log = clean.get("compute", f"{path}/os-instance-actions")["instanceActions"]
        assert sorted(each["action"] for each in log) == ["create", "evacuate"]
        clean.until(lambda: clean.state(server["server"]["id"])[1] is None)
    finally:
        host_is_down(False)
    answer, number = send(world, Change("compute", f"{path}/action", {"forceDelete": None}, "", bool), {}, way)
    assert (answer.status_code, answer.content, number) == (202, b"", sent)
    clean.until(lambda: ask(world, "compute", "GET", path).status_code == 404)


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
def test_the_metadata_of_a_container_are_set_although_the_request_names_no_service(world: World, way: Fault) -> None:
    """`openstack container set` sends to the URL of the account."""
    world.attach()
    session = world.clients["demo"].session
    container = f"{session.get_endpoint(service_type='object-store')}/{fresh()}"
    session.put(container)
    world.creates.left[:], world.creates.only = [way], only(verb="POST", path=f"{container.rpartition('/')[2]}$")
    world.faults.record.clear()
    answer = session.post(container, headers={"X-Container-Meta-Color": "blue"})
    assert (answer.status_code, sum(entry.request.verb == "POST" for entry in world.faults.record)) == (204, 2)
    assert session.head(container).headers["X-Container-Meta-Color"] == "blue"
    session.delete(container)


# What `openstack resource provider ...` sends: where, and with which generation of the provider or the consumer.
PLACED = (
    ("/resource_providers/{provider}/inventories", {"inventories": {"VCPU": {"total": 8}, "DISK_GB": {"total": 9}}}),
    ("/resource_providers/{provider}/inventories/VCPU", {"total": 16, "reserved": 1}),
    ("/resource_providers/{provider}/traits", {"traits": ["HW_CPU_X86_SSE2", "HW_CPU_X86_AVX"]}),
    ("/resource_providers/{provider}/aggregates", {"aggregates": [str(uuid.uuid4())]}),
    ("/allocations/{consumer}", {"allocations": {"{provider}": {"resources": {"VCPU": 2}}}}),
    ("/allocations/{consumer}", {"allocations": {"{provider}": {"resources": {"VCPU": 3}}}}),
    ("/allocations/{consumer}", {"allocations": {}}),
)


def in_order(body: Any) -> Any:
    """The body, with its lists sorted: placement shows traits in any order."""
    return {name: sorted(value) if isinstance(value, list) else value for name, value in body.items()}


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
def test_a_conflict_of_generations_after_a_lost_answer_is_read_by_a_look(world: World, way: Fault) -> None:
    """The first attempt has made the generation newer, so that placement refuses the repeat."""
    at = {"endpoint_filter": {"service_type": "placement"}, "headers": {"OpenStack-API-Version": "placement 1.28"}}
    clean, session = world.clean["admin"].session, world.clients["admin"].session
    provider = clean.post("/resource_providers", json={"name": fresh()}, **at).json()["uuid"]
    texts = {"provider": provider, "consumer": str(uuid.uuid4())}
    world.attach()
    for path, content in PLACED:
        where = path.format_map(texts)
        if "{consumer}" in path:
            shown = clean.get(where, **at).json()
            body = {
                "allocations": {provider: each for each in content["allocations"].values()},
                "consumer_generation": shown.get("consumer_generation"),
                "project_id": "p",
                "user_id": "u",
            }
        else:
            generation = clean.get(f"/resource_providers/{provider}", **at).json()["generation"]
            body = content | {"resource_provider_generation": generation}
        world.creates.left[:], world.creates.only = [way], only(verb="PUT", path=f"{where}$")
        world.faults.record.clear()
        answer = session.put(where, json=body, **at)
        sent = sum(world.creates.only(entry.request) for entry in world.faults.record)
        assert (path, sent) == (path, 2)
        assert answer.status_code == (204 if "{consumer}" in path else 200)
        if answer.content:
            assert in_order(answer.json()) == in_order(clean.get(where, **at).json())
            assert answer.json()["resource_provider_generation"] == generation + 1
    assert clean.get(f"/allocations/{texts['consumer']}", **at).json()["allocations"] == {}
    clean.delete(f"/resource_providers/{provider}", **at)


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
@pytest.mark.parametrize("looks", [[], [BEFORE["503"], BEFORE["reset"]]], ids=["", "look-fails"])
def test_allocations_of_several_consumers_are_replaced_together(world: World, way: Fault, looks: list[Fault]) -> None:
    """Nova moves a server's allocation so.  The consumers' generations let placement refuse the repeat."""
    at = {"endpoint_filter": {"service_type": "placement"}, "headers": {"OpenStack-API-Version": "placement 1.28"}}
    clean, session = world.clean["admin"].session, world.clients["admin"].session
    provider = clean.post("/resource_providers", json={"name": fresh()}, **at).json()["uuid"]
    inventory = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 8}}}
    clean.put(f"/resource_providers/{provider}/inventories", json=inventory, **at)
    server, move = str(uuid.uuid4()), str(uuid.uuid4())
    world.attach()

    def allocation(resources: int, generation: int | None) -> dict[str, Any]:
        there = {provider: {"resources": {"VCPU": resources}}} if resources else {}
        return {"allocations": there, "consumer_generation": generation, "project_id": "p", "user_id": "u"}

    def generation(consumer: str) -> Any:
        return clean.get(f"/allocations/{consumer}", **at).json().get("consumer_generation")

    for server_has, move_has in ((2, 0), (3, 2), (3, 0), (0, 0)):
        body = {server: allocation(server_has, generation(server))}
        if move_has or generation(move):
            body |= {move: allocation(move_has, generation(move))}
        world.creates.left[:], world.creates.only = [way], only(verb="POST", path="/allocations$")
        world.lookups.left[:], world.lookups.only = list(looks), only(verb="GET", path="/allocations/")
        world.faults.record.clear()
        answer = session.post("/allocations", json=body, **at)
        sent = sum(world.creates.only(entry.request) for entry in world.faults.record)
        assert (answer.status_code, answer.content, sent) == (204, b"", 2)
        for consumer, wanted in (server, server_has), (move, move_has):
            there = clean.get(f"/allocations/{consumer}", **at).json()["allocations"]
            assert [each["resources"]["VCPU"] for each in there.values()] == ([wanted] if wanted else [])
    world.lookups.left.clear()
    clean.delete(f"/resource_providers/{provider}", **at)


def test_a_conflict_of_generations_that_is_anothers_goes_up(world: World) -> None:
    at = {"endpoint_filter": {"service_type": "placement"}, "headers": {"OpenStack-API-Version": "placement 1.28"}}
    clean, session = world.clean["admin"].session, world.clients["admin"].session
    provider = clean.post("/resource_providers", json={"name": fresh()}, **at).json()["uuid"]
    where = f"/resource_providers/{provider}/inventories"
    theirs = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 8, "reserved": 1}}}
    clean.put(where, json=theirs, **at)
    world.attach()
    world.creates.left[:], world.creates.only = [NEVER_SEEN], only(verb="PUT", path=f"{where}$")
    mine = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 8}}}
    answer = session.put(where, json=mine, raise_exc=False, **at)
    assert answer.status_code == 409
    assert clean.get(where, **at).json()["inventories"]["VCPU"]["reserved"] == 1
    clean.delete(f"/resource_providers/{provider}", **at)


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
def test_what_services_tell_each_other_of_a_state_may_be_told_twice(world: World, way: Fault) -> None:
    """Nova completes an attachment and takes a detachment back; neutron and cinder send events to nova."""
    clean = world.clean["admin"]
    volume = block_storage.a_volume(clean)
    attachment = clean.cinder.attachments.create(volume, None, str(uuid.uuid4()))["id"]
    status = functools.partial(block_storage.shown, clean, volume)
    event = {"name": "network-changed", "server_uuid": clean.server}
    for service, microversion, path, body, states in (
        ("block-storage", "volume 3.44", f"/attachments/{attachment}/action", {"os-complete": None}, "in-use"),
        ("block-storage", "volume 3.44", f"/volumes/{volume}/action", {"os-roll_detaching": None}, "in-use"),
        ("compute", "compute 2.1", "/os-server-external-events", {"events": [event]}, "in-use"),
    ):
        world.attach()
        world.creates.left[:], world.creates.only = [way], only(verb="POST", path=f"{path}$")
        world.faults.record.clear()
        answer = world.clients["admin"].session.post(
            path, json=body, endpoint_filter={"service_type": service}, headers={"OpenStack-API-Version": microversion}
        )
        assert answer.status_code in (200, 202, 204)
        assert sum(world.creates.only(entry.request) for entry in world.faults.record) == 2
        assert status()["status"] == states
    clean.cinder.attachments.delete(attachment)
    clean.delete("block-storage", f"/volumes/{volume}")


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
def test_a_port_is_bound_to_one_more_host_and_the_binding_activated(world: World, cloud: Any, way: Fault) -> None:
    """Nova does so when it moves a server.  Neutron refuses a second one of each."""
    nova = cloud.admin | {"username": "nova", "project_name": "service"}
    session, clean = (Session(auth=v3.Password(**nova), session=each) for each in (world.faults.session(), None))
    world.creates.left[:] = []
    session.get_token()
    attach(session, world.policy())
    at = {"endpoint_filter": {"service_type": "network"}}
    port = {"network_id": world.clean["demo"].network, "device_owner": "compute:nova", "device_id": fresh()}
    made = clean.post("/v2.0/ports", json={"port": port | {"binding:host_id": "one"}}, **at).json()["port"]
    bindings = f"/v2.0/ports/{made['id']}/bindings"

    def send(verb: str, path: str, body: Any) -> tuple[Any, int]:
        world.creates.left[:], world.creates.only = [way], only(verb=verb, path=f"{path}$")
        world.faults.record.clear()
        answer = session.request(path, verb, json=body, **at)
        return answer, sum(world.creates.only(entry.request) for entry in world.faults.record)

    try:
        answer, number = send("POST", bindings, {"binding": {"host": "two"}})
        there = clean.get(f"{bindings}/two", **at).json()
        assert (answer.status_code, answer.json(), number) == (201, there, 1 if way is LOST else 2)
        answer, number = send("PUT", f"{bindings}/two/activate", None)
        assert (answer.status_code, answer.json()["status"], number) == (200, "ACTIVE", 2)
        assert answer.json() == clean.get(f"{bindings}/two", **at).json()["binding"]
    finally:
        clean.delete(f"/v2.0/ports/{made['id']}", **at)


@pytest.fixture
def two_ports(world: World) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Boots a server with two ports and makes a security group."""
    clean = world.clean["demo"]
    ports = [
        clean.neutron.create_port({"port": {"name": fresh(), "network_id": clean.network}})["port"]["id"]
        for _ in range(2)
    ]
    body = {"name": fresh(), "imageRef": clean.image, "flavorRef": clean.flavor}
    nics = {"networks": [{"port": each} for each in ports]}
    server = clean.session.post(
        "/servers", json={"server": body | nics}, endpoint_filter={"service_type": "compute"}
    ).json()["server"]["id"]
    clean.until(lambda: clean.state(server) == ("active", None))
    group = clean.neutron.create_security_group({"security_group": {"name": fresh()}})["security_group"]
    yield server, ports, group
    clean.delete("compute", f"/servers/{server}")
    clean.until(lambda: ask(world, "compute", "GET", f"/servers/{server}").status_code == 404)
    for port in ports:
        clean.delete("network", f"/v2.0/ports/{port}")
    clean.delete("network", f"/v2.0/security-groups/{group['id']}")


@pytest.mark.parametrize("by", ["id", "name"])
@pytest.mark.parametrize(("way", "sent"), [(LOST, 1), (NEVER_SEEN, 2)], ids=["after", "before"])
def test_a_security_group_is_at_every_port_of_a_server_or_at_none(
    world: World, two_ports: tuple[str, list[str], dict[str, Any]], by: str, way: Fault, sent: int
) -> None:
    """Nova would refuse a second one, and goes from port to port: one port that has it proves nothing."""
    server, ports, group = two_ports
    clean = world.clean["demo"].neutron

    def having() -> list[str]:
        return [each for each in ports if group["id"] in clean.show_port(each)["port"]["security_groups"]]

    for action, wanted in (("addSecurityGroup", ports), ("removeSecurityGroup", [])):
        change = Change("compute", f"/servers/{server}/action", {action: {"name": group[by]}}, "", bool)
        answer, number = send(world, change, {}, way, "demo")
        assert (answer.status_code, answer.content, number) == (202, b"", sent)
        assert having() == wanted


def test_a_security_group_at_one_port_only_is_no_success(
    world: World, two_ports: tuple[str, list[str], dict[str, Any]]
) -> None:
    """It is sent again.  Nova goes from port to port, in any order, and refuses it at the one that has the group, or not."""
    server, ports, group = two_ports
    clean = world.clean["demo"].neutron
    groups = clean.show_port(ports[0])["port"]["security_groups"]
    clean.update_port(ports[0], {"port": {"security_groups": [*groups, group["id"]]}})
    change = Change("compute", f"/servers/{server}/action", {"addSecurityGroup": {"name": group["id"]}}, "", bool)
    try:
        answer, number = send(world, change, {}, NEVER_SEEN, "demo")
    except keystoneauth1.exceptions.BadRequest:  # the caller is told so
        return
    assert (answer.status_code, number) == (202, 2)
    assert all(group["id"] in clean.show_port(each)["port"]["security_groups"] for each in ports)


def test_the_description_of_a_floating_ip_with_a_port_is_put_back_and_the_port_stays(world: World) -> None:
    clean = world.clean["demo"]
    (public,) = clean.get("network", "/v2.0/networks?name=public")["networks"]
    port = clean.neutron.create_port({"port": {"name": fresh(), "network_id": clean.network}})["port"]["id"]
    body = {"floating_network_id": public["id"], "port_id": port, "description": f"for {fresh()}"}
    world.attach()
    world.creates.left[:], world.creates.only = [LOST], only(verb="POST", path="/floatingips$")
    made = world.clients["demo"].neutron.create_floatingip({"floatingip": body})["floatingip"]
    (there,) = clean.get("network", f"/v2.0/floatingips?port_id={port}")["floatingips"]
    assert {name: there[name] for name in body} == {name: made[name] for name in body} == body
    clean.delete("network", f"/v2.0/floatingips/{there['id']}")
    clean.delete("network", f"/v2.0/ports/{port}")


@pytest.mark.parametrize("way", [LOST, NEVER_SEEN], ids=["after", "before"])
def test_a_stack_that_is_deleted_by_its_name_is_gone(world: World, way: Fault) -> None:
    """Heat redirects to the URL with the id; the repeat begins with the name, which may be unknown by then."""
    clean, name = world.clean["demo"], fresh()
    template = {"heat_template_version": "2018-08-31", "resources": {"r": {"type": "OS::Heat::RandomString"}}}
    stack = clean.heat.stacks.create(stack_name=name, template=template)["stack"]["id"]
    clean.until(lambda: clean.heat.stacks.get(stack).stack_status == "CREATE_COMPLETE")
    world.attach(retry_after=3)
    world.real_time = True
    world.creates.left[:], world.creates.only = [way], only(verb="DELETE", path=f"{stack}$")
    world.clients["demo"].heat.stacks.delete(name)
    world.real_time = False
    clean.until(lambda: name not in [each.stack_name for each in clean.heat.stacks.list()])
