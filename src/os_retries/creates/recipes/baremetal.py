"""ironic; the facts are in docs/design/creates.md#bare-metal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.markers import ClientId, Item
from os_retries.creates.recipe import Look, Recipe, no_body

if TYPE_CHECKING:
    from collections.abc import Callable


def _location(answer: Item, found: list[Item]) -> dict[str, str]:
    """Return the ``Location`` header of the create's response; ironic shows the address among the resource's links."""
    del answer
    links = [each.get("href") for each in found[0].get("links") or [] if each.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


def _chosen(collection: str, *same: str) -> Recipe:
    """Return the recipe of a resource whose ``uuid`` the client may choose.

    :param same: the fields that are compared if the caller has chosen the uuid
    """
    return Recipe(
        path=f"/{collection}",
        body=None,
        carrier=ClientId("uuid"),
        look=Look(path="{base}/" + collection + "/{uuid}", born="created_at"),
        same=same,
        headers=_location,
    )


# For each target, the states of a node that has reached it or is on its way there.  The other targets (inspect, clean,
# rebuild, abort, ...) end in a state in which the node may have been before.
_REACHED = {
    "manage": {"verifying", "manageable"},
    "provide": {"cleaning", "clean wait", "available"},
    "active": {"deploying", "wait call-back", "active"},
    "deleted": {"deleting", "cleaning", "clean wait", "available"},
}


def _is_on_its_way(found: Item, sent: Item) -> bool | None:
    """Compare the provision state with the target; return None for a target that the state does not show."""
    reached = _REACHED.get(str(sent.get("target")))
    return None if reached is None else found.get("provision_state") in reached


def _has_power(found: Item, sent: Item) -> bool | None:
    """Compare the power state with the target; return None for a reboot, which the state does not show."""
    target = str(sent.get("target")).removeprefix("soft ")
    if target not in ("power on", "power off"):
        return None
    return target in (found.get("power_state"), found.get("target_power_state"))


def _state(kind: str, match: Callable[[Item, Item], bool | None]) -> Recipe:
    """Return the recipe of a change of a node's state."""
    return Recipe(
        verb="PUT",
        path=rf"/nodes/(?P<node>[^/]+)/states/{kind}",
        body=None,
        look=Look(path="{base}/nodes/{node}/states"),
        match=match,
        status=202,
        view=no_body,
    )


RECIPES = (
    _chosen("nodes", "uuid", "name", "driver"),
    _chosen("ports", "uuid", "address", "node_uuid"),
    _chosen("portgroups", "uuid", "name", "node_uuid"),
    _chosen("allocations", "uuid", "name", "resource_class"),
    _chosen("deploy_templates", "uuid", "name"),
    _chosen("chassis", "uuid", "description"),
    _chosen("volume/connectors", "uuid", "type", "connector_id"),
    _chosen("volume/targets", "uuid", "volume_id", "boot_index"),
    _state("power", _has_power),
    _state("provision", _is_on_its_way),
    Recipe(
        path=r"/nodes/[^/]+/vifs",
        body=None,
        refused="whether a node shows its VIFs depends on its network interface",
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to ironic has been tested yet"),
)
