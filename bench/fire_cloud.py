"""Sandboxes for bench/cloud_under_fire.py, services_cost.py and sahara_demo.py, and the sessions of their users."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[1] / "sandbox/cloud")]


def launcher(*options: str) -> list[str]:
    """Return the options of ``sandbox/cloud up`` that give the services what ``os-retries env OPTIONS`` prints."""
    command = [str(Path(sys.executable).parent / "os-retries"), "env", "--dotenv", *options]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [part for line in lines for part in ("--env", line)]


def start(state: Path, options: list[str]) -> dict[str, Any]:
    """Start a fresh sandbox in the folder ``state``; return what its cloud.json says."""
    stop(state)
    shutil.rmtree(state, ignore_errors=True)
    done = subprocess.run(
        [*COMMAND, "up", "--state", str(state), *options], check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads((state / "cloud.json").read_text()))


def stop(state: Path) -> None:
    """Stop the sandbox of that folder, and keep its logs."""
    subprocess.run([*COMMAND, "down", "--state", str(state)], check=False, capture_output=True)


def session(auth_url: str, account: str) -> Session:
    """Return a user's session, without any retries."""
    names = {"username": account, "project_name": account, "user_domain_id": "default", "project_domain_id": "default"}
    return Session(v3.Password(auth_url=auth_url, password="secret", **names))
