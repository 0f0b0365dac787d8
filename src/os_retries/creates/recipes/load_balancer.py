"""octavia; the facts are in docs/design/creates.md#load-balancer."""

from __future__ import annotations

from os_retries.creates.markers import Tag
from os_retries.creates.recipe import Look, Recipe


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


RECIPES = (
    _tagged("loadbalancers", "loadbalancer"),
    _tagged("listeners", "listener"),
    _tagged("pools", "pool"),
    _tagged("members", "member", "/pools/[^/]+"),
    _tagged("healthmonitors", "healthmonitor"),
    _tagged("l7policies", "l7policy"),
    _tagged("rules", "rule", "/l7policies/[^/]+"),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to octavia has been tested yet"),
)
