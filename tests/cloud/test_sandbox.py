"""The sandbox does what sandbox/README.md says: it serves many clients at once, and `up` repairs any damage.

A test that needs its own sandbox makes one in a temporary directory, with a single service if that is enough.
"""

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import openstack
import pytest

from .conftest import COMMAND, command, describe

pytestmark = [
    pytest.mark.cloud,
    # openstacksdk warns of its own inside.
    pytest.mark.filterwarnings("ignore::openstack.warnings._RemovedInSDKWarning"),
]

SERVICES = ["keystone", "placement", "glance", "neutron", "nova", "cinder", "heat", "swift"]
STACK = {
    "heat_template_version": "2021-04-16",
    "resources": {
        "net": {"type": "OS::Neutron::Net"},
        "word": {"type": "OS::Heat::RandomString", "properties": {"length": 8}},
        "signal": {"type": "OS::Heat::WaitConditionHandle"},  # its user lives in heat's own domain
    },
    "outputs": {"word": {"value": {"get_attr": ["word", "value"]}}},
}


def connect(cloud, account="demo"):
    return openstack.connection.Connection(session=cloud.session(account), region_name=cloud.region_name)


def pids_of(cloud, *on_demand):
    """The process of each service that runs: of those that always do, and of these. Other tests may have started more."""
    lines = re.findall(r"^(\w+) +running .* (\d+) +\d+ MB$", cloud.run("status", check=False).stdout, re.MULTILINE)
    return {service: int(pid) for service, pid in lines if service in (*SERVICES, *on_demand)}


@pytest.fixture
def elsewhere(cloud, tmp_path):
    """A state directory for a sandbox beside the usual one; stopped at the end."""
    state = tmp_path / "state"
    yield state
    command(state, "down", check=False)


# ----- what it is good for


def life_cycle(cloud, number):
    """Make one of everything that a cloud has, use it, and delete it again."""
    user, admin = connect(cloud), connect(cloud, "admin")
    name = f"life-{os.getpid()}-{number}"
    patience = {"interval": 0.3, "wait": 120}
    network = user.network.create_network(name=name)
    subnet = user.network.create_subnet(name=name, network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    port = user.network.create_port(name=name, network_id=network.id)
    volume = user.block_storage.create_volume(name=name, size=1)
    server = user.compute.create_server(
        name=name,
        image_id=user.image.find_image("cirros", ignore_missing=False).id,
        flavor_id=user.compute.find_flavor("tiny", ignore_missing=False).id,
        networks=[{"port": port.id}],
    )
    stack = user.orchestration.create_stack(name=name, template=STACK)
    account = admin.identity.create_user(name=name, password="x")
    image = user.image.create_image(
        name=name, data=b"abc", disk_format="raw", container_format="bare", allow_duplicates=True
    )
    user.object_store.create_container(name)
    user.object_store.upload_object(name, "thing", data=b"some bytes")
    assert user.object_store.download_object("thing", container=name) == b"some bytes"

    user.compute.wait_for_server(server, **patience)
    user.block_storage.wait_for_status(volume, status="available", **patience)
    user.compute.create_volume_attachment(server, volume_id=volume.id)
    user.block_storage.wait_for_status(volume, status="in-use", **patience)
    assert user.network.get_port(port).status == "ACTIVE"
    stack = user.orchestration.wait_for_status(stack, "CREATE_COMPLETE", failures=["CREATE_FAILED"], **patience)
    assert len(stack.outputs[0]["output_value"]) == 8

    user.compute.delete_volume_attachment(server, volume.id)
    user.block_storage.wait_for_status(volume, status="available", **patience)
    user.orchestration.delete_stack(stack)
    user.compute.delete_server(server)
    user.object_store.delete_object("thing", container=name)
    user.object_store.delete_container(name)
    user.image.delete_image(image)
    admin.identity.delete_user(account)
    user.block_storage.delete_volume(volume)
    user.compute.wait_for_delete(server, **patience)
    user.block_storage.wait_for_delete(volume, **patience)
    user.orchestration.wait_for_delete(stack, **patience)
    user.network.delete_port(port)
    user.network.delete_subnet(subnet)
    user.network.delete_network(network)


def test_eight_clients_at_once_meet_no_error(cloud):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(life_cycle, cloud, number) for number in range(8)]
    errors = [error for job in jobs if (error := job.exception())]
    assert not errors, errors


