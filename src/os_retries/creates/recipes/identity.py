"""keystone; the facts are in docs/design/creates.md#identity.

Most names are unique, so that nothing is made twice.  But a name does not tell which request made a resource.  So the
marker is an additional attribute, because keystone keeps unknown attributes.  Where they are not kept (LDAP), nothing
is found, the create is sent again, and the caller gets keystone's 409.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from os_retries.creates.markers import Attribute, Item
from os_retries.creates.recipe import Look, Proof, Recipe, equal, fingerprint

if TYPE_CHECKING:
    from os_retries.creates.recipe import Value


def _of(name: str) -> Value:
    """Return a value for a query: a field of the request, if it was sent."""

    def value(item: Item, _markers: list[str]) -> str | None:
        sent = item.get(name)
        return None if sent is None else str(sent)

    return value


def _is_domain(item: Item, _markers: list[str]) -> str | None:
    """Return the filter for projects that act as domains, which the list otherwise leaves out."""
    return "true" if item.get("is_domain") is True else None


def _marked(collection: str, member: str, query: dict[str, Value], then: str | None = None) -> Recipe:
    return Recipe(
        path=f"/{collection}",
        body=member,
        carrier=Attribute("os_retries"),  # keystone replaces hyphens by underscores
        look=Look(path="{base}/" + collection, list=collection.rpartition("/")[2], query=query, then=then),
    )


def _limits(collection: str, member: str, *key: str) -> Recipe:
    """Return the recipe of limits, which are requested as a list and have unique keys."""
    return Recipe(
        path=f"/{collection}",
        body=member,
        bulk=collection,
        match=fingerprint("service_id", "resource_name", *key),
        look=Look(path="{base}/" + collection, list=collection, baseline="id"),
    )


def _ec2(_sent: list[Item], found: list[Item]) -> Item:
    return {"credential": found[0]}


def _secret() -> str:
    """Return a new secret in the form of keystone's own secrets."""
    return base64.urlsafe_b64encode(os.urandom(64)).rstrip(b"=").decode()


def _has_name(found: Item, sent: Item) -> bool | None:
    """Return None if the name is equal, because the name does not tell which request made the credential."""
    return None if equal(found.get("name"), sent.get("name")) else False


def _with_secret(found: Item, sent: Item) -> Item:
    """Return the body of a token request with the credential that was found and the secret that was sent."""
    used = {"id": found["id"], "secret": sent["secret"]}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": used}}}


def _application_credential(sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of the create's response, which include the secret."""
    return found[0] | {"secret": sent[0]["secret"]}


_NAMED: dict[str, Value] = {"name": _of("name"), "domain_id": _of("domain_id")}

RECIPES = (
    _marked("users", "user", _NAMED),
    _marked("groups", "group", _NAMED),
    _marked("projects", "project", _NAMED | {"is_domain": _is_domain}),
    _marked("roles", "role", _NAMED),
    _marked("domains", "domain", {"name": _of("name")}),
    # keystone accepts duplicates of these.
    _marked("services", "service", {"type": _of("type")}),
    _marked("endpoints", "endpoint", {"service_id": _of("service_id"), "interface": _of("interface")}),
    _marked("policies", "policy", {"type": _of("type")}),
    _marked("credentials", "credential", {"user_id": _of("user_id"), "type": _of("type")}),
    # keystone has no filter here, but there are few regions.
    _marked("regions", "region", {}),
    _marked(
        "OS-TRUST/trusts",
        "trust",
        {"trustor_user_id": _of("trustor_user_id")},
        then="{base}/OS-TRUST/trusts/{id}",  # the list has no roles
    ),
    _limits("registered_limits", "registered_limit", "region_id"),
    _limits("limits", "limit", "region_id", "project_id", "domain_id"),
    Recipe(
        path=r"/users/[^/]+/credentials/OS-EC2",
        body=None,
        single_writer=True,
        match=fingerprint("tenant_id"),
        look=Look(path="{path}", list="credentials", baseline="access"),
        view=_ec2,
    ),
    Recipe(
        path=r"/users/[^/]+/credentials/OS-EC2",
        body=None,
        refused="two of them cannot be told apart, and the request has no room for a marker",
    ),
    Recipe(
        path=r"/users/[^/]+/application_credentials",
        body="application_credential",
        # The schema accepts no unknown attribute.  The secret proves which request made the credential.
        chosen={"secret": _secret},
        match=_has_name,
        look=Look(
            path="{path}",
            list="application_credentials",
            query={"name": _of("name")},
            proof=Proof(path="{base}/auth/tokens", body=_with_secret),
        ),
        view=_application_credential,
    ),
)
