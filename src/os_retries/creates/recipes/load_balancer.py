"""octavia; the facts are in docs/design/creates.md#load-balancer."""

from __future__ import annotations

from os_retries.creates.markers import Tag
from os_retries.creates.recipe import Look, Recipe, fingerprint, same_name


def _tagged(collection: str, member: str, parent: str = "") -> Recipe:
    """Return the recipe of a resource that takes tags.

    :param parent: the path between the API and the collection, as a regular expression
    """
    return Recipe(
        path=f"/lbaas{parent}/{collection}",
        body=member,
        carrier=Tag(),
        look=Look(path="{path}", list=collection, query={"tags": "{marker}"}),
    )


def _named(collection: str, member: str) -> Recipe:
    """Make the recipe of what an administrator makes, and names."""
    path = f"/lbaas/{collection}"
    return Recipe(path=path, body=member, match=same_name, look=Look(path="{path}", list=f"{member}s"))


def _profile(collection: str, member: str) -> Recipe:
    """Make the recipe of a profile, of which octavia accepts a second one."""
    return Recipe(
        path=f"/lbaas/{collection}",
        body=member,
        single_writer=True,
        match=fingerprint("name"),
        look=Look(path="{path}", list=f"{member}s", baseline="id"),
    )


_ALIKE = "two of them cannot be told apart, and the request has no room for a marker"

RECIPES = (
    _tagged("loadbalancers", "loadbalancer"),
    _tagged("listeners", "listener"),
    _tagged("pools", "pool"),
    _tagged("members", "member", "/pools/[^/]+"),
    _tagged("healthmonitors", "healthmonitor"),
    _tagged("l7policies", "l7policy"),
    _tagged("rules", "rule", "/l7policies/[^/]+"),
    _named("flavors", "flavor"),
    _named("availabilityzones", "availability_zone"),
    _profile("flavorprofiles", "flavorprofile"),
    _profile("availabilityzoneprofiles", "availability_zone_profile"),
    Recipe(path=r"/lbaas/(flavor|availabilityzone)profiles", body=None, refused=_ALIKE),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to octavia has been tested yet"),
)
