"""The sandbox's processes: how they are found, started and stopped.

There are no pid files, so none can be stale. A process belongs to the sandbox if it runs a virtual environment of the
sandbox with our mark and the state directory as its first arguments. This also finds processes that an interrupted
`up` left behind, and processes whose state directory was deleted. They are stopped through a pidfd, which, unlike a
pid, is never reused.
"""

import concurrent.futures
import contextlib
import dataclasses
import errno
import os
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .cloud import Cloud
from .place import HANDED_DOWN, SANDBOX, VENV

SERVE = SANDBOX / "serve.py"
PORT_STEP, PORT_TRIES = 20, 200


class Failure(Exception):  # noqa: N818 - a message for the user
    """Ends the command with this message and exit status 1."""


# ----- the process table


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    service: str
    """The name of the service; empty for a command of a first start."""
    fingerprint: str = ""

    def memory(self) -> int | None:
        """Return the resident memory in bytes; None if it is not known."""
        with contextlib.suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return None


def _look(pid: int, root: Path) -> Process | None:
    """Return the process, if it belongs to the sandbox at `root`."""
    try:
        argv = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return None
    if argv[1:3] != mark(root)[1:] or not argv[0].startswith((f"{VENV}/", f"{VENV}-")):
        return None
    name, fingerprint = "", ""
    if str(SERVE) in argv:
        name, _state, fingerprint = (*argv[argv.index(str(SERVE)) + 1 :], "", "", "")[:3]
    return Process(pid, name, fingerprint)


def mark(root: Path, venv: Path = VENV) -> list[str]:
    """Return the first arguments of every process of the sandbox at `root`. Python ignores unknown -X options."""
    return [f"{venv}/bin/python", "-X", f"sandbox={root}"]


