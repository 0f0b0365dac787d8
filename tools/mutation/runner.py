"""Runs tests on a mutated copy of the package, each time in a forked process that has the clients loaded already.

Most of the time of such a run would be spent on importing pytest and the clients, so this process imports them once.
It does not import the package.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "os_retries"
_LOADED = ("pytest", "hypothesis.stateful", "requests", "keystoneauth1.session", "openstack", "novaclient.client",
           "cinderclient.client", "glanceclient", "heatclient.client", "swiftclient.client", "keystoneclient.client",
           "neutronclient.v2_0.client", "xdist.scheduler", "cryptography.x509")  # fmt: skip

_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=short", "--hypothesis-seed=0",
            "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip


def load() -> None:
    """Import what the tests need, apart from the package."""
    for name in _LOADED:
        importlib.import_module(name)
    assert "os_retries" not in sys.modules


class Copy:
    """A copy of the package in which one file at a time is mutated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "os_retries"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    @contextlib.contextmanager
    def with_mutant(self, mutant: Mutant) -> Iterator[None]:
        """Mutate the copy; its byte code goes each time, because it is told from an older one by whole seconds."""
        file = self.package / mutant.module
        try:
            self._write(file, mutant.mutated)
            yield
        finally:
            self._write(file, mutant.source)

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.write_text(text)
        for each in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            each.unlink()

    def passes(self, tests: list[str], timeout: float) -> tuple[bool, str]:
        """Run tests on the copy; return whether they pass, and the end of their output."""
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                self._run(tests, output.fileno())
            code = _wait(child, timeout)
            output.seek(0)
            said = output.read().decode(errors="replace")
        return code == 0, "no end" if code is None else said[-2000:]

    def _run(self, tests: list[str], output: int) -> None:
        """Run pytest in this forked process, which then ends."""
        code = 70
        try:
            os.setpgid(0, 0)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.chdir(ROOT)
            sys.path[:0] = [str(self.folder), str(ROOT)]
            os.environ["PYTHONPATH"] = str(self.folder)
            os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(self.folder / "hypothesis")
            import pytest

            code = pytest.main([*_OPTIONS, *tests])
            sys.stdout.flush()
        finally:
            os._exit(int(code))


def _wait(child: int, timeout: float) -> int | None:
    """Wait for a process, and end its group; return its exit status, None if it had to be ended."""
    end = time.monotonic() + timeout
    ended, status = 0, 0
    while not ended and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):  # also what its tests have left behind
        os.killpg(child, signal.SIGKILL)
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.waitpid(child, 0)
    return None
