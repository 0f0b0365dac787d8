"""Operations on the real services: a program that is killed and run again makes everything exactly once.

The resources are counted in the service, with a session that is not attached.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from os_retries import RetryPolicy, attach, operation

from .conftest import TOP
from .creates.kinds import Clients
from .lives import CONTENT, TEMPLATE

pytestmark = pytest.mark.cloud

MARKER = "os-retries-"


def lives(key: str, name: str, *options: str, timeout: float = 500) -> dict[str, Any]:
    """Run the program of lives.py until it gets through."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cloud.lives", key, name, *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=TOP,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


NAMES: list[str] = []


@pytest.fixture(scope="module")
def clean(cloud: Any) -> Iterator[Clients]:
    """Clients that are not attached.  In the end everything that was made here is removed, because others count too."""
    clients = Clients(cloud.session("demo"))
    yield clients
    remove_everything(clients)
    for user in Clients(cloud.session("admin")).keystone.users.list():
        if user.name in NAMES:
            user.delete()


def remove_everything(clean: Clients) -> None:
    def named(service: str, path: str, member: str, name: str = "name") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = clean.get(service, path)[member]
        return [each for each in items if str(each[name]).removesuffix("-passing") in NAMES]

    neutron = clean.neutron
    for stack in named("orchestration", "/stacks", "stacks", "stack_name"):
        clean.heat.stacks.delete(stack["id"])
    servers = named("compute", "/servers/detail?limit=1000", "servers")
    for server in servers:
        clean.delete("compute", f"/servers/{server['id']}")
    gone = {each["id"] for each in servers}
    clean.until(lambda: not gone & {each["id"] for each in clean.get("compute", "/servers?limit=1000")["servers"]})
    for keypair in clean.nova("2.60").keypairs.list():
        if keypair.name in NAMES:
            keypair.delete()
    for volume in named("block-storage", "/volumes/detail", "volumes"):
        clean.delete("block-storage", f"/volumes/{volume['id']}")
    for image in named("image", "/v2/images?limit=1000", "images"):
        clean.delete("image", f"/v2/images/{image['id']}")
    for subnet in named("network", "/v2.0/subnets", "subnets"):
        for router in named("network", "/v2.0/routers", "routers"):
            if router["name"] == subnet["name"]:
                neutron.remove_interface_router(router["id"], {"subnet_id": subnet["id"]})
                neutron.delete_router(router["id"])
    for kind in ("ports", "networks", "security-groups"):
        for each in named("network", f"/v2.0/{kind}", kind.replace("-", "_")):
            clean.delete("network", f"/v2.0/{kind}/{each['id']}")


def there(clean: Clients, name: str) -> dict[str, list[dict[str, Any]]]:
    """Everything in the services that the program makes, by kind."""
    network, volume, compute, image = (clean.get, clean.get, clean.get, clean.get)
    found = {
        kind: [each for each in network("network", f"/v2.0/{kind}")[kind.replace("-", "_")] if each["name"] == name]
        for kind in ("networks", "subnets", "security-groups", "routers")
    }
    ids = {each["id"] for each in found["networks"]}
    ports = network("network", "/v2.0/ports")["ports"]
    found["ports"] = [each for each in ports if each["network_id"] in ids and not each["device_owner"]]
    groups = {each["id"] for each in found["security-groups"]}
    rules = network("network", "/v2.0/security-group-rules")["security_group_rules"]
    found["rules"] = [each for each in rules if each["security_group_id"] in groups and each["direction"] == "ingress"]
    volumes = volume("block-storage", "/volumes/detail")["volumes"]
    found["volumes"] = [each for each in volumes if each["name"] == name]
    servers = compute("compute", "/servers/detail?limit=1000")["servers"]
    found["servers"] = [each for each in servers if each["name"] == name]
    images = image("image", "/v2/images?limit=1000")["images"]
    found["images"] = [each for each in images if each["name"] == name]
    stacks = clean.get("orchestration", "/stacks")["stacks"]
    found["stacks"] = [each for each in stacks if each["stack_name"] == name]
    return found


