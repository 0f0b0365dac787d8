"""Rehearse programs of others on the sandbox: commands of `openstack`, an Ansible playbook, tests of openstacksdk.

`os-retries rehearse` runs each without os-retries and with it, under the same faults, and writes a page for each into
programs/.state/rehearsals.  The exit status is 1 if a program fails with os-retries, or leaves something behind.
"""

import argparse
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import openstack

import ground

FOLDER = ground.STATE / "rehearsals"
COMMANDS = """
set -e
openstack network create $1-$$
openstack volume create --size 1 $1-$$
openstack volume delete $1-$$
openstack network delete $1-$$
"""
#: Unlike playbook.yml, it ends with the first error.
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {name: "{{ lookup('pipe', 'echo $OSRETRIES_REHEARSED-$PPID') }}"}
  tasks:
    - openstack.cloud.network: {name: "{{ name }}"}
    - openstack.cloud.volume: {name: "{{ name }}", size: 1}
    - openstack.cloud.volume: {name: "{{ name }}", state: absent}
    - openstack.cloud.network: {name: "{{ name }}", state: absent}
"""
TESTS = ("network.v2.test_security_group", "compute.v2.test_keypair")
ONCE = "lost 504 once of POST /networks$, lost 502 once of POST /volumes$, refused 503 once of DELETE"
OFTEN = "lost 504 once of POST /security-groups$, lost 502 3%, refused 10%"


def programs(run: str) -> dict[str, tuple[str, list[str]]]:
    """Return the faults and the command of each program.

    :param run: what the names of its resources begin with
    """
    book = FOLDER / "playbook.yml"
    book.write_text(PLAYBOOK.replace("$OSRETRIES_REHEARSED", run))
    tests = [f"openstack.tests.functional.{name}" for name in TESTS]
    # Without the settings of this project: they make errors of warnings.
    pytest = ["python", "-W", "ignore", "-m", "pytest", "-c", "/dev/null", "-q", "-x", "-p", "no:cacheprovider"]
    return {
        "openstack": (ONCE, ["sh", "-c", COMMANDS, "sh", run]),
        "playbook": (ONCE, [str(ground.PLAYBOOK / "ansible-playbook"), "-i", "localhost,", str(book)]),
        "sdk": (OFTEN, [*pytest, "--pyargs", *tests]),
    }


def environment(known: ground.Ground) -> Mapping[str, str]:
    """Return the environment of all three."""
    return known.environment("demo", "openstack", "") | {
        "ANSIBLE_COLLECTIONS_PATH": str(ground.COLLECTIONS),
        "ANSIBLE_PYTHON_INTERPRETER": str(ground.PLAYBOOK / "python"),
        "ANSIBLE_HOME": str(FOLDER / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "LC_ALL": "C.UTF-8",
        "OPENSTACKSDK_DEMO_CLOUD": "demo",
        "OPENSTACKSDK_OPERATOR_CLOUD": "admin",
        "OPENSTACKSDK_DEMO_CLOUD_ALT": "demo",
        "OPENSTACKSDK_SYSTEM_ADMIN_CLOUD": "admin",
        "OPENSTACKSDK_FLAVOR": "tiny",
        "OPENSTACKSDK_IMAGE": "cirros",
        "OS_TEST_TIMEOUT": "600",
    }


def remove(environ: Mapping[str, str], run: str) -> None:
    """Remove what the runs without os-retries have left."""
    cloud = openstack.connection.Connection(
        config=openstack.config.OpenStackConfig(
            config_files=[environ["OS_CLIENT_CONFIG_FILE"]], load_envvars=False
        ).get_one(cloud="demo")
    )
    finders = (
        (cloud.block_storage.volumes, cloud.block_storage.delete_volume),
        (cloud.network.networks, cloud.network.delete_network),
    )
    for find, delete in finders:
        for each in find():
            if each.name.startswith(run):
                delete(each.id)


def main() -> int:
    """Rehearse them one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", help="the faults of all programs, instead of their own")
    parser.add_argument("--seed", default="2", help="of the faults (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME", help="one of openstack, playbook, sdk")
    parser.add_argument("--state", type=Path, default=ground.TOP / "sandbox/.state", help="of the sandbox")
    options = parser.parse_args()
    known = ground.Ground(ground.sandbox(options.state))
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(ground.install_wheel())
    ground.install_collection()
    run = f"rehearsal-{secrets.token_hex(3)}"
    environ, passed = dict(environment(known)), True
    rehearse = [str(ground.BIN / "os-retries"), "rehearse", "--retry-after", "0.3", "--json"]
    for name, (faults, command) in programs(run).items():
        if options.only in (None, name):
            how = ["--faults", options.faults or faults, "--seed", options.seed, "--html", str(FOLDER / f"{name}.html")]
            done = subprocess.run(
                [*rehearse, *how, "--", *command], env=environ, stdout=subprocess.PIPE, text=True, check=False
            )
            (FOLDER / f"{name}.txt").write_text(done.stdout)
            passed &= done.returncode == 0
            print(told(name, json.loads(done.stdout[done.stdout.index('{\n  "command"') :])), flush=True)
    remove(environ, run)
    return 0 if passed else 1


def told(name: str, report: dict) -> str:
    """Say in a line what a rehearsal has shown."""
    parts = []
    for way in ("without", "with"):
        of = report[way]
        end = "succeeded" if of["succeeded"] else "failed"
        sums = f"{of['requests']} requests, {of['faults']} faults, {of['retries']} retries, {of['found']} creates found"
        parts.append(f"{way} os-retries it {end}: {sums}, {len(of['left_behind'])} left behind")
    return f"{name}: {'; '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
