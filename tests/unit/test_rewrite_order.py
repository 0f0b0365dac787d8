"""The verdict on a call does not depend on the order in which files are read, or attributes are set."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from os_retries.rewrite import evaluate, files, survey
from os_retries.rewrite.origins import Program
from os_retries.rewrite.parts import Module

#: A program in small files, each of which needs some of the others; {use} is a call that is judged.
PROGRAM = {
    "clients": "from novaclient import client\ndef nova(version='2'):\n    return client.Client(version)\nNOVA = nova()\n",
    "lazy": (
        "import clients\nclass Lazy(object):\n    _nova = None\n    @property\n    def nova(self):\n"
        "        if self._nova is None:\n            self._nova = clients.nova()\n        return self._nova\n"
    ),
    "user": (
        "from lazy import Lazy\nclass User(object):\n    def use(self):\n        self.lazy.nova.servers.list()\n"
        "        self.late.servers.get(1)\n    def open(self):\n        self.lazy = Lazy()\n        self.late = self.lazy.nova\n"
    ),
    "base": (
        "class Base(object):\n    nova = None\n    def client(self):\n        raise NotImplementedError\n"
        "    def use(self):\n        self.client().servers.list()\n        self.nova.flavors.list()\n"
    ),
    "child": (
        "import base\nimport clients\nclass Child(base.Base):\n    def __init__(self):\n        self.nova = clients.NOVA\n"
        "    def client(self):\n        return clients.nova()\n"
    ),
    "foreign": (
        "import clients\nfrom elsewhere import Thing\nclass Foreign(Thing):\n    def use(self):\n"
        "        self.nova.servers.list()\n    def open(self):\n        self.nova = clients.nova()\n"
    ),
    "boxes": (
        "import clients\nCACHE = {}\ndef all_of():\n    return [c for c in CACHE.values()]\ndef use():\n"
        "    for c in sorted(all_of()):\n        c.servers.list()\n    getattr(CACHE['x'], 'flavors').list()\n"
        "def fill():\n    CACHE['x'] = clients.nova()\n"
    ),
    "given": (
        "import contextlib\ndef use(client, other=None):\n    client.servers.list()\n    other.flavors.list()\n"
        "@contextlib.contextmanager\ndef opened():\n    import clients\n    yield clients.nova()\n"
    ),
    "giver": (
        "import given\nimport lazy\ngiven.use(lazy.Lazy().nova, other=thing())\nwith given.opened() as c:\n    c.servers.list()\n"
    ),
    "annotated": (
        "from child import Child\ndef make() -> Child:\n    return thing()\ndef use(c: Child):\n    c.nova.servers.list()\n"
        "    make().client().servers.list()\n    later: Child = None\n    later.nova.servers.get(1)\n"
    ),
    "wrapper": (
        "import clients\nclass Wrapper(object):\n    def __init__(self, client):\n        self.client = client\n"
        "    def __getattr__(self, name):\n        return getattr(self.client, name)\n"
        "    def __enter__(self):\n        return self.client\n"
    ),
    "wrapped": (
        "import wrapper\nfrom clients import nova\nwrapper.Wrapper(nova()).servers.list()\n"
        "with wrapper.Wrapper(nova()) as c:\n    c.servers.list()\n"
    ),
    "guesses": "def use(thing):\n    thing.nova.servers.list()\n    thing.late.servers.list()\n    thing.client().servers.list()\n",
    "patched": "import user\nimport clients\nu = user.User()\nu.extra = clients.NOVA\ndef f():\n    u.extra.servers.list()\n",
}  # fmt: skip
NAMES = sorted(PROGRAM)


def verdicts(names: list[str]) -> dict[tuple[str, int], object]:
    """Follow the files in this order; return the verdict on each call by file and line."""
    modules = [Module(n, n, PROGRAM[n], False, False, files.parse(PROGRAM[n], n)) for n in names]
    program = Program(modules, {}, frozenset({"execute_with_retries"}))
    evaluate.run(program)
    assert program.failed == {}
    return {
        (program.functions[unit].module if unit in program.functions else unit, item.node.lineno): survey.judge(item)
        for unit, found in program.found.items()
        for item in found.values()
    }


@given(names=st.permutations(NAMES))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_in_every_order_of_the_files(names):
    """All files, in any order."""
    assert verdicts(names) == verdicts(NAMES)


@given(names=st.sets(st.sampled_from(NAMES), min_size=2).flatmap(lambda some: st.permutations(sorted(some))))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_in_every_order_of_some_of_the_files(names):
    """Some of them, so that other names are never bound."""
    assert verdicts(names) == verdicts(sorted(names))


def test_what_is_known_of_the_program():
    """In whatever order, these are the verdicts: what is certain is wrapped, what may be is listed."""
    by_file: dict[str, set[str]] = {}
    for (name, _), judgment in verdicts(NAMES).items():
        by_file.setdefault(name, set()).add(judgment.verdict)
    wrapped = {"user", "base", "foreign", "boxes", "given", "giver", "annotated", "wrapped", "patched"}
    assert {name for name, all_of_them in by_file.items() if all_of_them == {"wrap"}} == wrapped
    assert by_file["guesses"] == {"unsure"}
