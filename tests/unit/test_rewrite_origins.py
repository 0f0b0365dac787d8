"""A client's call is known by where the object comes from: one test a rule, before and after."""

from __future__ import annotations

import pytest

from os_retries.rewrite.options import UsageError

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2', session=s)\n"

# What stands before, what after; in the same file as NOVA.
WRAPPED = {
    "a method of a manager": (
        "nova.servers.get(id)",
        "execute_with_retries(nova.servers.get, id)",
    ),
    "no arguments": ("nova.servers.list()", "execute_with_retries(nova.servers.list)"),
    "stars and keywords": (
        "nova.servers.create(*a, name='x', **kw)",
        "execute_with_retries(nova.servers.create, *a, name='x', **kw)",
    ),
    "a chain: both calls, the inner one first": (
        "nova.servers.get(id).delete()",
        "execute_with_retries(execute_with_retries(nova.servers.get, id).delete)",
    ),
    "a call whose result is called": ("nova.servers.get(id)(y)", "execute_with_retries(nova.servers.get, id)(y)"),
    "a resource that a call returned": (
        "server = nova.servers.create('x')\nserver.reboot(hard=True)",
        "server = execute_with_retries(nova.servers.create, 'x')\nexecute_with_retries(server.reboot, hard=True)",
    ),
    "a loop over a listing": (
        "for server in nova.servers.list():\n    server.delete()",
        "for server in execute_with_retries(nova.servers.list):\n    execute_with_retries(server.delete)",
    ),
    "a loop with enumerate": (
        "for i, server in enumerate(sorted(nova.servers.list())):\n    server.delete()",
        (
            "for i, server in enumerate(sorted(execute_with_retries(nova.servers.list))):\n"
            "    execute_with_retries(server.delete)"
        ),
    ),
    "a comprehension": (
        "x = [server.delete() for server in nova.servers.list() if server.interface_list()]",
        (
            "x = [execute_with_retries(server.delete) for server in execute_with_retries(nova.servers.list)"
            " if execute_with_retries(server.interface_list)]"
        ),
    ),
    "an element of a listing": (
        "nova.servers.list()[0].delete()",
        "execute_with_retries(execute_with_retries(nova.servers.list)[0].delete)",
    ),
    "a slice of a listing": (
        "for s in nova.servers.list()[:3]:\n    s.delete()",
        "for s in execute_with_retries(nova.servers.list)[:3]:\n    execute_with_retries(s.delete)",
    ),
    "a manager under a name": (
        "manager = nova.flavors\nmanager.find(ram=1)",
        "manager = nova.flavors\nexecute_with_retries(manager.find, ram=1)",
    ),
    "a method under a name": ("get = nova.flavors.get\nget(1)", "get = nova.flavors.get\nexecute_with_retries(get, 1)"),
    "a partial of a method": (
        "import functools\nget = functools.partial(nova.flavors.get, 1)\nget()",
        "import functools\nget = functools.partial(nova.flavors.get, 1)\nexecute_with_retries(get)",
    ),
    "getattr with a literal": (
        "getattr(nova, 'servers').list()",
        "execute_with_retries(getattr(nova, 'servers').list)",
    ),
    "setattr with a literal": (
        "class A:\n    def __init__(self):\n        setattr(self, 'c', nova)\nA().c.servers.list()",
        "class A:\n    def __init__(self):\n        setattr(self, 'c', nova)\nexecute_with_retries(A().c.servers.list)",
    ),
    "a client imported by its name": (
        "from oslo_utils import importutils\nimportutils.import_object('cinderclient.client.Client', 3).volumes.list()",
        (
            "from oslo_utils import importutils\n"
            "execute_with_retries(importutils.import_object('cinderclient.client.Client', 3).volumes.list)"
        ),
    ),
    "classes in a table": (
        "table = {'nova': client.Client}\ntable['nova']('2').servers.list()",
        "table = {'nova': client.Client}\nexecute_with_retries(table['nova']('2').servers.list)",
    ),
    "a tuple taken apart": (
        "a, b = 1, nova\nb.servers.list()",
        "a, b = 1, nova\nexecute_with_retries(b.servers.list)",
    ),
    "a client in a dictionary": (
        "clients = {}\nclients['nova'] = nova\nclients['nova'].servers.list()\nclients.get('x').servers.list()",
        (
            "clients = {}\nclients['nova'] = nova\nexecute_with_retries(clients['nova'].servers.list)\n"
            "execute_with_retries(clients.get('x').servers.list)"
        ),
    ),
    "a dictionary gone through": (
        "for name, c in {'a': nova}.items():\n    c.servers.list()",
        "for name, c in {'a': nova}.items():\n    execute_with_retries(c.servers.list)",
    ),
    "either of two": (
        "c = x and nova or nova\nc.servers.list()",
        "c = x and nova or nova\nexecute_with_retries(c.servers.list)",
    ),
    "a choice of two": (
        "(nova.servers if x else nova.flavors).list()",
        "execute_with_retries((nova.servers if x else nova.flavors).list)",
    ),
    "None at first": (
        "c = None\nif x:\n    c = nova\nc.servers.list()",
        "c = None\nif x:\n    c = nova\nexecute_with_retries(c.servers.list)",
    ),
    "an early return": (
        "def f(c=None):\n    if not c:\n        c = nova\n    return c.servers.list()\nf()",
        "def f(c=None):\n    if not c:\n        c = nova\n    return execute_with_retries(c.servers.list)\nf()",
    ),
    "a walrus": (
        "if (c := nova.servers.get(1)):\n    c.delete()",
        "if (c := execute_with_retries(nova.servers.get, 1)):\n    execute_with_retries(c.delete)",
    ),
    "a walrus among the arguments": (
        "nova.servers.get(x := 3)",
        "execute_with_retries(nova.servers.get, x := 3)",
    ),
    "an f-string": (
        "print(f'{nova.servers.get(1).name!r:>{nova.servers.get(2).width}} of {nova.servers.list()}')",
        (
            "print(f'{execute_with_retries(nova.servers.get, 1).name!r:>{execute_with_retries(nova.servers.get, 2).width}}"
            " of {execute_with_retries(nova.servers.list)}')"
        ),
    ),
    "a decorator": (
        "@nova.servers.get(1)\ndef f():\n    pass",
        "@execute_with_retries(nova.servers.get, 1)\ndef f():\n    pass",
    ),
    "a default argument": (
        "def f(x=nova.servers.list()):\n    pass",
        "def f(x=execute_with_retries(nova.servers.list)):\n    pass",
    ),
    "a lambda": ("f = lambda: nova.servers.list()", "f = lambda: execute_with_retries(nova.servers.list)"),
    "what a lambda returns": (
        "get = lambda: client.Client('2')\nget().servers.list()",
        "get = lambda: client.Client('2')\nexecute_with_retries(get().servers.list)",
    ),
    "an assignment's target": ("nova.servers.get(1).x = 1", "execute_with_retries(nova.servers.get, 1).x = 1"),
    "a del target": ("del nova.servers.get(1).x", "del execute_with_retries(nova.servers.get, 1).x"),
    "an index": ("x[nova.servers.get(1)] += 2", "x[execute_with_retries(nova.servers.get, 1)] += 2"),
    "yield": (
        "def f():\n    yield nova.servers.get(1)\n    yield from nova.servers.list()\nfor s in f():\n    s.delete()",
        (
            "def f():\n    yield execute_with_retries(nova.servers.get, 1)\n"
            "    yield from execute_with_retries(nova.servers.list)\nfor s in f():\n    execute_with_retries(s.delete)"
        ),
    ),
    "a try statement": (
        "try:\n    c = nova\nexcept E:\n    raise\nfinally:\n    c.servers.list()",
        "try:\n    c = nova\nexcept E:\n    raise\nfinally:\n    execute_with_retries(c.servers.list)",
    ),
    "a name that is the whole of what is matched": (
        "match nova.servers.get(1):\n    case None:\n        pass\n    case server if server.id:\n        server.delete()",
        (
            "match execute_with_retries(nova.servers.get, 1):\n    case None:\n        pass\n"
            "    case server if server.id:\n        execute_with_retries(server.delete)"
        ),
    ),
    "match": (
        "match x:\n    case 1:\n        nova.servers.list()",
        "match x:\n    case 1:\n        execute_with_retries(nova.servers.list)",
    ),
    "a while loop that breaks": (
        "while True:\n    c = nova\n    if c:\n        break\nc.servers.list()",
        "while True:\n    c = nova\n    if c:\n        break\nexecute_with_retries(c.servers.list)",
    ),
    "inside the arguments of another": (
        "nova.servers.create(flavor=nova.flavors.find(ram=1))",
        "execute_with_retries(nova.servers.create, flavor=execute_with_retries(nova.flavors.find, ram=1))",
    ),
    "a global set in a function": (
        "c = None\ndef init():\n    global c\n    c = nova\ndef f():\n    c.servers.list()",
        "c = None\ndef init():\n    global c\n    c = nova\ndef f():\n    execute_with_retries(c.servers.list)",
    ),
    "an attribute of a global": (
        "local = threading.local()\ndef use():\n    local.c.servers.list()\ndef init():\n    local.c = nova",
        (
            "local = threading.local()\ndef use():\n    execute_with_retries(local.c.servers.list)\n"
            "def init():\n    local.c = nova"
        ),
    ),
    "a closure": (
        "def f():\n    c = nova\n    def g():\n        return c.servers.list()\n    return g",
        "def f():\n    c = nova\n    def g():\n        return execute_with_retries(c.servers.list)\n    return g",
    ),
    "an argument of every call seen": (
        "def f(c, *, d=None):\n    c.servers.list()\n    d.flavors.list()\nf(nova, d=nova)",
        (
            "def f(c, *, d=None):\n    execute_with_retries(c.servers.list)\n    execute_with_retries(d.flavors.list)\n"
            "f(nova, d=nova)"
        ),
    ),
    "an annotated parameter": (
        "def f(c: 'client.Client | None', d: Optional[client.Client]):\n    c.servers.list()\n    d.servers.list()",
        (
            "def f(c: 'client.Client | None', d: Optional[client.Client]):\n    execute_with_retries(c.servers.list)\n"
            "    execute_with_retries(d.servers.list)"
        ),
    ),
    "an annotated function": (
        "def f() -> client.Client:\n    return make()\nf().servers.list()",
        "def f() -> client.Client:\n    return make()\nexecute_with_retries(f().servers.list)",
    ),
    "an attribute": (
        (
            "class A:\n    def __init__(self):\n        self.c = None\n    def open(self):\n        self.c = nova\n"
            "    def use(self):\n        return self.c.servers.list()"
        ),
        (
            "class A:\n    def __init__(self):\n        self.c = None\n    def open(self):\n        self.c = nova\n"
            "    def use(self):\n        return execute_with_retries(self.c.servers.list)"
        ),
    ),
    "a property that caches": (
        (
            "class A:\n    _c = None\n    @property\n    def c(self):\n        if self._c is None:\n            self._c = nova\n"
            "        return self._c\nA().c.servers.list()"
        ),
        (
            "class A:\n    _c = None\n    @property\n    def c(self):\n        if self._c is None:\n            self._c = nova\n"
            "        return self._c\nexecute_with_retries(A().c.servers.list)"
        ),
    ),
    "a base class's attribute": (
        (
            "class A:\n    def __init__(self):\n        self.c = nova\nclass B(A):\n    def use(self):\n"
            "        self.c.servers.list()"
        ),
        (
            "class A:\n    def __init__(self):\n        self.c = nova\nclass B(A):\n    def use(self):\n"
            "        execute_with_retries(self.c.servers.list)"
        ),
    ),
    "a subclass's attribute": (
        "class A:\n    def use(self):\n        self.c().servers.list()\nclass B(A):\n    def c(self):\n        return nova",
        (
            "class A:\n    def use(self):\n        execute_with_retries(self.c().servers.list)\nclass B(A):\n"
            "    def c(self):\n        return nova"
        ),
    ),
    "super()": (
        (
            "class A:\n    def c(self):\n        return nova\nclass B(A):\n    def c(self):\n"
            "        return super().c()\nB().c().servers.list()"
        ),
        (
            "class A:\n    def c(self):\n        return nova\nclass B(A):\n    def c(self):\n"
            "        return super().c()\nexecute_with_retries(B().c().servers.list)"
        ),
    ),
    "a class that extends a client": (
        "class Mine(client.Client):\n    pass\nMine().servers.list()",
        "class Mine(client.Client):\n    pass\nexecute_with_retries(Mine().servers.list)",
    ),
    "a class that delegates": (
        (
            "class Mine:\n    def __init__(self):\n        self.c = nova\n    def __getattr__(self, name):\n"
            "        return getattr(self.c, name)\nMine().servers.list()"
        ),
        (
            "class Mine:\n    def __init__(self):\n        self.c = nova\n    def __getattr__(self, name):\n"
            "        return getattr(self.c, name)\nexecute_with_retries(Mine().servers.list)"
        ),
    ),
    "a static and a class method": (
        (
            "class A:\n    @staticmethod\n    def a():\n        return nova\n    @classmethod\n    def b(cls):\n"
            "        return cls.a()\nA.b().servers.list()"
        ),
        (
            "class A:\n    @staticmethod\n    def a():\n        return nova\n    @classmethod\n    def b(cls):\n"
            "        return cls.a()\nexecute_with_retries(A.b().servers.list)"
        ),
    ),
    "a dataclass": (
        "@dataclass\nclass A:\n    c: client.Client\ndef f(a: A):\n    a.c.servers.list()",
        "@dataclass\nclass A:\n    c: client.Client\ndef f(a: A):\n    execute_with_retries(a.c.servers.list)",
    ),
    "with a context manager of one's own": (
        "@contextlib.contextmanager\ndef opened():\n    yield nova\nwith opened() as c:\n    c.servers.list()",
        (
            "@contextlib.contextmanager\ndef opened():\n    yield nova\nwith opened() as c:\n"
            "    execute_with_retries(c.servers.list)"
        ),
    ),
    "with an __enter__": (
        "class A:\n    def __enter__(self):\n        return nova\nwith A() as c:\n    c.servers.list()",
        "class A:\n    def __enter__(self):\n        return nova\nwith A() as c:\n    execute_with_retries(c.servers.list)",
    ),
    "a cached function": (
        "@functools.lru_cache\ndef get():\n    return nova\nget().servers.list()",
        "@functools.lru_cache\ndef get():\n    return nova\nexecute_with_retries(get().servers.list)",
    ),
    "a decorator of the program that returns what the function returns": (
        (
            "def wrap(fn):\n    @functools.wraps(fn)\n    def inner(*a, **kw):\n        try:\n            return fn(*a, **kw)\n"
            "        except E:\n            raise F\n    return inner\n@wrap\ndef get():\n    return nova\nget().servers.list()"
        ),
        (
            "def wrap(fn):\n    @functools.wraps(fn)\n    def inner(*a, **kw):\n        try:\n            return fn(*a, **kw)\n"
            "        except E:\n            raise F\n    return inner\n@wrap\ndef get():\n    return nova\n"
            "execute_with_retries(get().servers.list)"
        ),
    ),
    "a decorator that takes arguments": (
        (
            "def times(n):\n    def deco(fn):\n        def inner(*a):\n            x = fn(*a)\n            return x\n"
            "        return inner\n    return deco\n@times(3)\ndef get():\n    return nova\nget().servers.list()"
        ),
        (
            "def times(n):\n    def deco(fn):\n        def inner(*a):\n            x = fn(*a)\n            return x\n"
            "        return inner\n    return deco\n@times(3)\ndef get():\n    return nova\n"
            "execute_with_retries(get().servers.list)"
        ),
    ),
    "a decorator that gives its function back": (
        "def keep(fn):\n    kept.append(fn)\n    return fn\n@keep\ndef get():\n    return nova\nget().servers.list()",
        (
            "def keep(fn):\n    kept.append(fn)\n    return fn\n@keep\ndef get():\n    return nova\n"
            "execute_with_retries(get().servers.list)"
        ),
    ),
    "a cache in a global": (
        "cache = {}\ndef get(name):\n    if name not in cache:\n        cache[name] = nova\n    return cache[name]\nget('x').servers.list()",
        "cache = {}\ndef get(name):\n    if name not in cache:\n        cache[name] = nova\n    return cache[name]\nexecute_with_retries(get('x').servers.list)",
    ),
    "a cache in an attribute": (
        "class A:\n    def __init__(self):\n        self._all = {}\n    def get(self, name):\n        self._all[name] = nova\n        return self._all[name]\nA().get('x').servers.list()",
        "class A:\n    def __init__(self):\n        self._all = {}\n    def get(self, name):\n        self._all[name] = nova\n        return self._all[name]\nexecute_with_retries(A().get('x').servers.list)",
    ),
    "a cache's values": (
        "clients = {}\nclients[1] = nova\nfor c in clients.values():\n    c.servers.list()",
        "clients = {}\nclients[1] = nova\nfor c in clients.values():\n    execute_with_retries(c.servers.list)",
    ),
    "an attribute set on the class": (
        "class A:\n    c = None\nA.c = nova\nA().c.servers.list()",
        "class A:\n    c = None\nA.c = nova\nexecute_with_retries(A().c.servers.list)",
    ),
    "what a closure set": (
        "def f():\n    c = None\n    def g():\n        nonlocal c\n        c = nova\n    def h():\n        c.servers.list()",
        "def f():\n    c = None\n    def g():\n        nonlocal c\n        c = nova\n    def h():\n        execute_with_retries(c.servers.list)",
    ),
    "a module imported by its name": (
        "import importlib\nimportlib.import_module('novaclient.client').Client('2').servers.list()",
        "import importlib\nexecute_with_retries(importlib.import_module('novaclient.client').Client('2').servers.list)",
    ),
    "a partial of a function": (
        "import functools\ndef use(c):\n    return c\nrun = functools.partial(use, nova)\nrun().servers.list()",
        "import functools\ndef use(c):\n    return c\nrun = functools.partial(use, nova)\nexecute_with_retries(run().servers.list)",
    ),
    "one half of a tuple": (
        (
            "class A:\n    c = None\n    def get(self):\n        if self.c:\n            return self.c, x\n        self.c = nova\n"
            "        return self.c, x\nc, y = A().get()\nc.servers.list()"
        ),
        (
            "class A:\n    c = None\n    def get(self):\n        if self.c:\n            return self.c, x\n        self.c = nova\n"
            "        return self.c, x\nc, y = A().get()\nexecute_with_retries(c.servers.list)"
        ),
    ),
    "contextlib.closing": (
        "import contextlib\nwith contextlib.closing(nova) as c:\n    c.servers.list()",
        "import contextlib\nwith contextlib.closing(nova) as c:\n    execute_with_retries(c.servers.list)",
    ),
    "a copy": (
        "import copy\ncopy.copy(nova).servers.list()",
        "import copy\nexecute_with_retries(copy.copy(nova).servers.list)",
    ),
    "the next of a listing": (
        "s = next(iter(nova.servers.list()))\ns.delete()",
        "s = next(iter(execute_with_retries(nova.servers.list)))\nexecute_with_retries(s.delete)",
    ),
    "a dictionary comprehension": (
        "c = {k: nova for k in x}['a']\nc.servers.list()",
        "c = {k: nova for k in x}['a']\nexecute_with_retries(c.servers.list)",
    ),
    "the SDK's session": (
        "import openstack\nconn = openstack.connect()\nconn.session.get('/servers')",
        "import openstack\nconn = openstack.connect()\nexecute_with_retries(conn.session.get, '/servers')",
    ),
    "an import inside a function": (
        "def f():\n    from cinderclient.v3 import client as cc\n    cc.Client().volumes.get(1).delete()",
        (
            "def f():\n    from cinderclient.v3 import client as cc\n"
            "    execute_with_retries(execute_with_retries(cc.Client().volumes.get, 1).delete)"
        ),
    ),
    "an import under a condition": (
        "try:\n    import cinderclient.client as cc\nexcept ImportError:\n    cc = None\ncc.Client().volumes.list()",
        (
            "try:\n    import cinderclient.client as cc\nexcept ImportError:\n    cc = None\n"
            "execute_with_retries(cc.Client().volumes.list)"
        ),
    ),
}


@pytest.mark.parametrize("rule", WRAPPED)
def test_wraps(rule, tmp_path):
    """The call is found and wrapped; nothing else changes; a second run changes nothing."""
    before, after = WRAPPED[rule]
    outcome = rewrite(tmp_path, NOVA + before + "\n")
    assert outcome.text == NOVA + after + "\n"
    assert outcome.status == 0
    again = rewrite(tmp_path, outcome.texts["main.py"])
    assert again.texts == outcome.texts


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
    assert "--client pkg.imags.manager: nothing of that name is used" in outcome.err


def test_mutual_recursion_and_growing_containers_end(tmp_path):
    """Values that hold themselves are cut off, not followed for ever."""
    text = NOVA + (
        "def f(x):\n    return g([x])\ndef g(x):\n    return f((x, nova))\nf(nova)\n"
        "a = nova\nwhile a:\n    a = [a]\nb = nova\nwhile b:\n    b = b.c\n"
        "class A(A): pass\nclass B(C): pass\nclass C(B):\n    x = C().x\n"
    )
    assert rewrite(tmp_path, text).status == 0
