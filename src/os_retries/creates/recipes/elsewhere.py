"""Services whose creates have not been tested on the real service: they are never repeated, and the evidence says why.

What kept each of them from being tried is in docs/design/creates.md#services-that-were-only-read.
"""

from __future__ import annotations

from os_retries.creates.recipe import Recipe

_SERVICES = (
    "application-container",
    "container-infrastructure-management",
    "database",
    "data-processing",
)

RECIPES = {
    service: (Recipe(path=r".*", body=None, refused=f"no look-up of a create of {service} has been tested yet"),)
    for service in _SERVICES
}
