"""A call of a client is recognized by the origin of its object.  Each rule has a test, with code before and after."""

from __future__ import annotations

import pytest

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
