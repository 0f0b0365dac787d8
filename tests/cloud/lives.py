"""A program that provisions one of everything in an operation, and dies again and again until it gets through.

Each life is a child process that is killed with SIGKILL at a write, or with --any at a request of any verb: right after
the service has processed it, so that nobody reads its answer, or right before it is sent.  The parent imports the clients
once.

With --faults, answers are lost and requests are refused as well.  A life that ends with an error is followed by another
one, as a life that was killed.

Usage: lives.py KEY NAME [--die-at N ...] [--any] [--before] [--faults SEED] [--state FILE]
It prints one JSON object: how many lives there were, the ids that the last one has seen, and the verbs of its requests.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import openstack
import requests.adapters

import os_retries
from os_retries.faults import AtRandom, Faults, only
from tests.cloud.creates.kinds import Clients

if TYPE_CHECKING:
    from keystoneauth1.session import Session

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vb0qv8XQ5l0uWmYc5nq0o7mJxW4p7s8m6fJ1mC5bV x"
TEMPLATE = {"heat_template_version": "2018-08-31", "resources": {"r": {"type": "OS::Heat::RandomString"}}}
CONTENT = b"0123456789abcdef" * 4096


def provision(clients: Clients, name: str) -> dict[str, Any]:
    """Make one of everything, some of it twice, with every client; return the ids."""
    neutron, nova, cinder = clients.neutron, clients.nova("2.60"), clients.cinder
    base = clients.get("image", "/v2/images?name=cirros")["images"][0]["id"]
    made: dict[str, Any] = {}
    net = neutron.create_network({"network": {"name": name}})["network"]
    subnet = {"network_id": net["id"], "ip_version": 4, "cidr": "10.98.0.0/24", "name": name}
    sub = neutron.create_subnet({"subnet": subnet})["subnet"]
    port = {"port": {"network_id": net["id"], "name": name}}
    ports = [neutron.create_port(port)["port"] for _ in range(3)]
    group = neutron.create_security_group({"security_group": {"name": name, "description": "words of its own"}})
    group = group["security_group"]
    rules = [
        neutron.create_security_group_rule(
            {
                "security_group_rule": {
                    "security_group_id": group["id"],
                    "direction": "ingress",
                    "ethertype": "IPv4",
                    "protocol": "tcp",
                    "port_range_min": number,
                    "port_range_max": number,
                }
            }
        )["security_group_rule"]
        for number in (22, 80)
    ]
    router = neutron.create_router({"router": {"name": name}})["router"]
    neutron.add_interface_router(router["id"], {"subnet_id": sub["id"]})
    volumes = [cinder.volumes.create(1, name=name) for _ in range(2)]
    nova.keypairs.create(name, public_key=PUBLIC_KEY)
    servers = [nova.servers.create(name, base, clients.flavor, nics="none") for _ in range(2)]
    image = clients.glance.images.create(name=name, disk_format="raw", container_format="bare")
    clients.glance.images.upload(image.id, io.BytesIO(CONTENT))
    stack = clients.heat.stacks.create(stack_name=name, template=TEMPLATE)["stack"]
    passing = cinder.volumes.create(1, name=f"{name}-passing")
    clients.until(lambda: cinder.volumes.get(passing.id).status == "available")
    cinder.volumes.delete(passing.id)
    clients.until(lambda: clients.state(servers[0].id) == ("active", None))
    nova.volumes.create_server_volume(servers[0].id, volumes[0].id)
    made["networks"] = [net["id"]]
    made["subnets"] = [sub["id"]]
    made["ports"] = sorted(each["id"] for each in ports)
    made["security-groups"] = [group["id"]]
    made["rules"] = sorted(each["id"] for each in rules)
    made["routers"] = [router["id"]]
    made["volumes"] = sorted(each.id for each in volumes)
    made["servers"] = sorted(each.id for each in servers)
    made["images"] = [image.id]
    made["stacks"] = [stack["id"]]
    return made


# A token, and an upload, which every life sends again.
_NOT_COUNTED = ("/auth/tokens", "/file")


class Death:
    """Kills this process at a request.

    :param at: the number of the request in this life, from 1; None: never
    :param before: whether the request is not sent
    :param every: whether all requests are counted; if not, the writes that make something
    """

    def __init__(self, at: int | None, *, before: bool, every: bool) -> None:
        self.at, self.before, self.every = at, before, every
        self.sent: list[str] = []
        self._send = requests.adapters.HTTPAdapter.send

    def install(self) -> None:
        requests.adapters.HTTPAdapter.send = self._counted(self._send)  # type: ignore[method-assign]

    def _counts(self, request: Any) -> bool:
        return self.every or (request.method in ("POST", "PUT") and not request.url.endswith(_NOT_COUNTED))

    def _counted(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def counted(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            now = False
            if self._counts(request):
                self.sent.append(request.method)
                now = len(self.sent) == self.at
            if now and self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            response = send(adapter, request, *args, **kwargs)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return response

        return counted


def live(key: str, name: str, death: Death, seed: int | None, state: str | None) -> dict[str, Any]:
    """Run the program once in this process."""
    death.install()
    cloud = openstack.connect(cloud="demo")
    session: Session = cloud.session
    if seed is not None:
        lost = AtRandom(lost=0.1, refused=0.1, only=only(verb=["POST", "PUT", "GET", "DELETE"]))
        session.session = Faults(lost, seed=seed + os.getpid()).session()
    numbers: dict[str, Any] = {"settle_time": 0.5, "settle_time_after_timeout": 0.5}
    os_retries.attach(session, os_retries.RetryPolicy(retry_after=0.2, retries_number=3, **numbers))
    with os_retries.operation(key, strict=True, state=state) as operation:
        made = provision(Clients(session), name)
    return {"made": made, "found": operation.found, "sent": death.sent}


def one_life(key: str, name: str, death: Death, seed: int | None, state: str | None) -> dict[str, Any] | None:
    """Run the program once in a child process; return None if it was killed, or has failed because of faults."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reader)
            result = live(key, name, death, seed, state)
            os.write(writer, json.dumps(result).encode())
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    if status and seed is not None:
        return None
    if status:
        raise SystemExit("a life has failed: see above")
    result: dict[str, Any] = json.loads(text)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("name")
    parser.add_argument(
        "--die-at", type=int, nargs="*", help="the requests, one for each life (default: 1 2 3 1 2 3 ...)"
    )
    parser.add_argument("--faults", type=int, metavar="SEED", help="lose answers and refuse requests too")
    parser.add_argument("--state", metavar="FILE", help="the note of the operation")
    parser.add_argument("--any", action="store_true", help="count all requests, and not the writes alone")
    parser.add_argument("--before", action="store_true", help="die before the request is sent")
    arguments = parser.parse_args()
    began = time.monotonic()
    deaths: Iterator[int | None] = (
        itertools.islice(itertools.cycle((1, 2, 3)), 100)  # after two PUTs that every life sends, a new write follows
        if arguments.die_at is None
        else itertools.chain(arguments.die_at, itertools.repeat(None))
    )
    for number, at in enumerate(deaths, 1):
        death = Death(at, before=arguments.before, every=arguments.any)
        result = one_life(arguments.key, arguments.name, death, arguments.faults, arguments.state)
        if result is not None:
            print(json.dumps(result | {"lives": number, "seconds": time.monotonic() - began}))  # noqa: T201
            return
    raise SystemExit("the program does not get through")


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
    main()
