"""The pacer that the processes of one user on one machine share through files: see :mod:`os_retries.pacing.shared`.

Each endpoint has a file, in a directory that only its owner can enter.  Each decision opens the file, locks it, reads
the state, takes one step (:mod:`os_retries.pacing.state`) and writes the state back.  Nothing stays open or mapped
between two decisions.  So it does no harm if a daemon closes all its descriptors, if a process forks, or if the file is
removed.  On a full disk a write fails with an error, whereas an access to a mapped page would kill the process.

The kernel frees the lock when a process dies.  Checksums show whether that process has left the state half written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING

from os_retries import forks
from os_retries.pacing import local
from os_retries.pacing.shared import GRACE, SharedPacer, Store
from os_retries.pacing.state import CALL, LAYOUT, SIZE, State, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.pacing.shared import Step

NAME = "host"  # the ``pacing_url`` of this pacer
TIMEOUT = 0.005  # seconds: how long a decision waits for the lock
STUCK = 0.5  # seconds without a decision of any process after which a taken lock counts as held forever
STALE = 3600.0  # seconds after which a file that nobody has written is removed
_FIRST = SIZE + 100 * CALL  # bytes of the first read, which is enough for up to a hundred waiting calls

_give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: None)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)


def pacer_for(endpoint: str, now: float) -> SharedPacer:
    """Return the pacer of an endpoint that the processes of this user and machine share."""
    return SharedPacer(_host, endpoint, now)


def directory(runtime: str, user: int) -> str:
    """Return the directory of the files, which need not exist.

    It is in ``/tmp`` and not in ``TMPDIR``, because ``TMPDIR`` may differ between the processes of one user.

    :param runtime: the user's ``XDG_RUNTIME_DIR``, or an empty text
    """
    if os.path.isabs(runtime):  # noqa: PTH117
        with contextlib.suppress(OSError):
            about = os.stat(runtime)  # noqa: PTH116
            if about.st_uid == user and not about.st_mode & 0o022:  # under sudo it may be that of another user
                return os.path.join(runtime, "os-retries")  # noqa: PTH118
    return f"/tmp/os-retries-{user}"  # noqa: S108  it is checked whenever it is opened


def file_name(endpoint: str) -> str:
    """Return the name of an endpoint's file.

    The name differs after a reboot, in a namespace with another clock, and for a release with other rules.  An endpoint
    without an address, such as the package of a client, is shared by the processes of one program that use the same
    cloud.
    """
    constants = [getattr(local, name) for name in sorted(vars(local)) if name.isupper()]
    host = endpoint.partition(" ")[0]
    where = () if ":" in host or "." in host else _program()
    about = repr((LAYOUT, constants, GRACE, _machine(), where, endpoint)).encode()
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", endpoint)[:60]
    return f"{readable}-{hashlib.sha256(about).hexdigest()[:16]}"


def _program() -> tuple[str | None, ...]:
    """Return what identifies the program and its cloud."""
    script = os.path.abspath(sys.argv[0]) if getattr(sys, "argv", None) else ""  # noqa: PTH100
    return script, *(os.environ.get(name) for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_REGION_NAME"))


def _machine() -> tuple[str, str]:
    """Return what identifies the running kernel and its clock; empty strings on a system that does not tell."""
    boot = clock = ""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        boot = file.read()
    with contextlib.suppress(OSError):
        clock = os.readlink("/proc/self/ns/time")  # noqa: PTH115
    return boot, clock


class BusyError(Exception):
    """Another process holds the lock.

    ``written``
        When the file was last written, in nanoseconds.  If the time changes, other processes are making decisions.  If
        it does not change, the owner of the lock was stopped.
    """

    def __init__(self, written: int) -> None:
        super().__init__("another process holds its lock")
        self.written = written


class Host(Store):
    """The files through which the processes of one user on one machine share their pacers."""

    timeout = TIMEOUT

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        # All processes of the machine have the same monotonic clock.  It cannot be set, and it stops while the machine
        # is suspended.
        self._clock = clock
        #: While another process holds the lock: when the file was last written, and when this was first noticed.
        self._busy: tuple[int, float] | None = None
        self._located: tuple[str, int] | None = None
        self.directory = ""

    def renew(self) -> None:
        """Get another name in a child process."""
        super().renew()
        self._process = bytes.fromhex(self.name)

    def key(self, endpoint: str) -> str:
        """Return the name of the endpoint's file."""
        return file_name(endpoint)

    def evaluate(self, key: str, step: Step) -> tuple[float, bool | None]:
        """Take one step of the state in the file."""
        answer: tuple[float, bool | None]
        try:
            file = self._open(key)
            try:
                _lock(file)
                answer = self._take(file, step)
            finally:
                os.close(file)  # which frees the lock
        except BusyError as error:
            if self._busy is None or self._busy[0] != error.written:
                self._busy = error.written, self._clock()
            if self._clock() - self._busy[1] > STUCK:
                raise
            return self.busy(step)
        self._busy = None
        return answer

    def busy(self, step: Step) -> tuple[float, bool | None]:
        """Return the answer to a step that was not taken: the call asks again soon, and outcomes are dropped."""
        return (local.NAP[1] / 10 if step.what == "ask" else 0.0), None

    def lost(self, error: Exception) -> str:
        """Return the warning that the files cannot be used."""
        what = error.strerror if isinstance(error, OSError) and error.strerror else error
        return (
            f"pacing: the queue of this host, in {self.directory}, cannot be used ({what}); until it can, each process "
            "paces its own retries"
        )

    def found(self) -> str:
        """Return the message that the files can be used again."""
        return f"pacing: the queue of this host, in {self.directory}, can be used again"

    def _open(self, name: str) -> int:
        """Open the file.

        :raises OSError: if it cannot be opened, or is not a file of this user alone
        """
        folder = self._folder()
        try:
            file = os.open(name, _FILE, 0o600, dir_fd=folder)
            about = os.fstat(file)
            if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 and _is_ours(about):
                if not about.st_size:
                    _remove_stale(folder)
                return file
            os.close(file)
        finally:
            os.close(folder)
        raise PermissionError(f"{name} is not a file of this user's alone")

    def _folder(self) -> int:
        """Open the directory, and make it if it is not there."""
        about = os.environ.get("XDG_RUNTIME_DIR", ""), os.geteuid()
        if about != self._located:
            self._located, self.directory = about, directory(*about)
        try:
            folder = os.open(self.directory, _DIRECTORY)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.directory, 0o700)  # noqa: PTH102
            folder = os.open(self.directory, _DIRECTORY)
        if _is_ours(os.fstat(folder)):
            return folder
        os.close(folder)
        raise PermissionError("the directory is not this user's alone")

    def _take(self, file: int, step: Step) -> tuple[float, bool]:
        now = self._clock()
        content = os.pread(file, _FIRST, 0)
        numbers, queue = content[:SIZE], content[SIZE:]
        size = (waiting(numbers) or 0) * CALL
        if size > len(queue):
            queue = os.pread(file, size, SIZE)
        state = State.read(numbers, queue[:size], now)
        before = state.queue
        nap = state.take(step, self._process, now)
        if state.queue != before:
            _write(file, state.queue, SIZE)
        _write(file, state.write(), 0)
        return nap, state.trouble


def _is_ours(about: os.stat_result) -> bool:
    """Return whether a file or directory is this user's, and no one else's to read or write."""
    return about.st_uid == os.geteuid() and not about.st_mode & 0o077


def _lock(file: int) -> None:
    """Lock a file.

    :raises BusyError: if another process holds the lock for longer than a decision takes
    """
    import fcntl

    until = None
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            until = now + TIMEOUT if until is None else until
            if now >= until:
                raise BusyError(os.fstat(file).st_mtime_ns) from None
            _give_way()  # not time.sleep, which the program may have replaced; a decision takes only microseconds
        else:
            return


def _write(file: int, content: bytes, offset: int) -> None:
    if os.pwrite(file, content, offset) != len(content):
        raise OSError("no space left on device")


def _remove_stale(folder: int) -> None:
    """Remove the files of endpoints that are no longer used, and the files of earlier boots."""
    old = time.time() - STALE
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < old:
                os.unlink(name, dir_fd=folder)


_host = Host()


@forks.in_child
def _renew() -> None:
    _host.renew()
