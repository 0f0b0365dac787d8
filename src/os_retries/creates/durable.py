"""What a later run of an operation can recognize: the recipes that an operation covers, and markers that stay.

A marker in a description is removed after the create has succeeded.  In an operation the marker becomes a tag first, so
that a later run still finds it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from os_retries.creates.markers import AnyDescription, Description, Tag

if TYPE_CHECKING:
    from os_retries.creates.create import Create
    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Recipe


def not_covered(recipe: Recipe) -> str:
    """Return why a later run of an operation could not recognize a create of this recipe; empty if it could."""
    look = recipe.look
    if recipe.refused or look is None:
        return recipe.refused
    if look.proof is not None:
        return "its secret is returned only once"
    if look.baseline is not None:
        return "what an earlier run did cannot be distinguished from what others did"
    if recipe.carrier is not None and recipe.carrier.taken_away is not None and not _has_tags(recipe):
        return "its description is restored, and no other field can keep a marker"
    return ""


def how_covered(recipe: Recipe) -> str:
    """Return how a later run recognizes a create of this recipe; empty if it does not.

    :returns: ``marker``, ``tag`` (a marker in the description, and later in a tag), ``key`` (a key that the service
        admits only once, or a state) or ``repeat`` (a second request has no further effect)
    """
    if recipe.harmless:
        return "repeat"
    if not_covered(recipe):
        return ""
    if recipe.carrier is None:
        return "key"
    return "marker" if recipe.carrier.taken_away is None else "tag"


def _has_tags(recipe: Recipe) -> bool:
    return isinstance(recipe.carrier, Description) and bool(recipe.carrier.tags)


def in_operation(recipe: Recipe) -> Recipe:
    """Return the recipe as an operation uses it: it accepts resources that are older than the request."""
    look, carrier = recipe.look, recipe.carrier
    if look is None or not_covered(recipe):
        return recipe
    look = replace(look, born=None)
    if isinstance(carrier, Description) and carrier.tags:
        carrier = AnyDescription(tags=carrier.tags)
        look = replace(look, query={"description": _description})
    return replace(recipe, look=look, carrier=carrier)


def _description(item: Item, markers: list[str]) -> str | None:
    """Return the description to filter by; None for a bulk request, because each of its resources has another one."""
    return str(item["description"]) if len(markers) == 1 else None


def _any_tag(_item: Item, markers: list[str]) -> str:
    return ",".join(markers)


def by_tag(create: Create) -> Create | None:
    """Return the create as it is looked up after its marker has become a tag; None if the marker never becomes one."""
    if not create.again or not _has_tags(create.recipe):
        return None
    look = replace(create.look, query={"tags-any": _any_tag})
    return replace(create, recipe=replace(create.recipe, carrier=Tag(), look=look))
