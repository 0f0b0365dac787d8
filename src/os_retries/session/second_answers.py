"""The second answer: an error, the answer to a repeat, which shows that the first attempt has taken effect.

A PUT or a DELETE is repeated after an answer that was lost.  The service may then answer with an error although all is
done: the volume is being deleted already, the image has its bytes.  docs/design/creates.md has the rules.

Pure: how to ask the service is an argument.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from os_retries.session.repeatable import only_member

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    #: Sends a GET to a URL and returns the status and the JSON, None where there is none.
    Ask = Callable[[str], tuple[int, Any]]

# The states of a resource that is being deleted, in whichever field: nova, cinder, heat, octavia, designate.
_LEAVING = frozenset({"deleting", "deleted", "soft_deleted", "pending_delete", "delete_in_progress", "delete_complete"})
_STATES = ("status", "stack_status", "provisioning_status", "OS-EXT-STS:task_state")


@dataclass(frozen=True)
class Answered:
    """The answer that the first attempt would have had: a status, and a body or None."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Sent:
    """The request.  ``content`` returns its body again from the start, in pieces; None where that is impossible."""

    verb: str
    url: str
    json: Any = None
    content: Callable[[], Iterable[bytes] | None] | None = None


def _is_leaving(sent: Sent, ask: Ask) -> Answered | None:
    """A DELETE of what is gone, or being deleted."""
    status, body = ask(sent.url)
    if status == 404:
        return Answered(204)
    thing = only_member(body)
    states = {str(thing.get(name)).lower() for name in _STATES} if status == 200 and isinstance(thing, dict) else set()
    return Answered(204) if states & _LEAVING else None


def _cannot_tell(_sent: Sent, _ask: Ask) -> None:
    """A resource that a look does not show may be there all the same."""


def _has_the_bytes(sent: Sent, ask: Ask) -> Answered | None:
    """An upload to an image that has these bytes already."""
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
    """A PUT of values that the resource has already."""
    wanted = only_member(sent.json)
    if not isinstance(wanted, dict) or not wanted:
        return None
    status, body = ask(sent.url)
    shown = only_member(body)
    if status != 200 or not isinstance(shown, dict):
        return None
    same = all(name in shown and shown[name] == value for name, value in wanted.items())
    return Answered(200, body) if same else None


# placement refuses a write that names an older generation than the present one, and each write makes it one larger.
# What placement fills in where an inventory leaves it out:
_INVENTORY = {"reserved": 0, "min_unit": 1, "max_unit": 0x7FFFFFFF, "step_size": 1, "allocation_ratio": 1.0}


def _has_been_provided(sent: Sent, ask: Ask) -> Answered | None:
    """Compare what a resource provider has: inventories, one inventory, traits or aggregates."""
    status, shown = ask(sent.url)
    if status != 200 or not isinstance(shown, dict) or not isinstance(sent.json, dict):
        return None
    return Answered(200, shown) if _provided(shown, now=True) == _provided(sent.json) else None


def _provided(body: dict[str, Any], *, now: bool = False) -> dict[str, Any]:
    """Return a body in one form: with the generation after the write, and with what placement fills in.

    :param now: whether it shows what is there now
    """
    whole = dict(body)
    generation = whole.pop("resource_provider_generation", None)
    whole["generation"] = generation if now or not isinstance(generation, int) else generation + 1
    for name in ("traits", "aggregates"):
        if isinstance(whole.get(name), list):
            whole[name] = sorted(whole[name])
    if "total" in whole:
        return _INVENTORY | whole
    if isinstance(whole.get("inventories"), dict):
        whole["inventories"] = {name: _INVENTORY | each for name, each in whole["inventories"].items()}
    return whole


def _has_been_allocated(sent: Sent, ask: Ask) -> Answered | None:
    """Compare what a consumer has been given, and by whom."""
    status, shown = ask(sent.url)
    wanted = sent.json
    if status != 200 or not isinstance(shown, dict) or not isinstance(wanted, dict):
        return None
    owner = [name for name in ("project_id", "user_id", "consumer_type") if name in shown]
    same = _resources(shown) == _resources(wanted) and all(shown[name] == wanted.get(name) for name in owner)
    return Answered(204) if same else None


def _resources(body: dict[str, Any]) -> dict[str, Any]:
    """Return the resources by their provider, as placement shows them, and takes them from 1.12 on."""
    allocations = body.get("allocations")
    if isinstance(allocations, list):
        return {each["resource_provider"]["uuid"]: each["resources"] for each in allocations}
    return {name: each["resources"] for name, each in (allocations or {}).items()}


_OF_A_PROVIDER = r"/resource_providers/[^/]+/(inventories(/[^/?]+)?|traits|aggregates)$"

# Verb, path, the statuses of the second answer, and what proves that the first attempt has taken effect.  The first
# entry that matches holds.
_ROWS: tuple[tuple[str, str, Collection[int], Callable[[Sent, Ask], Answered | None]], ...] = (
    ("DELETE", r"/os-volume_attachments/", (400, 409), _cannot_tell),  # from 2.89 on, a 404 until it is attached
    ("DELETE", r".", (400, 409), _is_leaving),
    ("PUT", r"\bimages/[^/?]+/file$", (409,), _has_the_bytes),
    ("PUT", _OF_A_PROVIDER, (409,), _has_been_provided),
    ("PUT", r"/allocations/[^/?]+$", (409,), _has_been_allocated),
    ("PUT", r".", (409, 412), _is_as_wanted),  # 412: neutron's If-Match, which is never dropped
)


def read_second(sent: Sent, status: int, ask: Ask) -> Answered | None:
    """Return the answer of the first attempt if this error, the answer to a repeat, shows that it has taken effect.

    :param status: the status of the answer to the repeat; an earlier attempt may have been processed
    :returns: None if the error does not show it
    """
    for verb, path, statuses, proof in _ROWS:
        if sent.verb == verb and status in statuses and re.search(path, sent.url):
            return proof(sent, ask)
    return None
