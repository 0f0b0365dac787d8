"""Which creates of an operation need no look before they are sent: the note of the operation shows it.

The first create of a kind lists all resources of that kind, where each create would have asked for its own marker.  If
none of them has a marker of the operation, what has no record in the note was never sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from os_retries.core.deadlines import let_through
from os_retries.creates.look_up import lists_nothing
from os_retries.creates.recipe import fill
from os_retries.creates.together import can_be_two
from os_retries.operations.marks import START, prefix, request_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.create import Create
    from os_retries.creates.look_up import Tools
    from os_retries.creates.requests import Around
    from os_retries.operations.scope import Claim

_T = TypeVar("_T")


class NotRecorded(Exception):  # noqa: N818
    """The note cannot be written, so the create must not be sent.  The text says why."""


def was_never_sent(create: Create, claim: Claim, around: Around, tools: Tools) -> bool:
    """Return whether no earlier run of the operation has sent a create; record that it is about to be sent.

    :raises NotRecorded: if that cannot be recorded
    """
    note = claim.operation.note
    if note is None:
        return False
    is_new = _recorded(note.path, lambda: note.begin(claim.digest, claim.ordinal))
    if not is_new or not _is_listed(create):
        return False
    collection = _collection(create, around)
    clean = note.is_clean(collection)
    if clean is None:
        clean = lists_nothing(create, tools, START + prefix(claim.operation.key))
        if clean is not None:
            _recorded(note.path, lambda: note.list_shows(collection, clean=bool(clean)))
    return bool(clean)


def _recorded(path: str, record: Callable[[], _T]) -> _T:
    try:
        return record()
    except OSError as error:
        let_through(error)
        raise NotRecorded(f"{path} cannot be written: {error.strerror or error}") from error


def _is_listed(create: Create) -> bool:
    """Return whether one list shows the markers of all resources of this kind.

    If the note is mistaken, because the file is an old copy, the look after the create must find what is there.
    """
    recipe, look = create.recipe, create.look
    shown = recipe.carrier is not None and recipe.carrier.fields is not None and recipe.extension is None
    return shown and look.list is not None and look.service is None and look.proof is None and can_be_two(create)


def _collection(create: Create, around: Around) -> str:
    """Return a name of the list; one with another microversion shows other fields."""
    return request_digest(
        path=fill(create.look.path, create.values(), create.groups),
        microversion=create.look.microversion or around.microversion,
        carrier=repr(create.recipe.carrier),
        service=around.service,
        project=around.project(),
        region=around.region,
    )