def exactly_one_of_everything(clean: Clients, name: str, made: dict[str, list[str]]) -> None:
    """The services have what the last run was given, and no more; nobody reads a marker; the image is whole."""
    found = there(clean, name)
    assert {kind: sorted(each["id"] for each in items) for kind, items in found.items()} == made
    numbers = {"ports": 3, "rules": 2, "volumes": 2, "servers": 2}
    assert {kind: len(ids) for kind, ids in made.items()} == {kind: numbers.get(kind, 1) for kind in made}
    read = [each.get("description") or "" for items in found.values() for each in items]
    assert [text for text in read if MARKER in text] == []
    assert found["security-groups"][0]["description"] == "words of its own"
    (image,) = found["images"]
    assert (image["status"], image["os_hash_value"]) == ("active", hashlib.sha512(CONTENT).hexdigest())
    assert [len(each["os-extended-volumes:volumes_attached"]) for each in found["servers"]].count(1) == 1
    volumes = clean.get("block-storage", "/volumes/detail")["volumes"]
    assert not [each for each in volumes if each["name"] == f"{name}-passing" and each["status"] != "deleting"]
    router = found["routers"][0]["id"]
    ports = clean.get("network", f"/v2.0/ports?device_id={router}")["ports"]
    assert len(ports) == 1


def fresh() -> tuple[str, str]:
    name = f"op{uuid.uuid4().hex[:8]}"
    NAMES.append(name)
    return f"key of {name}", name


def test_a_program_that_is_killed_after_each_of_its_creates_makes_exactly_one_of_everything(clean: Clients) -> None:
    """A write is processed and the program is killed, before it has read the answer; the next life goes on from there."""
    key, name = fresh()
    result = lives(key, name)
    assert result["lives"] > 10
    exactly_one_of_everything(clean, name, result["made"])


def killed_at(clean: Clients, number: int, *options: str) -> None:
    key, name = fresh()
    result = lives(key, name, "--any", "--die-at", str(number), *options)
    assert result["lives"] == 2, (number, options)
    exactly_one_of_everything(clean, name, result["made"])


def test_a_program_that_is_killed_at_a_request_of_any_verb_makes_exactly_one_of_everything(
    clean: Clients, request: pytest.FixtureRequest
) -> None:
    """Two requests of about ninety; with --full each of them."""
    for number in random.Random(request.config.option.seed).sample(range(1, 80), 2):
        killed_at(clean, number)


