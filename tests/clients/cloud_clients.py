"""Every OpenStack client, constructed in the usual way, each with a call that reads and a call that creates.

CONFIGURATIONS is the table: 22 clients on a keystoneauth session, and three configurations of swiftclient. A test that
needs another construction passes constructor arguments to `Configuration.make`.
"""

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3

from tests.clients.cloud import ID, PROJECT


@dataclass
class Built:
    """A client, its two calls, the session under it (None for swift's direct authentication), and what closes it all."""

    client: Any
    session: ksa_session.Session | None
    configuration: "Configuration"
    closing: contextlib.ExitStack = field(repr=False)

    @property
    def get(self):
        """The call that reads, to be passed to execute_with_retries as it is."""
        return self.configuration.get(self.client)

    @property
    def create(self):
        return self.configuration.create(self.client)

    def close(self):
        self.closing.close()


@dataclass(frozen=True)
class Configuration:
    """One client and how it is built; `path` finds its API requests at the server, so that its own look-ups are counted apart."""

    name: str
    service: str  # whose API it talks to, and whose dialect it hears
    build: Callable[..., Any]
    get: Callable[[Any], Callable[[], Any]]  # a bound method; a lambda that drains it where it is lazy
    create: Callable[[Any], Callable[[], Any]]
    path: str
    options: str | None = None  # whose client_options() it wants, because it retries by itself

    @property
    def dialect(self):
        return self.service

    def make(self, cloud, timeout=None, **arguments):
        """Build the client; its session waits `timeout` seconds for an answer (None: forever, as by default)."""
        closing = contextlib.ExitStack()
        session = None
        if self.name in {"swift.v1", "swift.v3"}:
            client = self.build(cloud, timeout=timeout, **arguments)
        else:
            session = make_session(cloud, closing, timeout)
            client = self.build(cloud, session, **arguments)
        close = getattr(client, "close", None) if self.service == "swift" or self.name.startswith("sdk") else None
        if close:
            closing.callback(close)
        return Built(client, session, self, closing)


def make_session(cloud, closing, timeout=None):
    """A keystoneauth session on a `requests` session of ours, for nothing else closes the sockets."""
    http = closing.enter_context(requests.Session())
    auth = v3.Password(
        cloud.auth_url,
        username="demo",
        password="secret",
        user_domain_id="default",
        project_name="demo",
        project_domain_id="default",
    )
    return ksa_session.Session(auth=auth, session=http, timeout=timeout)


def _module(path):
    return importlib.import_module(path)


# -- how each is built: build(cloud, session, **arguments)


def _adapter(_cloud, session, **arguments):
    return _module("keystoneauth1.adapter").Adapter(session, service_type="compute", **arguments)


def _nova(_cloud, session, **arguments):
    return _module("novaclient.client").Client("2.1", session=session, **arguments)


def _cinder(_cloud, session, **arguments):
    return _module("cinderclient.client").Client("3", session=session, **arguments)


def _heat(_cloud, session, **arguments):
    return _module("heatclient.client").Client("1", session=session, service_type="orchestration", **arguments)


def _keystone(_cloud, session, **arguments):
    return _module("keystoneclient.v3.client").Client(session=session, **arguments)


def _neutron(_cloud, session, **arguments):
    return _module("neutronclient.v2_0.client").Client(session=session, **arguments)


def _glance(_cloud, session, **arguments):
    return _module("glanceclient").Client("2", session=session, **arguments)


def _manila(_cloud, session, **arguments):
    return _module("manilaclient.client").Client("2.60", session=session, **arguments)


def _magnum(_cloud, session, **arguments):
    return _module("magnumclient.client").Client("1", session=session, **arguments)


def _ironic(_cloud, session, **arguments):
    return _module("ironicclient.client").get_client(1, session=session, **arguments)


def _trove(_cloud, session, **arguments):
    return _module("troveclient.client").Client("1.0", session=session, **arguments)


def _barbican(_cloud, session, **arguments):
    return _module("barbicanclient.client").Client(session=session, **arguments)


def _designate(_cloud, session, **arguments):
    return _module("designateclient.client").Client("2", session=session, **arguments)


def _octavia(cloud, session, **arguments):
    return _module("octaviaclient.api.v2.octavia").OctaviaAPI(
        session=session, service_type="load-balancer", endpoint=cloud.url("octavia"), **arguments
    )


def _sahara(_cloud, session, **arguments):
    return _module("saharaclient.client").Client("1.1", session=session, **arguments)


def _mistral(cloud, session, **arguments):
    return _module("mistralclient.api.client").client(session=session, mistral_url=cloud.url("mistral"), **arguments)


def _sdk(_cloud, session, **arguments):
    return _module("openstack.connection").Connection(session=session, **arguments)


def _swift_session(_cloud, session, **arguments):
    return _module("swiftclient.client").Connection(session=session, **arguments)


def _swift_v1(cloud, **arguments):
    url = f"{cloud.doors['identity'].url}/auth/v1.0"
    return _module("swiftclient.client").Connection(url, "demo", "secret", auth_version="1", **arguments)


def _swift_v3(cloud, **arguments):
    options = {"project_name": "demo", "user_domain_id": "default", "project_domain_id": "default"}
    return _module("swiftclient.client").Connection(
        cloud.auth_url, "demo", "secret", auth_version="3", os_options=options, **arguments
    )


def _swift(name, build):
    return Configuration(
        name,
        "swift",
        build,
        lambda swift: swift.get_account,
        lambda swift: partial(swift.put_object, "box", "thing", "content"),
        rf"/AUTH_{PROJECT}",
        options="swift",
    )


