"""Which create a request is: find the first recipe that applies to it, and mark a copy of its body."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from os_retries.core.deadlines import let_through
from os_retries.creates.create import prepare
from os_retries.creates.creation import Creation
from os_retries.creates.recipes import recipes_for
from os_retries.creates.requests import Around, read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.recipe import Recipe
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")


def creation_for(
    session: Any,
    service: str,
    kwargs: dict[str, Any],
    *,
    send: Callable[..., Any],
    policy: Callable[[], RetryPolicy],
) -> Creation | None:
    """Return the Creation that makes a request safe; None if no recipe applies to the request.

    :param kwargs: the arguments of the request; the body is replaced by a marked copy
    :param send: sends a request with the same session, inside this one
    :param policy: returns the present policy
    """
    url, verb = str(kwargs.get("url", "")), str(kwargs["method"]).upper()
    path = url if "://" in url else "/" + url.lstrip("/")
    if not recipes_for(service, verb, path, single_writer=True):
        return None
    now = policy()
    if not now.safe_creates:
        return None
    recipes = recipes_for(service, verb, path, single_writer=now.single_writer)
    try:
        body = read_body(kwargs)
        if body is None:
            return None
        around = Around(session, service, dict(kwargs), send)
        for recipe, groups in recipes:
            if recipe.extension is not None and not around.has_extension(groups["base"], recipe.extension):
                continue
            create = prepare(_informed(recipe, groups["base"], around), groups, body, around.microversion)
            if create is None:
                continue
            creation = Creation(create, around, now, f"{verb} {groups['path'] if '://' not in url else _path(url)}")
            creation.mark(kwargs)
            return creation
    except Exception as error:  # a bug of ours must not prevent the request
        let_through(error)
        log.exception("a create could not be read, and is sent unchanged")
    return None


def _informed(recipe: Recipe, base: str, around: Around) -> Recipe:
    """Return the recipe, without its check for blindness if the endpoint is known to keep the extension's fields."""
    if recipe.extension is None or recipe.look is None or not around.keeps(base, recipe.extension):
        return recipe
    return replace(recipe, look=replace(recipe.look, blind=None))


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[1].partition("/")[2]