def test_with_a_note_a_killed_program_makes_exactly_one_of_everything(
    clean: Clients, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The last run has another file, so that it looks everything up."""
    key, name = fresh()
    first, second = (str(each) for each in random.Random(request.config.option.seed).sample(range(10, 60), 2))
    result = lives(key, name, "--any", "--die-at", first, second, "--state", str(tmp_path / "note"))
    assert result["lives"] == 3
    exactly_one_of_everything(clean, name, result["made"])
    again = lives(key, name, "--any", "--die-at", "--state", str(tmp_path / "another"))
    assert again["made"] == result["made"]


@pytest.mark.full
def test_a_program_that_is_killed_at_each_request_in_turn_makes_exactly_one_of_everything(clean: Clients) -> None:
    """Before it is sent, and after it was processed, each time with a new key; tokens, GETs and DELETEs included."""
    key, name = fresh()
    requests = len(lives(key, name, "--any", "--die-at")["sent"])
    exactly_one_of_everything(clean, name, lives(key, name, "--die-at")["made"])
    for number in range(1, requests + 1):
        killed_at(clean, number)
        killed_at(clean, number, "--before")


@pytest.mark.full
def test_a_program_that_is_killed_at_random_requests_makes_exactly_one_of_everything(
    clean: Clients, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Answers are lost and requests are refused too; some have a note."""
    dice = random.Random(request.config.option.seed)
    for _ in range(20):
        key, name = fresh()
        options = ["--faults", str(dice.randint(1, 10**6)), *(["--before"] if dice.random() < 0.3 else [])]
        longest = 20
        if dice.random() < 0.5:
            options, longest = [*options, "--any"], 90
        if dice.random() < 0.3:
            options += ["--state", str(tmp_path / name)]
        deaths = [str(dice.randint(1, longest)) for _ in range(dice.randint(3, 15))]
        result = lives(key, name, "--die-at", *deaths, *options)
        exactly_one_of_everything(clean, name, result["made"])


SCRIPT = """\
set -e
openstack volume create --size 1 {name} -f value -c id
test -e resumed || {{ kill -9 $PPID; exec sleep 60; }}
openstack volume create --size 1 {name} -f value -c id
"""


def test_a_shell_script_of_openstack_commands_that_is_killed_makes_everything_once(
    clean: Clients, tmp_path: Path
) -> None:
    """The script kills `os-retries run`, and so itself, after the first of two equal volumes."""
    key, name = fresh()
    script = tmp_path / "script.sh"
    script.write_text(SCRIPT.format(name=name))
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"OS_CLOUD": "demo", "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    command = [bin_folder / "os-retries", "run", "--operation", key, "--strict", "--", "sh", script]
    outputs = []
    for status in (-9, 0):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=200
        )
        assert done.returncode == status, done.stderr
        outputs.append(done.stdout.split())
        (tmp_path / "resumed").touch()
    assert outputs[0] == outputs[1][:1]
    assert "1 create found from an earlier run" in done.stderr
    volumes = [each["id"] for each in clean.get("block-storage", "/volumes/detail")["volumes"] if each["name"] == name]
    assert sorted(volumes) == sorted(outputs[1])


INTERRUPTED = """\
import io, os, signal, sys
import openstack, os_retries

class Interrupted(io.BytesIO):
    pieces = 0
    def read(self, size=-1):
        self.pieces += 1
        if "die" in sys.argv and self.pieces == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(1 << 17)

cloud = openstack.connect(cloud="demo")
os_retries.attach(cloud)
with os_retries.operation(sys.argv[1], strict=True):
    data = Interrupted(b"abcdefgh" * (1 << 17))
    cloud.image.create_image(name=sys.argv[1], disk_format="raw", container_format="bare", data=data)
"""


def test_an_image_whose_upload_was_interrupted_is_uploaded_again(clean: Clients) -> None:
    _, name = fresh()
    for die in (["die"], [], []):
        program = [sys.executable, "-c", INTERRUPTED, name, *die]
        done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=200)
        assert done.returncode == (-9 if die else 0), done.stderr
    (image,) = [each for each in clean.get("image", "/v2/images?limit=1000")["images"] if each["name"] == name]
    assert (image["status"], image["size"]) == ("active", 1 << 20)
    assert image["os_hash_value"] == hashlib.sha512(b"abcdefgh" * (1 << 17)).hexdigest()


# -- two runs at the same time

both_are_there: Barrier


def meet(barrier: Barrier) -> None:
    global both_are_there  # noqa: PLW0603
    both_are_there = barrier


def run_rounds(account: dict[str, str], names: list[str]) -> list[dict[str, str]]:
    """Make the same things in the same operations as the other process, each round at the same time."""
    clients = Clients(attach(Session(auth=v3.Password(**account)), RetryPolicy(retry_after=0.5)))
    network = clients.network
    rounds = []
    for name in names:
        made = {}
        with operation(name, strict=True):
            both_are_there.wait(60)
            made["volumes"] = clients.cinder.volumes.create(1, name=name).id
            both_are_there.wait(60)
            port = {"port": {"network_id": network, "name": name}}
            made["ports"] = clients.neutron.create_port(port)["port"]["id"]
            both_are_there.wait(60)
            body = {"network": {"name": name, "description": "mine"}}
            made["networks"] = clients.neutron.create_network(body)["network"]["id"]
        rounds.append(made)
    return rounds


