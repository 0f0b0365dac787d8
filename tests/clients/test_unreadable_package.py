"""A daemon that can no longer read its packages: it has dropped its privileges or changed its root, or is upgraded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import os_retries

from .cloud import answer_json, refusal

PROGRAM = """
import shutil, sys
import keystoneauth1.session, keystoneauth1.token_endpoint
import requests
{before}
shutil.rmtree(sys.argv[1])
{after}
session = keystoneauth1.session.Session(keystoneauth1.token_endpoint.Token(sys.argv[2], "t"))
{at_last}
filter = {{"service_type": "compute"}}
body = {{"server": {{"name": "one", "flavorRef": "1", "imageRef": "1", "networks": "none"}}}}
created = session.post("/servers", json=body, endpoint_filter=filter, microversion="2.90")
assert created.status_code == 202, created
assert session.put("/servers/1", json={{"server": {{"name": "two"}}}}, endpoint_filter=filter).status_code == 200
assert session.delete("/servers/1", endpoint_filter=filter).status_code == 204
session.patch("/servers/1", json=[], endpoint_filter=filter, raise_exc=False)
"""
ATTACH = """import os_retries
policy = os_retries.RetryPolicy(retry_after=0)"""
ATTACHED = "os_retries.attach(session, policy)"


def run_with_a_copy(program: str, cloud, tmp_path, *options: str, **environ: str) -> None:
    copy = tmp_path / "site" / "os_retries"
    shutil.copytree(Path(os_retries.__file__).parent, copy)
    environ = {**os.environ, "PYTHONPATH": str(copy.parent), **environ}
    command = [sys.executable, "-c", program, str(copy), cloud.url("nova")]
    if options:
        command = [sys.executable, "-m", "os_retries.cli", "run", *options, "--", *command]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def failing(cloud):
    """Each verb meets one answer that was lost, or an error that says that the first attempt took effect."""
    cloud.plan(refusal("nova", 503), method="POST", path="/servers")
    cloud.plan(*[answer_json(200, {"servers": []})] * 4, method="GET", path="/servers")
    cloud.plan(refusal("nova", 504), method="PUT", path="/servers")
    cloud.plan(refusal("nova", 504), refusal("nova", 404), method="DELETE", path="/servers")
    return cloud


def test_a_session_attached_before_needs_no_further_file_of_the_package(failing, tmp_path):
    """The package is removed after ``attach``: a create is still marked, looked up and sent again."""
    program = PROGRAM.format(before=ATTACH + "\nos_retries.attach", after="", at_last=ATTACHED)
    run_with_a_copy(program, failing, tmp_path)
    assert failing.count(method="POST", path="/servers") == 2
    assert b"os-retries-" in failing.requests("api", "POST", "/servers")[-1].body
    assert failing.count(method="PUT", path="/servers") == 2


def test_a_program_below_run_needs_no_further_file_once_keystoneauth_is_imported(failing, tmp_path):
    """The program makes its session, and its first create, after the package has been removed."""
    program = PROGRAM.format(before="", after="", at_last="")
    run_with_a_copy(program, failing, tmp_path, "--retry-after=0.01")
    assert failing.count(method="POST", path="/servers") == 2
    assert b"os-retries-" in failing.requests("api", "POST", "/servers")[-1].body
    assert failing.count(method="PUT", path="/servers") == 2
