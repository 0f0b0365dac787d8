"""The clients that are measured: how each is made with its defaults, a call that reads, and a call that creates.

A client is imported only when it is made, so that any client may be missing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from os_retries.check.server import LOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.check.server import Server

_ID = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One client with one setting.

    ``distribution``
        The package that the client is in.
    ``part``
        The part of the client, if it has several.
    ``setting``
        The retries that the program has asked for; empty for the client's defaults.
    ``loop``
        The client's own loop that is known to repeat requests; empty if there is none.
    ``make``
        Returns a client, given the server and a keystoneauth session.
    ``read``, ``create``
        Return the call that reads and the call that creates, given the client.
    ``failures``
        The failures with which the call that reads is measured: statuses, or ``LOST``.
    """

    distribution: str
    make: Callable[[Server, Any], Any]
    read: Callable[[Any], Callable[[], Any]]
    create: Callable[[Any], Callable[[], Any]]
    part: str = ""
    setting: str = ""
    loop: str = ""
    failures: tuple[int, ...] = (503, LOST)

    @property
    def name(self) -> str:
        """The name of the client, and its part."""
        name = self.distribution.removeprefix("python-")
        return f"{name} {self.part}" if self.part else name


def _call(path: str, *arguments: Any, **more: Any) -> Any:
    """Call a function or class by its path, such as ``cinderclient.client:Client``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)(*arguments, **more)


def _on_session(path: str, *arguments: Any, **more: Any) -> Callable[[Server, Any], Any]:
    return lambda _server, session: _call(path, *arguments, session=session, **more)


def _octavia(server: Server, session: Any) -> Any:
    where = {"service_type": "load-balancer", "endpoint": server.endpoint("load-balancer")}
    return _call("octaviaclient.api.v2.octavia:OctaviaAPI", session=session, **where)


def _mistral(server: Server, session: Any) -> Any:
    return _call("mistralclient.api.client:client", session=session, mistral_url=server.endpoint("workflow"))


def _under_urllib3(_server: Server, session: Any) -> Any:
    """Mount urllib3's Retry below keystoneauth, and let keystoneauth repeat too."""
    from requests import adapters
    from urllib3.util import Retry

    below = Retry(3, status_forcelist=[503], raise_on_status=False, respect_retry_after_header=False)
    session.session.mount("http://", adapters.HTTPAdapter(max_retries=below))
    return _compute(_server, session, status_code_retries=3)


def _compute(_server: Server, session: Any, **retries: int) -> Any:
    return _call("keystoneauth1.adapter:Adapter", session, service_type="compute", **retries)


def _keystoneauth(setting: str, make: Callable[[Server, Any], Any], failures: tuple[int, ...] = (503, LOST)) -> Case:
    return Case(
        distribution="keystoneauth1",
        setting=setting,
        make=make,
        read=lambda api: partial(api.get, "/servers"),
        create=lambda api: partial(api.post, "/servers", json={"server": {"name": "check"}}),
        failures=failures,
    )


def _volumes(setting: str = "", failures: tuple[int, ...] = (503, LOST), **retries: int) -> Case:
    return Case(
        distribution="python-cinderclient",
        setting=setting,
        make=_on_session("cinderclient.client:Client", "3", **retries),
        read=lambda cinder: cinder.volumes.list,
        create=lambda cinder: partial(cinder.volumes.create, 1, name="check"),
        failures=failures,
    )


def _networks(setting: str = "", **retries: int) -> Case:
    return Case(
        distribution="python-neutronclient",
        setting=setting,
        make=_on_session("neutronclient.v2_0.client:Client", **retries),
        read=lambda neutron: neutron.list_networks,
        create=lambda neutron: partial(neutron.create_network, {"network": {"name": "check"}}),
    )


def _shares(setting: str = "", **retries: int) -> Case:
    return Case(
        distribution="python-manilaclient",
        setting=setting,
        make=_on_session("manilaclient.client:Client", "2.60", **retries),
        read=lambda manila: manila.shares.list,
        create=lambda manila: partial(manila.shares.create, "NFS", 1, name="check"),
    )


def _instances(setting: str = "", **retries: int) -> Case:
    return Case(
        distribution="python-troveclient",
        setting=setting,
        make=_on_session("troveclient.client:Client", "1.0", **retries),
        read=lambda trove: trove.instances.list,
        create=lambda trove: partial(trove.instances.create, "check", flavor_id="1"),
    )


def _sdk(part: str, read: Callable[[Any], Any], create: Callable[[Any], Any], loop: str = "") -> Case:
    return Case(
        distribution="openstacksdk",
        part=part,
        loop=loop,
        make=_on_session("openstack.connection:Connection"),
        read=lambda cloud: lambda: list(read(cloud)),
        create=lambda cloud: partial(create, cloud),
    )


