"""Which calls are left alone, listed as not sure, or listed to attach.  Each rule has a test."""

from __future__ import annotations

import pytest

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2', session=s)\n"

NO_REQUEST = {
    "a constructor": "client.Client('2')",
    "an attribute": "nova.servers.get",
    "a reference that is passed on": "run(nova.servers.list, nova)",
    "to_dict": "def f(s: Servers):\n    return s.to_dict()",
    "a string's method on data": "nova.client.management_url.rstrip('/')",
    "an unknown object": "thing.servers.list()",
    "a name that only sounds like a client": "nova_client.servers.list()",
    "a local variable of the same name": "def f():\n    nova = 1\n    return nova.servers.list()",
    "a deleted name": "del nova\nnova.servers.list()",
    "a name bound to something else": "nova = dict()\nnova.servers.list()",
    "what keystoneauth's session does by itself": (
        "import openstack\nfrom keystoneclient.v3 import client as k\nopenstack.connect().session.get_token()\n"
        "class A:\n    def __init__(self):\n        self.k = k.Client()\n    def __getattr__(self, name):\n"
        "        return getattr(self.k, name)\nA().session.get_endpoint()"
    ),
    "repr and str": "repr(nova), str(nova.servers)",
    "a name with a star": "first, *nova = 1, 2\nnova.servers.list()",
    "a name in a match": "match x:\n    case [nova] if nova:\n        nova.servers.list()",
    "a walrus in a comprehension": "[1 for x in y if (nova := x)]\nnova.servers.list()",
    "an exception's name": "try:\n    pass\nexcept E as nova:\n    nova.servers.list()",
    "an annotation that is none": "def f(c: 'not one!'):\n    c.servers.list()",
}


@pytest.mark.parametrize("rule", NO_REQUEST)
def test_leaves_alone(rule, tmp_path):
    """What makes no request, or is no client's, is neither changed nor mentioned."""
    outcome = rewrite(tmp_path, NOVA + NO_REQUEST[rule] + "\n")
    assert outcome.texts["main.py"] == NOVA + NO_REQUEST[rule] + "\n"
    assert "main.py:" not in outcome.err


ALREADY = {
    "the function": "from os_retries import execute_with_retries\nexecute_with_retries(nova.servers.get, 1)",
    "an alias": "from os_retries import execute_with_retries as e\ne(nova.servers.get, 1)",
    "a module's": "import os_retries\nos_retries.execute_with_retries(nova.servers.get, 1)",
    "another's": "from sahara.utils.openstack import base as b\nb.execute_with_retries(nova.servers.get, 1)",
    "a name for it": "from os_retries import execute_with_retries\nw = execute_with_retries\nw(nova.servers.get, 1)",
    "a partial of it": "from os_retries import execute_with_retries\nimport functools\n"
    "w = functools.partial(execute_with_retries, nova.servers.get)\nw(1)",
    "a lambda given to it": "from os_retries import execute_with_retries\n"
    "execute_with_retries(lambda: nova.servers.get(1))",
    "a function given to it": "from os_retries import execute_with_retries\ndef f():\n    return nova.servers.get(1)\n"
    "execute_with_retries(f)",
    "a method given to it": "from os_retries import execute_with_retries\nclass A:\n    def f(self):\n"
    "        return self.g()\n    def g(self):\n        return nova.servers.get(1)\nexecute_with_retries(A().f)",
    "the function itself": "def execute_with_retries(method, *a):\n    return method(*a)\n"
    "execute_with_retries(nova.servers.get, 1)",
    "a method of that name": "class A:\n    def execute_with_retries(self, method, *a):\n        return method(*a)\n"
    "    def f(self):\n        return self.execute_with_retries(lambda: nova.servers.get(1))",
    "a comment that says so": "nova.servers.get(1)  # os-retries: skip",
}


@pytest.mark.parametrize("rule", ALREADY)
def test_leaves_what_is_retried_already(rule, tmp_path):
    """A call that is wrapped, under whatever name, is not wrapped again."""
    outcome = rewrite(tmp_path, NOVA + ALREADY[rule] + "\n")
    assert outcome.texts["main.py"] == NOVA + ALREADY[rule] + "\n"
    assert "main.py:" not in outcome.err


def test_follows_the_result_of_a_wrapped_call(tmp_path):
    """What execute_with_retries returns is what the method returns."""
    outcome = rewrite(tmp_path, NOVA + "s = b.execute_with_retries(nova.servers.get, 1)\ns.delete()\n")
    assert "execute_with_retries(s.delete)" in outcome.text


