"""The class of a kind of create, and the clients that create: helpers for the other files of this folder."""

from __future__ import annotations

import functools
import importlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import barbicanclient.client
import cinderclient.client
import designateclient.v2.client
import glanceclient
import heatclient.client
import ironicclient.client
import keystoneclient.v3.client
import manilaclient.client
import mistralclient.api.client
import neutronclient.v2_0.client
import novaclient.client
import openstack

RUN = "rt" + uuid.uuid4().hex[:8]


class Clients:
    """Clients made when they are asked for, all on one session; and the session itself, as ``get`` and ``delete``."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self._made: dict[Any, Any] = {}
        #: The clients that were asked for.
        self.asked: set[str] = set()

    def _make(self, key: Any, make: Callable[[], Any]) -> Any:
        self.asked.add(key if isinstance(key, str) else key[0])
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

    @property
    def glance(self) -> Any:
        return self._make("glance", lambda: glanceclient.Client("2", session=self.session))

    @property
    def heat(self) -> Any:
        return self._make("heat", lambda: heatclient.client.Client("1", session=self.session))

    @property
    def keystone(self) -> Any:
        return self._make("keystone", lambda: keystoneclient.v3.client.Client(session=self.session))

    @property
    def barbican(self) -> Any:
        return self._make("barbican", lambda: barbicanclient.client.Client(session=self.session))

    @property
    def designate(self) -> Any:
        return self._make("designate", lambda: designateclient.v2.client.Client(session=self.session))

    @property
    def ironic(self) -> Any:
        return self._make(
            "ironic",
            lambda: ironicclient.client.get_client(1, session=self.session, os_ironic_api_version="1.90"),
        )

    def manila(self, microversion: str) -> Any:
        return self._make(
            ("manila", microversion), lambda: manilaclient.client.Client(microversion, session=self.session)
        )

    @property
    def mistral(self) -> Any:
        def make() -> Any:
            url = self.session.get_endpoint(service_type="workflow")
            return mistralclient.api.client.client(session=self.session, mistral_url=url)

        return self._make("mistral", make)

    @property
    def octavia(self) -> Any:
        def make() -> Any:
            endpoint = self.session.get_endpoint(service_type="load-balancer")
            module = importlib.import_module("octaviaclient.api.v2.octavia")  # osc_lib warns of itself
            return module.OctaviaAPI(session=self.session, service_type="load-balancer", endpoint=endpoint)

        return self._make("octavia", make)

    # the service itself

    def get(self, service: str, path: str, microversion: str | None = None) -> Any:
        headers = {"OpenStack-API-Version": f"{service} {microversion}"} if microversion else {}
        answer = self.session.get(path, endpoint_filter={"service_type": service}, headers=headers)
        return answer.json()

    def delete(self, service: str, path: str) -> None:
        for _ in range(400):
            answer = self.session.delete(path, endpoint_filter={"service_type": service}, raise_exc=False)
            if answer.status_code in (400, 409):  # on its way to a state in which it can be deleted
                time.sleep(0.05)
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

    @functools.cached_property
    def server(self) -> str:
        """Boot a server, for what is done to servers."""
        body = {"name": f"{RUN}-host", "imageRef": self.image, "flavorRef": self.flavor, "networks": "none"}
        headers = {"OpenStack-API-Version": "compute 2.60"}
        filters = {"service_type": "compute"}
        made = self.session.post("/servers", json={"server": body}, endpoint_filter=filters, headers=headers).json()
        self.until(lambda: self.state(made["server"]["id"]) == ("active", None))
        return made["server"]["id"]

    def state(self, server: str) -> tuple[str, str | None]:
        """Return a server's state, and what is being done to it."""
        shown = self.get("compute", f"/servers/{server}")["server"]
        return shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:task_state"]

    def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(600):
            if is_so():
                return
            time.sleep(0.05)
        raise AssertionError("not in half a minute")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of create through one client.

    ``create(clients, setting, name)`` makes it and returns what the client returns; ``ids`` reads the ids off that;
    ``listed(clients, setting, name)`` returns what the service holds of that name, as the service lists it;
    ``delete(clients, setting, id)`` removes one.  ``setting(clients)`` makes, once, what it needs (a volume, a router).
    ``shown`` says what of the client's answer must be there, as the client gives it: a looked-up answer is complete.
    """

    service: str
    #: The service that is asked, where it is another one.
    asked: str | None = None
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
    #: What the client asks for before its first create: no fault is to hit that.
    prepare: Callable[[Clients], Any] = lambda _clients: None
    #: Whether the service answers first and acts later, so that waits must be real.
    later: bool = False
    #: Whether it is looked up only where the caller says that nobody else makes the like.
    single_writer: bool = False
    #: Whether one GET asks what there is before it is sent.
    baseline: bool = False

    @property
    def asks_before(self) -> bool:
        return self.baseline or self.single_writer


def listing(
    service: str, path: str, member: str, by: str = "name"
) -> Callable[[Clients, Any, str], list[dict[str, Any]]]:
    """List everything there is, and keep what begins with the name."""
    return lambda clients, _setting, name: [
        each for each in clients.get(service, path)[member] if str(each[by]).startswith(name)
    ]


def removal(service: str, path: str) -> Callable[[Clients, Any, str], None]:
    return lambda clients, _setting, made: clients.delete(service, f"{path}/{made}")
