"""``os-retries check``: measure the installed clients without os-retries and with it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from os_retries.check.clients import CASES, DISTRIBUTIONS
from os_retries.check.report import Numbers, Report, Row
from os_retries.run.command import prepare
from os_retries.run.policies import policies, write_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from os_retries.check.program import Program

_SECONDS = 120
_KEYSTONEAUTH = re.compile(r"keystoneauth1\b")


class CheckError(Exception):
    """Raised if nothing can be measured.  The message gives the reason."""


def check(program: Program | None = None) -> Report:
    """Measure every installed client, once without os-retries and once below ``os-retries run``.

    :param program: the program that was run, which is a part of the report; None if no program was run
    :raises CheckError: if there is no client, or if it cannot be measured
    """
    versions = _versions()
    if "keystoneauth1" not in versions:
        raise CheckError(
            f"keystoneauth is not installed in the environment of {sys.executable}: install os-retries in the "
            "environment of the program, and run it there as python -m os_retries check"
        )
    today, later = _measured()
    cases = [case for case in CASES if case.distribution in versions]
    rows = [
        Row(case, versions[case.distribution], Numbers.read(first), Numbers.read(second))
        for case, first, second in zip(cases, today, later, strict=True)
    ]
    return Report(platform.python_version(), metadata.version("os-retries"), tuple(rows), _others(), program)


def _measured() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what was measured without os-retries, and with it."""
    environ: dict[str, str] = {}
    # No queue is shared, so that these failures do not affect other processes, and no call waits.
    prepare(environ, write_policies(policies({"pacing": False})), quiet=True)
    with _child({"OSRETRIES_DISABLED": "1"}, "plain") as without, _child(environ, "attached") as attached:
        return _result(without), _result(attached)


def _versions() -> dict[str, str]:
    """Return the version of each client that is installed."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _others() -> dict[str, str]:
    """Return the other packages that use keystoneauth, and their versions."""
    found = {}
    for each in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower()
        if name and name not in DISTRIBUTIONS and any(map(_KEYSTONEAUTH.match, each.requires or ())):
            found[name] = each.version
    return found


@contextlib.contextmanager
def _child(more: Mapping[str, str], how: str) -> Iterator[subprocess.Popen[str]]:
    """Start a child process, and end it at the end of the block."""
    # The child gets no variables of a cloud and no proxy, because the service is on this machine.
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "OSRETRIES_")) and not name.lower().endswith("_proxy")
    }
    paths = [path for path in (more.get("PYTHONPATH"), environ.get("PYTHONPATH")) if path]
    environ |= more
    if paths:
        environ["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, "-P", "-m", "os_retries.check.inside", how]
    child = subprocess.Popen(  # noqa: S603
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        try:
            yield child
        finally:
            child.kill()  # this has no effect if the child has ended


def _result(child: subprocess.Popen[str]) -> list[dict[str, Any]]:
    try:
        output, errors = child.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise CheckError(f"the measurement has not ended after {_SECONDS} seconds") from None
    if child.returncode:
        lines = errors.strip().splitlines() or [f"exit status {child.returncode}"]
        raise CheckError(f"the measurement failed: {lines[-1]}")
    found: list[dict[str, Any]] = json.loads(output)
    return found
