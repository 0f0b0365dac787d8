"""`os-retries run`: start a program whose every OpenStack client is attached, wait for it, and sum up what it has met.

The program gets two things by its environment: a folder first on PYTHONPATH, whose ``sitecustomize`` fetches
os_retries, and variables of our own.  Their names do not begin with ``OS_``: openstacksdk takes any such variable for
the description of a cloud, and prefers that cloud to the one in clouds.yaml.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from os_retries.call import disabled
from os_retries.launcher.words import fitting, summary
from os_retries.policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

#: What holds without options: for somebody who looks on.
INTERACTIVE: Mapping[str, Any] = {
    "retries_number": 5,
    "retry_after": 1.0,
    "retry_backoff": 2.0,
    "retry_jitter": 0.25,
    "retry_max_wait": 300.0,
    "attempt_timeout": 120.0,
}
_OPTIONS = {
    "retries_number": "--retries",
    "retry_after": "--retry-after",
    "retry_backoff": "--backoff",
    "retry_jitter": "--jitter",
    "retry_max_wait": "--max-wait",
    "attempt_timeout": "--timeout",
    "safe_creates": "--no-safe-creates",
    "single_writer": "--single-writer",
}
_LAUNCHER = Path(__file__).with_name("launcher") / "path"
_HOOKS = {"sleep", "on_retry"}  # the fields of a policy that are no numbers

_UNREACHED = (
    "os-retries: no Python program below this command reported in, so nothing was retried. Out of reach: Python with "
    "-I, -E or -S, sudo, containers, other hosts, and what sets its own PYTHONPATH."
)
_TOO_OLD = "os-retries: this command runs Python {}, and os-retries needs 3.11 or newer: nothing was retried."
_UNUSED = "os-retries: this command used neither keystoneauth nor swiftclient, so there was nothing to retry."


class UsageError(Exception):
    """A mistake of the user's: the text says what to do about it."""


Policies = dict[str | None, RetryPolicy]


def policies(options: Mapping[str, Any], config_file: str | None = None) -> Policies:
    """Make the policy of each service, and of all others under None: the file's numbers or ours, under the options.

    :param options: fields of RetryPolicy; the value None stands for an option that was not given
    :raises UsageError: for a value out of its range, and for a file that cannot be used
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("attempt_timeout") == math.inf:
        given["attempt_timeout"] = None
    for name, value in given.items():
        try:
            RetryPolicy(**{name: value})
        except (TypeError, ValueError) as error:
            raise UsageError(str(error).replace(name, _OPTIONS[name])) from None
    base = {None: RetryPolicy(**INTERACTIVE)} if config_file is None else _read(config_file)
    return {service: dataclasses.replace(policy, **given) for service, policy in base.items()}


def _read(path: str) -> Policies:
    """Read ``[timeouts]``, and ``[timeouts_<service>]`` for each service, as ``configure`` does."""
    try:
        from oslo_config import cfg  # noqa: PLC0415

        from os_retries.config import ConfiguredPolicy  # noqa: PLC0415
        from os_retries.target import SERVICE_TYPES  # noqa: PLC0415
    except ImportError:
        raise UsageError("--config-file needs oslo.config beside os-retries: pip install 'os-retries[oslo]'") from None
    conf = cfg.ConfigOpts()
    try:
        conf([], project="os-retries", default_config_files=[path], default_config_dirs=[])
        configured = ConfiguredPolicy(conf)
        with contextlib.suppress(ImportError):  # no redis-py here: the command's own environment may have it
            configured.check_pacing()
    except (cfg.Error, ValueError, TypeError, OSError) as error:
        raise UsageError(f"--config-file {path}: {' '.join(str(error).split())}") from None
    everywhere = configured(None)
    services = {service: configured(service) for service in SERVICE_TYPES.values()}
    return {None: everywhere} | {service: policy for service, policy in services.items() if policy != everywhere}


def write_policies(policies: Policies) -> str:
    """Write policies as text, for ``os_retries.launcher.child.read_policies``."""
    names = [field.name for field in dataclasses.fields(RetryPolicy) if field.name not in _HOOKS]
    return json.dumps(
        {service or "": {name: _plain(getattr(policy, name)) for name in names} for service, policy in policies.items()}
    )


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def run(command: Sequence[str], policies: Policies, *, quiet: bool = False, log_json: str | None = None) -> int:
    """Run ``command`` with retries, and return its exit status; 127 or 126 if there is no running it.

    Signals reach it, and what ends it ends this process too.  With ``quiet`` the command takes this process's place
    and this function does not return.

    :raises UsageError: if ``log_json`` cannot be written
    """
    environ = dict(os.environ)
    if not command[0]:  # exec's own answers to that differ
        return _failed(command, FileNotFoundError())
    if disabled():
        # Under a name that openstacksdk does not take for a cloud's.
        environ.pop("OS_RETRIES_DISABLED", None)
        environ["OSRETRIES_DISABLED"] = "1"
        return _replace_by(command, environ)
    environ["PYTHONPATH"] = _python_path(environ.get("PYTHONPATH", ""))
    environ["OSRETRIES_POLICY"] = write_policies(policies)
    _tell_run_around_us(environ)
    for name in ("OSRETRIES_JOURNAL", "OSRETRIES_LOG_JSON", "OSRETRIES_QUIET"):
        environ.pop(name, None)  # of a run around this one
    if log_json is not None:
        environ["OSRETRIES_LOG_JSON"] = _writable(log_json)
    if quiet:
        environ["OSRETRIES_QUIET"] = "1"
        return _replace_by(command, environ)
    with _journal() as journal:
        if journal is not None:
            environ["OSRETRIES_JOURNAL"] = journal.name
        try:
            status = _wait_for(command, environ)
        except OSError as error:
            return _failed(command, error)
        if journal is not None:
            _sum_up(journal.read().decode("utf-8", "replace"))
    return status if status >= 0 else _die_of(signal.Signals(-status))


def _journal() -> contextlib.AbstractContextManager[Any]:
    """Open the file that the programs report to; None where there is no room for one, and the command runs without."""
    try:
        return tempfile.NamedTemporaryFile(prefix="os-retries-")
    except OSError as error:
        _say(f"os-retries: there will be no summary: {error.strerror}")
        return contextlib.nullcontext()


def _tell_run_around_us(environ: Mapping[str, str]) -> None:
    """Tell a run around this one that what is retried below is summed up here."""
    with contextlib.suppress(KeyError, OSError):
        journal = os.open(environ["OSRETRIES_JOURNAL"], os.O_WRONLY | os.O_APPEND)
        with os.fdopen(journal, "wb") as file:
            file.write(b"inside -\n")


def _python_path(before: str) -> str:
    """Put our folder first.  An empty entry would mean the current directory, so none is made."""
    entries = [entry for entry in before.split(os.pathsep) if entry != str(_LAUNCHER)] if before else []
    return os.pathsep.join([str(_LAUNCHER), *entries])


def _writable(path: str) -> str:
    try:
        with Path(path).open("a"):
            return str(Path(path).absolute())
    except OSError as error:
        raise UsageError(f"--log-json {path}: {error.strerror}") from None


# -- the command


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(fitting(text, sys.stderr.encoding) + "\n")
        sys.stderr.flush()


def _failed(command: Sequence[str], error: OSError) -> int:
    """Say why a command cannot be run; the exit status is the shell's own."""
    name = command[0]
    found = os.path.exists(name) if "/" in name else shutil.which(name) is not None  # noqa: PTH110
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        why = "its interpreter (see its first line) is not there" if found else "command not found"
        _say(f"os-retries: {name}: {why}")
        return 127
    _say(f"os-retries: {name}: {error.strerror}")
    return 126


