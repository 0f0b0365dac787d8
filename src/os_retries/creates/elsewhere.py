"""Services whose creates nobody has executed against the real thing yet: never repeated, and the evidence says why.

CREATES.md §1.8 to §1.10 has a row for most of them, read from their code alone.
"""

from __future__ import annotations

from os_retries.creates.recipes import Recipe

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

ROWS = {
    service: (Recipe(path=r".*", body=None, refused=f"no look-up of a create of {service} has been tried yet"),)
    for service in _SERVICES
}