CONFIGURATIONS = [
    Configuration(
        "keystoneauth",
        "nova",
        _adapter,
        lambda api: partial(api.get, "/servers"),
        lambda api: partial(api.post, "/servers", json={"server": {"name": "thing"}}),
        "/servers",
    ),
    Configuration(
        "keystone",
        "keystone",
        _keystone,
        lambda keystone: keystone.users.list,
        lambda keystone: partial(keystone.users.create, "thing"),
        "/users",
    ),
    Configuration(
        "nova",
        "nova",
        _nova,
        lambda nova: nova.servers.list,
        lambda nova: partial(nova.servers.create, "thing", image=ID, flavor="1"),
        "/servers",
    ),
    Configuration(
        "cinder",
        "cinder",
        _cinder,
        lambda cinder: cinder.volumes.list,
        lambda cinder: partial(cinder.volumes.create, 1, name="thing"),
        "/volumes",
        options="cinder",
    ),
    Configuration(
        "heat",
        "heat",
        _heat,
        lambda heat: lambda: list(heat.stacks.list()),
        lambda heat: partial(heat.stacks.create, stack_name="thing", template={}),
        "/stacks",
    ),
    Configuration(
        "neutron",
        "neutron",
        _neutron,
        lambda neutron: neutron.list_networks,
        lambda neutron: partial(neutron.create_network, {"network": {"name": "thing"}}),
        "/networks",
        options="neutron",
    ),
    Configuration(
        "glance",
        "glance",
        _glance,
        lambda glance: lambda: list(glance.images.list()),
        lambda glance: partial(glance.images.create, name="thing"),
        "/images",
    ),
    Configuration(
        "manila",
        "manila",
        _manila,
        lambda manila: manila.shares.list,
        lambda manila: partial(manila.shares.create, "NFS", 1, name="thing"),
        "/shares",
        options="manila",
    ),
    Configuration(
        "magnum",
        "magnum",
        _magnum,
        lambda magnum: magnum.clusters.list,
        lambda magnum: partial(magnum.clusters.create, name="thing", cluster_template_id=ID),
        "/clusters",
    ),
    Configuration(
        "ironic",
        "ironic",
        _ironic,
        lambda ironic: ironic.node.list,
        lambda ironic: partial(ironic.node.create, driver="fake-hardware"),
        "/nodes",
        options="ironic",
    ),
    Configuration(
        "trove",
        "trove",
        _trove,
        lambda trove: trove.instances.list,
        lambda trove: partial(trove.instances.create, "thing", flavor_id="1"),
        "/instances",
        options="trove",
    ),
    Configuration(
        "barbican",
        "barbican",
        _barbican,
        lambda barbican: barbican.secrets.list,
        lambda barbican: lambda: barbican.secrets.create(name="thing", payload="content").store(),
        "/secrets",
    ),
    Configuration(
        "designate",
        "designate",
        _designate,
        lambda designate: designate.zones.list,
        lambda designate: partial(designate.zones.create, "example.org.", email="a@example.org"),
        "/zones",
    ),
    Configuration(
        "octavia",
        "octavia",
        _octavia,
        lambda octavia: octavia.load_balancer_list,
        lambda octavia: partial(octavia.load_balancer_create, json={"loadbalancer": {"name": "thing"}}),
        "/loadbalancers",
    ),
    Configuration(
        "sahara",
        "sahara",
        _sahara,
        lambda sahara: sahara.data_sources.list,
        lambda sahara: partial(sahara.data_sources.create, "thing", "", "swift", "swift://x"),
        "/data-sources",
    ),
    Configuration(
        "mistral",
        "mistral",
        _mistral,
        lambda mistral: mistral.environments.list,
        lambda mistral: partial(mistral.environments.create, name="thing", variables={}),
        "/environments",
    ),
    Configuration(
        "sdk.compute",
        "nova",
        _sdk,
        lambda cloud: lambda: list(cloud.compute.servers()),
        lambda cloud: partial(cloud.compute.create_server, name="thing", imageRef=ID, flavorRef="1"),
        "/servers",
    ),
    Configuration(
        "sdk.image",
        "glance",
        _sdk,
        lambda cloud: lambda: list(cloud.image.images()),
        lambda cloud: partial(cloud.image.create_image, "thing", allow_duplicates=True),
        "/images",
        options="openstacksdk",
    ),
    Configuration(
        "sdk.baremetal",
        "ironic",
        _sdk,
        lambda cloud: lambda: list(cloud.baremetal.nodes()),
        lambda cloud: partial(cloud.baremetal.create_node, driver="fake-hardware", provision_state="available"),
        "/nodes",
        options="openstacksdk",
    ),
    Configuration(
        "sdk.network",
        "neutron",
        _sdk,
        lambda cloud: lambda: list(cloud.network.networks()),
        lambda cloud: partial(cloud.network.create_network, name="thing"),
        "/networks",
    ),
    Configuration(
        "sdk.block_storage",
        "cinder",
        _sdk,
        lambda cloud: lambda: list(cloud.block_storage.volumes()),
        lambda cloud: partial(cloud.block_storage.create_volume, size=1, name="thing"),
        "/volumes",
    ),
    Configuration(
        "sdk.cloud",
        "nova",
        _sdk,
        lambda cloud: cloud.list_keypairs,
        lambda cloud: partial(cloud.create_keypair, "thing", "ssh-rsa AAAA"),
        "/os-keypairs",
    ),
    _swift("swift.session", _swift_session),
    _swift("swift.v1", _swift_v1),
    _swift("swift.v3", _swift_v3),
]
BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}
