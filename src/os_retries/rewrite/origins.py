"""What is known of a program's values: modules, functions, classes, and which clients they hold.

`Program` keeps one growing set of atoms (`values.py`) for every global, attribute, parameter and return value, and
remembers who read it, so that `evaluate.py` can run every function again until nothing grows. No file is read here,
and no text changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from os_retries.rewrite import services
from os_retries.rewrite.values import (
    DECORATED,
    ITS_RESULT,
    NONE,
    NOTHING,
    SIZE_LIMIT,
    STREAM,
    UNKNOWN,
    Bound,
    Client,
    Guess,
    Inst,
    Managed,
    Many,
    Ref,
    Result,
    Value,
    below_client,
    clients_in,
    collapsed,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable


Key = tuple[str, ...]


@dataclass(slots=True)
class Module:
    """One file of the program."""

    name: str
    path: str
    text: str
    is_package: bool
    is_test: bool
    tree: ast.Module


@dataclass(slots=True)
class Function:
    """A function, method or lambda of the program."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: str
    cls: str | None  # the class whose method it is
    outer: tuple[str, ...]  # the functions around it, innermost first
    kind: str = "plain"  # plain, static, class, property, context
    positional: list[str] = field(default_factory=list)
    keyword_only: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Class:
    """A class of the program."""

    name: str
    node: ast.ClassDef
    module: str
    above: set[str] = field(default_factory=set)  # all its bases that are of the program, and theirs
    below: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Found:
    """A call whose function may be a client's method."""

    node: ast.Call
    value: Value
    body: bool = False
    session_given: bool = False
    awaited: bool = False


#: Packages of which evaluate.py knows a function that takes or gives a client, or a stream.
_HANDLERS = frozenset({
    "builtins", "functools", "contextlib", "copy", "typing", "importlib", "oslo_utils", "io", "codecs", "os", "gzip",
    "six", "tempfile", "collections", "weakref", "os_retries", "?",
})  # fmt: skip


