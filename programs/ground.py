"""What the programs stand on: the sandbox, os-retries as users install it, and the environment of a command."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
BIN = Path(sys.executable).parent
PLAYBOOK = TOP / ".venv-playbook/bin"
STATE = HERE / ".state"
COLLECTIONS = STATE / "collections"
CLOUD = TOP / "sandbox/cloud"
# The same numbers for all programs; on one machine a wait of seconds proves no more than one of tenths.
POLICY = HERE / "timeouts.conf"
PREFIX = (str(BIN / "os-retries"), "run", "--config-file", str(POLICY), "--")


def sandbox(state: Path) -> dict[str, Any]:
    """Bring the sandbox up; what its cloud.json says."""
    subprocess.run([sys.executable, CLOUD, "up", "--state", state], check=True)
    return json.loads((state / "cloud.json").read_text())


def install_wheel() -> str:
    """Build os-retries, and install it into this environment as any user would; its file name."""
    with tempfile.TemporaryDirectory() as folder:
        # hatchling builds in the project's folder, and takes nothing but the project from there.
        subprocess.run(
            [BIN / "hatchling", "build", "-t", "wheel", "-d", folder], cwd=TOP, check=True, capture_output=True
        )
        (wheel,) = Path(folder).glob("*.whl")
        pip = [TOP / ".cache/bootstrap/bin/python", "-m", "pip", "-q", "--python", sys.executable, "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", "--no-cache-dir", "--force-reinstall", wheel], check=True)
        return wheel.name


def install_collection() -> None:
    """Take openstack.cloud, 1 MB, out of the wheel of `ansible`, which holds 500 MB of others."""
    lock = (HERE / "collection.txt").read_text()
    stamp = COLLECTIONS / ".installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [TOP / ".cache/bootstrap/bin/python", "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", HERE / "collection.txt", "-d", folder], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith("ansible_collections/openstack/cloud/")]
            archive.extractall(COLLECTIONS, wanted)
    stamp.write_text(lock)


@dataclass(frozen=True)
class Ground:
    """The sandbox, as the programs see it."""

    known: dict[str, Any]
    """cloud.json of the sandbox."""

    def accounts(self) -> dict[str, dict[str, str]]:
        """Arguments of keystoneauth's v3.Password."""
        return {
            name: {
                "auth_url": self.known["auth_url"],
                "username": name,
                "password": "secret",
                "project_name": name,
                "user_domain_id": "default",
                "project_domain_id": "default",
            }
            for name in ("demo", "admin")
        }

    def environment(self, account: str, program: str, proxy: str) -> dict[str, str]:
        """Return the whole environment of a command of ``account``; the old programs do not read clouds.yaml."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OS_", "OSRETRIES_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        home = STATE / "home"
        home.mkdir(parents=True, exist_ok=True)
        base = {
            **kept,
            "PATH": f"{BIN}:{kept.get('PATH', os.defpath)}",
            "HOME": str(home),
            "http_proxy": proxy,
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "200",
        }
        if program not in ("nova", "cinder", "glance", "heat", "swift", "sh"):
            return base | {"OS_CLIENT_CONFIG_FILE": f"{self.known['root']}/clouds.yaml", "OS_CLOUD": account}
        named = {f"OS_{name.upper()}": value for name, value in self.accounts()[account].items()}
        versions = {"OS_REGION_NAME": "RegionOne", "OS_IDENTITY_API_VERSION": "3", "OS_AUTH_VERSION": "3"}
        return base | named | versions
