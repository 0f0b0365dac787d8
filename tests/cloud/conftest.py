"""The sandbox of the tests.  It is started once for the session, and stopped at the end unless it ran before."""

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
    """A running sandbox: its state directory, its URLs and its accounts."""

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
        """Return a new keystoneauth session, with a token of its own."""
        return Session(auth=v3.Password(**getattr(self, account)), **options)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `sandbox/cloud COMMAND --state ... ARGUMENTS`; stdout has its output, stderr its progress."""
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
    """Return the sandbox that was started at `state`."""
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
    """Return the state directory of a worker's sandbox.  The first worker uses the sandbox of this clone.

    Two workers with the same sandbox would see each other's resources.  Besides, each service is one process, which
    uses only one processor.
    """
    return TOP / "sandbox" / (".state" if worker in ("", "gw0") else f".state-{worker}")


def bring_up(state: Path, config: pytest.Config, worker: str) -> None:
    """Start the sandbox.  Its progress is shown, because the installation and the first start take minutes."""
    own = state.name == ".state"
    if not own and state.exists():  # left by an earlier run, so that its logs could be read
        command(state, "down", check=False)
        shutil.rmtree(state)
    # The progress must not be captured by pytest.
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        who = f"{worker}: " if worker else ""
        print(f"\n{who}starting a sandbox ...", file=sys.stderr, flush=True)  # noqa: T201 - the progress
        done = subprocess.run(
            [sys.executable, COMMAND, "up", "--state", state],
            check=False,
            timeout=1200,
            stderr=None if own else subprocess.PIPE,  # only one worker shows the progress
            text=True,
        )
        if done.returncode and not own:
            print(done.stderr, file=sys.stderr, flush=True)  # noqa: T201
    if done.returncode:
        # The exit status 2 of a worker ends the other workers too.
        pytest.exit("the sandbox did not start: see the messages above", returncode=2 if worker else 3)


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A sandbox of this clone, running and healthy."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    state = place(worker)
    # A test may stop a service, and another worker's sandbox must not take its port meanwhile.  Steps of 20 lie between.
    number = int(worker.removeprefix("gw") or 0)
    os.environ.setdefault("SANDBOX_PORT_OFFSET", str(10_000 + 100 * number))
    ran_before = state.name == ".state" and command(state, "status", check=False).returncode == 0
    bring_up(state, request.config, worker)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            # The shell's settings for another cloud, or for a proxy, must not affect these tests.
            if name.startswith("OS_") or name.lower() in PROXIES:
                patch.delenv(name)
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield describe(state)
    if not ran_before:
        command(state, "down", check=False)