def test_a_newcomer_finds_a_flavor_an_image_and_networks(cloud):
    user = connect(cloud)
    assert user.compute.find_flavor("tiny", ignore_missing=False)
    assert user.image.find_image("cirros", ignore_missing=False).status == "active"
    assert user.network.find_network("public", ignore_missing=False).is_router_external
    assert user.network.find_network("private", ignore_missing=False).project_id == user.current_project_id


def test_an_ordinary_user_delegates_a_role_by_a_trust(cloud):
    user, admin = connect(cloud), connect(cloud, "admin")
    trust = user.identity.create_trust(
        trustor_user_id=user.current_user_id,
        trustee_user_id=admin.current_user_id,
        project_id=user.current_project_id,
        impersonation=True,
        roles=[{"name": "member"}],
    )
    user.identity.delete_trust(trust)


def test_an_ordinary_project_has_no_quotas(cloud):
    user = connect(cloud)
    project = user.current_project_id
    compute = user.compute.get_quota_set(project)
    assert (compute.instances, compute.cores, compute.ram) == (-1, -1, -1)
    volumes = user.block_storage.get_quota_set(project)
    assert (volumes.volumes, volumes.snapshots, volumes.gigabytes) == (-1, -1, -1)
    network = user.network.get_quota(project)
    assert (network.networks, network.subnets, network.ports, network.security_groups) == (-1, -1, -1, -1)


def test_it_listens_on_the_loopback_interface_alone(cloud):
    ours = set()
    for pid in pids_of(cloud).values():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                ours.add(str(link.readlink()))
    listening = [
        fields[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and f"socket:[{fields[9]}]" in ours
    ]
    assert len(listening) == 11  # an API each, and three storage servers of swift
    assert {address.split(":")[0] for address in listening} == {"0100007F"}


# ----- its commands


def test_up_returns_at_once_when_all_is_well(cloud):
    pids = pids_of(cloud)
    assert list(pids) == SERVICES
    begin = time.monotonic()
    cloud.run("up")
    # 0.4 s on an idle machine; where several programs wait for each processor, it takes as many times as long.
    assert time.monotonic() - begin < 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert pids_of(cloud) == pids


def test_status_shows_each_service_and_where_the_logs_are(cloud):
    done = cloud.run("status")
    running = re.findall(r"^(\w+) +running ", done.stdout, re.MULTILINE)
    assert running[: len(SERVICES)] == SERVICES  # those that other tests have asked for come after them
    assert str(cloud.log("nova").parent) in done.stdout
    assert cloud.log("nova").exists()


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_env_is_all_that_a_client_needs(cloud, options):
    script = f'eval "$({sys.executable} {COMMAND} env --state {cloud.state} {" ".join(options)})"; env'
    # A variable of another cloud must not be left standing.
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": os.environ["PATH"], "OS_CLOUD": "other", "OS_USERNAME": "other"},
        check=True,
        capture_output=True,
        text=True,
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("OS_"))
    if options:
        assert seen["OS_AUTH_URL"] == cloud.auth_url
        assert seen["OS_USERNAME"] == "demo"
        assert "OS_CLOUD" not in seen
    else:
        assert seen == {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml), "OS_CLOUD": "demo"}


