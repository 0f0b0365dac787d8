"""The users of bench/cloud_under_fire.py: what they ask the cloud for, and what the cloud has afterwards.

The users' session is a plain one, and no fault hits it.  An operation is what a user waits for: a server that is to
become ACTIVE, a volume that is to be attached.  An operation that needs what an earlier one has not made is not begun.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keystoneauth1.session import Session

VERSIONS = {"compute": "compute 2.100", "block-storage": "volume 3.59", "placement": "placement 1.38"}
# In the order in which a server's user asks for them, and a stack's.
SERVER_OPERATIONS = (
    "create server",
    "create volume",
    "attach volume",
    "attach interface",
    "resize",
    "snapshot",
    "detach interface",
    "detach volume",
)
STACK_OPERATIONS = ("create stack", "update stack")
DELETE_SERVER, DELETE_VOLUME, DELETE_STACK = "delete server", "delete volume", "delete stack"
OPERATIONS = (*SERVER_OPERATIONS, DELETE_SERVER, DELETE_VOLUME, *STACK_OPERATIONS, DELETE_STACK)


class Failed(Exception):  # noqa: N818
    """An operation has failed.  The text says how."""


@dataclass
class Outcome:
    """What became of the operations: how many succeeded, failed, and could not begin, by the name of the operation."""

    succeeded: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    not_begun: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


class User:
    """A user of the cloud, who waits for each operation.

    :param patience: seconds that an operation may take
    :param poll: seconds between two looks at a state
    """

    def __init__(self, session: Session, outcome: Outcome, patience: float, poll: float = 0.3) -> None:
        self.session = session
        self.outcome = outcome
        self.patience = patience
        self.poll = poll

    # -- requests

    def ask(self, service: str, verb: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """Send a request; return the JSON of its answer, or None if there is none.

        :param missing: whether a 404 is no error
        """
        headers = {"OpenStack-API-Version": VERSIONS[service]} if service in VERSIONS else {}
        answer = self.session.request(
            path,
            verb,
            json=body,
            headers=headers,
            endpoint_filter={"service_type": service},
            raise_exc=False,
        )
        if answer.status_code == 404 and missing:
            return None
        if answer.status_code >= 400:
            raise Failed(f"{verb} {path.partition('?')[0]} was answered {answer.status_code}: {answer.text[:150]}")
        return answer.json() if "json" in answer.headers.get("Content-Type", "") and answer.content else {}

    def until(self, look: Callable[[], Any], wanted: str, bad: str = "error") -> None:
        """Wait until the state that ``look`` returns is ``wanted``.  A look that fails is not counted, but made again.

        :raises Failed: if it is ``bad`` instead, or takes too long
        """
        deadline = time.monotonic() + self.patience
        state = None
        while time.monotonic() < deadline:
            try:
                state = str(look()).lower()
            except Failed:
                state = "unknown"
            if state == wanted:
                return
            if bad in state:
                raise Failed(f"it is {state} instead of {wanted}")
            time.sleep(self.poll)
        raise Failed(f"it is still {state} after {self.patience:g} s")

    def does(self, name: str, thing: str, body: Callable[[], Any]) -> Any:
        """Do an operation and count its outcome; return what ``body`` returns, and None if it fails."""
        try:
            result = body()
        except Exception as error:  # also of the connection
            self.outcome.failed[name] += 1
            self.outcome.errors.append(f"{name} {thing}: {' '.join(str(error).split())}")
            return None
        self.outcome.succeeded[name] += 1
        return result

    # -- what is looked at

    def server(self, server: str) -> Any:
        """Return a server."""
        return self.ask("compute", "GET", f"/servers/{server}")["server"]

    def _volume_state(self, volume: str) -> str:
        return str(self.ask("block-storage", "GET", f"/volumes/{volume}")["volume"]["status"])

    def _attached(self, server: str) -> set[str]:
        path = f"/servers/{server}/os-volume_attachments"
        return {each["volumeId"] for each in self.ask("compute", "GET", path)["volumeAttachments"]}

    # -- a server and its volume

    def uses_server(self, name: str, cloud: Cloud) -> None:
        """Create a server and a volume, and do to them what users do.  They stay."""
        server = self.does("create server", name, lambda: self.create_server(name, cloud))
        volume = self.does("create volume", name, lambda: self.create_volume(name))
        if server is None or volume is None:
            for each in SERVER_OPERATIONS[2:]:
                self.outcome.not_begun[each] += 1
            return
        attached = self.does("attach volume", name, lambda: self.attach(server, volume))
        port = self.does("attach interface", name, lambda: self.plug(server, cloud))
        self.does("resize", name, lambda: self._resize(server, cloud))
        self.does("snapshot", name, lambda: self._snapshot(server, name))
        if port is None:
            self.outcome.not_begun["detach interface"] += 1
        else:
            self.does("detach interface", name, lambda: self.unplug(server, port))
        if attached is None:
            self.outcome.not_begun["detach volume"] += 1
        else:
            self.does("detach volume", name, lambda: self.detach(server, volume))

    def create_server(self, name: str, cloud: Cloud) -> str:
        local = {"boot_index": 0, "uuid": cloud.image, "source_type": "image", "destination_type": "local"}
        blank = {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1}
        body = {
            "name": name,
            "imageRef": cloud.image,
            "flavorRef": cloud.flavors["tiny"],
            "networks": [{"uuid": cloud.network}],
            "block_device_mapping_v2": [local, blank | {"delete_on_termination": True}],
        }
        made = self.ask("compute", "POST", "/servers", {"server": body})["server"]["id"]
        self.until(lambda: self.server(made)["status"], "active")
        return str(made)

    def create_volume(self, name: str) -> str:
        made = self.ask("block-storage", "POST", "/volumes", {"volume": {"name": name, "size": 1}})["volume"]["id"]
        self.until(lambda: self._volume_state(made), "available")
        return str(made)

    def attach(self, server: str, volume: str) -> bool:
        path = f"/servers/{server}/os-volume_attachments"
        self.ask("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        # A volume that is available again has not been attached: nova has given up without a word.
        begun = time.monotonic()

        def state() -> str:
            its = self._volume_state(volume)
            late = its == "available" and time.monotonic() > begun + 10
            return "error: available again" if late else its

        self.until(state, "in-use")
        if volume not in self._attached(server):
            raise Failed("the server does not have the volume")
        return True

    def detach(self, server: str, volume: str) -> None:
        self.ask("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
        self.until(lambda: self._volume_state(volume), "available")

    def plug(self, server: str, cloud: Cloud) -> str:
        path = f"/servers/{server}/os-interface"
        made = self.ask("compute", "POST", path, {"interfaceAttachment": {"net_id": cloud.network}})
        return str(made["interfaceAttachment"]["port_id"])

    def unplug(self, server: str, port: str) -> None:
        self.ask("compute", "DELETE", f"/servers/{server}/os-interface/{port}")
        path = f"/v2.0/ports/{port}"
        self.until(lambda: "gone" if self.ask("network", "GET", path, missing=True) is None else "there", "gone")

    def _resize(self, server: str, cloud: Cloud) -> None:
        path = f"/servers/{server}/action"
        self.ask("compute", "POST", path, {"resize": {"flavorRef": cloud.flavors["small"]}})
        self.until(lambda: self.server(server)["status"], "verify_resize")
        self.ask("compute", "POST", path, {"confirmResize": None})
        self.until(lambda: self.server(server)["status"], "active")

    def _snapshot(self, server: str, name: str) -> None:
        made = self.ask("compute", "POST", f"/servers/{server}/action", {"createImage": {"name": name}})["image_id"]
        self.until(lambda: str(self.server(server)["OS-EXT-STS:task_state"]), "none")
        self.ask("image", "GET", f"/v2/images/{made}")

    # -- a stack

    def uses_stack(self, name: str) -> None:
        """Create a stack and update it.  It stays."""
        if self.does("create stack", name, lambda: self.create_stack(name)) is None:
            self.outcome.not_begun["update stack"] += 1
        else:
            self.does("update stack", name, lambda: self._update_stack(name))

    def stack_state(self, name: str) -> str:
        """Return the status of a stack; DELETE_COMPLETE if there is none."""
        shown = self.ask("orchestration", "GET", f"/stacks/{name}", missing=True)
        return "DELETE_COMPLETE" if shown is None else str(shown["stack"]["stack_status"])

    def create_stack(self, name: str) -> bool:
        self.ask("orchestration", "POST", "/stacks", {"stack_name": name, "template": template(1)})
        self.until(lambda: self.stack_state(name), "create_complete", "failed")
        return True

    def _update_stack(self, name: str) -> None:
        found = self.ask("orchestration", "GET", f"/stacks/{name}")["stack"]["id"]
        self.ask("orchestration", "PUT", f"/stacks/{name}/{found}", {"template": template(2)})
        self.until(lambda: self.stack_state(name), "update_complete", "failed")

    # -- the end

    def deletes(self) -> Iterator[Callable[[], None]]:
        """Yield a function for each thing that is there, which deletes it and waits until it is gone."""
        for stack in self.ask("orchestration", "GET", "/stacks")["stacks"]:
            yield lambda stack=stack: self.does(DELETE_STACK, stack["stack_name"], lambda: self.no_stack(stack))
        for server in self.ask("compute", "GET", "/servers")["servers"]:
            if not server["name"].startswith("stack"):
                yield lambda server=server: self._no_server_and_volume(server)

    def no_stack(self, stack: dict[str, Any]) -> None:
        self.ask("orchestration", "DELETE", f"/stacks/{stack['stack_name']}/{stack['id']}")
        self.until(lambda: self.stack_state(stack["id"]), "delete_complete", "failed")

    def _no_server_and_volume(self, server: dict[str, Any]) -> None:
        name = server["name"]
        self.does(DELETE_SERVER, name, lambda: self.gone("compute", f"/servers/{server['id']}"))
        for each in self.ask("block-storage", "GET", f"/volumes?name={name}")["volumes"]:
            self.does(DELETE_VOLUME, name, lambda each=each: self.gone("block-storage", f"/volumes/{each['id']}"))
        for each in self.ask("image", "GET", f"/v2/images?name={name}")["images"]:
            self.ask("image", "DELETE", f"/v2/images/{each['id']}")

    def gone(self, service: str, path: str) -> None:
        self.ask(service, "DELETE", path)
        self.until(lambda: "gone" if self.ask(service, "GET", path, missing=True) is None else "there", "gone")


def template(number: int) -> dict[str, Any]:
    """Return the template of a stack: a server with a port and a volume in a network of its own.

    :param number: the number of the stack's update, in what changes: a port and a volume are added
    """

    def resource(kind: str, **properties: Any) -> dict[str, Any]:
        return {"type": f"OS::{kind}", "properties": properties}

    def of(name: str) -> dict[str, str]:
        return {"get_resource": name}

    resources = {
        "net": resource("Neutron::Net"),
        "subnet": resource("Neutron::Subnet", network=of("net"), cidr="10.9.0.0/24"),
        "group": resource("Neutron::SecurityGroup", rules=[{"protocol": "icmp"}]),
        "port": resource("Neutron::Port", network=of("net"), security_groups=[of("group")]) | {"depends_on": "subnet"},
        "volume": resource("Cinder::Volume", size=1),
        "server": resource("Nova::Server", image="cirros", flavor="tiny", networks=[{"port": of("port")}]),
        "attachment": resource("Cinder::VolumeAttachment", instance_uuid=of("server"), volume_id=of("volume")),
        "secret": resource("Heat::RandomString"),
    }
    if number > 1:
        resources["port2"] = resource("Neutron::Port", network=of("net")) | {"depends_on": "subnet"}
        resources["volume2"] = resource("Cinder::Volume", size=1)
    return {"heat_template_version": "2018-08-31", "resources": resources}


# -- what there is -----------------------------------------------------------------------------------------------------


@dataclass
class Cloud:
    """What every operation uses, and what the cloud is asked afterwards.

    :param users: the project's own session
    :param admin: the operator's
    """

    users: User
    admin: User
    project: str
    image: str
    flavors: dict[str, str]
    network: str
    #: The ports and images that were there before.
    before: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, users: User, admin: User) -> Cloud:
        """Ask a fresh cloud for what is there."""
        image = users.ask("image", "GET", "/v2/images?name=cirros")["images"][0]["id"]
        flavors = {each["name"]: each["id"] for each in users.ask("compute", "GET", "/flavors")["flavors"]}
        network = users.ask("network", "GET", "/v2.0/networks?name=private")["networks"][0]["id"]
        cloud = cls(users, admin, str(users.session.get_project_id()), image, flavors, network)
        cloud.before = {key for _kind, key in cloud.there()}
        return cloud

    def there(self) -> Iterator[tuple[str, str]]:
        """Yield what the services have: kind and id.  Where the operator sees more, the operator is asked."""
        lists = (
            ("stack", "orchestration", "/stacks", "stacks"),
            ("image", "image", "/v2/images?limit=1000", "images"),
        )
        for kind, service, path, member in lists:
            yield from ((kind, each["id"]) for each in self.users.ask(service, "GET", path)[member])
        lists = (
            ("server", "compute", "/servers?all_tenants=1", "servers"),
            ("volume", "block-storage", "/volumes?all_tenants=1", "volumes"),
            ("volume's attachment", "block-storage", "/attachments?all_tenants=1", "attachments"),
            ("port", "network", "/v2.0/ports", "ports"),
            ("network", "network", "/v2.0/networks", "networks"),
            ("security group", "network", "/v2.0/security-groups", "security_groups"),
            ("trust", "identity", "/OS-TRUST/trusts", "trusts"),
        )
        for kind, service, path, member in lists:
            yield from ((kind, each["id"]) for each in self.admin.ask(service, "GET", path)[member])
        yield from (("allocation", consumer) for consumer in self.consumers())

    def consumers(self) -> list[str]:
        """Return the consumers to whom placement has allocated resources."""
        consumers: list[str] = []
        for each in self.admin.ask("placement", "GET", "/resource_providers")["resource_providers"]:
            consumers += self.admin.ask("placement", "GET", f"/resource_providers/{each['uuid']}/allocations")[
                "allocations"
            ]
        return consumers

    def left(self) -> Counter[str]:
        """Return the number of things of each kind that were not there before."""
        return Counter(kind for kind, key in self.there() if key not in self.before)

    def surplus(self) -> Counter[str]:
        """Return what there is more of than was asked for, or that no server knows, by kind.

        Each server is to have its ports, its volumes and one allocation, and each volume at most one attachment.
        """
        surplus: Counter[str] = Counter()
        servers = {
            each["id"]: each for each in self.admin.ask("compute", "GET", "/servers/detail?all_tenants=1")["servers"]
        }
        surplus["server"] += len(servers) - len({each["name"] for each in servers.values()})
        attachments = self.admin.ask("block-storage", "GET", "/attachments?all_tenants=1")["attachments"]
        surplus["volume's attachment"] += len(attachments) - len(
            {(each["volume_id"], each["instance"]) for each in attachments}
        )
        ports: Counter[str] = Counter()
        for port in self.admin.ask("network", "GET", "/v2.0/ports")["ports"]:
            if port["id"] not in self.before and port["device_owner"].startswith("compute:"):
                ports[port["device_id"]] += 1
        for server, number in ports.items():
            shown = servers.get(server)
            known = sum(len(each) for each in shown["addresses"].values()) if shown else 0
            surplus["port"] += max(0, number - known)
        surplus["allocation"] += len(set(self.consumers()) - set(servers))
        return +surplus