UNSURE = {
    "a client or something else": "c = nova if x else thing()\nc.servers.list()",
    "an argument of some calls": "def f(c):\n    c.servers.list()\nf(nova)\nf(thing())",
    "a decorator that may return anything": "@thing\ndef get():\n    return nova\nget().servers.list()",
    "a decorator of the program that returns something else": "def wrap(fn):\n    def inner():\n        return str(fn())\n"
    "    return inner\n@wrap\ndef get():\n    return nova\nget().servers.list()",
    "an attribute of an unknown object, only ever a client": "class A:\n    def __init__(self):\n        self.nova = nova\n"
    "def f(a):\n    a.nova.servers.list()",
    "a method of an unknown object, only ever a client": "class A:\n    def get_nova(self):\n        return nova\n"
    "def f(a):\n    a.get_nova().servers.list()",
    "an attribute of an unknown object, only ever one of an object that delegates": (
        "class A:\n    def __init__(self):\n        self.c = nova\n    def __getattr__(self, name):\n        return getattr(self.c, name)\n"
        "class B:\n    def __init__(self):\n        self.api = A()\ndef f(b):\n    b.api.servers.list()"
    ),
    "a class that delegates to what may be a client": (
        "class A:\n    def __init__(self):\n        self.c = nova if x else thing()\n"
        "    def __getattr__(self, name):\n        return getattr(self.c, name)\nA().servers.list()"
    ),
    "a call that is awaited": "async def f():\n    await nova.servers.list()",
    "getattr of what is computed": "getattr(nova.servers, name)()",
    "a private method": "nova.servers._list('/x')",
    "a result of which nothing is known": "nova.servers.evacuate(1).refresh()",
    "the client itself": "nova.reconnect()",
}


@pytest.mark.parametrize("rule", UNSURE)
def test_reports_what_it_is_not_sure_of(rule, tmp_path):
    """A call that may be a client's is named with its place, and left alone."""
    outcome = rewrite(tmp_path, NOVA + UNSURE[rule] + "\n", mode="diff")
    line = next(i for i, text in enumerate((NOVA + UNSURE[rule]).splitlines(), 1) if ".list()" in text or i > 2)
    report = [x for x in outcome.err.splitlines() if x.startswith("main.py:")]
    assert len(report) == 1, outcome.err
    assert ": not sure: " in report[0]
    assert int(report[0].split(":")[1]) >= line
    assert outcome.status == 0
    assert all("not sure" not in x for x in rewrite(tmp_path, mode="check").out.splitlines())


ATTACH = {
    "heat's listing": "from heatclient import client as h\nh.Client('1').stacks.list()",
    "glance's listing": "from glanceclient import Client\nfor i in Client('2').images.list():\n    print(i.name)",
    "glance's upload": "from glanceclient.v2.client import Client\nClient().images.upload(1, data)",
    "an SDK generator": "import openstack\nconn = openstack.connect()\nfor s in conn.compute.servers():\n    print(s)",
    "the SDK's raw calls": "import openstack\nopenstack.connect().compute.get('/servers')",
    "the SDK's upload": "import openstack\nopenstack.connect().create_image('x', filename='y')",
    "barbican's store": "from barbicanclient import client as b\nb.Client().secrets.create('x').store()",
    "neutron's pages": "from neutronclient.v2_0 import client as n\nn.Client().list_ports(retrieve_all=False)",
    "keystoneauth without an error": "from keystoneauth1.session import Session\nSession().get('/', raise_exc=False)",
    "a file as an argument": "with open('x') as f:\n    nova.servers.create('x', userdata=f)",
    "a generator as an argument": "nova.servers.create(x for x in y)",
    "a generator of clients as an argument": "nova.servers.create(c for c in [nova])",
    "swift, which repeats by itself": "import swiftclient\nswiftclient.Connection().get_account()",
}


@pytest.mark.parametrize("rule", ATTACH)
def test_advises_to_attach_where_wrapping_helps_nothing(rule, tmp_path):
    """A call that does its work later, or must not be repeated blindly, is listed with what to do instead."""
    outcome = rewrite(tmp_path, NOVA + ATTACH[rule] + "\n")
    assert outcome.texts["main.py"] == NOVA + ATTACH[rule] + "\n"
    (report,) = (x for x in outcome.err.splitlines() if x.startswith("main.py:"))
    assert ": left alone: " in report
    assert "os_retries.attach(session)" in report or "client_options('swift')" in report