def test_up_repairs_a_half_dead_sandbox(cloud):
    network = connect(cloud).network.create_network(name="survivor")
    before = pids_of(cloud)
    os.kill(before["placement"], signal.SIGKILL)
    os.kill(before["swift"], signal.SIGSTOP)
    done = cloud.run("status", check=False)
    assert done.returncode == 1
    assert re.search("^placement +not running", done.stdout, re.MULTILINE)
    assert re.search("^swift +not answering", done.stdout, re.MULTILINE)
    cloud.run("up")
    after = pids_of(cloud)
    assert list(after) == SERVICES
    assert {service for service in SERVICES if before[service] != after[service]} == {"placement", "swift"}
    user = connect(cloud)
    assert user.network.get_network(network.id).name == "survivor"
    user.network.delete_network(network)


def test_parts_are_left_out_on_demand_and_only_their_services_restarted(cloud):
    def extensions():
        return {extension.alias for extension in connect(cloud).network.extensions()}

    assert "tag-ports-during-bulk-creation" in extensions()
    before = pids_of(cloud)
    try:
        cloud.run("up", "--without", "tag-ports,resource-filters")
        after = pids_of(cloud)
        assert {service for service in SERVICES if before[service] != after[service]} == {"neutron", "cinder"}
        assert "tag-ports-during-bulk-creation" not in extensions()
    finally:
        cloud.run("up")
    assert "tag-ports-during-bulk-creation" in extensions()


def test_services_get_a_variable_on_demand_and_only_until_the_next_up(elsewhere):
    def variables():
        (pid,) = [pid for pid in pids_of(describe(elsewhere)).values() if pid]
        return Path(f"/proc/{pid}/environ").read_text().split("\0")

    assert "NAME=VALUE" in command(elsewhere, "up", "--env", "MINE", check=False).stderr
    command(elsewhere, "up", "--only", "placement", "--env", "MINE=a b=c")
    assert "MINE=a b=c" in variables()
    command(elsewhere, "up", "--only", "placement")
    assert "MINE=a b=c" not in variables()


# ----- beside others, and after accidents


def test_a_service_on_demand_is_started_beside_the_others_which_are_left_alone(cloud):
    before = pids_of(cloud, "barbican")
    cloud.run("up", "--with", "barbican")
    after = pids_of(cloud, "barbican")
    started = after.pop("barbican")
    before.pop("barbican", None)
    assert after == before
    cloud.run("up", "--with", "barbican")
    assert pids_of(cloud, "barbican") == after | {"barbican": started}
    admin = connect(cloud, "admin").identity
    (service,) = admin.services(name="barbican")
    assert len(list(admin.endpoints(service_id=service.id))) == 2


def test_two_sandboxes_find_ports_of_their_own_and_leave_each_other_alone(cloud, elsewhere):
    before = pids_of(cloud)
    command(elsewhere, "up", "--only", "keystone")
    other = describe(elsewhere)
    assert not set(other.urls.values()) & set(cloud.urls.values())
    connect(other, "admin").identity.create_user(name="only-there", password="x")
    assert not list(connect(cloud, "admin").identity.users(name="only-there"))
    command(elsewhere, "down")
    assert pids_of(cloud) == before