def two_at_once(cloud: Any, clean: Clients, number: int) -> None:
    """Have two processes run the same operations at the same time; both get the one resource that there is of each."""
    names = [fresh()[1] for _ in range(number)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, initializer=meet, initargs=(spawn.Barrier(2),)) as pool:
        first, second = (work.result() for work in [pool.submit(run_rounds, cloud.demo, names) for _ in range(2)])
    assert first == second, "both have the same resources"
    volumes = clean.get("block-storage", "/volumes/detail")["volumes"]
    networks, ports = (clean.get("network", f"/v2.0/{kind}")[kind] for kind in ("networks", "ports"))
    for name, made in zip(names, first, strict=True):
        for kind, listed in (("volumes", volumes), ("networks", networks), ("ports", ports)):
            named = [each for each in listed if each["name"] == name and each.get("status") != "deleting"]
            assert [each["id"] for each in named] == [made[kind]], "and there is one of each"
            assert all((each["description"] or "") == ("mine" if kind == "networks" else "") for each in named)


def test_two_processes_with_one_key_at_the_same_time_make_one_of_each(cloud: Any, clean: Clients) -> None:
    two_at_once(cloud, clean, 2)


@pytest.mark.full
def test_two_processes_with_one_key_make_one_of_each_in_two_hundred_rounds(cloud: Any, clean: Clients) -> None:
    two_at_once(cloud, clean, 200)


# -- what there is of an operation


def command(*arguments: str, account: str = "demo") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "os_retries", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"OS_CLOUD": account},
    )


def test_what_there_is_of_an_operation_is_shown_and_forgotten_and_stays(cloud: Any, clean: Clients) -> None:
    key, name = fresh()
    clients, admin = (Clients(attach(cloud.session(account))) for account in ("demo", "admin"))
    with operation(key, strict=True):
        volume = clients.cinder.volumes.create(1, name=name).id
        network = clients.neutron.create_network({"network": {"name": name}})["network"]["id"]
        server = clients.nova("2.60").servers.create(name, clients.image, clients.flavor, nics="none").id
        nics = [{"net-id": clients.network}]
        old = clients.nova("2.1").servers.create(name, clients.image, clients.flavor, nics=nics).id
        stack = clients.heat.stacks.create(stack_name=name, template=TEMPLATE)["stack"]["id"]
        user = admin.keystone.users.create(name).id
    shown = json.loads(command("operation", "show", key, "--json").stdout)
    mine = {(each["kind"], each["id"]) for each in shown if each["name"] == name}
    assert mine == {("volume", volume), ("network", network), ("server", server), ("server", old), ("stack", stack)}
    admins = json.loads(command("operation", "show", key, "--json", account="admin").stdout)
    assert ("user", user) in {(each["kind"], each["id"]) for each in admins}
    done = command("operation", "forget", key)
    assert done.returncode == 1
    assert f"stack {stack} keeps its marker" in done.stderr
    command("operation", "forget", key, account="admin")
    left = json.loads(command("operation", "show", key, "--json").stdout)
    assert [each["id"] for each in left] == [stack]
    assert "[]" in command("operation", "show", key, "--json", account="admin").stdout
    assert clean.get("network", f"/v2.0/networks/{network}")["network"]["name"] == name, "nothing is deleted"


TWO_VOLUMES = """\
import sys, openstack
cloud = openstack.connect()
for size in sys.argv[2:]:
    cloud.block_storage.create_volume(name=sys.argv[1], size=int(size))
"""


def test_a_body_that_has_changed_makes_a_new_resource_and_the_old_one_is_named(clean: Clients) -> None:
    key, name = fresh()
    for sizes in (["1", "1"], ["1", "2"]):
        done = command("run", "--operation", key, "--", sys.executable, "-c", TWO_VOLUMES, name, *sizes)
        assert done.returncode == 0, done.stderr
    volumes = [each for each in clean.get("block-storage", "/volumes/detail")["volumes"] if each["name"] == name]
    assert sorted(each["size"] for each in volumes) == [1, 1, 2]
    assert "resources of earlier runs of the operation that this run did not use: 1" in done.stderr
    assert [each["size"] for each in volumes if each["id"] in done.stderr] == [1]
