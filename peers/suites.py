"""The suites, what has to be in place before they run, and how one of them is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STATE = HERE / ".state"
PLAIN, ATTACHED = "plain", "attached"
MODES = (PLAIN, ATTACHED)

# What a user gets by default, without the time it takes. Retries, the deadline of an attempt, markers and pacing stay
# as they are: they are what a caller could notice. Only the waits are 0, for nothing is learned from waiting, and a
# suite that measures its own time would fail for a reason that is not ours. -q is for the suites that read standard
# error.
OS_RETRIES_RUN = ("run", "-q", "--retry-after", "0", "--backoff", "1", "--jitter", "0", "--")


@dataclass(frozen=True)
class Suite:
    """The tests of one project."""

    name: str
    #: where its tests are, below the folder they run in; or some modules of them
    folder: str = ""
    modules: tuple[str, ...] = ()
    #: into how many processes it is split
    parts: int = 1
    #: its name on PyPI, where the wheel lacks the tests or files that they read: they are taken from the sdist
    sdist: str | None = None

    def top(self) -> Path:
        """Return the folder that the tests run in, since many of them open files by relative paths."""
        if self.sdist is None:
            return Path(sysconfig.get_path("purelib"))
        name = re.sub(r"[-_.]+", "[-_.]", self.sdist)
        return next(STATE.glob(f"sdists/{name}-*/"))

    def modules_of(self, part: int) -> list[str]:
        """Return the modules of one part, always the same in the same order: some tests depend on it."""
        names = list(self.modules)
        if not names:
            top = self.top()
            files = sorted((top / self.folder).rglob("test*.py"))
            names = [".".join(file.relative_to(top).with_suffix("").parts) for file in files]
        return names[part :: self.parts]


# The longest first: so two cores are busy until the end.
SUITES = (
    # Each test adds a handler to the loggers and leaves it there, so the time grows with the square of their number.
    Suite("openstacksdk", "openstack/tests/unit", parts=6),
    Suite("novaclient", "novaclient/tests/unit"),
    Suite(
        "nova",
        modules=(
            "nova.tests.unit.scheduler.client.test_report",
            "nova.tests.unit.volume.test_cinder",
            "nova.tests.unit.test_utils",
        ),
    ),
    Suite("keystoneclient", "keystoneclient/tests/unit", sdist="python-keystoneclient"),
    Suite("swiftclient", "test/unit", sdist="python-swiftclient"),
    Suite("keystoneauth1", "keystoneauth1/tests/unit"),
    Suite("glanceclient", "glanceclient/tests/unit"),
    Suite("osc-lib", "osc_lib/tests"),
)


# -- before they run


def prepare(suites: list[Suite]) -> None:
    """Build and install os-retries, and fetch the sdists that the suites need."""
    STATE.mkdir(exist_ok=True)
    (STATE / "home").mkdir(exist_ok=True)
    _install_os_retries()
    for suite in suites:
        if suite.sdist is not None:
            _fetch_sdist(suite.sdist)
    _check_attached()


def _install_os_retries() -> None:
    """Install the wheel as a user does, into an environment of its own: the plain runs have nothing of it."""
    wheels = STATE / "wheels"
    for old in wheels.glob("*.whl"):
        old.unlink()
    # Without isolation the build backend is the locked one.
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    (wheel,) = wheels.glob("*.whl")
    ours = STATE / "os-retries"
    if not (ours / "bin" / "python").exists():
        _do([sys.executable, "-m", "venv", "--without-pip", str(ours)])
    _pip("--python", str(ours / "bin" / "python"), "install", "--no-deps", "--force-reinstall", str(wheel))


def _fetch_sdist(project: str) -> None:
    """Fetch the sdist of the locked version, checked against the hashes of the lock."""
    lock = (HERE / "requirements.txt").read_text("utf-8")
    found = re.search(rf"^{project}==([^ ]+) \\\n(?:    --hash=\S+(?: \\)?\n)+", lock, re.MULTILINE)
    if found is None:
        raise SystemExit(f"peers: {project} is not in requirements.txt")
    folder = STATE / "sdists"
    name = f"{project.replace('-', '_')}-{found[1]}"
    if (folder / name).is_dir():
        return
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{project.replace('-', '_')}-*/"):
        shutil.rmtree(old)
    requirement = folder / f"{project}.txt"
    requirement.write_text(found[0], "utf-8")
    how = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
    _pip("download", *how, "--dest", str(folder), "--requirement", str(requirement))
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")


def _pip(*arguments: str) -> None:
    _do([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments])


def _do(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"peers: {' '.join(command)}\n{done.stdout}{done.stderr}")


_ASK_TWICE = textwrap.dedent("""
    import requests_mock
    from keystoneauth1 import exceptions, session
    with requests_mock.Mocker() as server:
        server.get("http://localhost/", [{"status_code": 503}, {"status_code": 200}])
        try:
            session.Session().get("http://localhost/")
        except exceptions.ServiceUnavailable:
            pass
        print(server.call_count)
""")


def _check_attached() -> None:
    """Check that a session of the attached runs repeats a call and one of the plain runs does not.

    A suite that finds no difference would otherwise look the same when nothing is attached.
    """
    for mode, times in ((PLAIN, "1"), (ATTACHED, "2")):
        command = command_in(mode, [sys.executable, "-c", _ASK_TWICE])
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if done.stdout.strip() != times:
            raise SystemExit(f"peers: a refused call is sent {done.stdout.strip() or 0} times {mode}:\n{done.stderr}")


# -- how one is run


def command_in(mode: str, command: list[str]) -> list[str]:
    """Return the command as it is, or below ``os-retries run``."""
    return command if mode == PLAIN else [str(STATE / "os-retries" / "bin" / "os-retries"), *OS_RETRIES_RUN, *command]


def environment() -> dict[str, str]:
    """Return the environment of every run: nothing of the user's clouds, and the same order of sets each time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OSRETRIES_", "PYTHON"))}
    return kept | {
        "HOME": str(STATE / "home"),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "120",
        "PYTHONHASHSEED": "0",
        # What the suites read: a busy machine is no failure, and what a test says goes with its outcome, if it fails.
        "OS_TEST_TIMEOUT": "120",
        "OS_LOG_CAPTURE": "1",
        "OS_STDOUT_CAPTURE": "1",
        "OS_STDERR_CAPTURE": "1",
    }


def streams_of(suite: Suite, mode: str) -> list[Path]:
    """Return the files that a run's outcomes are in, as subunit streams."""
    return [STATE / f"{suite.name}.{part}.{mode}.subunit" for part in range(suite.parts)]


def start(suite: Suite, part: int, mode: str) -> subprocess.Popen[bytes]:
    """Start one run of a part of a suite: one process, since tests that meet there may disturb one another."""
    command = command_in(mode, [sys.executable, "-m", "subunit.run", *suite.modules_of(part)])
    stream = streams_of(suite, mode)[part]
    with stream.open("wb") as out, stream.with_suffix(".log").open("wb") as errors:
        return subprocess.Popen(
            command, cwd=suite.top(), env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
