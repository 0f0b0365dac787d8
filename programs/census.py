"""Ask the cloud, without faults and without os-retries, for all that there is."""

import collections
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from keystoneauth1.exceptions import HttpError
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

MARKER = "os-retries-"
# What a person reads in a listing or a page about a thing.
READ = ("name", "display_name", "description", "display_description", "stack_name", "stack_owner", "email")

# Service type, what is asked (admin sees all projects there), the key of the listing, its microversion.
LISTINGS = (
    ("identity", "/domains", "domains", None),
    ("identity", "/projects", "projects", None),
    ("identity", "/users", "users", None),
    ("identity", "/groups", "groups", None),
    ("identity", "/roles", "roles", None),
    ("identity", "/role_assignments", "role_assignments", None),
    ("identity", "/services", "services", None),
    ("identity", "/endpoints", "endpoints", None),
    ("identity", "/regions", "regions", None),
    ("identity", "/credentials", "credentials", None),
    ("identity", "/policies", "policies", None),
    ("identity", "/OS-TRUST/trusts", "trusts", None),
    ("identity", "/registered_limits", "registered_limits", None),
    ("identity", "/limits", "limits", None),
    ("compute", "/servers/detail?all_tenants=1", "servers", "compute 2.79"),
    ("compute", "/flavors/detail?is_public=None", "flavors", None),
    ("compute", "/os-aggregates", "aggregates", None),
    ("compute", "/os-server-groups?all_projects=1", "server_groups", None),
    ("network", "/v2.0/networks", "networks", None),
    ("network", "/v2.0/subnets", "subnets", None),
    ("network", "/v2.0/subnetpools", "subnetpools", None),
    ("network", "/v2.0/ports", "ports", None),
    ("network", "/v2.0/routers", "routers", None),
    ("network", "/v2.0/floatingips", "floatingips", None),
    ("network", "/v2.0/security-groups", "security_groups", None),
    ("network", "/v2.0/security-group-rules", "security_group_rules", None),
    ("network", "/v2.0/address-scopes", "address_scopes", None),
    ("network", "/v2.0/address-groups", "address_groups", None),
    ("network", "/v2.0/rbac-policies", "rbac_policies", None),
    ("network", "/v2.0/qos/policies", "policies", None),
    ("network", "/v2.0/trunks", "trunks", None),
    ("network", "/v2.0/segments", "segments", None),
    ("network", "/v2.0/metering/metering-labels", "metering_labels", None),
    ("block-storage", "/volumes/detail?all_tenants=1", "volumes", None),
    ("block-storage", "/snapshots/detail?all_tenants=1", "snapshots", None),
    ("block-storage", "/backups/detail?all_tenants=1", "backups", None),
    ("block-storage", "/types?is_public=None", "volume_types", None),
    ("block-storage", "/qos-specs", "qos_specs", None),
    ("block-storage", "/group_types", "group_types", "volume 3.13"),
    ("block-storage", "/groups/detail?all_tenants=1", "groups", "volume 3.13"),
    ("block-storage", "/os-volume-transfer/detail?all_tenants=1", "transfers", None),
    ("block-storage", "/attachments?all_tenants=1", "attachments", "volume 3.27"),
    ("image", "/v2/images?limit=1000", "images", None),
    ("image", "/v2/metadefs/namespaces?limit=1000", "namespaces", None),
    ("placement", "/resource_providers", "resource_providers", "placement 1.39"),
    ("placement", "/resource_classes", "resource_classes", "placement 1.39"),
)
# What belongs to whoever asks.
OWN = (
    ("compute", "/os-keypairs", "keypairs", None),
    ("orchestration", "/stacks", "stacks", None),
)


