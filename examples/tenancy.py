"""A temporary project on the cloud, which clients without faults create, check and remove."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Self

import swiftclient
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from cluster import BINARY, CIDR, CONTAINER, DISKS, IMAGE, NETWORK, NODES, STACK, SUBNET, Clients, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PREFIX = "os-retries-demo-"
ROLES = "member", "heat_stack_owner"


def _no_options(_client: str) -> dict[str, Any]:
    return {}


class Tenancy:
    """A new project with one user, removed at the end with everything in it.

    :param admin: the credentials of the administrator: arguments of keystoneauth's ``v3.Password``
    """

    def __init__(self, admin: dict[str, str]) -> None:
        self.name = PREFIX + secrets.token_hex(3)
        self.admin_auth = admin
        self.admin = Clients(Session(v3.Password(**admin)), _no_options)

    def __enter__(self) -> Self:
        keystone = self.admin.keystone
        password = secrets.token_hex(8)
        try:
            self.project = keystone.projects.create(self.name, domain="default")
            self.user = keystone.users.create(self.name, domain="default", password=password)
            for role in keystone.roles.list():
                if role.name in ROLES:
                    keystone.roles.grant(role, user=self.user, project=self.project)
        except BaseException:
            self._remove_accounts()
            raise
        self.auth = {
            "auth_url": self.admin_auth["auth_url"],
            "username": self.name,
            "password": password,
            "project_id": self.project.id,
            "user_domain_id": "default",
        }
        session = Session(v3.Password(**self.auth))
        self.clients = Clients(session, _no_options)
        self.swift = swiftclient.Connection(session=session)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove_resources()
        self._remove_accounts()

    # -- checks --

    def differences(self, cluster: Cluster) -> list[str]:
        """Check that the cloud has exactly one of each resource of the cluster; return the differences as messages."""
        wrong: list[str] = []

        def same(what: str, found: Iterable[object], wanted: Iterable[object]) -> None:
            have, want = sorted(map(str, found)), sorted(map(str, wanted))
            if have != want:
                wrong.append(f"{what}: {have} instead of {want}")

        clients, swift = self.clients, self.swift
        trusts = clients.keystone.trusts.list(trustor_user=self.user.id)  # heat creates one too
        same("trusts", [each.id for each in trusts if each.trustee_user_id == cluster.proxy_id], [cluster.trust_id])
        proxies = [each.id for each in self.admin.keystone.users.list() if each.name == f"{cluster.name}-proxy"]
        same("users", proxies, [cluster.proxy_id])
        same("networks", [each["name"] for each in self._owned("networks")], [NETWORK])
        same("subnets", [(each["name"], each["cidr"]) for each in self._owned("subnets")], [(SUBNET, CIDR)])
        same("ports", [(each["name"], each["device_id"]) for each in self._ports()], cluster.servers.items())
        servers = [(each.name, each.status) for each in clients.nova.servers.list()]
        same("servers", servers, [(node, "ACTIVE") for node in NODES])
        volumes = [
            (each.name, each.status, [attachment["server_id"] for attachment in each.attachments])
            for each in clients.cinder.volumes.list()
        ]
        same("volumes", volumes, [(node, "in-use", [cluster.servers[node]]) for node in DISKS])
        stacks = [(each.stack_name, each.stack_status) for each in clients.heat.stacks.list()]
        same("stacks", stacks, [(STACK, "CREATE_COMPLETE")])
        groups = [each.id for each in clients.nova.server_groups.list()]
        same("server groups", groups, [cluster.stack_outputs["spread"]])
        images = [(each.name, each.status, each["_sahara_username"], self._digest(each.id)) for each in self._images()]
        same("images", images, [(IMAGE, "active", "ubuntu", _sha256(cluster.image))])
        objects = [
            (container["name"], each["name"], _sha256(swift.get_object(container["name"], each["name"])[1]))
            for container in swift.get_account()[1]
            for each in swift.get_container(container["name"])[1]
        ]
        same("objects", objects, [(CONTAINER, BINARY, _sha256(cluster.binary))])
        return wrong

    def _owned(self, kind: str) -> list[dict[str, Any]]:
        """Return the neutron resources of this project.  A listing also shows resources that others share."""
        found = getattr(self.clients.neutron, f"list_{kind}")()[kind]
        return [each for each in found if each["project_id"] == self.project.id]

    def _ports(self) -> list[dict[str, Any]]:
        return [each for each in self._owned("ports") if not each["device_owner"].startswith("network:")]

    def _images(self) -> list[Any]:
        return list(self.clients.glance.images.list(filters={"owner": self.project.id}))

    def _digest(self, image_id: str) -> str:
        return _sha256(b"".join(self.clients.glance.images.data(image_id)))

    # -- removal --

    def _remove_resources(self) -> None:
        nova, cinder, heat, neutron = self.clients.nova, self.clients.cinder, self.clients.heat, self.clients.neutron
        for server in nova.servers.list():
            server.delete()
        for stack in heat.stacks.list():
            heat.stacks.delete(stack.id)
        self._remove_objects()
        _gone(nova.servers.list)  # until then the image, the ports and the volumes are in use
        for image in self._images():
            self.clients.glance.images.delete(image.id)
        _gone(lambda: [each for each in cinder.volumes.list() if each.status in {"in-use", "detaching", "creating"}])
        for volume in cinder.volumes.list():
            if volume.status != "deleting":
                volume.delete()
        for port in self._ports():
            neutron.delete_port(port["id"])
        _gone(lambda: list(heat.stacks.list()))
        for network in self._owned("networks"):
            neutron.delete_network(network["id"])
        _gone(cinder.volumes.list)
        for trust in self.clients.keystone.trusts.list(trustor_user=self.user.id):
            self.clients.keystone.trusts.delete(trust)

    def _remove_objects(self) -> None:
        for container in self.swift.get_account()[1]:
            for each in self.swift.get_container(container["name"])[1]:
                self.swift.delete_object(container["name"], each["name"])
            self.swift.delete_container(container["name"])

    def _remove_accounts(self) -> None:
        keystone = self.admin.keystone
        for user in keystone.users.list(domain="default"):
            if user.name.startswith(self.name):
                keystone.users.delete(user)
        for project in keystone.projects.list(domain="default", name=self.name):
            groups = self.admin.neutron.list_security_groups(project_id=project.id)["security_groups"]
            for group in groups:  # "default", which neutron creates by itself
                self.admin.neutron.delete_security_group(group["id"])
            keystone.projects.delete(project)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _gone(what: Callable[[], Iterable[Any]], limit: float = 60) -> None:
    """Wait until a listing is empty."""
    deadline = time.monotonic() + limit
    while left := list(what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after {limit:g} s: {left}")
        time.sleep(0.3)
