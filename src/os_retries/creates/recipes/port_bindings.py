"""Bindings of neutron's ports to hosts, which nova asks for when it moves a server; docs/design/creates.md#network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.recipe import Look, Recipe

if TYPE_CHECKING:
    from os_retries.creates.markers import Item


def _is_bound(found: Item, sent: Item) -> bool | None:
    """Compare the host, because a port has one binding at each host; return None if the binding is not bound."""
    if found.get("host") != sent.get("host"):
        return False
    return None if found.get("vif_type") in ("unbound", "binding_failed") else True


BINDINGS = (
    Recipe(
        path=r"/ports/[^/]+/bindings",
        body="binding",
        given=("host",),
        match=_is_bound,
        look=Look(path="{path}/{host}", one="binding"),
        member="{path}/{host}",
    ),
)
