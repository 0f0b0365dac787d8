"""Attributes and calls of values: of clients, of the program, and of a few library functions."""

from __future__ import annotations

import ast

from os_retries.rewrite import repeats, services
from os_retries.rewrite.definitions import Definitions
from os_retries.rewrite.values import (
    COMPUTED,
    COMPUTED_ATOM,
    DECORATED,
    ITS_RESULT,
    NONE,
    NOTHING,
    PATH_LIMIT,
    RETRIER_ATOM,
    STREAM,
    UNKNOWN,
    Bound,
    Client,
    ContainerMethod,
    Guess,
    Inst,
    Many,
    Partial,
    Ref,
    Result,
    Row,
    Super,
    Value,
    below_client,
    clients_in,
    elements,
    result_of_call,
    unwrapped,
)

Env = dict[str, Value]

#: Built-in functions that return the elements of their argument.
_SAME = frozenset({"sorted", "list", "tuple", "set", "frozenset", "reversed", "iter", "filter"})
_BOXES = frozenset({
    "builtins.dict", "builtins.list", "builtins.set", "collections.OrderedDict", "collections.defaultdict",
    "collections.deque", "weakref.WeakValueDictionary", "weakref.WeakKeyDictionary",
})  # fmt: skip
_ELEMENT = frozenset({"next", "min", "max"})
_STREAMS = frozenset({
    "builtins.open", "io.open", "io.BytesIO", "io.StringIO", "io.FileIO", "codecs.open", "os.fdopen", "gzip.open",
    "builtins.map", "builtins.zip", "six.BytesIO", "six.StringIO", "tempfile.TemporaryFile",
    "tempfile.NamedTemporaryFile", "tempfile.SpooledTemporaryFile",
})  # fmt: skip
_IMPORTERS = frozenset({
    "importlib.import_module", "oslo_utils.importutils.import_module", "oslo_utils.importutils.import_class",
    "oslo_utils.importutils.try_import", "builtins.__import__",
})  # fmt: skip
_BOX_GETTERS = frozenset({"get", "pop", "setdefault", "popleft", "__getitem__", "values", "copy", "items"})


