"""Second answers: error answers to a repeat that an earlier attempt may have caused.

A PUT or a DELETE is repeated after a lost answer, and so is a POST that replaces something.  The service may answer the
repeat with an error, because an earlier attempt has taken effect: the volume is already being deleted, or the image
already has its data.  A GET then shows whether that is so.  docs/design/creates.md has the rules.

The functions do no I/O of their own.  The function that sends a GET is an argument.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from os_retries.creates.create import is_leaving
from os_retries.session.repeatable import only_member

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    #: Sends a GET to a URL; returns the status, and the JSON of the body or None.
    Ask = Callable[[str], tuple[int, Any]]


@dataclass(frozen=True)
class Answered:
    """The answer that was lost, as the service would send it: a status, and a body or None."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Sent:
    """The request that was repeated.

    ``content``
        Returns the body in pieces, from its start; None if it cannot be read again.
    """

    verb: str
    url: str
    json: Any = None
    content: Callable[[], Iterable[bytes] | None] | None = None


def _is_leaving(sent: Sent, ask: Ask) -> Answered | None:
    """Return a success if the resource of a DELETE is gone or is being deleted."""
    status, body = ask(sent.url)
    if status == 404:
        return Answered(204)
    thing = only_member(body)
    return Answered(204) if status == 200 and isinstance(thing, dict) and is_leaving(thing) else None


def _cannot_tell(_sent: Sent, _ask: Ask) -> None:
    """Return None: this resource may exist even if a GET answers 404, so a GET proves nothing."""


def _has_the_bytes(sent: Sent, ask: Ask) -> Answered | None:
    """Return a success if the image of an upload already has this data, by its hash and its size."""
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
    """Return a success if the resource of a PUT already has the values that were sent."""
    wanted = only_member(sent.json)
    if not isinstance(wanted, dict) or not wanted:
        return None
    status, body = ask(sent.url)
    shown = only_member(body)
    if status != 200 or not isinstance(shown, dict):
        return None
    same = all(name in shown and shown[name] == value for name, value in wanted.items())
    return Answered(200, body) if same else None


# placement refuses a write with an outdated generation, and each write increments the generation.
# The defaults that placement fills in for fields that an inventory omits:
_INVENTORY = {"reserved": 0, "min_unit": 1, "max_unit": 0x7FFFFFFF, "step_size": 1, "allocation_ratio": 1.0}


def _has_been_provided(sent: Sent, ask: Ask) -> Answered | None:
    """Return a success if a resource provider already has the inventories, traits or aggregates that were sent."""
    status, shown = ask(sent.url)
    if status != 200 or not isinstance(shown, dict) or not isinstance(sent.json, dict):
        return None
    return Answered(200, shown) if _provided(shown, now=True) == _provided(sent.json) else None


def _provided(body: dict[str, Any], *, now: bool = False) -> dict[str, Any]:
    """Return a body in a form that can be compared: with the generation after the write, and with the defaults.

    :param now: True for a body that a GET has returned, False for a body that was sent
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
    """Return a success if a consumer already has the allocations that were sent, for the same project and user."""
    status, shown = ask(sent.url)
    wanted = sent.json
    if status != 200 or not isinstance(shown, dict) or not isinstance(wanted, dict):
        return None
    owner = [name for name in ("project_id", "user_id", "consumer_type") if name in shown]
    same = _resources(shown) == _resources(wanted) and all(shown[name] == wanted.get(name) for name in owner)
    return Answered(204) if same else None


def _have_been_allocated(sent: Sent, ask: Ask) -> Answered | None:
    """Return a success if all consumers already have the allocations that were sent.  They are replaced together."""
    if not isinstance(sent.json, dict) or not sent.json:
        return None
    url = sent.url.partition("?")[0]
    all_have = all(
        isinstance(each, dict) and _has_been_allocated(Sent("PUT", f"{url}/{consumer}", each), ask)
        for consumer, each in sent.json.items()
    )
    return Answered(204) if all_have else None


def _resources(body: dict[str, Any]) -> dict[str, Any]:
    """Return the resources by their provider: the form that placement returns, and accepts from 1.12 on."""
    allocations = body.get("allocations")
    if isinstance(allocations, list):
        return {each["resource_provider"]["uuid"]: each["resources"] for each in allocations}
    return {name: each["resources"] for name, each in (allocations or {}).items()}


def _is_active(sent: Sent, ask: Ask) -> Answered | None:
    """Return a success if the binding of a port is the active one."""
    status, body = ask(re.sub(r"/activate$", "", sent.url))
    binding = only_member(body)
    active = status == 200 and isinstance(binding, dict) and binding.get("status") == "ACTIVE"
    return Answered(200, binding) if active else None  # neutron's own answer has no envelope


_OF_A_PROVIDER = r"/resource_providers/[^/]+/(inventories(/[^/?]+)?|traits|aggregates)$"

# Verb, pattern of the path, the statuses of the second answer, and the function that checks whether an earlier attempt
# has taken effect.  The first match decides.
_RULES: tuple[tuple[str, str, Collection[int], Callable[[Sent, Ask], Answered | None]], ...] = (
    (
        "DELETE",
        r"/os-volume_attachments/",
        (400, 409),
        _cannot_tell,
    ),  # from 2.89 on, a 404 until it is attached
    ("DELETE", r"/(shares|snapshots|share-replicas|share-groups|share-group-snapshots)/", (400, 403, 409), _is_leaving),
    ("DELETE", r".", (400, 409), _is_leaving),
    ("PUT", r"\bimages/[^/?]+/file$", (409,), _has_the_bytes),
    ("PUT", _OF_A_PROVIDER, (409,), _has_been_provided),
    ("PUT", r"/allocations/[^/?]+$", (409,), _has_been_allocated),
    ("PUT", r"/bindings/[^/?]+/activate$", (409,), _is_active),
    ("POST", r"/allocations$", (409,), _have_been_allocated),
    ("PUT", r".", (409, 412), _is_as_wanted),  # 412: an If-Match of neutron that no longer matches
)


#: The verbs of these requests.
VERBS = frozenset(verb for verb, *_ in _RULES)


def read_second(sent: Sent, status: int, ask: Ask) -> Answered | None:
    """Return the lost answer of an earlier attempt if the resource shows that this attempt has taken effect.

    :param sent: the request
    :param status: the status of the answer to the repeat
    :param ask: sends a GET
    :returns: None if nothing shows that an earlier attempt has taken effect
    """
    for verb, path, statuses, check in _RULES:
        if sent.verb == verb and status in statuses and re.search(path, sent.url):
            return check(sent, ask)
    return None
