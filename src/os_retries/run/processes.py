"""The command as a process.

The command starts with the signal handlers and open files that it would have without `run`.  Signals are passed on to
it.  `run` ends as the command has ended: with the same exit status, or by the same signal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys

from os_retries.run.text import fitting

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import NoReturn


def say(text: str) -> None:
    """Write a line to standard error, if that is possible."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(fitting(text, sys.stderr.encoding) + "\n")
        sys.stderr.flush()


def cannot_run(command: Sequence[str], error: OSError) -> int:
    """Print why a command cannot be run, and return the exit status that a shell would return."""
    name = command[0]
    found = _exists(name)
    not_there = isinstance(error, FileNotFoundError | NotADirectoryError)
    # exec also answers "permission denied" if a folder of PATH cannot be read.
    if not_there or (isinstance(error, PermissionError) and "/" not in name and not found):
        why = "its interpreter (see its first line) is not there" if found else "command not found"
        say(f"os-retries: {name}: {why}")
        return 127
    say(f"os-retries: {name}: {error.strerror}")
    return 126


def _exists(name: str) -> bool:
    """Return whether the file exists, executable or not; a name without a folder is searched on the PATH."""
    if not name:
        return False
    folders = [""] if "/" in name else os.get_exec_path()
    return any(os.path.exists(os.path.join(folder, name)) for folder in folders)  # noqa: PTH110, PTH118


def replace_by(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Execute the command in the place of this process; return only if it cannot be run."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the command would inherit that
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environ)  # noqa: S606
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without a "#!" line; shells do the same
            os.execve("/bin/sh", ["sh", _found(command[0]), *command[1:]], environ)  # noqa: S606
        return cannot_run(command, error)


def _found(name: str) -> str:
    import shutil

    return shutil.which(name) or name


_PASSED_ON = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
)
_OF_THE_TERMINAL = {signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH}


def wait_for(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command as a child; return its exit status, or minus the signal that ended it.

    :raises OSError: if it cannot be started
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # wait() finds no child where this signal is ignored
    waited_for = {signal.SIGCHLD, *_PASSED_ON}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        child = _start(command, environ, before)
        while True:
            number, by_terminal = _next_signal(waited_for)
            if number != signal.SIGCHLD:
                # A terminal sends the signal of a key to the whole foreground group, and so to the command too.  It
                # sends the signal of a hang-up only to the leader of the session.
                if not by_terminal or number == signal.SIGHUP:
                    child.send_signal(number)
            elif (status := child.poll()) is not None:  # the command has ended, and was not only stopped
                return status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Child:
    """The command as a process that was started and has not been waited for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def send_signal(self, number: int) -> None:
        os.kill(self._pid, number)  # the process exists, at least as a zombie, until it has been waited for

    def poll(self) -> int | None:
        """Return the exit status, or minus the signal that ended it; None while it runs."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


def _start(command: Sequence[str], environ: Mapping[str, str], mask: Collection[int]) -> _Child:
    """Start the command with the signal handlers and the open files that it would have without `run`.

    ``subprocess`` would do the same, but importing it takes longer than everything else that `run` does.

    :raises OSError: if it cannot be executed
    """
    die_with_parent = _die_with_parent()
    us = os.getpid()
    reader, writer = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if not pid:
        try:
            for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and the command would inherit that
                signal.signal(ignored, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if die_with_parent is not None:
                die_with_parent()
                if os.getppid() != us:
                    os.kill(os.getpid(), signal.SIGKILL)
            os.execvpe(command[0], list(command), environ)  # noqa: S606
        except OSError as error:
            os.write(writer, b"%d" % (error.errno or 0))
        finally:
            os._exit(127)
    os.close(writer)
    with open(reader, "rb") as reports:  # noqa: PTH123
        report = reports.read()
    if not report:
        return _Child(pid)
    os.waitpid(pid, 0)
    number = int(report)
    if number == errno.ENOEXEC and command[0] != "/bin/sh":  # a script without a "#!" line; shells do the same
        return _start(["/bin/sh", _found(command[0]), *command[1:]], environ, mask)
    raise OSError(number, os.strerror(number))


def _die_with_parent() -> Callable[[], object] | None:
    """Return a function by which a child asks the kernel to kill it when its parent ends; None if not on Linux.

    It is needed because SIGKILL is the one signal that `run` cannot pass on to the command.
    """
    with contextlib.suppress(Exception):
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        return lambda: prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    return None


def _next_signal(numbers: Collection[signal.Signals]) -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the terminal has sent it."""
    if sys.platform != "darwin":
        info = signal.sigwaitinfo(numbers)
        return info.si_signo, info.si_code > 0  # SI_USER, of kill(), is 0; SI_KERNEL is not
    number = signal.sigwait(numbers)  # it does not tell who has sent the signal
    return number, number in _OF_THE_TERMINAL and _in_foreground()


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def die_of(number: signal.Signals) -> NoReturn:
    """End this process by the signal that has ended the command, so that its parent sees the same signal."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
        )  # the command has dumped its own core
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)
