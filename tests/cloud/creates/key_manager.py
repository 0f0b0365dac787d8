"""barbican."""

from __future__ import annotations

from typing import Any

from .kinds import Clients, Kind, listing


def reference(kind: str) -> dict[str, Any]:
    """Return how the address of what was made is read, and how it is deleted."""
    name = f"{kind}_ref"
    return {
        "service": "key-manager",
        "ids": lambda made: [getattr(made, name)],
        "id_of": lambda item: item[name],
        "delete": lambda clients, _setting, made: clients.delete("key-manager", made),
    }


SECRET: dict[str, Any] = reference("secret") | {"path": "/secrets/?"}
ORDER: dict[str, Any] = reference("order") | {"path": "/orders/?"}
CONTAINER: dict[str, Any] = reference("container") | {"path": "/containers/?"}


def store(clients: Clients, **fields: Any) -> Any:
    secret = clients.barbican.secrets.create(**fields)
    secret.store()
    return secret


def order(clients: Clients, **fields: Any) -> Any:
    key = clients.barbican.orders.create_key(algorithm="aes", bit_length=256, **fields)
    key.submit()
    return key


def hold(clients: Clients, secret: Any, **fields: Any) -> Any:
    container = clients.barbican.containers.create(secrets={"key": secret} if secret else None, **fields)
    container.store()
    return container


def a_secret(clients: Clients) -> Any:
    return store(clients, payload="for a container")


def orders(clients: Clients, name: str, by: str) -> list[dict[str, Any]]:
    found = clients.get("key-manager", "/v1/orders?limit=100")["orders"]
    return [each for each in found if each["meta"].get(by) == name]


# The newest first: what an order has made stays.
SECRETS = "/v1/secrets?sort=created:desc&limit=100"

KINDS = {
    "barbican-secret": Kind(
        **SECRET,
        create=lambda clients, _setting, name: store(clients, algorithm=name, payload=b"\x00\xff"),
        # It has no name of the caller's: it is told by another field.
        listed=listing("key-manager", SECRETS, "secrets", by="algorithm"),
        shown=lambda made, _name: made.payload == b"\x00\xff",
        baseline=True,
    ),
    "barbican-secret-named": Kind(
        **SECRET,
        create=lambda clients, _setting, name: store(clients, name=name, payload=f"of {name}"),
        listed=listing("key-manager", SECRETS, "secrets"),
        baseline=True,
    ),
    "barbican-secret-of-bytes": Kind(
        **SECRET,
        create=lambda clients, _setting, name: store(
            clients, name=name, payload=b"\x00\xff", bit_length=16, expiration="2100-01-01T00:00:00+02:00"
        ),
        listed=listing("key-manager", SECRETS, "secrets"),
        baseline=True,
    ),
    "sdk-secret": Kind(
        **SECRET,
        create=lambda clients, _setting, name: clients.sdk.key_manager.create_secret(
            name=name, payload="by openstacksdk", payload_content_type="text/plain"
        ),
        listed=listing("key-manager", SECRETS, "secrets"),
        baseline=True,
    ),
    "barbican-secret-without-payload": Kind(
        **SECRET,
        create=lambda clients, _setting, name: store(clients, name=name, algorithm="aes", bit_length=256),
        listed=listing("key-manager", SECRETS, "secrets"),
        single_writer=True,
    ),
    "barbican-order": Kind(
        **ORDER,
        create=lambda clients, _setting, name: order(clients, mode=name),
        listed=lambda clients, _setting, name: orders(clients, name, by="mode"),
        shown=lambda made, name: made.mode == name,
    ),
    "barbican-order-named": Kind(
        **ORDER,
        create=lambda clients, _setting, name: order(clients, name=name, mode="cbc"),
        listed=lambda clients, _setting, name: orders(clients, name, by="name"),
        single_writer=True,
    ),
    "barbican-container-named": Kind(
        **CONTAINER,
        setting=a_secret,
        create=lambda clients, secret, name: hold(clients, secret, name=name),
        listed=listing("key-manager", "/v1/containers?limit=100", "containers"),
        baseline=True,
    ),
}
