"""`os-retries check` with the real clients: what docs/design/clients.md says of their loops is what it measures."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from os_retries import attach
from os_retries.check import recording
from os_retries.check.clients import DISTRIBUTIONS
from os_retries.session.targets import RequestTarget
from tests.clients.cloud_clients import BY_NAME
from tests.clients.test_run import environment

LOSE_RETRY_AFTER = {
    "novaclient",
    "cinderclient",
    "neutronclient",
    "glanceclient",
    "heatclient",
    "manilaclient",
    "magnumclient",
    "ironicclient",
    "troveclient",
    "barbicanclient",
    "designateclient",
    "saharaclient",
}
#: The clients that repeat by default, and the requests of one call in a loop of six.
REPEAT = {"swiftclient": 36, "openstacksdk image": 36, "openstacksdk baremetal": 36, "ironicclient": 36}
#: What a program may switch on: one call, in a loop of six, and the POSTs of a create whose answer is lost.
SETTINGS = {
    "keystoneauth1 connect_retries=2": (3, 18, 3),
    "keystoneauth1 status_code_retries=3": (4, 24, 1),
    "keystoneauth1 status_code_retries=3 over urllib3's Retry(3)": (16, 96, 1),
    "neutronclient retries=2 over connect_retries=2": (9, 54, 3),
    "cinderclient retries=2, on 413": (3, 18, 1),
    "manilaclient retries=2": (3, 18, 3),
    "troveclient retries=2": (3, 18, 3),
}


def name(row):
    words = row["package"].removeprefix("python-"), row["part"], row["setting"]
    return " ".join(word for word in words if word)


@pytest.fixture(scope="module")
def checked():
    """The rows by name, measured where the user's own variables would lead elsewhere."""
    done = subprocess.run(
        [sys.executable, "-m", "os_retries", "check", "--json"],
        env=os.environ
        | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "OS_CLOUD": "none"}
        | {"OS_RETRIES_DISABLED": "1", "OSRETRIES_POLICY": "{}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (1, "")
    value = json.loads(done.stdout)
    return {name(row): row for row in value["clients"]} | {"": value}


@pytest.fixture
def rows(checked):
    return {name: row for name, row in checked.items() if name}


def defaults(rows):
    return {name: row for name, row in rows.items() if not row["setting"]}


def test_every_client_of_this_environment_is_measured_and_has_its_version(rows):
    assert {name: row["error"] for name, row in rows.items() if row["error"]} == {}
    assert {row["package"]: row["version"] for row in rows.values()} == {
        name: metadata.version(name) for name in DISTRIBUTIONS
    }


def test_the_clients_that_repeat_by_default_multiply_with_a_loop_around_them(rows):
    found = {name: row["without"]["loop"] for name, row in defaults(rows).items() if row["multiplies"]}
    assert found == REPEAT


def test_the_loops_that_a_program_may_switch_on_multiply_too(rows):
    found = {
        name: (max(row["without"]["call"].values()), row["without"]["loop"], row["without"]["create"]["sent"])
        for name, row in rows.items()
        if row["setting"]
    }
    assert found == SETTINGS


def test_with_os_retries_no_call_sends_more_than_its_six_attempts(rows):
    found = {name: (*row["with"]["call"].values(), row["with"]["loop"]) for name, row in rows.items()}
    assert {name: numbers for name, numbers in found.items() if max(numbers) != 6} == {}


def test_with_os_retries_no_create_is_sent_again_while_nobody_can_say_whether_it_took_effect(rows):
    found = {
        name: row["with"]["create"]["sent"] for name, row in rows.items() if row["with"]["create"]["verb"] == "POST"
    }
    assert set(found.values()) == {1}
    assert rows["ironicclient"]["without"]["create"] == {"verb": "POST", "sent": 6}


def test_the_clients_that_lose_retry_after(rows):
    assert {name for name, row in defaults(rows).items() if not row["without"]["retry_after"]} == LOSE_RETRY_AFTER


def test_what_else_uses_keystoneauth_is_named(checked):
    assert "osc-lib" in checked[""]["not_measured"]


# The program

PROGRAM = """\
import openstack

cloud = openstack.connect()
server = "/servers/11111111-2222-4333-8444-555555555555"
for name in ("one", "two"):
    cloud.network.create_network(name=name)
cloud.block_storage.create_volume(size=1, name="thing")
cloud.compute.post("/os-keypairs", json={"keypair": {"name": "thing"}})
cloud.compute.post(server + "/unheard-of", json={})
cloud.compute.delete(server)
list(cloud.compute.servers())
print("done")
"""


def test_what_happens_to_each_write_of_a_program_is_what_the_attached_session_decides(cloud, tmp_path):
    """Also below OS_RETRIES_DISABLED; the program is really run, and its output comes first."""
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "os_retries", "check", "--json", "--", sys.executable, tmp_path / "program.py"],
        env=environment(cloud) | {"OS_RETRIES_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    output, _, report = done.stdout.partition("\n")
    assert (done.returncode, output) == (1, "done"), done.stderr
    program = json.loads(report)["program"]
    assert program["status"] == 0
    found = {(each["service"], each["request"]): (each["verdict"], each["times"]) for each in program["writes"]}
    assert found == {
        ("network", "POST /networks"): ("looked up", 2),
        ("block-storage", "POST /volumes"): ("looked up", 1),
        ("compute", "POST /os-keypairs"): ("handed over", 1),
        ("compute", "POST /servers/{id}"): ("handed over", 1),
        ("compute", "DELETE /servers/{id}"): ("repeated", 1),
    }
    assert {each["reason"] for each in program["writes"] if each["verdict"] == "handed over"} == {
        "the private key is returned only once",
        "no recipe applies to it",
    }


def test_a_request_is_sent_even_if_it_cannot_be_recorded(cloud, monkeypatch):
    monkeypatch.setattr(RequestTarget, "begin_write", RequestTarget.begin_write)  # it is put back in the end
    monkeypatch.setattr(recording, "_verdict", None)
    recording.begin()
    session = attach(BY_NAME["keystoneauth"].make(cloud).session)
    assert session.post(cloud.url("nova") + "/servers", json={"server": {"name": "thing"}}).status_code == 202
    assert cloud.count(method="POST", path="/servers") == 1
