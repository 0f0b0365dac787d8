"""Which create a request is: find the first recipe that applies to it, and mark a copy of its body."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from os_retries.core.deadlines import let_through
from os_retries.creates.create import prepare
from os_retries.creates.creation import Creation
from os_retries.creates.durable import in_operation, not_covered
from os_retries.creates.earlier import RepeatedCreation
from os_retries.creates.recipes import has_recipe, recipes_for
from os_retries.creates.requests import Around, read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.create import Create
    from os_retries.creates.recipe import Recipe
    from os_retries.operations.scope import Claim, Operation
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")


class Unprepared(Exception):  # noqa: N818
    """Carries the error of a request that an operation needs before it can send anything."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def creation_for(
    session: Any,
    service: str,
    kwargs: dict[str, Any],
    *,
    send: Callable[..., Any],
    policy: Callable[[], RetryPolicy],
    operation: Operation | None = None,
) -> Creation | None:
    """Return the Creation that makes a request safe; None if no recipe applies to the request.

    :param kwargs: the arguments of the request; the body is replaced by a marked copy
    :param send: sends a request with the same session, inside this one
    :param policy: returns the present policy
    :param operation: the operation that the request belongs to
    :raises Unprepared: if the operation needs the id of the project, and it is not known
    """
    url, verb = str(kwargs.get("url", "")), str(kwargs["method"]).upper()
    path = url if "://" in url else "/" + url.lstrip("/")
    if not has_recipe(service, verb, path):
        return None
    now = policy()
    if not now.safe_creates:
        return None
    recipes = recipes_for(service, verb, path, single_writer=now.single_writer)
    place = None
    try:
        body = read_body(kwargs)
        if body is None or not recipes:
            return None
        around = Around(session, service, dict(kwargs), send)
        place = None if operation is None else _Place(operation, around, verb, recipes[0][1], body)
        create = _first(recipes, body, around) if place is None else _first_in(place, recipes, body, around)
        if create is None:
            return None
        name = f"{verb} {create.groups['path'] if '://' not in url else _path(url)}"
        creation = _creation(create, around, now, name, place)
        creation.mark(kwargs)
    except Unprepared:
        raise
    except Exception as error:  # an error in os-retries must not prevent the request
        let_through(error)
        log.exception("a create could not be read, and is sent unchanged")
    else:
        return creation
    finally:
        if place is not None:
            place.leave()
    return None


def _creation(create: Create, around: Around, policy: RetryPolicy, name: str, place: _Place | None) -> Creation:
    claim = place.pass_on() if place is not None and create.again else None
    if claim is None:
        return Creation(create, around, policy, name)
    return RepeatedCreation(create, around, policy, name, claim)


Ways = list[tuple["Recipe", dict[str, str]]]


def _first(recipes: Ways, body: Any, around: Around) -> Create | None:
    """Return the request as the first recipe that applies to it prepares it; None if none applies."""
    for recipe, groups in recipes:
        if recipe.extension is not None and not around.has_extension(groups["base"], recipe.extension):
            continue
        create = prepare(_informed(recipe, groups["base"], around), groups, body, around.microversion)
        if create is not None:
            return create
    return None


def _first_in(place: _Place, recipes: Ways, body: Any, around: Around) -> Create | None:
    """Return the request as an operation prepares it; None if no recipe applies.

    A recipe that depends on an extension comes last, because not all runs use it: a service that has the extension may
    not keep its fields, and a run learns that only from its first create.
    """
    refused: Create | None = None
    for needs_extension in (False, True):
        for recipe, groups in recipes:
            if (recipe.extension is not None) is not needs_extension:
                continue
            if needs_extension and not around.has_extension(groups["base"], str(recipe.extension)):
                continue
            covered = not not_covered(recipe) and not recipe.harmless
            way = in_operation(_informed(recipe, groups["base"], around))
            create = prepare(way, groups, body, around.microversion, place.marker if covered else None)
            if create is None:
                continue
            if not recipe.refused:
                return create
            refused = refused or create
            break
    return refused


class _Place:
    """The place of a request in an operation, which is claimed when a recipe needs its marker."""

    def __init__(self, operation: Operation, around: Around, verb: str, groups: dict[str, str], body: Any) -> None:
        self._operation = operation
        self._around = around
        self._parts = {"verb": verb, "path": groups.get("path", "").removeprefix(groups.get("base", "")), "body": body}
        self._claim: Claim | None = None

    def marker(self) -> str:
        """Claim the place if that has not been done yet; return the marker."""
        if self._claim is None:
            try:
                project = self._around.project()
            except Exception as error:
                let_through(error)
                raise Unprepared(error) from error
            region = self._around.region
            service = self._around.service
            self._claim = self._operation.claim(project=project, region=region, service=service, **self._parts)
        return self._claim.marker

    def pass_on(self) -> Claim | None:
        """Return the claim to the create, which ends it."""
        claim, self._claim = self._claim, None
        return claim

    def leave(self) -> None:
        """End the claim, unless it was passed on."""
        if self._claim is not None:
            self._claim.end(done=False)


def _informed(recipe: Recipe, base: str, around: Around) -> Recipe:
    """Return the recipe; without its ``blind`` check if the endpoint is known to keep the fields of the extension."""
    if recipe.extension is None or recipe.look is None or not around.keeps(base, recipe.extension):
        return recipe
    return replace(recipe, look=replace(recipe.look, blind=None))


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[1].partition("/")[2]
