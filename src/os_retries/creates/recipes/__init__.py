"""The recipes of all services, by service type, and those that may apply to one request."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from os_retries.creates.recipes import (
    alarm,
    baremetal,
    block_storage,
    compute,
    dns,
    elsewhere,
    identity,
    image,
    instance_ha,
    key_manager,
    load_balancer,
    message,
    network,
    orchestration,
    placement,
    reservation,
    resource_optimization,
    shared_file_system,
    workflow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from os_retries.creates.recipe import Recipe

TABLE: Mapping[str, tuple[Recipe, ...]] = {
    "compute": compute.RECIPES,
    "identity": identity.RECIPES,
    "block-storage": block_storage.RECIPES,
    "network": network.RECIPES,
    "image": image.RECIPES,
    "orchestration": orchestration.RECIPES,
    "placement": placement.RECIPES,
    "baremetal": baremetal.RECIPES,
    "dns": dns.RECIPES,
    "load-balancer": load_balancer.RECIPES,
    "key-manager": key_manager.RECIPES,
    "shared-file-system": shared_file_system.RECIPES,
    "workflow": workflow.RECIPES,
    "message": message.RECIPES,
    "alarm": alarm.RECIPES,
    "instance-ha": instance_ha.RECIPES,
    "reservation": reservation.RECIPES,
    "resource-optimization": resource_optimization.RECIPES,
    **elsewhere.RECIPES,
}


def recipes_for(
    service: str | None, verb: str, path: str, *, single_writer: bool = False
) -> list[tuple[Recipe, dict[str, str]]]:
    """Return the recipes that may apply to a request, in order, and the values of the groups of their paths.

    :param single_writer: whether to include recipes that could mistake another writer's resource for the caller's
    """
    if service not in TABLE:
        return []
    return [
        (recipe, dict(groups))
        for recipe, groups in _matches(service, verb, path)
        if recipe.single_writer <= single_writer
    ]


def has_recipe(service: str, verb: str, path: str) -> bool:
    """Return whether there is any recipe for such a request."""
    return service in TABLE and bool(_matches(service, verb, path))


@functools.lru_cache(maxsize=256)  # most creates of a program have the same few paths, and a service has many recipes
def _matches(service: str, verb: str, path: str) -> list[tuple[Recipe, dict[str, str]]]:
    matches = ((recipe, pattern.fullmatch(path)) for recipe, pattern in _patterns(service, verb))
    return [(recipe, match.groupdict() | {"path": path}) for recipe, match in matches if match]


@functools.cache
def _patterns(service: str, verb: str) -> list[tuple[Recipe, re.Pattern[str]]]:
    return [(recipe, re.compile(f"(?P<base>.*){recipe.path}")) for recipe in TABLE[service] if recipe.verb == verb]
