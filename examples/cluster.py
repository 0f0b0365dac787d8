"""A cluster for data processing, provisioned step by step as Sahara does it, through seven OpenStack clients.

This is an example of a caller's code.  Every call goes through ``cluster.call``, which is
``os_retries.execute_with_retries`` or, for comparison, a function that only calls the method.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cinderclient.client
import glanceclient
import heatclient.client
import keystoneclient.v3.client
import neutronclient.v2_0.client
import novaclient.client
from keystoneauth1.identity import v3

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystoneauth1.session import Session

NODES = ("master", "worker-a", "worker-b")
DISKS = ("worker-a", "worker-b")  # the nodes that get a volume
CONTAINER, BINARY = "jobs", "wordcount.jar"
STACK, NETWORK, SUBNET, IMAGE = "cluster", "cluster-net", "cluster-subnet", "cluster-node"
CIDR = "10.20.0.0/24"
TEMPLATE = {
    "heat_template_version": "2018-08-31",
    "resources": {
        "firewall": {
            "type": "OS::Neutron::SecurityGroup",
            "properties": {
                "rules": [{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}],
            },
        },
        "spread": {"type": "OS::Nova::ServerGroup", "properties": {"policies": ["soft-anti-affinity"]}},
        "secret": {"type": "OS::Heat::RandomString", "properties": {"length": 24}},
    },
    "outputs": {
        "firewall": {"value": {"get_resource": "firewall"}},
        "spread": {"value": {"get_resource": "spread"}},
    },
}


class ClusterError(Exception):
    """The requests succeeded, but the result is not usable: a server is in ERROR, or a wait took too long."""


@dataclass
class Clients:
    """The clients of one session, constructed in the usual way.

    ``options``
        Returns extra constructor arguments for a client, as ``os_retries.client_options`` does.
    """

    session: Session
    options: Callable[[str], dict[str, Any]]

    def __post_init__(self) -> None:
        session, options = self.session, self.options
        self.keystone = keystoneclient.v3.client.Client(session=session, **options("keystone"))
        self.glance = glanceclient.Client("2", session=session, **options("glance"))
        self.neutron = neutronclient.v2_0.client.Client(session=session, **options("neutron"))
        self.heat = heatclient.client.Client("1", session=session, **options("heat"))
        self.nova = novaclient.client.Client("2.60", session=session, **options("nova"))
        self.cinder = cinderclient.client.Client("3", session=session, **options("cinder"))


@dataclass
class Cluster:
    """The cluster to provision, the clients to use, and the ids of what has been created so far."""

    name: str
    tenant: Clients
    admin: Clients
    call: Callable[..., Any]
    #: Returns a swift connection that a session authenticates.
    swift_connection: Callable[[Session], Any]
    #: Returns a new keystoneauth session, set up like those of ``tenant`` and ``admin``.
    session: Callable[[v3.Password], Session]
    image: bytes
    binary: bytes

    flavor_id: str = ""
    proxy_id: str = ""
    trust_id: str = ""
    image_id: str = ""
    network_id: str = ""
    stack_id: str = ""
    swift: Any = None
    stack_outputs: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)

    def wait_for(self, wanted: str, get: Callable[..., Any], *args: Any, status: str = "status") -> Any:
        """Get a resource repeatedly until its status is ``wanted``.

        :raises ClusterError: if the resource fails, or if it takes too long
        """
        deadline = time.monotonic() + 120
        while True:
            thing = self.call(get, *args)
            seen = str(getattr(thing, status)).upper()
            if seen == wanted:
                return thing
            if "ERROR" in seen or "FAILED" in seen:
                raise ClusterError(f"{type(thing).__name__} {args[0]} is {seen} instead of {wanted}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{type(thing).__name__} {args[0]} is still {seen} after 120 s")
            time.sleep(0.3)


@dataclass(frozen=True)
class Step:
    """One step of the provisioning."""

    title: str
    client: str
    run: Callable[[Cluster], None]


STEPS: list[Step] = []


def step(title: str, client: str) -> Callable[[Callable[[Cluster], None]], Callable[[Cluster], None]]:
    """Add the decorated function to STEPS."""

    def add(run: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
        STEPS.append(Step(title, client, run))
        return run

    return add


@step("a user to act for the tenant", "keystone")
def _proxy_user(cluster: Cluster) -> None:
    user = cluster.call(cluster.admin.keystone.users.create, f"{cluster.name}-proxy", domain="default", password="x")
    cluster.proxy_id = user.id


@step("a trust, from the tenant to it", "keystone")
def _trust(cluster: Cluster) -> None:
    call, keystone, session = cluster.call, cluster.tenant.keystone, cluster.tenant.session
    trust = call(
        keystone.trusts.create,
        trustor_user=call(session.get_user_id),
        trustee_user=cluster.proxy_id,
        project=call(session.get_project_id),
        role_names=["member"],
        impersonation=True,
    )
    cluster.trust_id = trust.id
    call(keystone.trusts.get, trust.id)


@step("limits, flavors, zones checked", "nova")
def _nova_limits(cluster: Cluster) -> None:
    call, nova = cluster.call, cluster.tenant.nova
    call(nova.limits.get)
    call(nova.availability_zones.list, detailed=False)
    cluster.flavor_id = min(call(nova.flavors.list), key=lambda flavor: (flavor.ram, flavor.disk)).id


@step("limits, types, zones checked", "cinder")
def _cinder_limits(cluster: Cluster) -> None:
    for reader in cluster.tenant.cinder.limits.get, cluster.tenant.cinder.volume_types.list:
        cluster.call(reader)
    cluster.call(cluster.tenant.cinder.availability_zones.list)


@step("quota and networks checked", "neutron")
def _neutron_limits(cluster: Cluster) -> None:
    project = cluster.call(cluster.tenant.session.get_project_id)
    cluster.call(cluster.tenant.neutron.show_quota, project)
    cluster.call(cluster.tenant.neutron.list_networks)
    cluster.call(cluster.tenant.neutron.list_extensions)


@step("an image uploaded, registered", "glance")
def _image(cluster: Cluster) -> None:
    call, images = cluster.call, cluster.tenant.glance.images
    cluster.image_id = call(images.create, name=IMAGE, disk_format="raw", container_format="bare").id
    # If a refused attempt has read the file, the next attempt reads it from its start again.
    call(images.upload, cluster.image_id, io.BytesIO(cluster.image))
    call(images.update, cluster.image_id, _sahara_username="ubuntu", _sahara_tag_vanilla="True")
    cluster.wait_for("ACTIVE", images.get, cluster.image_id)


@step("a network and its subnet", "neutron")
def _network(cluster: Cluster) -> None:
    call, neutron = cluster.call, cluster.tenant.neutron
    cluster.network_id = call(neutron.create_network, {"network": {"name": NETWORK}})["network"]["id"]
    subnet = {"name": SUBNET, "network_id": cluster.network_id, "cidr": CIDR, "ip_version": 4}
    call(neutron.create_subnet, {"subnet": subnet})
    call(neutron.show_network, cluster.network_id)


@step("a stack: firewall, server group", "heat")
def _stack(cluster: Cluster) -> None:
    stacks = cluster.tenant.heat.stacks
    cluster.stack_id = cluster.call(stacks.create, stack_name=STACK, template=TEMPLATE)["stack"]["id"]
    stack = cluster.wait_for("CREATE_COMPLETE", stacks.get, cluster.stack_id, status="stack_status")
    cluster.stack_outputs = {output["output_key"]: output["output_value"] for output in stack.outputs}


@step("ports, behind the firewall", "neutron")
def _ports(cluster: Cluster) -> None:
    firewall = [cluster.stack_outputs["firewall"]]
    for node in NODES:
        port = {"name": node, "network_id": cluster.network_id, "security_groups": firewall}
        cluster.ports[node] = cluster.call(cluster.tenant.neutron.create_port, {"port": port})["port"]["id"]


@step("volumes", "cinder")
def _volumes(cluster: Cluster) -> None:
    for node in DISKS:
        cluster.volumes[node] = cluster.call(cluster.tenant.cinder.volumes.create, 1, name=node).id


@step("servers, each at its port", "nova")
def _servers(cluster: Cluster) -> None:
    call, nova = cluster.call, cluster.tenant.nova
    for node in NODES:
        server = call(
            nova.servers.create,
            node,
            cluster.image_id,
            cluster.flavor_id,
            nics=[{"port-id": cluster.ports[node]}],
            scheduler_hints={"group": cluster.stack_outputs["spread"]},
        )
        cluster.servers[node] = server.id


@step("servers until ACTIVE", "nova")
def _servers_active(cluster: Cluster) -> None:
    for node in NODES:
        cluster.wait_for("ACTIVE", cluster.tenant.nova.servers.get, cluster.servers[node])


@step("volumes until available", "cinder")
def _volumes_available(cluster: Cluster) -> None:
    for node in DISKS:
        cluster.wait_for("AVAILABLE", cluster.tenant.cinder.volumes.get, cluster.volumes[node])


@step("volumes attached to servers", "nova")
def _attach(cluster: Cluster) -> None:
    for node in DISKS:
        volumes = cluster.tenant.nova.volumes
        cluster.call(volumes.create_server_volume, cluster.servers[node], cluster.volumes[node])


@step("volumes until in-use", "cinder")
def _volumes_in_use(cluster: Cluster) -> None:
    for node in DISKS:
        cluster.wait_for("IN-USE", cluster.tenant.cinder.volumes.get, cluster.volumes[node])


@step("the job's binary, by the trust", "swift")
def _binary(cluster: Cluster) -> None:
    # swiftclient repeats by itself, as the specification says; execute_with_retries repeats only what it does not.
    auth_url = cluster.tenant.session.auth.auth_url
    auth = v3.Password(auth_url, user_id=cluster.proxy_id, password="x", trust_id=cluster.trust_id)
    cluster.swift = cluster.swift_connection(cluster.session(auth))
    cluster.call(cluster.swift.put_container, CONTAINER)
    cluster.call(cluster.swift.put_object, CONTAINER, BINARY, contents=io.BytesIO(cluster.binary))
    cluster.call(cluster.swift.head_object, CONTAINER, BINARY)


@step("servers and disks read back", "nova")
def _read_servers(cluster: Cluster) -> None:
    call, nova = cluster.call, cluster.tenant.nova
    call(nova.servers.list)
    for node in NODES:
        call(nova.servers.get, cluster.servers[node])
        call(nova.volumes.get_server_volumes, cluster.servers[node])


@step("ports and addresses read back", "neutron")
def _read_ports(cluster: Cluster) -> None:
    cluster.call(cluster.tenant.neutron.list_ports)
    for node in NODES:
        cluster.call(cluster.tenant.neutron.show_port, cluster.ports[node])


@step("everything else read back", "five")
def _read_the_rest(cluster: Cluster) -> None:
    call, tenant = cluster.call, cluster.tenant
    call(tenant.keystone.trusts.get, cluster.trust_id)
    call(tenant.cinder.volumes.list)
    call(tenant.heat.resources.list, cluster.stack_id)
    call(tenant.heat.stacks.get, cluster.stack_id)
    call(tenant.neutron.show_network, cluster.network_id)
    # These two return a generator that sends requests while it is read, so it must be read inside the call.
    call(lambda: list(tenant.heat.stacks.list()))
    call(lambda: list(tenant.glance.images.list()))
    call(tenant.glance.images.get, cluster.image_id)
    call(cluster.swift.head_container, CONTAINER)
    call(cluster.swift.get_container, CONTAINER)
