"""The journal: the file in which the programs below ``os-retries run`` report their events to it.

Each line is an event as a JSON object, or a word from ``path/sitecustomize.py`` about a Python that has started.  The
file is in a folder that no other user can enter, and `run` removes both when it ends.  A daemon may outlive its `run`,
and then anyone may create something else at that path.  So a program opens the journal without waiting, and uses it
only if it is a regular file.  `run` accepts a line only if it has the form of an event, because a full disk cuts lines
short, and any program of the same user can write to the file.
"""

from __future__ import annotations

import contextlib
import os
import stat

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, BinaryIO

    Event = dict[str, Any]

_LONGEST_LINE = 1 << 20
_ODD = 1e9  # seconds: longer than any wait
#: The words with which path/sitecustomize.py and `run` describe a Python.
WORDS = frozenset({"in", "old", "attached", "failed", "inside"})

_TEXT: tuple[type, ...] = (str,)
_TEXT_OR_NONE = (str, type(None))
_COMMON = {
    "service": _TEXT_OR_NONE,
    "request": _TEXT,
    "status": (int, type(None)),
    "failure": _TEXT_OR_NONE,
    "request_id": _TEXT_OR_NONE,
}
# By event: the fields that a summary needs.  ``count`` is what an event adds to a metric.
_FIELDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "retry": _COMMON | {"attempt": (int,), "wait": (int, float)},
    "paced": _COMMON,
    "answered": _COMMON,
    "give_up": _COMMON | {"reason": _TEXT},
    "look_up": _COMMON | {"outcome": _TEXT, "found": (list,), "detail": _TEXT},
    "count": {"name": _TEXT, "labels": (list,), "by": (int, float)},
    "not_covered": _COMMON | {"reason": _TEXT},
}


@contextlib.contextmanager
def journal(environ: Mapping[str, str], name: str = "journal") -> Iterator[str]:
    """Create a journal, or another file of the run, in a new folder; yield its path, and remove both at the end.

    :raises OSError: if there is no writable folder for temporary files
    """
    folder = _make_folder(environ)
    path = os.path.join(folder, name)  # noqa: PTH118
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield path
    finally:
        for remove, what in ((os.unlink, path), (os.rmdir, folder)):
            with contextlib.suppress(OSError):
                remove(what)


def _make_folder(environ: Mapping[str, str]) -> str:
    """Create a folder that only this user can enter.

    ``tempfile.mkdtemp`` would do the same, but importing tempfile takes longer than making the folder.
    """
    error = OSError("No usable temporary directory found")
    for parent in (*(environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")), "/tmp", "/var/tmp", "/usr/tmp"):  # noqa: S108
        if parent:
            path = os.path.abspath(os.path.join(parent, f"os-retries-{os.urandom(8).hex()}"))  # noqa: PTH100, PTH118
            try:
                os.mkdir(path, 0o700)  # noqa: PTH102
            except OSError as this:
                error = this
            else:
                return path
    raise error


def append(path: str, line: bytes, *, create: bool = False, plain: bool = True) -> None:
    """Append a line to a file in one write, because other processes append too; drop the line if that is impossible.

    This never waits.  If the file is a pipe that nobody reads, or a pipe that is full, the line is dropped.

    :param create: whether to create the file if it does not exist
    :param plain: whether the file must be a regular file
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if plain else 0)
    with contextlib.suppress(OSError):
        file = os.open(path, flags | (os.O_CREAT if create else 0), 0o666)
        try:
            state = os.fstat(file)
            if not plain or (stat.S_ISREG(state.st_mode) and state.st_nlink == 1):
                os.write(file, line)
        finally:
            os.close(file)


def read(file: BinaryIO) -> Iterator[Event | list[str]]:
    """Yield the events of a journal, and the words of each line about a Python; skip all other lines."""
    while line := file.readline(_LONGEST_LINE):
        if line.startswith(b"{"):
            event = _read_event(line)
            if event is not None:
                yield event
        else:
            words = line.decode("ascii", "replace").split()
            if len(words) == 2 and words[0] in WORDS:
                yield words


def _read_event(line: bytes) -> Event | None:
    import json

    try:
        event = json.loads(line)
    except (ValueError, RecursionError):  # not UTF-8, cut short, or nested without end
        return None
    fields = _FIELDS.get(str(event.get("event")))
    if fields is None or not all(name in event and isinstance(event[name], kinds) for name, kinds in fields.items()):
        return None
    texts = (*event.get("found", ()), *event.get("labels", ()))
    if not all(0 <= event.get(name, 0) <= _ODD for name in ("wait", "by")) or not all(
        isinstance(each, str) for each in texts
    ):
        return None
    return dict(event)
