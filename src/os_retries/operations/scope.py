"""Which operation a request belongs to: that of its context, or that of its process."""

from __future__ import annotations

import collections
import os
import tempfile
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from os_retries import forks
from os_retries.core import hooks
from os_retries.operations.marks import derive, request_digest
from os_retries.operations.notes import open_note
from os_retries.operations.ordinals import Ordinals

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.operations.notes import Note

#: The variable with the key of an operation that a whole process belongs to, as below ``os-retries run --operation``.
KEY = "OSRETRIES_OPERATION"
#: Its value is 1 if a write that is not covered must not be sent.
STRICT = "OSRETRIES_STRICT"
#: The file with the note of the operation; see ``notes``.
STATE = "OSRETRIES_STATE"
#: The file of the ordinals that the processes of one run share.
ORDINALS = "OSRETRIES_ORDINALS"
# The key of that variable in the dictionary inside os.environ; see os_retries.core.switch.
_RAW_KEY: Any = getattr(os.environ, "encodekey", str)(KEY)


class OperationError(Exception):
    """Raised if a request of an operation was not sent, because it could have made a resource a second time.

    ``found``
        The ids of the resources that a look-up has found but could not accept as the result of the request.
    """

    def __init__(self, text: str, found: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.found = found


def _note(path: str, key: str) -> Note | None:
    try:
        return open_note(path, key)
    except OSError as error:
        why = f"{path}, the state of the operation {key!r}, cannot be opened: {error.strerror or error}"
        raise OperationError(f"os-retries: {why}") from error


class NotCovered(OperationError):  # noqa: N818
    """Raised if a strict operation has not sent a write, because a later run could not recognize it."""


class Claim:
    """The place of one request in an operation: its ordinal among equal requests, and the marker derived from it."""

    def __init__(self, operation: Operation, digest: str) -> None:
        self.operation = operation
        self.digest = digest
        self.ordinal = operation.ordinals.take(digest)
        #: How many deleted resources have had the earlier markers of this request.
        self.generation = 0
        self._ended = False

    @property
    def marker(self) -> str:
        """The marker of the request."""
        return derive(self.operation.key, self.digest, self.ordinal, self.generation)

    def renew(self) -> None:
        """Use the next marker, because a deleted resource has the present one and keeps it forever."""
        self.generation += 1

    def end(self, *, done: bool) -> None:
        """End the request: either it has succeeded, or the next equal request may get its place."""
        if not self._ended:
            self._ended = True
            self.operation.ordinals.end(self.digest, self.ordinal, done=done, generation=self.generation)


class Operation:
    """An operation; see :func:`operation`.

    ``key``
        The key of the operation.
    ``strict``
        Whether a write that is not covered is refused.
    ``found``
        How many resources of earlier runs were found, and so were not made again.
    ``not_covered``
        How often writes were sent that a later run cannot recognize, by service and request.
    """

    def __init__(
        self, key: str, *, strict: bool = False, ordinals: Ordinals, state: str | os.PathLike[str] | None = None
    ) -> None:
        self.key = key
        #: The note of what was surely never sent; None if there is none, or if it cannot be used.
        self.note = None if state is None else _note(os.fspath(state), key)
        self.strict = strict
        self.found = 0
        self.not_covered: collections.Counter[str] = collections.Counter()
        self.ordinals = ordinals
        self._lock = forks.Lock()

    def __enter__(self) -> Self:
        """Make the requests of this context part of the operation.  Any number of threads may enter it."""
        _current.set((self, _current.get()))
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the operation in this context."""
        entered = _current.get()
        if entered is not None:
            _current.set(entered[1])

    def join(self) -> None:
        """Make this thread part of the operation until it ends, as ``ThreadPoolExecutor(initializer=op.join)`` does."""
        self.__enter__()

    def __repr__(self) -> str:
        return f"<Operation {self.key!r}>"

    def claim(self, **parts: Any) -> Claim:
        """Return the place of a request in the operation.

        :param parts: everything that distinguishes the request from another one
        """
        return Claim(self, request_digest(key=self.key, **parts))

    def count_found(self) -> None:
        """Count a resource of an earlier run that was found."""
        with self._lock:
            self.found += 1

    def note_not_covered(self, service: str | None, request: str, why: str) -> None:
        """Count a write that a later run cannot recognize.

        :raises NotCovered: if the operation is strict
        """
        if self.strict:
            raise NotCovered(
                f"os-retries: {service or '?'}: {request} was not sent: a later run of the strict operation "
                f"{self.key!r} could not recognize it ({why})"
            )
        with self._lock:
            self.not_covered[f"{service or '?'}: {request}"] += 1
        if on_not_covered is not None:
            on_not_covered(service, request, why)


#: Called for each write that is not covered, with the service, the request and the reason.
on_not_covered: Callable[[str | None, str, str], None] | None = None

# The operation that this context has entered last, and the operations that it had entered before.
_Entered = tuple[Operation, "_Entered | None"]
_current: ContextVar[_Entered | None] = ContextVar("os_retries.operation", default=None)


def operation(key: str, *, strict: bool = False, state: str | os.PathLike[str] | None = None) -> Operation:
    """Return an operation: inside it nothing is made twice, even if the program is killed and run again.

    Use it with ``with``.  Each create on an attached session is looked up before it is sent, by a marker derived from
    the key and the request.  If an earlier run has made the resource, the caller gets it.

    :param key: any text.  A program that continues the work of an earlier run uses the same key.
    :param strict: whether to refuse writes that a later run could not recognize, with :class:`NotCovered`
    :param state: a local file that notes what was sent, so that a create that was surely never sent needs no look.  All
        runs of the operation use the same file.  It is made if it does not exist.
    :raises ValueError: if the key is empty
    """
    _check(key)
    with tempfile.TemporaryFile(prefix="os-retries-", buffering=0) as file:
        return Operation(key, strict=strict, ordinals=Ordinals(os.dup(file.fileno())), state=state)


def _check(key: str) -> None:
    if not key.strip():
        raise ValueError("the key of an operation must be a text that is not empty")


def current() -> Operation | None:
    """Return the operation of this context, or that of this process; None if there is none."""
    entered = _current.get()
    if entered is not None:
        return entered[0]
    raw = getattr(os.environ, "_data", None)
    if raw is not None and _RAW_KEY not in raw:
        return None
    key = os.environ.get(KEY)
    return _of_the_process(key) if key else None


def _key() -> str | None:
    operation = current()
    return None if operation is None else operation.key


hooks.operation_key = _key  # the events of core have the key, and core imports nothing from here

_process_lock = forks.Lock()
_process: Operation | None = None


def _of_the_process(key: str) -> Operation:
    global _process  # noqa: PLW0603
    with _process_lock:
        if _process is None or _process.key != key:
            strict = os.environ.get(STRICT, "") not in ("", "0")
            state = os.environ.get(STATE) or None
            path = os.environ.get(ORDINALS)
            if path is None:  # this process was not started by `os-retries run --operation`
                _process = operation(key, strict=strict, state=state)
            else:
                flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
                _process = Operation(key, strict=strict, ordinals=Ordinals(os.open(path, flags)), state=state)
        return _process
