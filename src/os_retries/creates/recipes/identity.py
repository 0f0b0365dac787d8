"""keystone; the facts are in docs/design/creates.md#identity.

Names are unique here, so nothing is ever made twice; but a name says nothing of who has made it.  keystone keeps
attributes that it does not know, and one of ours tells a user of this call from one who was there before.  Where they
are not kept (LDAP), nothing is found, the create is sent again, and keystone's own 409 is the answer.
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
    """Ask for a field as it was sent, if it was."""

    def value(item: Item, _markers: list[str]) -> str | None:
        sent = item.get(name)
        return None if sent is None else str(sent)

    return value


def _is_domain(item: Item, _markers: list[str]) -> str | None:
    """Ask for projects that act as domains: they are left out of the list otherwise."""
    return "true" if item.get("is_domain") is True else None


def _marked(collection: str, member: str, query: dict[str, Value], then: str | None = None) -> Recipe:
    return Recipe(
        path=f"/{collection}",
        body=member,
        carrier=Attribute("os_retries"),  # keystone makes an underscore of every hyphen
        look=Look(path="{base}/" + collection, list=collection.rpartition("/")[2], query=query, then=then),
    )


def _ec2(_sent: list[Item], found: list[Item]) -> Item:
    return {"credential": found[0]}


def _secret() -> str:
    """Make a secret as keystone makes one."""
    return base64.urlsafe_b64encode(os.urandom(64)).rstrip(b"=").decode()


def _has_name(found: Item, sent: Item) -> bool | None:
    """Whether it may be ours: a name says nothing of who has made it."""
    return None if equal(found.get("name"), sent.get("name")) else False


def _with_secret(found: Item, sent: Item) -> Item:
    """Ask for a token with what was found and the secret that was sent."""
    used = {"id": found["id"], "secret": sent["secret"]}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": used}}}


def _application_credential(sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: with the secret."""
    return found[0] | {"secret": sent[0]["secret"]}


_NAMED: dict[str, Value] = {"name": _of("name"), "domain_id": _of("domain_id")}

RECIPES = (
    _marked("users", "user", _NAMED),
    _marked("groups", "group", _NAMED),
    _marked("projects", "project", _NAMED | {"is_domain": _is_domain}),
    _marked("roles", "role", _NAMED),
    _marked("domains", "domain", {"name": _of("name")}),
    # These may be there twice.
    _marked("services", "service", {"type": _of("type")}),
    _marked("endpoints", "endpoint", {"service_id": _of("service_id"), "interface": _of("interface")}),
    _marked("policies", "policy", {"type": _of("type")}),
    _marked("credentials", "credential", {"user_id": _of("user_id"), "type": _of("type")}),
    # There is no filter; there are few of them.
    _marked("regions", "region", {}),
    _marked(
        "OS-TRUST/trusts",
        "trust",
        {"trustor_user_id": _of("trustor_user_id")},
        then="{base}/OS-TRUST/trusts/{id}",  # the list has no roles
    ),
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
        refused="one is like the other, and the request has no room for a mark",
    ),
    Recipe(
        path=r"/users/[^/]+/application_credentials",
        body="application_credential",
        # It is told only once, and the schema admits no attribute of ours: who can use the secret has made it.
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
