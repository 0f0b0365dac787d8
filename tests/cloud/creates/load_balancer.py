"""octavia."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .kinds import RUN, Clients, Kind

V2 = "/v2.0/lbaas"


@dataclass(frozen=True)
class Balancer:
    """A load balancer, and the clients that see its state without faults."""

    clients: Clients
    balancer: str
    pool: str = ""
    policy: str = ""

    def ready(self) -> str:
        """Wait until it takes a change; return its id."""
        self.clients.until(lambda: state(self.clients, self.balancer) == "ACTIVE")
        return self.balancer


def state(clients: Clients, balancer: str) -> str:
    shown = clients.get("load-balancer", f"{V2}/loadbalancers/{balancer}")["loadbalancer"]
    return str(shown["provisioning_status"])


def a_subnet(clients: Clients) -> str:
    found: str = clients.get("network", "/v2.0/subnets?name=private-subnet")["subnets"][0]["id"]
    return found


def make(clients: Clients, collection: str, member: str, **fields: Any) -> str:
    """Make something through the session."""
    answer = clients.session.post(
        f"{V2}/{collection}",
        json={member: {"name": f"{RUN}-setting", **fields}},
        endpoint_filter={"service_type": "load-balancer"},
    )
    made: str = answer.json()[member]["id"]
    return made


def a_balancer(clients: Clients) -> Balancer:
    return Balancer(clients, make(clients, "loadbalancers", "loadbalancer", vip_subnet_id=a_subnet(clients)))


def with_pool(clients: Clients) -> Balancer:
    whole = a_balancer(clients)
    fields = {"loadbalancer_id": whole.ready(), "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    return Balancer(clients, whole.balancer, pool=make(clients, "pools", "pool", **fields))


def with_policy(clients: Clients) -> Balancer:
    whole = a_balancer(clients)
    listener = make(clients, "listeners", "listener", loadbalancer_id=whole.ready(), protocol="HTTP", protocol_port=80)
    whole.ready()
    policy = make(clients, "l7policies", "l7policy", listener_id=listener, action="REJECT")
    return Balancer(clients, whole.balancer, pool=listener, policy=policy)


def listed(collection: str, by: str = "name") -> Callable[[Clients, Any, str], list[dict[str, Any]]]:
    """List what has the name, after the path of what it belongs to is filled in."""

    def keep(clients: Clients, setting: Any, name: str) -> list[dict[str, Any]]:
        path = collection.format(whole=setting)
        found = clients.get("load-balancer", f"{V2}/{path}")[path.rpartition("/")[2]]
        there = [each for each in found if each[by] == name]
        return [each for each in there if each["provisioning_status"] not in ("PENDING_DELETE", "DELETED")]

    return keep


def deleted(collection: str) -> Callable[[Clients, Any, str], None]:
    return lambda clients, setting, made: clients.delete(
        "load-balancer",
        f"{V2}/{collection.format(whole=setting)}/{made}{'?cascade=true' * (collection == 'loadbalancers')}",
    )


def kind(collection: str, member: str, **more: Any) -> dict[str, Any]:
    """Return what the kinds of octaviaclient have in common."""
    return {
        "service": "load-balancer",
        "path": f"/{collection.rpartition('/')[2]}",
        "ids": lambda made: [made[member]["id"]],
        "listed": listed(collection),
        "delete": deleted(collection),
        "shown": lambda made, name: made[member]["name"] == name,
    } | more


def http(whole: Balancer, name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "loadbalancer_id": whole.ready(), "protocol": "HTTP", **fields}


def monitor(whole: Balancer, name: str) -> dict[str, Any]:
    whole.ready()
    return {"name": name, "pool_id": whole.pool, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}


def member(whole: Balancer, name: str) -> dict[str, Any]:
    whole.ready()
    return {"name": name, "address": "10.0.0.9", "protocol_port": 80}


def policy(whole: Balancer, name: str) -> dict[str, Any]:
    whole.ready()
    return {"name": name, "listener_id": whole.pool, "action": "REJECT", "tags": ["mine"]}


def rule(whole: Balancer, name: str) -> dict[str, Any]:
    whole.ready()
    return {"type": "PATH", "compare_type": "STARTS_WITH", "value": f"/{name}"}


PROFILE = {"provider_name": "amphora", "flavor_data": '{"loadbalancer_topology": "SINGLE"}'}


def a_flavor_profile(clients: Clients) -> str:
    return make(clients, "flavorprofiles", "flavorprofile", **PROFILE)


def flavors(collection: str) -> Callable[[Clients, Any, str], list[dict[str, Any]]]:
    return lambda clients, _setting, name: [
        each for each in clients.get("load-balancer", f"{V2}/{collection}")[collection] if each["name"] == name
    ]


KINDS = {
    "octavia-load-balancer": Kind(
        **kind("loadbalancers", "loadbalancer"),
        setting=a_subnet,
        create=lambda clients, subnet, name: clients.octavia.load_balancer_create(
            json={"loadbalancer": {"name": name, "vip_subnet_id": subnet}}
        ),
    ),
    "octavia-load-balancer-populated": Kind(
        **kind("loadbalancers", "loadbalancer"),
        setting=a_subnet,
        create=lambda clients, subnet, name: clients.octavia.load_balancer_create(
            json={
                "loadbalancer": {
                    "name": name,
                    "vip_subnet_id": subnet,
                    "listeners": [{"name": name, "protocol": "HTTP", "protocol_port": 80}],
                }
            }
        ),
    ),
    "octavia-listener": Kind(
        **kind("listeners", "listener"),
        setting=a_balancer,
        create=lambda clients, whole, name: clients.octavia.listener_create(
            json={"listener": http(whole, name, protocol_port=8080)}
        ),
    ),
    "octavia-pool": Kind(
        **kind("pools", "pool"),
        setting=a_balancer,
        create=lambda clients, whole, name: clients.octavia.pool_create(
            json={"pool": http(whole, name, lb_algorithm="ROUND_ROBIN")}
        ),
    ),
    "octavia-member": Kind(
        **kind("pools/{whole.pool}/members", "member"),
        setting=with_pool,
        create=lambda clients, whole, name: clients.octavia.member_create(
            whole.pool, json={"member": member(whole, name)}
        ),
    ),
    "octavia-health-monitor": Kind(
        **kind("healthmonitors", "healthmonitor"),
        setting=with_pool,
        create=lambda clients, whole, name: clients.octavia.health_monitor_create(
            json={"healthmonitor": monitor(whole, name)}
        ),
    ),
    "octavia-l7policy": Kind(
        **kind("l7policies", "l7policy"),
        setting=with_policy,
        create=lambda clients, whole, name: clients.octavia.l7policy_create(json={"l7policy": policy(whole, name)}),
    ),
    "octavia-l7rule": Kind(
        **kind(
            "l7policies/{whole.policy}/rules",
            "rule",
            listed=lambda clients, whole, name: listed("l7policies/{whole.policy}/rules", "value")(
                clients, whole, f"/{name}"
            ),
            shown=lambda made, name: made["rule"]["value"] == f"/{name}",
        ),
        setting=with_policy,
        create=lambda clients, whole, name: clients.octavia.l7rule_create(
            whole.policy, json={"rule": rule(whole, name)}
        ),
    ),
    "octavia-flavor": Kind(
        **kind("flavors", "flavor", account="admin", setting=a_flavor_profile, listed=flavors("flavors")),
        create=lambda clients, profile, name: clients.octavia.flavor_create(
            json={"flavor": {"name": name, "flavor_profile_id": profile}}
        ),
    ),
    "octavia-flavor-profile": Kind(
        **kind("flavorprofiles", "flavorprofile", account="admin", listed=flavors("flavorprofiles")),
        create=lambda clients, _setting, name: clients.octavia.flavorprofile_create(
            json={"flavorprofile": {"name": name, **PROFILE}}
        ),
        single_writer=True,
    ),
    "sdk-load-balancer": Kind(
        **kind(
            "loadbalancers",
            "loadbalancer",
            ids=lambda made: [made.id],
            shown=lambda made, name: made.name == name,
        ),
        setting=a_subnet,
        create=lambda clients, subnet, name: clients.sdk.load_balancer.create_load_balancer(
            name=name, vip_subnet_id=subnet
        ),
    ),
}
