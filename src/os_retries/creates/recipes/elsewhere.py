"""Services whose creates nobody has executed against the real thing yet: never repeated, and the evidence says why.

docs/design/creates.md says what is known of most of them, read from their code alone.
"""

from __future__ import annotations

from os_retries.creates.recipe import Recipe

_SERVICES = (
    "baremetal",
    "container-infrastructure-management",
    "database",
    "data-processing",
    "dns",
    "key-manager",
    "load-balancer",
    "messaging",
    "shared-file-system",
    "workflow",
)

RECIPES = {
    service: (Recipe(path=r".*", body=None, refused=f"no look-up of a create of {service} has been tried yet"),)
    for service in _SERVICES
}
