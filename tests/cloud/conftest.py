"""The sandbox for the tests: brought up once for the session, stopped at the end unless it ran before."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

TOP = Path(__file__).resolve().parents[2]
COMMAND = TOP / "sandbox/cloud"
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A running sandbox: where it is, and who one can be there."""

    state: Path
    urls: dict[str, str]
    """By service: keystone, placement, glance, neutron, nova, cinder, heat, swift."""
    auth_url: str
    demo: dict[str, str]
    """An ordinary user, as arguments of keystoneauth's v3.Password."""
    admin: dict[str, str]
    region_name: str = "RegionOne"

    @property
    def clouds_yaml(self) -> Path:
        return self.state / "clouds.yaml"

    def log(self, service: str) -> Path:
        return self.state / "log" / f"{service}.log"

    def session(self, account: str = "demo", **options: object) -> Session:
        """A fresh keystoneauth session, with a token of its own."""
        return Session(auth=v3.Password(**getattr(self, account)), **options)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`sandbox/cloud COMMAND --state ... ARGUMENTS`; its output is in stdout, its progress in stderr."""
        return command(self.state, *arguments, check=check)


def command(state: Path, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, COMMAND, name, "--state", state, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if check and done.returncode:
        pytest.fail(
            f"sandbox/cloud {name} {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr}",
            pytrace=False,
        )
    return done


def describe(state: Path) -> Cloud:
    """The sandbox that was brought up at `state`."""
    known = json.loads((state / "cloud.json").read_text())
    accounts = {
        name: {
            "auth_url": known["auth_url"],
            "username": name,
            "password": "secret",
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        for name in ("demo", "admin")
    }
    return Cloud(state, known["urls"], known["auth_url"], **accounts)


def place(worker: str) -> Path:
    """Return the state directory of the sandbox of this clone; a worker beside the first one has a sandbox of its own.

    Two of them on one would see each other's things, and a service is one process, which uses one processor.
    """
    return TOP / "sandbox" / (".state" if worker in ("", "gw0") else f".state-{worker}")


def bring_up(state: Path, config: pytest.Config, worker: str) -> None:
    """Make the sandbox run; the installation and the first start take minutes, so what goes on is shown at once."""
    own = state.name == ".state"
    if not own and state.exists():  # what a run before has left; its logs were good until now
        command(state, "down", check=False)
        shutil.rmtree(state)
    # pytest's capture must not hide it.
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        who = f"{worker}: " if worker else ""
        print(f"\n{who}bringing a sandbox up ...", file=sys.stderr, flush=True)  # noqa: T201 - the progress
        done = subprocess.run(
            [sys.executable, COMMAND, "up", "--state", state],
            check=False,
            timeout=1200,
            stderr=None if own else subprocess.PIPE,  # one that tells its progress is enough
            text=True,
        )
        if done.returncode and not own:
            print(done.stderr, file=sys.stderr, flush=True)  # noqa: T201
    if done.returncode:
        # In a worker 2 is what ends the others, too.
        pytest.exit("the sandbox did not come up: the reason is above", returncode=2 if worker else 3)


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A sandbox of this clone, running and healthy."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    state = place(worker)
    ran_before = state.name == ".state" and command(state, "status", check=False).returncode == 0
    bring_up(state, request.config, worker)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            # What the shell says of another cloud, or of a proxy, is not for these tests.
            if name.startswith("OS_") or name.lower() in PROXIES:
                patch.delenv(name)
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield describe(state)
    if not ran_before:
        command(state, "down", check=False)