@dataclass(frozen=True)
class Thing:
    """Something that the cloud has."""

    kind: str
    id: str
    name: str
    shown: str
    """What the service says about it."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name or '(no name)'} ({self.id})"


class Census:
    """Asks as the administrator, and as the ordinary user for what only he sees.

    :param accounts: arguments of keystoneauth's ``v3.Password``, by account
    """

    def __init__(self, accounts: dict[str, dict[str, str]]) -> None:
        self._sessions = {name: Session(v3.Password(**auth)) for name, auth in accounts.items()}
        for session in self._sessions.values():
            session.session.trust_env = False  # never through the proxy

    def take(self) -> dict[tuple[str, str], Thing]:
        """Everything, by kind and id."""
        things = [thing for listing in LISTINGS for thing in self._list("admin", *listing)]
        for account in self._sessions:
            things += [thing for listing in OWN for thing in self._list(account, *listing)]
            things += self._credentials(account)
            things += self._objects(account)
        things += self._traits()
        return {(thing.kind, thing.id): thing for thing in things}

    def _get(self, account: str, service: str, path: str, microversion: str | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if microversion:
            headers["OpenStack-API-Version"] = microversion
        where = {"service_type": service, "interface": "public"}
        if service in ("identity", "object-store"):
            where = {"service_type": service}
        session = self._sessions[account]
        if service == "identity":
            return session.get(f"{session.auth.auth_url}{path}", headers=headers).json()
        return session.get(path, endpoint_filter=where, headers=headers).json()

    def _list(self, account: str, service: str, path: str, key: str, microversion: str | None) -> Iterator[Thing]:
        kind = key if service != "network" or key != "policies" else "qos_policies"
        for entry in self._get(account, service, path, microversion)[key]:
            item = entry.get("keypair", entry)
            name = next((item[field] for field in READ if item.get(field)), "")
            id_ = item.get("id") or item.get("uuid") or item.get("namespace") or item.get("name")
            yield Thing(kind, str(id_ or json.dumps(item, sort_keys=True)), str(name), json.dumps(item, sort_keys=True))

    def _credentials(self, account: str) -> Iterator[Thing]:
        user = self._sessions[account].get_user_id()
        path = f"/users/{user}/application_credentials"
        yield from self._list(account, "identity", path, "application_credentials", None)

    def _objects(self, account: str) -> Iterator[Thing]:
        try:
            containers = self._get(account, "object-store", "?format=json")
        except HttpError:  # the administrator has no account there
            return
        for container in containers:
            name = container["name"]
            try:
                objects = self._get(account, "object-store", f"/{name}?format=json")
            except HttpError:  # the account's listing lags behind
                continue
            yield Thing("containers", f"{account}/{name}", name, "")
            for each in objects:
                yield Thing("objects", f"{account}/{name}/{each['name']}", each["name"], "")

    def _traits(self) -> Iterator[Thing]:
        for trait in self._get("admin", "placement", "/traits?name=startswith:CUSTOM_", "placement 1.39")["traits"]:
            yield Thing("traits", trait, trait, "")
        for provider in self._get("admin", "placement", "/resource_providers", "placement 1.39")["resource_providers"]:
            path = f"/resource_providers/{provider['uuid']}/allocations"
            for consumer in self._get("admin", "placement", path, "placement 1.39")["allocations"]:
                yield Thing("allocations", f"{provider['uuid']} {consumer}", "", "")


Things = dict[tuple[str, str], Thing]


def appeared(before: Things, after: Things) -> list[Thing]:
    """What is there and was not there before."""
    return [thing for key, thing in after.items() if key not in before]


def twice(things: list[Thing], run: str) -> list[str]:
    """Which names of the run there are more than once, of one kind."""
    names = collections.Counter((thing.kind, thing.name) for thing in things if run in thing.name.lower())
    return [f"{kind} {name}: {number} of them" for (kind, name), number in names.items() if number > 1]


def marked(things: list[Thing]) -> list[str]:
    """Where a marker of os-retries stands where people read."""
    found = []
    for thing in things:
        shown = json.loads(thing.shown or "{}")
        fields = [name for name in READ if MARKER in str(shown.get(name) or "")]
        found += [f"{thing}: {name} is {shown[name]!r}" for name in fields]
    return found
