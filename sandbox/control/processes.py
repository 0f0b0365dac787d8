"""The sandbox's processes: found in the process table, by what they are; stopped by a handle that cannot be reused.

There are no pid files, so none can be stale: a process is ours if it runs our virtual environment's Python with our
mark and our state directory as its first arguments. That also finds what an interrupted `up` left behind, and what
still runs after somebody deleted the state directory.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .cloud import Cloud
from .place import HANDED_DOWN, SANDBOX, VENV

SERVE = SANDBOX / "serve.py"
PORT_STEP, PORT_TRIES = 20, 200


class Failure(Exception):  # noqa: N818 - what went wrong, for people
    """Ends the command with this text and exit status 1."""


# ----- the process table


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    service: str
    """Empty for a command of a first start."""
    fingerprint: str = ""

    def memory(self) -> int | None:
        """Resident memory in bytes."""
        with contextlib.suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return None


def _look(pid: int, root: Path) -> Process | None:
    """That process, if it belongs to the sandbox at `root`."""
    try:
        argv = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return None
    if argv[:3] != mark(root):
        return None
    name, fingerprint = "", ""
    if str(SERVE) in argv:
        name, _state, fingerprint = (*argv[argv.index(str(SERVE)) + 1 :], "", "", "")[:3]
    return Process(pid, name, fingerprint)


def mark(root: Path) -> list[str]:
    """How every process of the sandbox at `root` begins; Python ignores -X options that it does not know."""
    return [f"{VENV}/bin/python", "-X", f"sandbox={root}"]


def running(root: Path) -> list[Process]:
    """All that belongs to the sandbox at `root`, whoever started it."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for pid in pids if (process := _look(pid, root))]


def stop(root: Path, processes: Iterable[Process], patience: float = 5.0) -> None:
    """End them: politely at first, after `patience` seconds for certain."""
    handles: dict[int, Process] = {}
    try:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                handles[os.pidfd_open(process.pid)] = process
        # Look again now that we hold a handle: only then can the pid not have become another program's.
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
    """What this run of the program started; ended as a whole if the run fails or is interrupted.

    Only threads other than the main one start anything, through `together`: Ctrl-C is raised in the main thread, and so
    never between the birth of a process and its entry in the list.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._started: list[subprocess.Popen] = []
        self._lock = threading.Lock()
        self._closed = False

    def _popen(self, argv: Iterable[object], log: Path, **options) -> subprocess.Popen:
        with self._lock, log.open("ab") as output:
            self.check()
            # A session of its own: Ctrl-C reaches this program alone, which then ends them in order.
            child = subprocess.Popen(
                [*mark(self.cloud.root), *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(self.cloud),
                cwd=self.cloud.root,
                start_new_session=True,
                **options,
            )
            self._started.append(child)
            return child

    def run(self, argv: tuple[object, ...], log: Path) -> None:
        """Run a command of the virtual environment to its end."""
        begin = log.stat().st_size if log.exists() else 0
        with log.open("a") as output:
            print("+", *argv, file=output)
        child = self._popen(["-W", "ignore", *_script(argv)], log)
        if child.wait() and not self._closed:
            raise Failure(screen(f"`{argv[0]}` failed with exit status {child.returncode}", log, begin))

    def serve(self, name: str, fingerprint: str, sockets: list[socket.socket]) -> "Start":
        """Start a service; hands the open sockets over to it."""
        log = self.cloud.log_of(name)
        if log.exists() and log.stat().st_size > 10_000_000:
            log.replace(log.with_suffix(".log.1"))
        begin = log.stat().st_size if log.exists() else 0
        pairs = [f"{sock.getsockname()[1]}={sock.fileno()}" for sock in sockets]
        argv = ["-W", "ignore", SERVE, name, self.cloud.root, fingerprint, *pairs]
        child = self._popen(argv, log, pass_fds=[sock.fileno() for sock in sockets])
        for sock in sockets:
            sock.close()  # ours: from now on a service that dies refuses its clients
        return Start(name, child, log, begin)

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Do all of this at once, in threads; the first failure, or Ctrl-C, ends it all."""
        if not tasks:
            return
        with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
            jobs = [pool.submit(task) for task in tasks]
            try:
                for job in concurrent.futures.as_completed(jobs):
                    job.result()
            except BaseException:
                self.end()  # and so the other threads come to their end
                raise

    def check(self) -> None:
        """Raise Failure if all is over."""
        if self._closed:
            raise Failure("interrupted")

    def end(self, patience: float = 5.0) -> None:
        """Stop all that still runs, and start nothing any more. For the main thread."""
        with undisturbed():
            self._closed = True
            with self._lock:  # a thread that is starting something puts it on the list first
                started = [child for child in self._started if child.poll() is None]
            # By their handles: the process table does not know the arguments of a process just born.
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
    """While cleaning up, a second Ctrl-C does nothing."""
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
    """Where its part of the log begins."""


def _script(argv: tuple[object, ...]) -> list[object]:
    """`python` runs what follows; every other command is a script of the virtual environment."""
    return list(argv[1:]) if argv[0] == "python" else [VENV / "bin" / str(argv[0]), *argv[1:]]


def environment(cloud: Cloud) -> dict[str, str]:
    """What the services see of the caller's environment: next to nothing.

    A proxy would swallow what they say to each other, OS_* variables are options to oslo.config, PYTHON* ones change
    what they import (and PYTHONDONTWRITEBYTECODE makes every start compile thousands of modules), HOME may be missing
    or another user's.
    """
    kept = {name: os.environ[name] for name in ("TZ", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    path = f"{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return kept | HANDED_DOWN | {"PATH": path, "HOME": str(cloud.root), "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


# ----- ports and answers


def listen(port: int) -> socket.socket | None:
    """An open socket at that port of the loopback interface, or None if something else has it."""
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
    """An open socket at `port`, or at the next one that is free in steps of 20."""
    for candidate in range(port, port + PORT_STEP * PORT_TRIES, PORT_STEP):
        if sock := listen(candidate):
            return sock
    raise Failure(f"no free port from {port} to {candidate}: close something, or stop other sandboxes")


# Never through a proxy of the caller's environment.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
urlopen = _opener.open


def answers(url: str, timeout: float = 5.0) -> bool:
    """Whether a service speaks HTTP at `url`; 300 Multiple Choices and 401 are fine answers."""
    try:
        urlopen(url, timeout=timeout).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def screen(title: str, log: Path, begin: int = 0, lines: int = 15) -> str:
    """An error on one screen: what happened, the end of the log, where the rest is."""
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read()[-100_000:].decode(errors="replace")
    tail = [line[:200] for line in text.splitlines() if line.strip()][-lines:]
    body = "\n".join(f"  | {line}" for line in tail) or "  | (nothing was logged)"
    return f"{title}\n{body}\n  the whole log: {log}"
