"""The name and the service type of a callable, derived from its class and its module alone."""

from __future__ import annotations

import functools

import pytest

from os_retries.core.target import MethodTarget
from os_retries.policy import RetryPolicy


def made(module: str, name: str = "Manager", bases: tuple[type, ...] = ()) -> type:
    """Make a class as a client has it, with a method."""

    def list(self):  # noqa: A001
        """Answer to a call."""

    list.__module__, list.__qualname__ = module, f"{name}.list"
    return type(name, bases, {"__module__": module, "list": list})


def target(method):
    return MethodTarget(method, lambda _service: RetryPolicy())


@pytest.mark.parametrize(
    ("module", "service"),
    [
        ("novaclient.v2.servers", "compute"),
        ("cinderclient.v3.volumes", "block-storage"),
        ("heatclient.v1.stacks", "orchestration"),
        ("keystoneclient.v3.users", "identity"),
        ("neutronclient.v2_0.client", "network"),
        ("swiftclient.client", "object-store"),
        ("glanceclient.v2.images", "image"),
        ("ironicclient.v1.node", "baremetal"),
        ("openstack.compute.v2._proxy", "compute"),
        ("openstack.block_storage.v3._proxy", "block-storage"),
        ("openstack.cloud._image", "image"),
        ("openstack.cloud._coe", "container-infrastructure-management"),
        ("openstack.connection", None),
        ("novaclientish.servers", None),
        ("builtins", None),
    ],
)
def test_the_service_type_is_told_from_the_package(module, service):
    manager = made(module)
    assert target(manager().list).service() == service
    assert target(functools.partial(manager().list, 1)).service() == service
    assert target(manager.list).service() == service
    if ".cloud." not in module:  # nobody calls a layer
        assert target(manager).service() == service


def test_a_subclass_in_a_users_module_is_still_its_clients():
    own = made("my.app", "Own", (made("cinderclient.v3.volumes"),))
    assert target(own().list).service() == "block-storage"


def test_the_sdks_cloud_layer_is_told_from_the_method_for_its_class_is_every_service():
    network = made("openstack.cloud._network", "Network")
    connection = made("openstack.connection", "Connection", (made("openstack.cloud._baremetal", "Baremetal"), network))
    connection.list, connection.search = network.list, lambda _self: None
    assert target(connection().list).service() == "network"
    assert target(connection().search).service() is None


def test_keystoneauths_adapter_says_its_service_itself():
    adapter = made("keystoneauth1.adapter", "Adapter")()
    assert target(adapter.list).service() is None
    adapter.service_type = "placement"
    assert target(adapter.list).service() == "placement"


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (made("novaclient.v2.servers", "ServerManager")().list, "ServerManager.list"),
        (functools.partial(functools.partial(made("x", "A")().list, 1), 2), "A.list"),
        (made("x", "A"), "A"),
        (made, "made"),
        (len, "len"),
        (type("Callable", (), {"__call__": lambda _self: None})(), "Callable"),
    ],
)
def test_a_method_is_named_by_its_class_and_a_nameless_callable_by_its_type(method, name):
    assert target(method).name() == name


class Connection:
    """swiftclient's, as far as its loop is concerned."""

    def __init__(self, attempts: object, retries: object) -> None:
        self.attempts = attempts
        self.retries = retries

    def get_account(self):
        """Answer to a call."""


Connection.__module__ = "swiftclient.client"


class Own(Connection):
    """A user's."""


@pytest.mark.parametrize("kind", [Connection, Own])
@pytest.mark.parametrize(
    ("attempts", "retries", "status", "repeated"),
    [
        (6, 5, 503, True),
        (6, 5, 413, False),  # swift's loop does not know it
        (1, 5, 503, False),  # the token failed: swift's loop does not see that
        (1, 0, 503, False),  # retries switched off
        (None, None, 503, False),
    ],
)
def test_swift_has_repeated_what_its_own_count_of_attempts_says(kind, attempts, retries, status, repeated):
    assert target(kind(attempts, retries).get_account).repeated_by_client(status) == repeated


def test_no_other_client_has_repeated_anything_by_itself():
    assert not target(made("novaclient.v2.servers")().list).repeated_by_client(503)
    assert not target(len).repeated_by_client(503)
