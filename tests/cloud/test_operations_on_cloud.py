"""Operations on the real services: a program that is killed and run again makes everything exactly once.

The resources are counted in the service, with a session that is not attached.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from .conftest import TOP
from .creates.kinds import Clients
from .lives import CONTENT

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


@pytest.fixture(scope="module")
def clean(cloud: Any) -> Clients:
    return Clients(cloud.session("demo"))


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
    return f"key of {name}", name


def test_a_program_that_is_killed_after_each_of_its_creates_makes_exactly_one_of_everything(clean: Clients) -> None:
    """A write is processed and the program is killed, before it has read the answer; the next life goes on from there."""
    key, name = fresh()
    result = lives(key, name)
    assert result["lives"] > 10
    exactly_one_of_everything(clean, name, result["made"])


@pytest.mark.full
def test_a_program_that_is_killed_at_any_write_and_run_again_makes_exactly_one_of_everything(clean: Clients) -> None:
    """Each write of a first run, before it and after it, each time with a new key."""
    key, name = fresh()
    writes = lives(key, name, "--die-at")["writes"]
    exactly_one_of_everything(clean, name, lives(key, name, "--die-at")["made"])
    for number in range(1, writes + 1):
        for options in ([], ["--before"]):
            key, name = fresh()
            result = lives(key, name, "--die-at", str(number), *options)
            assert result["lives"] == 2, (number, options)
            exactly_one_of_everything(clean, name, result["made"])


@pytest.mark.full
def test_a_program_that_is_killed_at_random_writes_makes_exactly_one_of_everything(
    clean: Clients, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(request.config.option.seed)
    for _ in range(20):
        key, name = fresh()
        deaths = [str(dice.randint(1, 20)) for _ in range(dice.randint(3, 15))]
        result = lives(key, name, "--die-at", *deaths, *(["--before"] if dice.random() < 0.3 else []))
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
    assert "1 create of an earlier run found" in done.stderr
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
