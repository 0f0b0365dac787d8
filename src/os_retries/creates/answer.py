"""The answer to a create that a look-up has found: the response that the service would have sent."""

from __future__ import annotations

import http
import json
import logging
from typing import TYPE_CHECKING, Any

import requests

from os_retries.core.deadlines import let_through
from os_retries.core.failure import RETRY_CODES
from os_retries.core.retries import pause
from os_retries.creates.create import texts
from os_retries.creates.look_up import name_of
from os_retries.creates.markers import Description
from os_retries.creates.recipe import fill
from os_retries.creates.requests import MICROVERSION_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.create import Create
    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Microversion
    from os_retries.creates.requests import Around

log = logging.getLogger("os_retries")

# Headers of the look-up's response that must not be copied: in the create's response they would have other values.
_OF_THE_LOOKUP = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "etag"})


def make_response(create: Create, hits: list[Item], look_up: Any, microversion: Microversion | None) -> Any:
    """Return the response that the service would have sent for the create.

    :param hits: the resources, in the order in which the request asked for them
    :param look_up: the response to the look-up that has found them
    :param microversion: the microversion of the caller's request
    """
    item = create.answer(hits)
    made = create.made(item)
    status = create.recipe.status
    response = requests.Response()
    response.status_code = status if isinstance(status, int) else status(microversion)
    response.reason = http.HTTPStatus(response.status_code).phrase
    response.headers.update(_headers(create, look_up))
    response.headers.update(create.recipe.headers(made[0] if made else {}, hits))
    response.request, response.url = look_up.request, look_up.url
    fill_in(response, item)
    return response


def without_chosen(create: Create, response: Any) -> None:
    """Remove from a response the values that os_retries chose for the create.

    In an operation, the earlier run that made the resource chose other values, which are not known.  nova also leaves
    out the password if it has not set one.
    """
    told = [name for name in create.recipe.chosen if create.asked[0].get(name) is None]
    body = response.json() if told and response.content else None
    if isinstance(body, dict):
        for item in (body, *body.values()):
            if isinstance(item, dict):
                for name in told:
                    item.pop(name, None)
        fill_in(response, body)


def _headers(create: Create, look_up: Any) -> dict[str, str]:
    """Return the headers of the look-up's response that the create's response would have too."""
    dropped = set(_OF_THE_LOOKUP)
    if create.look.microversion is not None or create.look.service is not None:
        dropped.update(MICROVERSION_HEADERS)
    return {name: value for name, value in look_up.headers.items() if name.lower() not in dropped}


def remove_markers(
    create: Create, items: list[Item], around: Around, *, who: str, sleep: Callable[[float], object] | None
) -> bool:
    """Remove the marker from a field that people read, such as the description; return whether any item has changed.

    A marker that cannot be removed stays, and the log says so.

    :param items: the resources, which are updated
    :param who: the name of the create for the log
    :param sleep: the policy's ``sleep``; None for ``time.sleep``
    """
    carrier, key = create.recipe.carrier, create.recipe.body
    if carrier is None or carrier.taken_away is None:
        return False
    changed = False
    for item in items:
        if create.again and not _keep_as_tag(create, item, around, who=who, sleep=sleep):
            continue  # the marker stays where it is, because a later run needs it
        body = {carrier.taken_away: create.before(carrier.taken_away, item.get(carrier.taken_away))}
        try:
            response = _put(create.member(item), body if key is None else {key: body}, around, sleep)
            response.raise_for_status()
            now = response.json()
            item.update(now if key is None else now[key])
            changed = True
        except Exception as error:
            let_through(error)
            # The text of the error is not logged: it contains the URL, which may contain a password.
            why = getattr(getattr(error, "response", None), "status_code", None) or type(error).__name__
            log.warning("%s: the marker is still in the %s of %s (%s)", who, carrier.taken_away, name_of(item), why)
    return changed


def _keep_as_tag(
    create: Create, item: Item, around: Around, *, who: str, sleep: Callable[[float], object] | None
) -> bool:
    """Add the marker as a tag, where a later run of the operation finds it; return whether that has succeeded."""
    carrier = create.recipe.carrier
    marker = create.marker_of(item)
    if not isinstance(carrier, Description) or not carrier.tags or marker is None:
        return True
    path = fill(carrier.tags, texts(item), create.groups) + f"/{marker}"
    try:
        _put(path, None, around, sleep).raise_for_status()
    except Exception as error:
        let_through(error)
        why = getattr(getattr(error, "response", None), "status_code", None) or type(error).__name__
        log.warning("%s: the marker stays in the %s of %s: no tag (%s)", who, carrier.field, name_of(item), why)
        return False
    return True


def _put(path: str, body: Any, around: Around, sleep: Callable[[float], object] | None) -> Any:
    """Send a PUT, and repeat it twice at most.

    The repeats are worth it because people read the description, in which a marker would otherwise stay.
    """
    how = {} if body is None else {"json": body}
    for _ in range(2):
        try:
            response = around.request("PUT", path, **how)
        except Exception as error:
            let_through(error)
        else:
            if response.status_code not in RETRY_CODES:
                return response
        pause(1.0, sleep)
    return around.request("PUT", path, **how)


def with_items(create: Create, answer: Any, items: list[Item]) -> Any:
    """Return the body of a create's response with its items replaced by ``items``."""
    recipe = create.recipe
    if create.bulk:
        return answer | {recipe.bulk: items}
    return items[0] if recipe.body is None else answer | {recipe.body: items[0]}


def fill_in(response: Any, body: Any) -> None:
    """Set the JSON body of a response, or an empty body, as if it had been read already."""
    set_content(response, b"" if body is None else json.dumps(body).encode())
    response.encoding = "utf-8"
    response.headers["Content-Type"] = "application/json"


def set_content(response: Any, content: bytes) -> None:
    """Set the content of a response, as if it had been read already."""
    response._content, response._content_consumed = content, True  # noqa: SLF001
    response.headers["Content-Length"] = str(len(content))
