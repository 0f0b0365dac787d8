"""Creates on the real services: what is created through which client, and how the service itself counts it.

To add one, add a row to KINDS.  The test matrix of test_creates_on_cloud.py follows from it.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cinderclient.client
import neutronclient.v2_0.client
import novaclient.client
import openstack

RUN = "rt" + uuid.uuid4().hex[:8]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBQ8h1ZbnmO1ZlNgXUuNgsO0qTnJ0GtqX5eDJ7hbV2Zg nobody"


class Clients:
    """Clients made when they are asked for, all on one session; and the session itself, as ``get`` and ``delete``."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self._made: dict[Any, Any] = {}

    def _make(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def nova(self, microversion: str) -> Any:
        return self._make(("nova", microversion), lambda: novaclient.client.Client(microversion, session=self.session))

    @property
    def cinder(self) -> Any:
        return self._make("cinder", lambda: cinderclient.client.Client("3.43", session=self.session))

    @property
    def neutron(self) -> Any:
        return self._make("neutron", lambda: neutronclient.v2_0.client.Client(session=self.session))

    @property
    def sdk(self) -> Any:
        return self._make("sdk", lambda: openstack.connection.Connection(session=self.session))

    # the service itself

    def get(self, service: str, path: str, microversion: str | None = None) -> Any:
        headers = {"OpenStack-API-Version": f"{service} {microversion}"} if microversion else {}
        answer = self.session.get(path, endpoint_filter={"service_type": service}, headers=headers)
        return answer.json()

    def delete(self, service: str, path: str) -> None:
        for _ in range(100):
            answer = self.session.delete(path, endpoint_filter={"service_type": service}, raise_exc=False)
            if answer.status_code in (400, 409):  # on its way to a state in which it can be deleted
                time.sleep(0.2)
                continue
            assert answer.status_code in (200, 202, 204, 404), answer.text
            return
        raise AssertionError(f"{path} cannot be deleted")

    @functools.cached_property
    def flavor(self) -> str:
        flavors = self.get("compute", "/flavors")["flavors"]
        return next(each["id"] for each in flavors if each["name"] == "tiny")

    @functools.cached_property
    def image(self) -> str:
        images = self.get("image", "/v2/images")["images"]
        return next(each["id"] for each in images if each["name"] == "cirros")

    @functools.cached_property
    def network(self) -> str:
        networks = self.get("network", "/v2.0/networks?name=private")["networks"]
        return networks[0]["id"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of create through one client.

    ``create(clients, setting, name)`` makes it and returns what the client returns; ``ids`` reads the ids off that;
    ``listed(clients, setting, name)`` returns what the service holds of that name, as the service lists it;
    ``delete(clients, setting, id)`` removes one.  ``setting(clients)`` makes, once, what it needs (a volume, a router).
    ``shown`` says what of the client's answer must be there, as the client gives it: a looked-up answer is complete.
    """

    service: str
    #: The end of the create's path: what the faults hit.
    path: str
    create: Callable[[Clients, Any, str], Any]
    ids: Callable[[Any], list[str]] = lambda made: [made.id]
    listed: Callable[[Clients, Any, str], list[dict[str, Any]]]
    delete: Callable[[Clients, Any, str], None]
    setting: Callable[[Clients], Any] = lambda _clients: None
    shown: Callable[[Any, str], bool] = lambda made, name: made.name == name
    id_of: Callable[[dict[str, Any]], str] = lambda item: item["id"]
    number: int = 1
    #: ``admin`` where only the operator may.
    account: str = "demo"
    verb: str = "POST"
    #: False where the row says that it is never sent again.
    resend: bool = True


def listing(
    service: str, path: str, member: str, by: str = "name"
) -> Callable[[Clients, Any, str], list[dict[str, Any]]]:
    """List everything there is, and keep what begins with the name."""
    return lambda clients, _setting, name: [
        each for each in clients.get(service, path)[member] if str(each[by]).startswith(name)
    ]


def removal(service: str, path: str) -> Callable[[Clients, Any, str], None]:
    return lambda clients, _setting, made: clients.delete(service, f"{path}/{made}")


SERVERS = listing("compute", "/servers/detail", "servers")
NO_SERVER = removal("compute", "/servers")


def boot(microversion: str, **more: Any) -> Callable[[Clients, Any, str], Any]:
    nics = {"nics": "none"} if microversion != "2.1" else {}
    return lambda clients, _setting, name: clients.nova(microversion).servers.create(
        name, clients.image, clients.flavor, **nics, **more
    )


def neutron_port(clients: Clients, _setting: Any, name: str) -> Any:
    return clients.neutron.create_port({"port": {"name": name, "network_id": clients.network}})["port"]


def neutron_ports(clients: Clients, _setting: Any, name: str) -> Any:
    port = {"network_id": clients.network}
    return clients.neutron.create_port({"ports": [port | {"name": f"{name}-{n}"} for n in (3, 1, 2)]})["ports"]


PORTS = listing("network", "/v2.0/ports", "ports")
NO_PORT = removal("network", "/v2.0/ports")
NO_GROUP = removal("network", "/v2.0/security-groups")
GROUPS = listing("network", "/v2.0/security-groups", "security_groups")


def plain(made: Any, name: str) -> bool:
    return made["name"] == name and made["description"] == ""


KINDS = {
    "nova-server-tag": Kind(
        service="compute",
        path="/servers",
        create=boot("2.60"),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.adminPass) and bool(made.links),
    ),
    "nova-server-metadata": Kind(
        service="compute",
        path="/servers",
        create=boot("2.1"),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.adminPass) and bool(made.links),
    ),
    "nova-servers-two": Kind(
        service="compute",
        path="/servers",
        create=boot("2.60", min_count=2, max_count=2),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.links),
        number=2,
    ),
    "sdk-server": Kind(
        service="compute",
        path="/servers",
        create=lambda clients, _setting, name: clients.sdk.compute.create_server(
            name=name, image_id=clients.image, flavor_id=clients.flavor, networks="none"
        ),
        listed=SERVERS,
        delete=NO_SERVER,
        shown=lambda made, _name: bool(made.admin_password),
    ),
    "nova-keypair": Kind(
        service="compute",
        path="/os-keypairs",
        create=lambda clients, _setting, name: clients.nova("2.60").keypairs.create(name, public_key=KEY),
        listed=lambda clients, _setting, name: [
            each["keypair"]
            for each in clients.get("compute", "/os-keypairs")["keypairs"]
            if each["keypair"]["name"] == name
        ],
        id_of=lambda item: item["name"],
        ids=lambda made: [made.name],
        delete=removal("compute", "/os-keypairs"),
        shown=lambda made, name: made.name == name and made.public_key == KEY and bool(made.fingerprint),
    ),
    "nova-flavor": Kind(
        service="compute",
        path="/flavors",
        create=lambda clients, _setting, name: clients.nova("2.60").flavors.create(name, 64, 1, 1),
        listed=listing("compute", "/flavors/detail", "flavors"),
        delete=removal("compute", "/flavors"),
        account="admin",
    ),
    "cinder-volume": Kind(
        service="block-storage",
        path="/volumes",
        create=lambda clients, _setting, name: clients.cinder.volumes.create(1, name=name, metadata={"mine": "1"}),
        listed=listing("block-storage", "/volumes/detail", "volumes"),
        delete=removal("block-storage", "/volumes"),
        shown=lambda made, name: made.name == name and made.size == 1 and made.metadata["mine"] == "1",
    ),
    "neutron-port": Kind(
        service="network",
        path="/ports",
        create=neutron_port,
        ids=lambda made: [made["id"]],
        listed=PORTS,
        delete=NO_PORT,
        shown=plain,
    ),
    "neutron-ports-bulk": Kind(
        service="network",
        path="/ports",
        create=neutron_ports,
        ids=lambda made: [each["id"] for each in made],
        listed=PORTS,
        delete=NO_PORT,
        shown=lambda made, name: [each["name"] for each in made] == [f"{name}-{n}" for n in (3, 1, 2)],
        number=3,
    ),
    "neutron-security-group": Kind(
        service="network",
        path="/security-groups",
        create=lambda clients, _setting, name: clients.neutron.create_security_group(
            {"security_group": {"name": name}}
        )["security_group"],
        ids=lambda made: [made["id"]],
        listed=GROUPS,
        delete=NO_GROUP,
        shown=plain,
    ),
}