def _replace_by(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Let the command take the place of this process."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores, and the command would inherit that
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environ)  # noqa: S606  that is the point
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without a first line: shells do the same
            os.execve("/bin/sh", ["sh", _found(command[0]), *command[1:]], environ)  # noqa: S606
        return _failed(command, error)


def _found(name: str) -> str:
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


def _wait_for(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command as a child; return its exit status, or minus the signal that ended it.

    :raises OSError: if it cannot be started
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, there would be nothing to wait for
    waited_for = {signal.SIGCHLD, *_PASSED_ON}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        child = _start(command, environ, before)
        while True:
            number, by_terminal = _next_signal(waited_for)
            if number != signal.SIGCHLD:
                # A terminal tells its whole foreground group of a key, the command too, but of a hang-up the leader
                # of the session alone.
                if not by_terminal or number == signal.SIGHUP:
                    child.send_signal(number)
            elif child.poll() is not None:  # and not just stopped
                return child.returncode
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(command: Sequence[str], environ: Mapping[str, str], mask: Collection[int]) -> subprocess.Popen[bytes]:
    """Start the command with the signals, and the open files, that it would have without us."""
    die_with_parent = _die_with_parent()
    us = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if die_with_parent is not None:
            die_with_parent()
            if os.getppid() != us:
                os.kill(os.getpid(), signal.SIGKILL)

    how: dict[str, Any] = {"env": environ, "close_fds": False, "preexec_fn": prepare}
    try:
        return subprocess.Popen(command, **how)  # noqa: S603  that is what we are for
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return subprocess.Popen(["/bin/sh", _found(command[0]), *command[1:]], **how)  # noqa: S603


def _die_with_parent() -> Callable[[], object] | None:
    """Return what makes a process end when its parent is killed: by SIGKILL, the one signal that cannot be passed on.

    Linux alone has that.
    """
    with contextlib.suppress(Exception):
        import ctypes  # noqa: PLC0415

        prctl = ctypes.CDLL(None).prctl
        return lambda: prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    return None


def _next_signal(numbers: Collection[signal.Signals]) -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the terminal has sent it."""
    if sys.platform != "darwin":
        info = signal.sigwaitinfo(numbers)
        return info.si_signo, info.si_code > 0  # SI_USER, of kill(), is 0; SI_KERNEL is not
    number = signal.sigwait(numbers)  # which does not say who has sent it
    return number, number in _OF_THE_TERMINAL and _in_foreground()


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _die_of(number: signal.Signals) -> NoReturn:
    """End as the command has ended, so that whoever waits for us sees the same."""
    import resource  # noqa: PLC0415

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # one is enough
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)


# -- what it has met


def _sum_up(journal: str) -> None:
    """Say what happened on the way, or why nothing could."""
    events, reports = [], set()
    for line in journal.splitlines():
        if line.startswith("{"):
            with contextlib.suppress(ValueError):  # cut short by a full disk
                events.append(json.loads(line))
        else:
            reports.add(tuple(line.split()))
    words = {report[0] for report in reports}
    if events:
        _say(summary(events))
    elif not words & {"attached", "failed", "inside"}:
        if "in" in words:
            _say(_UNUSED)
        elif "old" in words:
            _say(_TOO_OLD.format(", ".join(sorted(report[1] for report in reports))))
        else:
            _say(_UNREACHED)
