"""The note of an operation: a local file that shows which creates were surely never sent, so that no look is needed.

Each line is one record with a checksum, and is only ever appended:

* ``begin``, once or more: the operation and the file that the note is for;
* ``clean COLLECTION``: the service listed nothing of this operation there;
* ``used COLLECTION``: it did, or the list is too long to read;
* ``sent DIGEST ORDINAL``: the create of this place is about to be sent.

A create was never sent if its collection is clean and its place has no record.  A new file proves nothing by itself: an
earlier run may have had no note, or another one.  So the collection is listed before it counts as clean.

A record is on the disk before its create is sent.  If it cannot be written, the create is not sent, because the next
run would take it for one that was never sent.  A file with a line that is not a record vouches for nothing any more.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import stat
from typing import TYPE_CHECKING

from os_retries import forks

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("os_retries")

_FORM = "os-retries-state-1"
#: The reasons why a path cannot be opened that show that something else is there.
_NO_NOTE = frozenset({errno.ELOOP, errno.ENXIO})
_KINDS = {"begin": 4, "clean": 2, "used": 2, "sent": 4, "damaged": 1}  # by kind: the number of words of a record


# Of all notes: two of one file in one process would not keep each other away, because locks of files are the process's.
_lock = forks.Lock()


class Unusable(Exception):  # noqa: N818
    """The note cannot be used; the text says why."""


class Note:
    """The note of an operation, which any number of threads and processes of this machine may use at once.

    :param path: the file, which is made if it is not there
    :param key: the key of the operation
    :raises Unusable: if the file is not the note of this operation on this machine, or vouches for nothing any more
    :raises OSError: if the file cannot be opened or made.  Creates without a record would make the real note wrong.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100
        self._read = 0
        self._clean: dict[str, bool] = {}
        self._sent: dict[str, str] = {}  # by place: the token of the first record
        self._begun = self._damaged = False
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
        except OSError as error:
            if error.errno not in _NO_NOTE:
                raise
            raise Unusable(error.strerror or str(error)) from error
        state = os.fstat(self._file)
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        self._header = f"begin {_FORM} {digest} {_machine()}-{state.st_ino}"
        if not stat.S_ISREG(state.st_mode):
            raise Unusable("it is not a plain file")
        with self._locked():
            self._catch_up()
            if why := _not_ours_alone(state):
                if self._begun:  # what this run sends is not recorded, so no later run may believe the file
                    _write(self._file, "damaged")
                raise Unusable(why)
            if not self._begun:
                self._append(self._header)

    def is_clean(self, collection: str) -> bool | None:
        """Return whether the service listed nothing of this operation in a collection; None if it was not asked yet."""
        return self._clean.get(collection)

    def list_shows(self, collection: str, *, clean: bool) -> None:
        """Record what the list of a collection has shown.

        :raises OSError: if it cannot be written
        """
        self._record(f"{'clean' if clean else 'used'} {collection}")

    def begin(self, digest: str, ordinal: int) -> bool:
        """Record that a create is about to be sent; return whether its place had no record before.

        :raises OSError: if it cannot be written, so that the create must not be sent
        """
        token = os.urandom(8).hex()
        self._record(f"sent {digest} {ordinal} {token}")
        return not self._damaged and self._sent.get(f"{digest} {ordinal}") == token

    def _record(self, record: str) -> None:
        if self._damaged:
            return
        with self._locked():
            if not os.path.samestat(os.stat(self.path), os.fstat(self._file)):  # noqa: PTH116
                raise OSError(0, "another file has taken its place")
            try:
                self._append(record)
            except Unusable as why:  # what is sent from now on is not recorded, so no later run may believe the file
                _write(self._file, "damaged")
                self._damaged = True
                self._clean.clear()
                _warn(self.path, why)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other threads and processes away."""
        import fcntl

        with _lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)  # the system releases the lock of a process that dies
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _append(self, record: str) -> None:
        _write(self._file, record)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read what this and other processes have appended."""
        if os.fstat(self._file).st_size < self._read:
            raise Unusable("it has become shorter")
        while text := os.pread(self._file, 1 << 16, self._read):
            whole = text[: text.rfind(b"\n") + 1]
            if not whole:
                raise Unusable("its last line is not complete")
            for line in whole.decode(errors="replace").splitlines():
                self._apply(line)
            self._read += len(whole)  # afterwards, for a child that is forked in between

    def _apply(self, line: str) -> None:
        record, _, checksum = line.rpartition(" ")
        words = record.split(" ")
        if checksum != _checksum(record) or _KINDS.get(words[0]) != len(words) or words[0] == "damaged":
            raise Unusable("it is damaged, or no note of os-retries")
        if words[0] == "begin":
            if record != self._header:
                what = "operation" if words[2] != self._header.split(" ")[2] else "machine, or is a copy"
                raise Unusable(f"it was made for another {what}")
            self._begun = True
        elif not self._begun:
            raise Unusable("its beginning is missing")
        elif words[0] == "sent":
            self._sent.setdefault(f"{words[1]} {words[2]}", words[3])
        else:
            self._clean[words[1]] = words[0] == "clean" and self._clean.get(words[1], True)

    def __del__(self) -> None:
        """Close the file: a thread may still use it after its operation has ended."""
        with contextlib.suppress(OSError, TypeError, AttributeError):  # TypeError: the interpreter is being shut down
            os.close(self._file)


def open_note(path: str, key: str) -> Note | None:
    """Return the note of an operation; None, with a warning in the log, if it cannot be used.

    :raises OSError: as :class:`Note`
    """
    try:
        return Note(path, key)
    except Unusable as why:
        _warn(path, why)
        return None


def not_used(path: str, why: Unusable) -> str:
    """Return the sentence that says why a file is not used."""
    return f"{path} is not used as the state of the operation: {why}; every create is looked up"


def _warn(path: str, why: Unusable) -> None:
    log.warning("%s", not_used(path, why))


def _not_ours_alone(state: os.stat_result) -> str:
    """Return why another user, or another name of the file, may change it; empty if none can."""
    if state.st_nlink != 1:
        return "it has more than one name"
    if state.st_uid != os.geteuid():
        return "it belongs to another user"
    return "other users may write to it" if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else ""


def _write(file: int, record: str) -> None:
    """Append a record, and wait until it is on the disk."""
    line = f"{record} {_checksum(record)}\n".encode()
    if os.write(file, line) != len(line):
        raise OSError(0, "the record could not be written in full")
    getattr(os, "fdatasync", os.fsync)(file)


def _checksum(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()[:8]


def _machine() -> str:
    """Return what tells this machine from another one, if it is known; a copy has another inode besides."""
    try:
        with open("/etc/machine-id", "rb") as file:  # noqa: PTH123
            return hashlib.sha256(file.read()).hexdigest()[:16]
    except OSError:
        return "unknown"