def running(root: Path) -> list[Process]:
    """Return all processes of the sandbox at `root`, whichever command started them."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for pid in pids if (process := _look(pid, root))]


def stop(root: Path, processes: Iterable[Process], patience: float = 5.0) -> None:
    """Stop processes with SIGTERM, and after `patience` seconds with SIGKILL."""
    handles: dict[int, Process] = {}
    try:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                handles[os.pidfd_open(process.pid)] = process
        # Check again now that we hold the pidfd: before that, the pid may have been reused by another program.
        waiting = {fd for fd, process in handles.items() if _look(process.pid, root) == process}
        for number in signal.SIGTERM, signal.SIGKILL:
            for fd in waiting:
                try:
                    signal.pidfd_send_signal(fd, number)
                except ProcessLookupError:
                    continue
                except PermissionError:
                    raise Failure(f"process {handles[fd].pid} of this sandbox belongs to another user") from None
            deadline = time.monotonic() + patience
            while waiting and (left := deadline - time.monotonic()) > 0:
                waiting -= set(select.select(list(waiting), [], [], left)[0])  # readable once it has ended
    finally:
        for fd in handles:
            os.close(fd)


# ----- the children


class Children:
    """The processes that this command has started. If the command fails or is interrupted, all of them are stopped.

    Only other threads than the main thread start processes, through `together`. Ctrl-C is raised in the main thread, so
    it never comes between the start of a process and its entry in the list.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._started: list[subprocess.Popen] = []
        self._lock = threading.Lock()
        self._closed = False

    def _popen(
        self, argv: Iterable[object], log: Path, more: Mapping[str, str] | None = None, venv: Path = VENV, **options
    ) -> subprocess.Popen:
        with self._lock, log.open("ab") as output:
            self.check()
            # The child gets a session of its own, so that Ctrl-C reaches only this program, which then stops the child.
            child = subprocess.Popen(
                [*mark(self.cloud.root, venv), *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(self.cloud) | (more or {}),
                cwd=self.cloud.root,
                start_new_session=True,
                **options,
            )
            self._started.append(child)
            return child

    def run(self, argv: tuple[object, ...], log: Path) -> None:
        """Run a command of the virtual environment, and wait for its end."""
        begin = log.stat().st_size if log.exists() else 0
        with log.open("a") as output:
            print("+", *argv, file=output)
        child = self._popen(["-W", "ignore", *_script(argv)], log)
        if child.wait() and not self._closed:
            raise Failure(screen(f"`{argv[0]}` failed with exit status {child.returncode}", log, begin))

    def serve(self, name: str, fingerprint: str, sockets: list[socket.socket], venv: Path = VENV) -> "Start":
        """Start a service of the virtual environment `venv`, and pass the open sockets to it."""
        log = self.cloud.log_of(name)
        if log.exists() and log.stat().st_size > 10_000_000:
            log.replace(log.with_suffix(".log.1"))
        begin = log.stat().st_size if log.exists() else 0
        pairs = [f"{sock.getsockname()[1]}={sock.fileno()}" for sock in sockets]
        argv = ["-W", "ignore", SERVE, name, self.cloud.root, fingerprint, *pairs]
        descriptors = [sock.fileno() for sock in sockets]
        child = self._popen(argv, log, self.cloud.environment, venv, pass_fds=descriptors)
        for sock in sockets:
            sock.close()  # our copy: with it open, clients of a service that has exited would hang
        return Start(name, child, log, begin)

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run all tasks at the same time, in threads. The first failure, or Ctrl-C, stops all of them."""
        if not tasks:
            return
        with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
            jobs = [pool.submit(task) for task in tasks]
            try:
                for job in concurrent.futures.as_completed(jobs):
                    job.result()
            except BaseException:
                self.end()  # this ends the other threads too
                raise

    def check(self) -> None:
        """Raise Failure if the command was stopped."""
        if self._closed:
            raise Failure("interrupted")

    def end(self, patience: float = 5.0) -> None:
        """Stop all processes that still run, and start no more. Only the main thread may call it."""
        with undisturbed():
            self._closed = True
            with self._lock:  # a thread that is starting something puts it on the list first
                started = [child for child in self._started if child.poll() is None]
            # Use our own handles: the process table does not show the arguments of a process that has just started.
            for child in started:
                child.terminate()
            deadline = time.monotonic() + patience
            for child in started:
                try:
                    child.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore further signals, such as a second Ctrl-C, during the clean-up."""
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclasses.dataclass
class Start:
    """A service that was started and has not answered yet."""

    name: str
    child: subprocess.Popen
    log: Path
    begin: int
    """The position in the log at which this start begins."""


def _script(argv: tuple[object, ...]) -> list[object]:
    """Return the arguments for Python: those after `python`, or the path of a script in the virtual environment."""
    return list(argv[1:]) if argv[0] == "python" else [VENV / "bin" / str(argv[0]), *argv[1:]]


def environment(cloud: Cloud) -> dict[str, str]:
    """Return the environment of the services, which has very little of the caller's environment.

    A proxy would get the requests between the services. OS_* variables are options for oslo.config. PYTHON* variables
    change what the services import, and PYTHONDONTWRITEBYTECODE makes every start compile thousands of modules. HOME
    may be missing or belong to another user.
    """
    kept = {name: os.environ[name] for name in ("TZ", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    path = f"{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return kept | HANDED_DOWN | {"PATH": path, "HOME": str(cloud.root), "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


# ----- ports and answers


def listen(port: int) -> socket.socket | None:
    """Return a listening socket at a port of the loopback interface; None if another program uses the port."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger there
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return None
    return sock


def listen_near(port: int) -> socket.socket:
    """Return a listening socket at `port`, or at the next free port in steps of 20."""
    for candidate in range(port, port + PORT_STEP * PORT_TRIES, PORT_STEP):
        if sock := listen(candidate):
            return sock
    raise Failure(f"no free port from {port} to {candidate}: close something, or stop other sandboxes")


# An opener that ignores the proxies of the caller's environment.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
urlopen = _opener.open


def answers(url: str, timeout: float = 5.0) -> bool:
    """Return whether a service answers at `url`. Any status below 500 counts, such as 300 Multiple Choices or 401."""
    try:
        urlopen(url, timeout=timeout).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def screen(title: str, log: Path, begin: int = 0, lines: int = 15) -> str:
    """Return an error message that fits on a screen: the title, the end of the log, and the path of the log."""
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read()[-100_000:].decode(errors="replace")
    tail = [line[:200] for line in text.splitlines() if line.strip()][-lines:]
    body = "\n".join(f"  | {line}" for line in tail) or "  | (nothing was logged)"
    return f"{title}\n{body}\n  the whole log: {log}"