class Calls(Definitions):
    """The calls of one unit."""

    def attribute(self, value: Value, name: str) -> Value:
        """Return attribute `name` of a value."""
        out = NOTHING
        for atom in value:
            out |= self.attribute_of(atom, name)
        return out

    def attribute_of(self, atom: object, name: str) -> Value:  # noqa: PLR0911  one case an atom
        """Return attribute `name` of one atom."""
        program = self.program
        match atom:
            case Client(service, path):
                return frozenset({below_client(service, path, name)}) if len(path) < PATH_LIMIT else UNKNOWN
            case Ref(dotted):
                return program.member(dotted, name)
            case Inst(cls):
                return program.instance_attribute(cls, name)
            case Super(cls):
                return program.instance_attribute(cls, name, skip_own=True)
            case Result(service, shape, ""):
                return frozenset({Result(service, shape, name)})
            case _ if atom == RETRIER_ATOM:
                return frozenset({atom})
            case Many() | Row():
                if name not in _BOX_GETTERS:
                    return UNKNOWN
                return frozenset({ContainerMethod(elements(frozenset({atom})), name)})
            case _:
                if name in program.wrappers:
                    return frozenset({Ref(f"?.{name}")})
                return program.guess(name) if atom in UNKNOWN else NOTHING if atom in NONE else UNKNOWN

    def call(  # noqa: C901, PLR0911, PLR0912  one case an atom
        self, atom: object, node: ast.Call, args: list[Value], keywords: dict[str, Value]
    ) -> Value:
        """Return the result of calling one atom."""
        program = self.program
        match atom:
            case Client(_, ()):
                return UNKNOWN
            case Client(service, path):
                return result_of_call(service, path)
            case Result():
                return UNKNOWN
            case Ref(name) | Bound(name, _) if program.is_wrapper(name):
                return self.call_wrapper(node, args, keywords)
            case Ref(name):
                return program.call_declared(name) or self.call_named(name, node, args, keywords)
            case Bound(name, _):
                self.give(name, args, keywords, bound=True)
                return program.call_declared(name) or program.returned(name)
            case Guess(name):
                return clients_in(program.returned(name)) | UNKNOWN
            case Partial(value, wraps):
                if wraps:
                    return self.call_wrapper(node, [value, *args] if value else args, keywords)
                out = NOTHING
                for inner in value:
                    out |= self.call(inner, node, args, keywords)
                return out
            case _ if atom == COMPUTED_ATOM:
                return COMPUTED
            case _ if atom == RETRIER_ATOM:
                for given in [*args, *keywords.values()]:
                    self.repeat_all(given, "a retry loop of a library")
                return UNKNOWN
            case _ if atom == DECORATED:
                return frozenset({ITS_RESULT})
            case ContainerMethod(value, name):
                if name == "items":
                    return frozenset({Many(frozenset({Row((UNKNOWN, value))}))})
                if name in {"values", "copy"}:
                    return frozenset({Many(value)})
                return value | (args[1] if len(args) > 1 else NOTHING)
            case _:
                return NOTHING if atom in NONE else UNKNOWN

    def call_wrapper(self, node: ast.Call, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Return the result of execute_with_retries(method, ...), and record that the method is retried."""
        if not args:
            return UNKNOWN
        out = NOTHING
        for atom in args[0]:
            for inner in unwrapped(frozenset({atom})):
                if isinstance(inner, Ref) and inner.name in self.program.functions:
                    self.program.covered.add(inner.name)
                elif isinstance(inner, Bound):
                    self.program.covered.add(inner.cls)
            out |= self.call(atom, node, args[1:], keywords)
        return out

    def call_named(self, name: str, node: ast.Call, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Call a function or class by its dotted name."""
        program = self.program
        if name in program.functions:
            self.give(name, args, keywords, bound=False)
            return program.returned(name)
        if name in program.classes:
            if client := program.declared(name):
                return frozenset({client})
            for init in program.instance_attribute(name, "__init__"):
                if isinstance(init, Bound):
                    self.give(init.function, args, keywords, bound=True)
            return frozenset({Inst(name)})
        if service := services.constructor(name):
            return frozenset({Client(service)})
        return self.call_outside(name, node, args)

    def call_outside(  # noqa: C901, PLR0911, PLR0912  one case a function
        self, name: str, node: ast.Call, args: list[Value]
    ) -> Value:
        """Call a function from outside the program."""
        last = name.rpartition(".")[2]
        if name in self.program.computed:
            self.program.computed[name][1].add(id(node))
            return UNKNOWN
        if repeats.is_retrier(name):
            return frozenset({RETRIER_ATOM})
        first = args[0] if args else NOTHING
        if name in _STREAMS:
            return STREAM
        if name in _BOXES and (not args or name == "collections.defaultdict"):
            return NONE
        if name in _IMPORTERS and isinstance(node.args[0] if node.args else None, ast.Constant):
            return self.imported(str(node.args[0].value))  # type: ignore[attr-defined]
        if name in _IMPORTERS and node.args:
            return COMPUTED
        if name == "oslo_utils.importutils.import_object" and node.args and isinstance(node.args[0], ast.Constant):
            return self.call_named(str(node.args[0].value), node, args[1:], {})
        if name in {"functools.partial", "functools.partialmethod"} and args:
            wraps = any(isinstance(a, (Ref, Bound)) and self.program.is_wrapper(a[0]) for a in first)
            if wraps:
                return frozenset({Partial(args[1] if len(args) > 1 else NOTHING, True)})
            for atom in first:
                if isinstance(atom, (Ref, Bound)) and atom[0] in self.program.functions:
                    self.give(atom[0], args[1:], {}, bound=isinstance(atom, Bound))
            return frozenset({Partial(first, False)})
        if name == "contextlib.closing":
            return first
        if name in {"copy.copy", "copy.deepcopy", "typing.cast"}:
            return args[-1] if args else UNKNOWN
        if not name.startswith("builtins."):
            return UNKNOWN
        if last == "super":
            cls = self.function.cls if self.function else None
            return frozenset({Super(cls)}) if cls else UNKNOWN
        if last == "setattr" and len(args) == 3 and isinstance(node.args[1], ast.Constant):
            target = ast.Attribute(node.args[0], str(node.args[1].value), ast.Store())
            self.set_attribute(target, args[2])
            return NONE
        if last == "getattr" and len(args) > 1:
            attr = node.args[1]
            literal = attr.value if isinstance(attr, ast.Constant) and isinstance(attr.value, str) else "?"
            known = first if literal != "?" else frozenset(a for a in first if isinstance(a, Client))
            unknown = UNKNOWN if first - known - NONE else NOTHING
            if not first:
                return self.program.at_a_loss()
            return (self.attribute(known, literal) | unknown or UNKNOWN) | (args[2] if len(args) > 2 else NOTHING)
        if last in _SAME:
            source = args[-1] if last == "filter" else first
            value = elements(source)
            return self.boxed(value)
        if last in _ELEMENT:
            return elements(first) | (args[1] if len(args) > 1 and last == "next" else NOTHING)
        if last == "enumerate":
            return frozenset({Many(frozenset({Row((UNKNOWN, elements(first)))}))})
        return UNKNOWN

    def imported(self, dotted: str) -> Value:
        """Return the module `dotted`."""
        module = self.program.module_named(dotted)
        return frozenset({Ref(module.name)}) if module else self.program.outside(dotted)
