"""placement, through openstacksdk."""

from __future__ import annotations

from typing import Any

from .kinds import Clients, Kind, listing, removal


def class_name(name: str) -> str:
    return "CUSTOM_" + name.upper().replace("-", "_")


def classes(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    there = clients.get("placement", "/resource_classes", "1.20")["resource_classes"]
    return [each for each in there if each["name"] == class_name(name)]


def no_class(clients: Clients, _setting: Any, made: str) -> None:
    headers = {"OpenStack-API-Version": "placement 1.20"}
    clients.session.delete(f"/resource_classes/{made}", endpoint_filter={"service_type": "placement"}, headers=headers)


def older_provider(clients: Clients, _setting: Any, name: str) -> str:
    """Create it as below 1.20, where the answer is its URL."""
    answer = clients.session.post(
        "/resource_providers",
        json={"name": name},
        endpoint_filter={"service_type": "placement"},
        headers={"OpenStack-API-Version": "placement 1.14"},
    )
    assert (answer.status_code, answer.content) == (201, b"")
    return str(answer.headers["Location"]).rpartition("/")[2]


PROVIDERS = {
    "service": "placement",
    "path": "/resource_providers",
    "account": "admin",
    "listed": listing("placement", "/resource_providers", "resource_providers"),
    "delete": removal("placement", "/resource_providers"),
    "id_of": lambda item: item["uuid"],
}

KINDS = {
    "sdk-resource-class": Kind(
        service="placement",
        path="/resource_classes",
        account="admin",
        create=lambda clients, _setting, name: clients.sdk.placement.create_resource_class(name=class_name(name)),
        ids=lambda made: [made.name],
        id_of=lambda item: item["name"],
        listed=classes,
        delete=no_class,
        shown=lambda made, name: made.name == class_name(name),
    ),
    "sdk-resource-provider": Kind(
        **PROVIDERS,
        create=lambda clients, _setting, name: clients.sdk.placement.create_resource_provider(name=name),
        shown=lambda made, name: made.name == name and made.generation == 0,
    ),
    "sdk-resource-provider-older": Kind(
        **PROVIDERS,
        create=older_provider,
        ids=lambda made: [made],
        shown=lambda _made, _name: True,
    ),
}