def test_it_moves_with_its_data_when_its_port_is_taken_meanwhile(elsewhere):
    command(elsewhere, "up", "--only", "keystone")
    first = describe(elsewhere)
    connect(first, "admin").identity.create_user(name="moved", password="x")
    command(elsewhere, "down")
    port = int(first.urls["keystone"].rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        command(elsewhere, "up", "--only", "keystone")
    second = describe(elsewhere)
    assert second.auth_url != first.auth_url
    # This client asks the catalog where keystone is: it has moved, too.
    assert list(connect(second, "admin").identity.users(name="moved"))


def test_a_state_directory_that_was_copied_is_replaced_and_its_original_untouched(cloud, elsewhere):
    before = pids_of(cloud)
    elsewhere.mkdir()
    shutil.copy(cloud.state / "cloud.json", elsewhere)
    shutil.copytree(cloud.state / "etc", elsewhere / "etc")
    assert "at another place" in command(elsewhere, "status", check=False).stderr
    command(elsewhere, "down")
    assert "replacing" in command(elsewhere, "up", "--only", "placement").stderr
    command(elsewhere, "status")
    assert pids_of(cloud) == before


def test_an_up_that_was_killed_is_taken_up_by_the_next(elsewhere):
    process = subprocess.Popen([sys.executable, COMMAND, "up", "--state", elsewhere, "--only", "placement"])
    deadline = time.monotonic() + 60
    while not (elsewhere / "log/placement.log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    command(elsewhere, "up", "--only", "placement")
    other = describe(elsewhere)
    assert list(pids_of(other)) == ["placement"]
    found = subprocess.run(["pgrep", "-f", f"sandbox={elsewhere} "], check=True, capture_output=True)
    assert len(found.stdout.split()) == 1


def test_an_up_that_was_interrupted_leaves_no_process_behind(elsewhere):
    process = subprocess.Popen(
        [sys.executable, COMMAND, "up", "--state", elsewhere],
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not (elsewhere / "log/heat.log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "nothing was running" in command(elsewhere, "down").stderr


def test_down_stops_no_program_that_only_looks_like_a_service(elsewhere):
    python = COMMAND.parent / ".venv/bin/python"
    lookalike = subprocess.Popen([python, "-c", "import time; time.sleep(60)", COMMAND.parent / "serve.py", elsewhere])
    try:
        # Run by the sandbox's own Python, `down` looks like one itself.
        subprocess.run([python, COMMAND, "down", "--state", elsewhere], check=True, capture_output=True)
        assert lookalike.poll() is None
    finally:
        lookalike.kill()
        lookalike.wait()


def test_data_broken_by_a_crash_of_the_machine_are_replaced(elsewhere):
    command(elsewhere, "up", "--only", "placement")
    command(elsewhere, "down")
    (elsewhere / "data/db/placement.db").write_bytes(b"what a power cut leaves" * 1000)
    assert "damaged" in command(elsewhere, "up", "--only", "placement").stderr
    command(elsewhere, "status")


def test_a_service_that_cannot_start_is_explained_on_one_screen(elsewhere):
    command(elsewhere, "up", "--only", "placement")
    command(elsewhere, "down")
    (elsewhere / "data/db/placement.db").write_bytes(b"")  # whole, as SQLite sees it, but without a table
    done = command(elsewhere, "up", "--only", "placement", check=False)
    assert done.returncode == 1
    assert "placement did not start" in done.stderr
    assert "OperationalError: no such table" in done.stderr
    assert str(elsewhere / "log/placement.log") in done.stderr
    assert len(done.stderr.splitlines()) <= 24
    assert "nothing was running" in command(elsewhere, "down").stderr


def test_a_directory_of_somebody_else_is_refused(elsewhere):
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("irreplaceable")
    done = command(elsewhere, "up", check=False)
    assert done.returncode == 1
    assert "do not belong to a sandbox" in done.stderr
    assert [path.name for path in elsewhere.iterdir()] == ["thesis.txt"]


# ----- without this repository


def test_installed_from_its_wheel_it_has_all_its_files_and_keeps_its_things_in_the_users_data(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=COMMAND.parent, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("os_retries_sandbox-*.whl")
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    package, ours = tmp_path / "site/os_retries_sandbox", COMMAND.parent
    for folder in ("control", "services", "plugins", "with"):
        for path in (ours / folder).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert (package / path.relative_to(ours)).read_bytes() == path.read_bytes()

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", "import sys, os_retries_sandbox; sys.exit(os_retries_sandbox.main())", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path)},
            check=False,
            capture_output=True,
            text=True,
        )

    assert f"{tmp_path}/os-retries-sandbox/venv/bin/openstack server create" in run("--help").stdout
    done = run("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no sandbox yet; create one with: os-retries-sandbox up\n"
