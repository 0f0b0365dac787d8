"""The clients that the tool knows, across files, and those that --client declares."""

from __future__ import annotations

import pytest

from os_retries.rewrite.options import UsageError

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2', session=s)\n"

SERVICES = {
    "cinder": ("from cinderclient import client as c\n", "c.Client('3').volumes.extend(v, 2)"),
    "heat": ("from heatclient.client import Client\n", "Client('1').stacks.create(**kw)"),
    "keystone": ("from keystoneclient.v3 import client as c\n", "c.Client().users.create(name='x')"),
    "neutron": ("from neutronclient.neutron import client as c\n", "c.Client('2.0').list_ports(device_id=1)"),
    "glance": ("import glanceclient\n", "glanceclient.Client('2').images.get(1)"),
    "manila": ("import manilaclient.client as c\n", "c.Client('2').shares.get(1)"),
    "barbican": ("from barbicanclient import client as c\n", "c.Client().secrets.delete(1)"),
    "magnum": ("from magnumclient.v1 import client as c\n", "c.Client().clusters.get(1)"),
    "designate": ("from designateclient.v2 import client as c\n", "c.Client().zones.create('x')"),
    "octavia": ("from octaviaclient.api.v2 import octavia\n", "octavia.OctaviaAPI().load_balancer_list()"),
    "ironic": ("from ironicclient import client as c\n", "c.get_client('1').node.get(1)"),
    "sahara": ("from saharaclient import client as c\n", "c.Client('1.1').clusters.get(1)"),
    "trove": ("from troveclient.v1 import client as c\n", "c.Client().instances.get(1)"),
    "mistral": ("from mistralclient.api import client as c\n", "c.client().workflows.get(1)"),
    "the SDK": ("import openstack\n", "openstack.connect(cloud='x').compute.get_server(1)"),
    "the SDK's cloud layer": ("from openstack import connection\n", "connection.Connection().list_servers()"),
    "a keystoneauth adapter": ("from keystoneauth1.adapter import Adapter\n", "Adapter(s).get('/servers')"),
    "a keystoneauth adapter that is loaded": (
        "from keystoneauth1 import loading as ks\n",
        "ks.adapter.Adapter().load_from_options(session=s).get('/servers')",
    ),
    "a keystoneauth session": (
        "from keystoneauth1 import loading as ks\n",
        "ks.load_session_from_conf_options(c, 'x').post('/y', json=z)",
    ),
}


@pytest.mark.parametrize("service", SERVICES)
def test_knows_the_constructor_of(service, tmp_path):
    """Every client of the table, and openstacksdk, is known by its constructor."""
    imports, call = SERVICES[service]
    outcome = rewrite(tmp_path, imports + call + "\n")
    method, _, rest = call.rpartition("(")
    assert outcome.text == f"{imports}execute_with_retries({method}{', ' * (rest != ')')}{rest}\n"


def test_data_that_a_client_returned_is_left_alone(tmp_path):
    """Neutron's and octavia's results are dictionaries: .get() on them asks nobody."""
    text = "from neutronclient.v2_0 import client\nx = client.Client().list_ports().get('ports')\nx.update(a=1)\n"
    outcome = rewrite(tmp_path, text)
    assert ".get('ports')\nx.update(a=1)\n" in outcome.text
    assert "(x.update" not in outcome.text


def test_follows_clients_across_files(tmp_path):
    """Functions, globals, classes and relative imports of the other files given are looked into."""
    files = {
        "pkg/__init__.py": "",
        "pkg/clients.py": "from novaclient import client\n\ndef nova():\n    return client.Client('2')\n\nNOVA = nova()\n",
        "pkg/api/__init__.py": "from ..clients import *\n",
        "pkg/api/base.py": "from pkg import clients\n\nclass Base:\n    def __init__(self):\n        self.nova = clients.nova()\n",
        "pkg/api/a.py": "from .base import Base\n\nclass A(Base):\n    def f(self):\n        return self.nova.servers.list()\n",
        "pkg/api/b.py": "from . import NOVA\nfrom pkg.api.a import A as X\n\nX().nova.servers.list()\nNOVA.servers.list()\n",
        "pkg/api/c.py": "import pkg.clients\n\npkg.clients.NOVA.servers.list()\n",
    }
    outcome = rewrite(tmp_path, files=files)
    assert "execute_with_retries(self.nova.servers.list)" in outcome.texts["pkg/api/a.py"]
    assert (
        "execute_with_retries(X().nova.servers.list)\nexecute_with_retries(NOVA.servers.list)"
        in outcome.texts["pkg/api/b.py"]
    )
    assert "execute_with_retries(pkg.clients.NOVA.servers.list)" in outcome.texts["pkg/api/c.py"]


def test_what_tests_put_in_does_not_make_the_program_unsure(tmp_path):
    """A mock that a test passes to a function does not hide the client that the program passes."""
    files = {
        "pkg/__init__.py": "",
        "pkg/a.py": NOVA + "def f(c):\n    c.servers.list()\nf(nova)\n",
        "pkg/tests/__init__.py": "",
        "pkg/tests/test_a.py": "from pkg import a\na.f(mock.Mock())\n",
    }
    assert "execute_with_retries(c.servers.list)" in rewrite(tmp_path, files=files).texts["pkg/a.py"]


CLIENT_FILES = {
    "pkg/__init__.py": "",
    "pkg/images.py": "from glanceclient import Client\n\ndef manager():\n    return Manager()\n\nclass Manager:\n"
    "    def __init__(self):\n        self.client = Client('2')\n    def get(self, id):\n        return self.client.images.get(id)\n",
    "pkg/use.py": "from pkg import images\n\nimages.manager().get(1)\n",
}


