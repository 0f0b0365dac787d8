"""The ordinals of equal requests in one run of an operation: if a script makes two equal volumes, there must be two.

All processes of the run share one file.  Each line is one event, and a line that a killed process has not finished is
ignored.  A request holds its ordinal while it runs, and keeps it if it succeeds.  If the request fails or its process
dies, the next equal request gets the same ordinal, and finds the resource that the earlier request may have made.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from os_retries import forks

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The process that holds an ordinal: its id, and when it started.
Holder = tuple[int, str]
_DONE: Holder = (0, "")


class Ordinals:
    """The ordinals of one run of an operation.

    :param descriptor: an open file that all processes of the run share; this object closes it
    """

    def __init__(self, descriptor: int) -> None:
        self._file = descriptor
        self._lock = forks.Lock()  # the lock of a file does not keep the threads of one process apart
        self._read = 0
        self._held: dict[str, dict[int, Holder]] = {}
        self._done: set[tuple[str, int, int]] = set()

    def take(self, digest: str) -> int:
        """Return the lowest ordinal that no equal request has, and hold it for this process."""
        with self._locked():
            held = self._held.get(digest, {})
            ordinal = 1
            while ordinal in held and (held[ordinal] == _DONE or _is_alive(held[ordinal])):
                ordinal += 1
            pid = os.getpid()
            self._write(f"held {digest} {ordinal} {pid} {_started(pid)}")
            return ordinal

    def end(self, digest: str, ordinal: int, *, done: bool, generation: int = 0) -> None:
        """Record that the request that holds an ordinal has ended.

        If it has succeeded (``done``), it keeps the ordinal.  If not, the next equal request gets the ordinal.

        :param generation: the generation of its marker; see :func:`os_retries.operations.marks.derive`
        """
        with self._locked():
            self._write(f"done {digest} {ordinal} {generation}" if done else f"free {digest} {ordinal}")

    def done(self) -> set[tuple[str, int, int]]:
        """Return digest, ordinal and generation of all requests that have succeeded, in all processes of the run."""
        with self._locked():
            return set(self._done)

    def __del__(self) -> None:
        """Close the file: a thread may still use it after its operation has ended."""
        with contextlib.suppress(OSError, TypeError):  # TypeError: the interpreter is being shut down
            os.close(self._file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other threads and processes away, and read what they have written."""
        import fcntl

        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)  # the system releases the lock of a process that dies
            try:
                self._catch_up()
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        while text := os.pread(self._file, 1 << 16, self._read):
            whole = text[: text.rfind(b"\n") + 1]
            if not whole:  # a process died while it wrote the last line, which will be overwritten
                return
            self._read += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self._apply(line.split(" "))

    def _apply(self, words: list[str]) -> None:
        with contextlib.suppress(ValueError, IndexError):
            event, digest, ordinal = words[0], words[1], int(words[2])
            held = self._held.setdefault(digest, {})
            if event == "held":
                held[ordinal] = int(words[3]), words[4]
            elif event == "done":
                self._done.add((digest, ordinal, int(words[3])))
                held[ordinal] = _DONE
            else:
                held.pop(ordinal, None)

    def _write(self, line: str) -> None:
        os.ftruncate(self._file, self._read)  # drop an unfinished line
        os.pwrite(self._file, f"{line}\n".encode(), self._read)
        self._catch_up()


def _is_alive(holder: Holder) -> bool:
    """Return whether the process still runs; its id may now belong to another process."""
    pid, started = holder
    if started:
        return _started(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _started(pid: int) -> str:
    """Return when a process was started, in the system's own unit; empty if it is dead or the time is not known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
