"""The operation of a run: its key, and the file in which the programs below it count equal requests."""

from __future__ import annotations

import os

from os_retries.core.switch import disabled
from os_retries.run import journal
from os_retries.run.processes import say
from os_retries.run.text import printable

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

# The variables of os_retries.operations.scope, whose import takes too long.
_OPERATION, _STRICT, ORDINALS = "OSRETRIES_OPERATION", "OSRETRIES_STRICT", "OSRETRIES_ORDINALS"
_STATE = "OSRETRIES_STATE"


class UsageError(Exception):
    """A mistake in the options.  The message says what is wrong."""


def key_of(given: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the key of the operation of this run; None if this run starts no operation.

    :param given: the key on the command line; None for the key in the environment, which is ignored if an
        ``os-retries run`` around this one has set it
    :raises UsageError: if the key cannot be used
    """
    key = given if given is not None or ORDINALS in environ else environ.get(_OPERATION) or None
    if key is None:
        return None
    if not key.strip():
        raise UsageError("--operation: the key is empty")
    if disabled():
        raise UsageError("there is no operation while retrying is switched off (OS_RETRIES_DISABLED)")
    return key


class Begun:
    """The operation of a run.

    ``strict``
        Whether it refuses writes that a later run could not recognize.
    ``state``
        The file with its note, as given on the command line; None for that of the environment.
    ``given``
        Whether the key was given on the command line.  If it comes from the environment, other runs may be parts of the
        same program, so their resources do not count as left over.
    """

    def __init__(self, key: str, *, strict: bool, state: str | None, given: bool) -> None:
        self.key = key
        self.strict = strict
        self.state = state
        self.given = given


def begin(stack: contextlib.ExitStack, environ: dict[str, str], operation: Begun, *, quiet: bool) -> None:
    """Put the operation into the environment of the programs, until the stack is closed.

    :raises UsageError: if no temporary file can be made, because without it the programs cannot count equal requests
    """
    try:
        environ[ORDINALS] = stack.enter_context(journal.journal(os.environ, "ordinals"))
    except OSError as error:
        raise UsageError(f"--operation: no temporary file can be made: {error.strerror or error}") from None
    environ[_OPERATION] = operation.key
    inside = ORDINALS in os.environ  # there is a run around this one, which has another operation
    environ.pop(_STRICT, None)
    if operation.strict:
        environ[_STRICT] = "1"
    inherited = environ.pop(_STATE, None)
    state = operation.state or (None if inside else inherited)
    if state:
        _note(environ, state, operation.key, quiet=quiet)


def _note(environ: dict[str, str], path: str, key: str, *, quiet: bool) -> None:
    """Put the note of the operation into the environment of the programs, if it can be used.

    :raises UsageError: if the file may be the note, but cannot be opened
    """
    from os_retries.operations.notes import Note, Unusable, not_used

    try:
        environ[_STATE] = Note(path, key).path
    except Unusable as why:
        if not quiet:
            say(printable(f"os-retries: {not_used(path, why)}"))
    except OSError as error:
        raise UsageError(f"--state {printable(path)}: {error.strerror or error}") from None


_LINES = 10


def tell_left_over(key: str, path: str) -> None:
    """Report the resources of earlier runs that this run has not used, for example because the program was changed.

    :param path: the file of the ordinals of this run
    """
    try:
        from os_retries.inventory.command import Cloud, left_over
        from os_retries.operations.marks import markers_of
        from os_retries.operations.ordinals import Ordinals

        used = markers_of(key, Ordinals(os.open(path, os.O_RDWR | os.O_CLOEXEC)).done())
        lines = left_over(key, used, Cloud(None)) if used else []
    except Exception as error:  # the command has succeeded, and this must not change that
        say(printable(f"os-retries: the resources left over from earlier runs are not known: {error}"))
        return
    if lines:
        say(f"os-retries: resources of earlier runs of the operation that this run did not use: {len(lines)}")
        for line in lines[:_LINES]:
            say(printable(f"  {line}"))
        if len(lines) > _LINES:
            say(f"  and {len(lines) - _LINES} more: os-retries operation show {key}")