def test_a_declared_client_is_retried_by_its_callers(tmp_path):
    """--client: its calls are wrapped where it is used, and nothing inside it."""
    outcome = rewrite(tmp_path, files=CLIENT_FILES, clients=["pkg.images.manager"])
    assert "execute_with_retries(images.manager().get, 1)" in outcome.texts["pkg/use.py"]
    assert outcome.texts["pkg/images.py"] == CLIENT_FILES["pkg/images.py"]


def test_a_declared_class_is_retried_by_its_callers(tmp_path):
    """--client of a class: calling it gives the client, as calling a function does."""
    outcome = rewrite(tmp_path, files=CLIENT_FILES, clients=["pkg.images.Manager"])
    assert "execute_with_retries(images.manager().get, 1)" in outcome.texts["pkg/use.py"]
    assert outcome.texts["pkg/images.py"] == CLIENT_FILES["pkg/images.py"]


def test_without_it_the_requests_inside_are_wrapped(tmp_path):
    """The innermost call is the one that makes the request."""
    outcome = rewrite(tmp_path, files=CLIENT_FILES)
    assert "execute_with_retries(self.client.images.get, id)" in outcome.texts["pkg/images.py"]
    assert outcome.texts["pkg/use.py"] == CLIENT_FILES["pkg/use.py"]


def test_a_declared_client_may_be_of_a_known_service(tmp_path):
    """--client NAME=nova: what its methods return is known, too."""
    text = "from elsewhere import get\nget().servers.get(1).delete()\n"
    outcome = rewrite(tmp_path, text, clients=["elsewhere.get=nova"])
    assert "execute_with_retries(execute_with_retries(get().servers.get, 1).delete)" in outcome.text


def test_a_declared_client_may_be_a_proxy_of_openstacksdk(tmp_path):
    """--client NAME=sdk.baremetal: its methods are those of the proxy, told by openstacksdk's rule of names."""
    text = "from nova.utils import get_sdk_adapter as get\nget('baremetal').get_node(1)\nget('baremetal').nodes()\n"
    outcome = rewrite(tmp_path, text, clients=["nova.utils.get_sdk_adapter=sdk.baremetal"])
    assert "execute_with_retries(get('baremetal').get_node, 1)" in outcome.text
    assert "main.py:3:1: left alone: get('baremetal').nodes()" in outcome.err


@pytest.mark.parametrize("service", ["nova.servers", "sdk.a-b", "sdk.", "nowhere"])
def test_a_declared_client_of_an_unknown_service_is_an_error(service, tmp_path):
    """Only openstacksdk has proxies, and a service that is not in the table is a mistake."""
    with pytest.raises(UsageError, match=f"no client is called {service}"):
        rewrite(tmp_path, "", clients=[f"elsewhere.get={service}"])


def test_a_proxy_that_getattr_gives_is_one_of_openstacksdk(tmp_path):
    """getattr(connection, service_type) is a proxy, whichever it is; a method by a computed name is not known."""
    text = (
        "import openstack\ndef get(service):\n    return getattr(openstack.connect(), service)\n"
        "get('baremetal').get_node(1)\ngetattr(openstack.connect().compute, name)()\n"
    )
    outcome = rewrite(tmp_path, text)
    assert "execute_with_retries(get('baremetal').get_node, 1)" in outcome.text
    assert "not sure: getattr(openstack.connect().compute, name)()" in outcome.err


def test_an_image_of_openstacksdk_never_raises_for_its_upload(tmp_path):
    """Image.upload() and stage() send the session's raw requests: attach is the advice."""
    text = (
        "import openstack\nc = openstack.connect()\ni = c.image.get_image(1)\n"
        "i.upload(c.image, data=x)\ni.stage(c.image)\ni.fetch(c.image)\n"
    )
    outcome = rewrite(tmp_path, text)
    assert "\ni.upload(c.image, data=x)\ni.stage(c.image)\nexecute_with_retries(i.fetch, c.image)\n" in outcome.text
    assert outcome.err.count("left alone: i.") == 2


def test_what_barbican_has_in_memory_is_left_alone(tmp_path):
    """acl.get('read') looks into the ACL that was fetched."""
    text = "from barbicanclient import client\nacl = client.Client().acls.get(ref)\nx = acl.get('read')\n"
    outcome = rewrite(tmp_path, text)
    assert "acl = execute_with_retries(client.Client().acls.get, ref)\nx = acl.get('read')\n" in outcome.text
    assert "main.py:" not in outcome.err


def test_of_a_declared_client_of_no_service_the_results_are_unknown(tmp_path):
    """--client NAME: every method is a request, and what it returns may be anything."""
    text = "from elsewhere import get\nget().get(1).delete()\n"
    outcome = rewrite(tmp_path, text, clients=["elsewhere.get"])
    assert outcome.text.endswith("\nexecute_with_retries(get().get, 1).delete()\n")
    assert "main.py:2:1: not sure: get().get(1).delete()" in outcome.err


def test_a_declared_client_that_is_nowhere_is_an_error(tmp_path):
    """A mistyped --client must not pass in silence."""
    outcome = rewrite(tmp_path, NOVA, clients=["pkg.imags.manager"])
    assert outcome.status == 2
    assert "--client pkg.imags.manager: the code uses nothing of that name" in outcome.err


def test_mutual_recursion_and_growing_containers_end(tmp_path):
    """Values that hold themselves are cut off, not followed forever."""
    text = NOVA + (
        "def f(x):\n    return g([x])\ndef g(x):\n    return f((x, nova))\nf(nova)\n"
        "a = nova\nwhile a:\n    a = [a]\nb = nova\nwhile b:\n    b = b.c\n"
        "class A(A): pass\nclass B(C): pass\nclass C(B):\n    x = C().x\n"
    )
    assert rewrite(tmp_path, text).status == 0