class Program:
    """All modules given, and what is known of their values so far."""

    def __init__(self, modules: Iterable[Module], clients: dict[str, str], wrappers: frozenset[str]) -> None:
        """`clients` maps names declared with --client to a service; `wrappers` are the names of the retry function."""
        self.modules: dict[str, Module] = {}
        self.aliases: dict[str, str] = {}
        self.clients = clients
        self.clients_met: set[str] = set()
        self._roots = services.PACKAGES | _HANDLERS | {name.partition(".")[0] for name in clients}
        self.wrappers = wrappers
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, Class] = {}
        self.covered: set[str] = set()
        self.dotted: set[str] = set()
        self.failed: dict[str, str] = {}  # by path, why a file could not be followed
        self.found: dict[str, dict[int, Found]] = {}
        self._state: dict[Key, Value] = {}
        self._readers: dict[Key, set[str]] = {}
        self.queue: dict[str, None] = {}  # ordered, each once
        self.unit = ""
        self.testing = False
        self._settled = False
        self._later: dict[str, None] = {}
        self._seen: dict[tuple[str, str, object], Value] = {}  # what this unit asked for already, in this run
        self._ancestries: dict[str, list[str]] = {}
        self._at_a_loss: dict[str, None] = {}
        for module in modules:
            self.modules[module.name] = module

    # -- the growing sets

    def get(self, key: Key) -> Value:
        """Return what is known of `key`, and run the current unit again when that grows."""
        readers = self._readers.get(key)
        if readers is None:
            readers = self._readers[key] = set()
        readers.add(self.unit)
        return self._state.get(key, NOTHING)

    def add(self, key: Key, value: Value) -> None:
        """Add `value` to what is known of `key`."""
        old = self._state.get(key, NOTHING)
        if any(isinstance(atom, Result) and atom.name for atom in value):  # data, once it is kept somewhere
            value = frozenset(a for a in value if not (isinstance(a, Result) and a.name)) | UNKNOWN
        if value <= old or (self.testing and self._is_tested(key)):
            return
        new = collapsed(old | value)
        if len(new) > SIZE_LIMIT:
            new = old | UNKNOWN
        if new == old:
            return
        self._state[key] = new
        if key[0] == "attr":
            self.add(("named", key[2]), value)
            cls = self.classes[key[1]]
            cls.attributes.add(key[2])
            for base in cls.above:
                self.add(("below", base, key[2]), value)
        elif key[0] == "bases":
            self._ancestries.clear()
        # That something is unknown, too, matters in the end only: those readers wait until all else is settled.
        queue = self._later if new - old <= UNKNOWN | NONE else self.queue
        queue.update(dict.fromkeys(self._readers.get(key, ())))

    def set_on_global(self, module: str, dotted: str, value: Value) -> None:
        """Note an attribute that is set on a global of which nothing else is known: `local.nova = ...`."""
        if dotted not in self.dotted:  # nobody asks for a name that is not in there
            self.dotted.add(dotted)
            self.queue.update(dict.fromkeys(name for name, f in self.functions.items() if f.module == module))
        self.add(("glob", module, dotted), value)

    def begin(self, *, tests: bool) -> None:
        """Put the program's modules on the queue, or its tests."""
        self._settled = False
        self.queue.update(dict.fromkeys(name for name, module in self.modules.items() if module.is_test is tests))

    def next_unit(self) -> str | None:
        """Take the next unit to run off the queue."""
        if not self.queue:
            self.queue, self._later = self._later, {}
        unit = next(iter(self.queue), None)
        if unit is not None:
            del self.queue[unit]
            self._later.pop(unit, None)
        return unit

    def start(self, unit: str) -> Module:
        """Make `unit` the reader of what is read from now on; return its module."""
        self.unit = unit
        self._seen.clear()
        module = self.modules[self.functions[unit].module if unit in self.functions else unit]
        self.testing = module.is_test
        return module

    def _is_tested(self, key: Key) -> bool:
        """Say whether the key is of the program, not of its tests: what tests put there are mocks."""
        kind, owner = key[:2]
        if kind not in {"param", "attr", "glob", "named", "below"}:
            return False
        part = self.functions.get(owner) or self.classes.get(owner)
        module = self.modules.get(part.module if part else owner)
        return module is None or not module.is_test

    def settle(self) -> bool:
        """Call unknown what nobody has told by now: parameters, names, attributes. True if that leaves work to do."""
        self.testing = False
        for key in [k for k in self._readers if k[0] == "param" and not self._state.get(k)]:
            self.add(key, UNKNOWN)
        self._settled = True
        self.queue.update(dict.fromkeys(self._at_a_loss))
        self._at_a_loss.clear()
        return bool(self.queue or self._later)

    def at_a_loss(self) -> Value:
        """Return what a name is that nothing is known of: nothing yet, and in the end unknown."""
        if self._settled:
            return UNKNOWN
        self._at_a_loss[self.unit] = None
        return NOTHING

    # -- names

    def module_named(self, dotted: str) -> Module | None:
        """Find a module of the program by its full name, or by its name under one of the paths given."""
        return self.modules.get(dotted) or self.modules.get(self.aliases.get(dotted, ""))

    def member(self, dotted: str, name: str) -> Value:
        """Look up `name` in the module, class or external thing `dotted`."""
        value = self._seen.get((dotted, name, None))
        if value is None:
            value = self._seen[dotted, name, None] = self._member(dotted, name, frozenset())
        return value

    def _member(self, dotted: str, name: str, seen: frozenset[str]) -> Value:
        full = f"{dotted}.{name}"
        if module := self.module_named(dotted):
            if value := self.get(("glob", module.name, name)):
                return value
            if sub := self.module_named(full):
                return frozenset({Ref(sub.name)})
            value = NOTHING
            if module.name not in seen:
                for star in self.get(("star", module.name)):
                    if isinstance(star, Ref):
                        value |= self._member(star.name, name, seen | {module.name}) - UNKNOWN
            return value
        if dotted in self.classes:
            return self.class_attribute(dotted, name)
        if dotted in self.functions:
            return UNKNOWN
        return self.outside(full)

    def outside(self, dotted: str) -> Value:
        """Return a name that is not of the program: of use only if clients, or what handles them, come from there."""
        if dotted.partition(".")[0] in self._roots or self.is_wrapper(dotted):
            return frozenset({Ref(dotted)})
        return UNKNOWN

    def ancestry(self, cls: str) -> list[str]:
        """Return `cls` and its bases, nearest first; a base that is not of the program is given by its name."""
        if known := self._ancestries.get(cls):
            for name in known:
                if name in self.classes:
                    self.get(("bases", name))
            return known
        order = self._ancestries[cls] = []
        todo = [cls]
        while todo:
            current = todo.pop(0)
            if current in order:
                continue
            order.append(current)
            if current in self.classes:
                todo += sorted(a.name for a in self.get(("bases", current)) if isinstance(a, Ref))
        return order

    def link(self, cls: str, base: str) -> None:
        """Note that `cls` extends `base`: what is known of its attributes is known below the base, too."""
        above = {base, *self.classes[base].above}
        for name in (cls, *self.classes[cls].below):
            under = self.classes[name]
            new = above - under.above - {name}
            under.above |= new
            for ancestor in new:
                self.classes[ancestor].below.add(name)
                for attribute in under.attributes:
                    self.add(("below", ancestor, attribute), self._state[("attr", name, attribute)])

    def base_client(self, cls: str) -> str | None:
        """Return the service of the client class that `cls` extends, if it does."""
        for name in self.ancestry(cls):
            if service := self.declared(name) or (None if name in self.classes else services.constructor(name)):
                return service
        return None

    def class_attribute(self, cls: str, name: str) -> Value:
        """Read an attribute from the class itself."""
        for ancestor in self.ancestry(cls):
            if value := self.get(("attr", ancestor, name)):
                return frozenset(
                    Bound(atom.name, cls)
                    if isinstance(atom, Ref) and (f := self.functions.get(atom.name)) and f.kind == "class"
                    else atom
                    for atom in value
                )
        return NOTHING

    def instance_attribute(self, cls: str, name: str, *, skip_own: bool = False) -> Value:
        """Read an attribute from an instance of `cls`, which may also be of a subclass."""
        value = self._seen.get((cls, name, skip_own))
        if value is None:
            value = self._seen[cls, name, skip_own] = self._instance_attribute(cls, name, skip_own=skip_own)
        return value

    def _instance_attribute(self, cls: str, name: str, *, skip_own: bool) -> Value:
        value = NOTHING
        ancestry = self.ancestry(cls)
        for ancestor in ancestry[skip_own:]:
            if value := self.get(("attr", ancestor, name)):
                break
        if not skip_own and self._is_abstract(value):
            value |= self.get(("below", cls, name))
        if value:
            out = NOTHING
            for atom in value:
                out |= self._bind(atom, cls)
            return out
        if service := self.base_client(cls):
            return frozenset({below_client(service, (), name)})
        if value := self._delegated(ancestry, name):
            return value
        return UNKNOWN if any(a not in self.classes for a in ancestry) else self.at_a_loss()

    def _is_abstract(self, value: Value) -> bool:
        """Say whether a class only announces an attribute, for its subclasses to give."""
        return all(
            atom in NONE
            or (isinstance(atom, Ref) and atom.name in self.functions and not self.returned(atom.name) - NONE)
            for atom in value
        )

    def _delegated(self, ancestry: list[str], name: str) -> Value:
        """Return what a __getattr__ that passes on to a client gives for `name`."""
        value = NOTHING
        if not self.get(("named", "__getattr__")):
            return value
        for ancestor in ancestry:
            for atom in self.get(("attr", ancestor, "__getattr__")):
                if not isinstance(atom, Ref) or atom.name not in self.functions:
                    continue
                returned = self.returned(atom.name)
                computed = [a for a in returned if isinstance(a, Client) and a.path[-1:] == ("?",)]
                value |= {below_client(a.service, a.path[:-1], name) for a in computed}
                if computed:
                    value |= returned & UNKNOWN
        return value

    def _bind(self, atom: object, cls: str) -> Value:
        function = self.functions.get(atom.name) if isinstance(atom, Ref) else None
        if function is None or function.cls is None or function.kind == "static":
            return frozenset({atom})
        if function.kind == "property":
            return self.call_declared(function.name) or self.returned(function.name)
        return frozenset({Bound(function.name, cls)})

    def returned(self, function: str) -> Value:
        """Return what calling the function gives."""
        f = self.functions[function]
        value = self.get(("ret", function))
        if given := self.get(("yield", function)):
            if f.kind == "context":
                value = frozenset({Managed(given)})
            else:
                value = frozenset({Many(given)}) if given - UNKNOWN - NONE else STREAM
        if value and not all(map(self._passes_on, self.get(("decorators", function)))):
            value |= UNKNOWN
        return value

    def _passes_on(self, decorator: object) -> bool:
        """Say whether a decorator of the program gives back its function, or one that returns what that returns."""
        if not isinstance(decorator, (Ref, Bound)) or decorator[0] not in self.functions:
            return False
        for atom in self.get(("ret", decorator[0])):
            inner = self.get(("ret", atom.name)) if isinstance(atom, Ref) and atom.name in self.functions else UNKNOWN
            if atom != DECORATED and inner - NONE - {ITS_RESULT}:
                return False
        return True

    def guess(self, name: str) -> Value:
        """Guess what attribute `name` of an unknown object is: what it is everywhere else, if that leads to a client.

        The answer says that it is a guess by holding the unknown too.
        """
        value = self.get(("named", name))
        if value & UNKNOWN or not value:
            return UNKNOWN
        known = clients_in(value) | {atom for atom in value if isinstance(atom, Inst)}
        if known == value - NONE:
            return known | UNKNOWN
        if len(value) == 1 and isinstance(atom := next(iter(value)), Ref) and (f := self.functions.get(atom.name)):
            if f.kind == "property":
                return clients_in(self.returned(f.name)) | UNKNOWN
            return frozenset({Guess(f.name)}) | UNKNOWN
        return UNKNOWN

    def call_declared(self, name: str) -> Value:
        """Return the client that calling `name` gives because --client says so."""
        service = self.declared(name)
        return frozenset({Client(service)}) if service else NOTHING

    def declared(self, name: str) -> str | None:
        """Return the service that --client gave to `name`."""
        service = self.clients.get(name)
        if service:
            self.clients_met.add(name)
        return service

    def is_wrapper(self, name: str) -> bool:
        """Say whether a dotted name is the retry function, by its last part."""
        return name.rpartition(".")[2] in self.wrappers

    def cover_declared(self) -> None:
        """Leave alone what is inside a --client: its callers are the ones that retry."""
        for name in self.clients:
            if name in self.classes or name in self.functions:
                self.clients_met.add(name)
            if name in self.classes:
                self.covered.add(name)
            if name in self.functions:
                for atom in self.returned(name):
                    if isinstance(atom, Inst):
                        self.covered.update(c for c in self.ancestry(atom.cls) if c in self.classes)

    def is_covered(self, unit: str) -> bool:
        """Say whether the unit stands in a function or class whose calls are retried from outside."""
        return any(unit == name or unit.startswith(name + ".") for name in self.covered)
