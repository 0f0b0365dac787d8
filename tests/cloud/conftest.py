"""The sandbox for the tests: brought up once for the session, stopped at the end unless it ran before."""

import dataclasses
import json
import os
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


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The sandbox of this clone, running and healthy."""
    state = TOP / "sandbox/.state"
    ran_before = command(state, "status", check=False).returncode == 0
    # The installation and the first start take minutes: pytest's capture must not hide what goes on.
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nbringing the sandbox up ...", file=sys.stderr, flush=True)  # noqa: T201 - the progress
        done = subprocess.run([sys.executable, COMMAND, "up", "--state", state], check=False, timeout=1200)
    if done.returncode:
        pytest.exit("the sandbox did not come up: the reason is above", returncode=3)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            # What the shell says of another cloud, or of a proxy, is not for these tests.
            if name.startswith("OS_") or name.lower() in PROXIES:
                patch.delenv(name)
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield describe(state)
    if not ran_before:
        command(state, "down", check=False)