_DEFAULTS = (
    _keystoneauth("", _compute),
    Case(
        distribution="python-keystoneclient",
        make=_on_session("keystoneclient.v3.client:Client"),
        read=lambda keystone: keystone.users.list,
        create=lambda keystone: partial(keystone.users.create, "check"),
    ),
    Case(
        distribution="python-novaclient",
        make=_on_session("novaclient.client:Client", "2.1"),
        read=lambda nova: nova.servers.list,
        create=lambda nova: partial(nova.servers.create, "check", image=_ID, flavor="1"),
    ),
    _volumes(),
    Case(
        distribution="python-heatclient",
        make=_on_session("heatclient.client:Client", "1", service_type="orchestration"),
        read=lambda heat: lambda: list(heat.stacks.list()),
        create=lambda heat: partial(heat.stacks.create, stack_name="check", template={}),
    ),
    _networks(),
    Case(
        distribution="python-glanceclient",
        make=_on_session("glanceclient:Client", "2"),
        read=lambda glance: lambda: list(glance.images.list()),
        create=lambda glance: partial(glance.images.create, name="check"),
    ),
    Case(
        distribution="python-swiftclient",
        loop="retries=5",
        make=_on_session("swiftclient.client:Connection"),
        read=lambda swift: swift.get_account,
        create=lambda swift: partial(swift.put_object, "box", "check", "content"),
    ),
    _sdk(
        "compute",
        lambda cloud: cloud.compute.servers(),
        lambda cloud: cloud.compute.create_server(name="check", imageRef=_ID, flavorRef="1"),
    ),
    _sdk(
        "network",
        lambda cloud: cloud.network.networks(),
        lambda cloud: cloud.network.create_network(name="check"),
    ),
    _sdk(
        "block_storage",
        lambda cloud: cloud.block_storage.volumes(),
        lambda cloud: cloud.block_storage.create_volume(size=1, name="check"),
    ),
    _sdk(
        "image",
        lambda cloud: cloud.image.images(),
        lambda cloud: cloud.image.create_image("check", allow_duplicates=True),
        "image_status_code_retries=5",
    ),
    _sdk(
        "baremetal",
        lambda cloud: cloud.baremetal.nodes(),
        lambda cloud: cloud.baremetal.create_node(driver="fake-hardware", provision_state="available"),
        "baremetal_status_code_retries=5",
    ),
    Case(
        distribution="python-ironicclient",
        loop="max_retries=5",
        make=_on_session("ironicclient.client:get_client", 1),
        read=lambda ironic: ironic.node.list,
        create=lambda ironic: partial(ironic.node.create, driver="fake-hardware"),
    ),
    _shares(),
    _instances(),
    Case(
        distribution="python-magnumclient",
        make=_on_session("magnumclient.client:Client", "1"),
        read=lambda magnum: magnum.clusters.list,
        create=lambda magnum: partial(magnum.clusters.create, name="check", cluster_template_id=_ID),
    ),
    Case(
        distribution="python-barbicanclient",
        make=_on_session("barbicanclient.client:Client"),
        read=lambda barbican: barbican.secrets.list,
        create=lambda barbican: lambda: barbican.secrets.create(name="check", payload="content").store(),
    ),
    Case(
        distribution="python-designateclient",
        make=_on_session("designateclient.client:Client", "2"),
        read=lambda designate: designate.zones.list,
        create=lambda designate: partial(designate.zones.create, "example.org.", email="check@example.org"),
    ),
    Case(
        distribution="python-octaviaclient",
        make=_octavia,
        read=lambda octavia: octavia.load_balancer_list,
        create=lambda octavia: partial(octavia.load_balancer_create, json={"loadbalancer": {"name": "check"}}),
    ),
    Case(
        distribution="python-saharaclient",
        make=_on_session("saharaclient.client:Client", "1.1"),
        read=lambda sahara: sahara.data_sources.list,
        create=lambda sahara: partial(sahara.data_sources.create, "check", "", "swift", "swift://check"),
    ),
    Case(
        distribution="python-mistralclient",
        make=_mistral,
        read=lambda mistral: mistral.environments.list,
        create=lambda mistral: partial(mistral.environments.create, name="check", variables={}),
    ),
)
# The loops that a program may switch on.
_SETTINGS = (
    _keystoneauth("connect_retries=2", partial(_compute, connect_retries=2), (LOST,)),
    _keystoneauth("status_code_retries=3", partial(_compute, status_code_retries=3), (503,)),
    _keystoneauth("status_code_retries=3 over urllib3's Retry(3)", _under_urllib3, (503,)),
    _networks("retries=2 over connect_retries=2", retries=2, connect_retries=2),
    _volumes("retries=2, on 413", (413,), retries=2),
    _shares("retries=2", retries=2),
    _instances("retries=2", retries=2),
)
CASES = (*_DEFAULTS, *_SETTINGS)
DISTRIBUTIONS = tuple(dict.fromkeys(case.distribution for case in CASES))
