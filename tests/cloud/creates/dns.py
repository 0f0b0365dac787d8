"""designate."""

from __future__ import annotations

import uuid
from typing import Any

from .kinds import RUN, Clients, Kind, removal

V2 = "/v2"


def a_zone(clients: Clients) -> Any:
    return clients.designate.zones.create(f"{RUN}-{uuid.uuid4().hex[:6]}.example.", email="admin@sandbox.example")


def all_of(clients: Clients, path: str, member: str) -> list[dict[str, Any]]:
    return clients.get("dns", f"{V2}{path}{'&' if '?' in path else '?'}limit=1000")[member]


def begins_with(name: str, items: list[dict[str, Any]], by: str = "name") -> list[dict[str, Any]]:
    """Keep what is there and is not being deleted."""
    return [each for each in items if str(each[by]).startswith(name) and each.get("action") != "DELETE"]


def zones(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    return begins_with(name, all_of(clients, "/zones", "zones"))


def recordsets(clients: Clients, zone: Any, name: str) -> list[dict[str, Any]]:
    return begins_with(name, all_of(clients, f"/zones/{zone['id']}/recordsets", "recordsets"))


def remove_recordset(clients: Clients, zone: Any, made: str) -> None:
    clients.delete("dns", f"{V2}/zones/{zone['id']}/recordsets/{made}")


def of_zone(clients: Clients, zone: Any, _name: str) -> list[dict[str, Any]]:
    return [
        each
        for each in all_of(clients, "/zones/tasks/transfer_requests", "transfer_requests")
        if each["zone_id"] == zone["id"]
    ]


BY_ID: dict[str, Any] = {"service": "dns", "ids": lambda made: [made["id"]]}

KINDS = {
    "designate-zone": Kind(
        **BY_ID,
        path="/zones",
        create=lambda clients, _setting, name: clients.designate.zones.create(
            f"{name}.example.", email="admin@sandbox.example", description="ours"
        ),
        listed=zones,
        delete=removal("dns", f"{V2}/zones"),
        shown=lambda made, name: (made["name"], made["description"], made["ttl"]) == (f"{name}.example.", "ours", 3600),
    ),
    "designate-recordset": Kind(
        **BY_ID,
        path="/recordsets",
        setting=a_zone,
        create=lambda clients, zone, name: clients.designate.recordsets.create(
            zone["id"], f"{name}.{zone['name']}", "A", ["10.0.0.2", "10.0.0.1"]
        ),
        listed=recordsets,
        delete=remove_recordset,
        shown=lambda made, name: made["name"].startswith(name) and len(made["records"]) == 2,
    ),
    "designate-transfer-request": Kind(
        **BY_ID,
        path="/tasks/transfer_requests",
        setting=a_zone,
        create=lambda clients, zone, _name: clients.designate.zone_transfers.create_request(zone["id"], None, "ours"),
        listed=of_zone,
        delete=removal("dns", f"{V2}/zones/tasks/transfer_requests"),
        shown=lambda made, _name: len(made["key"]) == 8 and made["description"] == "ours",
    ),
    "designate-tld": Kind(
        **BY_ID,
        path="/tlds",
        create=lambda clients, _setting, name: clients.designate.tlds.create(name, description="ours"),
        listed=lambda clients, _setting, name: begins_with(name, all_of(clients, "/tlds", "tlds")),
        delete=removal("dns", f"{V2}/tlds"),
        shown=lambda made, name: made["name"] == name,
        account="admin",
    ),
    "designate-blacklist": Kind(
        **BY_ID,
        path="/blacklists",
        create=lambda clients, _setting, name: clients.designate.blacklists.create(f"{name}.*", description="ours"),
        listed=lambda clients, _setting, name: begins_with(
            name, all_of(clients, "/blacklists", "blacklists"), by="pattern"
        ),
        delete=removal("dns", f"{V2}/blacklists"),
        shown=lambda made, name: made["pattern"].startswith(name),
        account="admin",
    ),
    "designate-tsigkey": Kind(
        **BY_ID,
        path="/tsigkeys",
        create=lambda clients, _setting, name: clients.designate.tsigkeys.create(
            name, "hmac-sha256", "c2VjcmV0", "POOL", "794ccc2c-d751-44fe-b57f-8894c9f5c842"
        ),
        listed=lambda clients, _setting, name: begins_with(name, all_of(clients, "/tsigkeys", "tsigkeys")),
        delete=removal("dns", f"{V2}/tsigkeys"),
        shown=lambda made, name: (made["name"], made["secret"]) == (name, "c2VjcmV0"),
        account="admin",
    ),
    "sdk-zone": Kind(
        service="dns",
        path="/zones",
        create=lambda clients, _setting, name: clients.sdk.dns.create_zone(
            name=f"{name}.example.", email="admin@sandbox.example"
        ),
        listed=zones,
        delete=removal("dns", f"{V2}/zones"),
        shown=lambda made, name: made.name == f"{name}.example.",
    ),
    "sdk-zone-share": Kind(
        service="dns",
        path="/shares",
        setting=a_zone,
        create=lambda clients, zone, name: clients.sdk.dns.create_zone_share(zone["id"], target_project_id=name),
        listed=lambda clients, zone, name: begins_with(
            name, all_of(clients, f"/zones/{zone['id']}/shares", "shared_zones"), by="target_project_id"
        ),
        delete=lambda clients, zone, made: clients.delete("dns", f"{V2}/zones/{zone['id']}/shares/{made}"),
        shown=lambda made, name: made.target_project_id == name,
    ),
}
