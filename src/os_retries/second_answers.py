"""The second answer, read with the first attempt in mind: an error which says that the first one took effect.

A PUT or a DELETE is repeated after an answer that was lost.  What the service then says to the repeat may be an error
although all is done: the volume is being deleted already, the image has its bytes.  CREATES.md §2 has the rules.

Pure: how to ask the service is an argument.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    #: Sends a GET to a URL and returns the status and the JSON, None where there is none.
    Ask = Callable[[str], tuple[int, Any]]

#: What a service calls a resource that is on its way out, in whichever field: nova, cinder, heat, octavia, designate.
_LEAVING = frozenset({"deleting", "deleted", "soft_deleted", "pending_delete", "delete_in_progress", "delete_complete"})
_STATES = ("status", "stack_status", "provisioning_status", "OS-EXT-STS:task_state")


@dataclass(frozen=True)
class Answered:
    """The answer that the first attempt would have had: a status, and a body or None."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Sent:
    """The request: ``content`` reads its body again from the start, in pieces; None where that cannot be done."""

    verb: str
    url: str
    json: Any = None
    content: Callable[[], Iterable[bytes] | None] | None = None


def _is_leaving(sent: Sent, ask: Ask) -> Answered | None:
    """A DELETE of what is gone, or going."""
    status, body = ask(sent.url)
    if status == 404:
        return Answered(204)
    thing = _only(body)
    states = {str(thing.get(name)).lower() for name in _STATES} if status == 200 and isinstance(thing, dict) else set()
    return Answered(204) if states & _LEAVING else None


def _cannot_tell(_sent: Sent, _ask: Ask) -> None:
    """What a look does not show may be there."""


def _has_the_bytes(sent: Sent, ask: Ask) -> Answered | None:
    """An upload to an image that has these very bytes."""
    status, image = ask(re.sub(r"/(file|stage)(\?.*)?$", "", sent.url))
    if status != 200 or not isinstance(image, dict) or image.get("status") != "active" or sent.content is None:
        return None
    algorithm, wanted = image.get("os_hash_algo"), image.get("os_hash_value")
    content = sent.content()
    if content is None or algorithm not in hashlib.algorithms_available:
        return None
    digest, size = hashlib.new(str(algorithm)), 0
    for part in content:
        digest.update(part)
        size += len(part)
    return Answered(204) if (digest.hexdigest(), size) == (wanted, image.get("size")) else None


def _is_as_wanted(sent: Sent, ask: Ask) -> Answered | None:
    """A PUT of what the resource shows already."""
    wanted = _only(sent.json)
    if not isinstance(wanted, dict) or not wanted:
        return None
    status, body = ask(sent.url)
    shown = _only(body)
    if status != 200 or not isinstance(shown, dict):
        return None
    same = all(name in shown and shown[name] == value for name, value in wanted.items())
    return Answered(200, body) if same else None


def _only(body: Any) -> Any:
    """Return what the one member of an envelope holds, ``{"volume": {...}}``; a body without one as it is."""
    if isinstance(body, dict) and len(body) == 1:
        (inner,) = body.values()
        return inner if isinstance(inner, dict) else body
    return body


# Verb, path, the statuses of the second answer, and what proves that the first attempt took effect: the first row that
# matches holds.
_ROWS: tuple[tuple[str, str, Collection[int], Callable[[Sent, Ask], Answered | None]], ...] = (
    ("DELETE", r"/os-volume_attachments/", (400, 409), _cannot_tell),  # from 2.89 on, a 404 until it is attached
    ("DELETE", r".", (400, 409), _is_leaving),
    ("PUT", r"\bimages/[^/?]+/file$", (409,), _has_the_bytes),
    ("PUT", r".", (409, 412), _is_as_wanted),  # 412: neutron's If-Match, which is never dropped
)


def read_second(sent: Sent, status: int, ask: Ask) -> Answered | None:
    """Tell whether an error, the answer to a repeat, means that the first attempt took effect; None if it does not.

    :param status: of the answer to the repeat; the attempt before it may have been processed
    """
    for verb, path, statuses, proof in _ROWS:
        if sent.verb == verb and status in statuses and re.search(path, sent.url):
            return proof(sent, ask)
    return None


# -- PATCH -------------------------------------------------------------------------------------------------------------

# The services whose PATCH merges a mapping of new values: a repeat sets the same ones (keystone, designate).
_MERGING = frozenset({"identity", "dns"})
# Those whose PATCH is a list of operations (RFC 6902): glance, ironic.
_OPERATING = frozenset({"image", "baremetal"})


def is_absolute(service: str | None, body: Any) -> bool:
    """Whether a PATCH with this body sets values, so that a repeat changes no more than the first one did.

    Not those of a list (``add`` inserts once more), not ``remove`` (refused the second time), not a password (keystone
    may refuse one that was used before).
    """
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return False
    if service in _MERGING:
        wanted = _only(body)
        return isinstance(wanted, dict) and not {"password", "original_password"} & set(wanted)
    if service in _OPERATING:
        return isinstance(body, list) and all(_sets(operation) for operation in body)
    return False


def _sets(operation: Any) -> bool:
    if not isinstance(operation, dict) or operation.get("op") not in ("add", "replace"):
        return False
    last = str(operation.get("path", "")).rpartition("/")[2]
    return bool(last) and last != "-" and not last.isdecimal()
