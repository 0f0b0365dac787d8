"""What an expression may be: names, attributes, calls, containers, and the functions that they reach.

The half of `evaluate.py` that knows no statement. Its `e_` methods say what one kind of node may be.
"""
# ruff: noqa: D102  a method named after a kind of node, or after what it returns, says it all

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any

from os_retries.rewrite import services
from os_retries.rewrite.origins import Found, Function, Program
from os_retries.rewrite.values import (
    DECORATED,
    DEPTH_LIMIT,
    ITS_RESULT,
    NONE,
    NOTHING,
    PATH_LIMIT,
    STREAM,
    STREAM_ATOM,
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
    depth,
    elements,
    interesting,
    item,
    result_of_call,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Env = dict[str, Value]

#: Built-in functions that give their first argument, or what is in it, back.
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
#: Decorators that give back what the function returns, by their last name.
_TRANSPARENT = frozenset({
    "lru_cache", "cache", "wraps", "abstractmethod", "override", "synchronized", "overload", "setter", "getter",
    "deleter", "coroutine", "final",
})  # fmt: skip
_KINDS = {
    "staticmethod": "static",
    "classmethod": "class",
    "contextmanager": "context",
    "asynccontextmanager": "context",
}
_BUILTINS = frozenset(dir(builtins))
_BOX_GETTERS = frozenset({"get", "pop", "setdefault", "popleft", "__getitem__", "values", "copy", "items"})
_BOX_METHODS = frozenset({"append", "add", "insert", "setdefault", "appendleft"})


class Expressions:
    """The expressions of one unit: a module's body, or a function's."""

    def __init__(self, program: Program, unit: str) -> None:
        self.program = program
        self.unit = unit
        self.module = program.start(unit)
        self.function = program.functions.get(unit)
        self.cls: str | None = None  # set while a class body is run
        self.env: Env = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.locals: dict[str, Value] = {}  # everything each name ever held, for the functions inside
        self.found: dict[int, Found] = {}
        self.has_inner = False
        self.promised: Value = NOTHING  # by the annotation of what the function returns
        self.ended = False  # the statements that follow are not reached

    # -- names

    def bind(self, name: str, value: Value) -> None:
        if self.cls is not None:
            self.program.add(("attr", self.cls, name), value)
        elif self.function is None or name in self.globals:
            self.program.add(("glob", self.module.name, name), value)
        self.env[name] = value
        if name in self.nonlocals and self.function is not None:
            for outer in self.function.outer:
                self.program.add(("local", outer, name), value)
        elif self.function is not None:
            self.locals[name] = self.locals.get(name, NOTHING) | value

    def lookup(self, name: str) -> Value:
        if name in self.env and name not in self.globals:
            return self.env[name]
        if self.function is not None:
            for outer in self.function.outer:
                if value := self.program.get(("local", outer, name)):
                    return value
        if name in _BUILTINS:
            return self.program.get(("glob", self.module.name, name)) or frozenset({Ref(f"builtins.{name}")})
        return self.program.member(self.module.name, name) or self.program.at_a_loss()

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            self._set_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self.value(target.slice)
            self.put_in(target.value, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for index, part in enumerate(target.elts):
                self.assign(part, item(value, index))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, UNKNOWN)

    def _set_attribute(self, target: ast.Attribute, value: Value) -> None:
        base = self.value(target.value)
        for atom in base:
            if isinstance(atom, Inst):
                self.program.add(("attr", atom.cls, target.attr), value)
            elif isinstance(atom, Ref):
                if module := self.program.module_named(atom.name):
                    self.program.add(("glob", module.name, target.attr), value)
                elif atom.name in self.program.classes:
                    self.program.add(("attr", atom.name, target.attr), value)
        if isinstance(target.value, ast.Name) and interesting(value):
            dotted = f"{target.value.id}.{target.attr}"
            if target.value.id in self.env:
                self.env[dotted] = value
            if self.program.get(("glob", self.module.name, target.value.id)):
                self.program.set_on_global(self.module.name, dotted, value)

    def put_in(self, box: ast.expr, value: Value) -> None:
        """Put a value into the container that the expression `box` names."""
        self.value(box)
        if not interesting(value) or depth(value) >= DEPTH_LIMIT:
            return
        many: Value = frozenset({Many(value)})
        if isinstance(box, ast.Name):
            old = self.env.get(box.id, NOTHING)
            if box.id in self.env and box.id not in self.globals:
                self.bind(box.id, old | many)
            else:
                self.program.add(("glob", self.module.name, box.id), many)
        elif isinstance(box, ast.Attribute):
            self._set_attribute(box, many)

    def annotation(self, node: ast.expr) -> Value:
        """Return the instances that an annotation promises: only clients and classes of the program count."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value.strip(), mode="eval").body
            except SyntaxError:
                return NOTHING
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.annotation(node.left) | self.annotation(node.right)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Optional":
            return self.annotation(node.slice)
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return NOTHING
        out = NOTHING
        for atom in self.value(node):
            if isinstance(atom, Ref):
                if service := self.program.declared(atom.name) or services.constructor(atom.name):
                    out |= {Client(service)}
                elif atom.name in self.program.classes:
                    out |= {Inst(atom.name)}
        return out

    def children(self, node: ast.AST) -> None:
        """Evaluate the expressions right below a node that means nothing here."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)

    def value(self, node: ast.expr) -> Value:
        handler = _EXPRESSIONS.get(type(node))
        if handler is not None:
            return handler(self, node)
        self.children(node)
        return UNKNOWN

    def e_name(self, node: ast.Name) -> Value:
        value = self.lookup(node.id)
        if node.id in self.program.wrappers and value in (UNKNOWN, NOTHING):  # from ... import *, or not imported yet
            return frozenset({Ref(f"?.{node.id}")})
        return value

    def e_constant(self, node: ast.Constant) -> Value:
        return NONE if node.value is None or node.value is False else UNKNOWN

    def e_attribute(self, node: ast.Attribute) -> Value:
        if isinstance(node.value, ast.Name):
            dotted = f"{node.value.id}.{node.attr}"
            if dotted in self.env:
                self.value(node.value)
                return self.env[dotted]
            if dotted in self.program.dotted and (value := self.program.get(("glob", self.module.name, dotted))):
                return value
        return self.attribute(self.value(node.value), node.attr)

    def attribute(self, value: Value, name: str) -> Value:
        out = NOTHING
        for atom in value:
            out |= self.attribute_of(atom, name)
        return out

    def attribute_of(self, atom: object, name: str) -> Value:  # noqa: PLR0911  one case an atom
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
            case Many() | Row():
                if name not in _BOX_GETTERS:
                    return UNKNOWN
                return frozenset({ContainerMethod(elements(frozenset({atom})), name)})
            case _:
                if name in program.wrappers:
                    return frozenset({Ref(f"?.{name}")})
                return program.guess(name) if atom in UNKNOWN else NOTHING if atom in NONE else UNKNOWN

    def e_call(self, node: ast.Call) -> Value:
        function = self.value(node.func)
        args = [self.value(a) for a in node.args]
        keywords = {k.arg or "**": self.value(k.value) for k in node.keywords}
        if isinstance(node.func, ast.Attribute) and node.func.attr in _BOX_METHODS and args and interesting(args[-1]):
            self.put_in(node.func.value, args[-1])
        if any((isinstance(a, Client) and a.path) or (isinstance(a, Result) and a.name) for a in unwrapped(function)):
            given = [*args, *keywords.values()]
            old = self.found.get(id(node))
            found = self.found[id(node)] = Found(node, function | (old.value if old else NOTHING))
            found.body = any(STREAM_ATOM in v for v in given) or any(isinstance(a, ast.GeneratorExp) for a in node.args)
            found.session_given = any(isinstance(a, Client) and a.service == "sdk" for v in given for a in v)
            found.awaited = old is not None and old.awaited
        out = NOTHING
        for atom in function:
            out |= self.call(atom, node, args, keywords)
        return out

    def call(  # noqa: C901, PLR0911, PLR0912  one case an atom
        self, atom: object, node: ast.Call, args: list[Value], keywords: dict[str, Value]
    ) -> Value:
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
        """execute_with_retries(method, ...): what calling the method gives; its calls are retried already."""
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
        program = self.program
        if name in program.functions:
            self.give(name, args, keywords, bound=False)
            return program.returned(name)
        if name in program.classes:
            if service := program.declared(name):
                return frozenset({Client(service)})
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
        """Call a function that is not of the program."""
        last = name.rpartition(".")[2]
        first = args[0] if args else NOTHING
        if name in _STREAMS:
            return STREAM
        if name in _BOXES and (not args or name == "collections.defaultdict"):
            return NONE
        if name in _IMPORTERS and isinstance(node.args[0] if node.args else None, ast.Constant):
            return self.imported(str(node.args[0].value))  # type: ignore[attr-defined]
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
            self._set_attribute(target, args[2])
            return NONE
        if last == "getattr" and len(args) > 1:
            attr = node.args[1]
            literal = attr.value if isinstance(attr, ast.Constant) and isinstance(attr.value, str) else "?"
            known = first if literal != "?" else frozenset(a for a in first if isinstance(a, Client))
            unknown = UNKNOWN if first - known - NONE else NOTHING
            return (self.attribute(known, literal) | unknown or UNKNOWN) | (args[2] if len(args) > 2 else NOTHING)
        if last in _SAME:
            source = args[-1] if last == "filter" else first
            value = elements(source)
            return frozenset({Many(value)}) if interesting(value) else UNKNOWN
        if last in _ELEMENT:
            return elements(first) | (args[1] if len(args) > 1 and last == "next" else NOTHING)
        if last == "enumerate":
            return frozenset({Many(frozenset({Row((UNKNOWN, elements(first)))}))})
        return UNKNOWN

    def give(self, name: str, args: list[Value], keywords: dict[str, Value], *, bound: bool) -> None:
        """Give a call's arguments to the parameters of a function of the program."""
        function = self.program.functions[name]
        names = function.positional[1:] if bound and function.kind != "static" else function.positional
        for parameter, value in zip(names, args, strict=False):
            self.program.add(("param", name, parameter), value)
        known = {*function.positional, *function.keyword_only}
        for key, value in keywords.items():
            if key in known:
                self.program.add(("param", name, key), value)

    def e_lambda(self, node: ast.Lambda) -> Value:
        self._defaults(node)
        return frozenset({Ref(self._register(node, f"<lambda>{node.lineno}:{node.col_offset}", {}).name)})

    def e_await(self, node: ast.Await) -> Value:
        value = self.value(node.value)
        if found := self.found.get(id(node.value)):
            found.awaited = True
        return value

    def e_named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.assign(node.target, value)
        return value

    def e_choice(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return self.value(node.body) | self.value(node.orelse)

    def e_either(self, node: ast.BoolOp) -> Value:
        values = [self.value(part) for part in node.values]
        if isinstance(node.op, ast.And):
            return values[-1]  # or what was false before it, and no client is
        return NOTHING.union(*values)

    def e_box(self, node: ast.List | ast.Set) -> Value:
        if not node.elts:
            return NONE  # a cache, before anything is in it
        out = NOTHING
        for part in node.elts:
            out |= elements(self.value(part.value)) if isinstance(part, ast.Starred) else self.value(part)
        return frozenset({Many(out)}) if interesting(out) and depth(out) < DEPTH_LIMIT else UNKNOWN

    def e_tuple(self, node: ast.Tuple) -> Value:
        values = tuple(self.value(part) for part in node.elts)
        if any(interesting(v) or v <= NONE for v in values) and max(map(depth, values)) < DEPTH_LIMIT:
            return frozenset({Row(values)})
        return UNKNOWN

    def e_dict(self, node: ast.Dict) -> Value:
        for key in node.keys:
            if key is not None:
                self.value(key)
        out = NOTHING
        if not node.values:
            return NONE
        for value in node.values:
            out |= self.value(value)
        return frozenset({Many(out)}) if interesting(out) and depth(out) < DEPTH_LIMIT else UNKNOWN

    def e_subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        self.value(node.slice)
        if isinstance(node.slice, ast.Slice):
            return value
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return item(value, index if isinstance(index, int) else None)

    def e_starred(self, node: ast.Starred) -> Value:
        self.value(node.value)
        return UNKNOWN

    def e_yield(self, node: ast.Yield) -> Value:
        value = self.value(node.value) if node.value is not None else NONE
        self.program.add(("yield", self.unit), value or UNKNOWN)
        return UNKNOWN

    def e_yield_from(self, node: ast.YieldFrom) -> Value:
        self.program.add(("yield", self.unit), elements(self.value(node.value)) or UNKNOWN)
        return UNKNOWN

    def e_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        outer = self.env
        self.env = dict(outer)
        for generator in node.generators:
            self.assign(generator.target, elements(self.value(generator.iter)))
            for test in generator.ifs:
                self.value(test)
        if isinstance(node, ast.DictComp):
            self.value(node.key)
            out = self.value(node.value)
        else:
            out = self.value(node.elt)
        self.env = outer
        for walrus in (n for g in node.generators for n in ast.walk(g) if isinstance(n, ast.NamedExpr)):
            self.assign(walrus.target, UNKNOWN)
        if interesting(out) and depth(out) < DEPTH_LIMIT:
            return frozenset({Many(out)})
        return STREAM if isinstance(node, ast.GeneratorExp) else UNKNOWN

    def _register(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str, decorators: dict[str, Value]
    ) -> Function:
        program = self.program
        full = f"{self.cls or self.unit}.{name}"
        if (old := program.functions.get(full)) and old.node is not node:
            full = f"{full}#{node.lineno}:{node.col_offset}"
        self.has_inner = True
        if function := program.functions.get(full):
            self._decorate(full, decorators)
            return function
        kind = next((_KINDS[d] for d in decorators if d in _KINDS), "plain")
        if any(d.endswith("property") for d in decorators):
            kind = "property"
        function = program.functions[full] = Function(
            full,
            node,
            self.module.name,
            self.cls if not isinstance(node, ast.Lambda) else None,
            (self.unit, *self.function.outer) if self.function else (),
            kind,
            positional=[a.arg for a in (*node.args.posonlyargs, *node.args.args)],
            keyword_only=[a.arg for a in node.args.kwonlyargs],
        )
        self._decorate(full, decorators)
        program.queue[full] = None
        return function

    def _decorate(self, function: str, decorators: dict[str, Value]) -> None:
        """Note the decorators that may give back something else, and let those of the program be looked into."""
        for name, value in decorators.items():
            if name in _TRANSPARENT or name in _KINDS or name.endswith("property"):
                continue
            self.program.add(("decorators", function), value)
            for atom in value:
                if isinstance(atom, (Ref, Bound)) and atom[0] in self.program.functions:
                    self.give(atom[0], [frozenset({DECORATED})], {}, bound=isinstance(atom, Bound))

    def _defaults(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        full = f"{self.cls or self.unit}.{getattr(node, 'name', '')}"
        args = node.args
        positional = [*args.posonlyargs, *args.args]
        for arg, default in zip(positional[len(positional) - len(args.defaults) :], args.defaults, strict=True):
            self.program.add(("param", full, arg.arg), self.value(default))
        for arg, extra in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            if extra is not None:
                self.program.add(("param", full, arg.arg), self.value(extra))

    def imported(self, dotted: str) -> Value:
        module = self.program.module_named(dotted)
        return frozenset({Ref(module.name)}) if module else self.program.outside(dotted)


_EXPRESSIONS: dict[type[ast.expr], Callable[[Any, Any], Value]] = {
    ast.Name: Expressions.e_name,
    ast.Constant: Expressions.e_constant,
    ast.Attribute: Expressions.e_attribute,
    ast.Call: Expressions.e_call,
    ast.Lambda: Expressions.e_lambda,
    ast.Await: Expressions.e_await,
    ast.NamedExpr: Expressions.e_named,
    ast.IfExp: Expressions.e_choice,
    ast.BoolOp: Expressions.e_either,
    ast.List: Expressions.e_box,
    ast.Set: Expressions.e_box,
    ast.Tuple: Expressions.e_tuple,
    ast.Dict: Expressions.e_dict,
    ast.Subscript: Expressions.e_subscript,
    ast.Starred: Expressions.e_starred,
    ast.Yield: Expressions.e_yield,
    ast.YieldFrom: Expressions.e_yield_from,
    ast.ListComp: Expressions.e_comprehension,
    ast.SetComp: Expressions.e_comprehension,
    ast.GeneratorExp: Expressions.e_comprehension,
    ast.DictComp: Expressions.e_comprehension,
}
