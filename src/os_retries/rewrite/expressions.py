"""The values of expressions: one `e_` method for each kind of node."""
# ruff: noqa: D102  the name of a method is that of the kind of node, or of the value that it returns

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from os_retries.rewrite.calls import Calls
from os_retries.rewrite.parts import Found
from os_retries.rewrite.values import (
    DEPTH_LIMIT,
    NONE,
    NOTHING,
    STREAM,
    STREAM_ATOM,
    UNKNOWN,
    Client,
    Ref,
    Result,
    Row,
    Value,
    depth,
    elements,
    interesting,
    item,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_BOX_METHODS = frozenset({"append", "add", "insert", "setdefault", "appendleft"})


class Expressions(Calls):
    """The expressions of one unit: a module's body, or a function's."""

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
            found.repeated = self.repeated
            found.awaited = old is not None and old.awaited
        out = NOTHING
        for atom in function:
            out |= self.call(atom, node, args, keywords)
        return out

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
            return values[-1]  # or an earlier false operand, which is not a client
        return NOTHING.union(*values)

    def e_box(self, node: ast.List | ast.Set) -> Value:
        if not node.elts:
            return NONE  # an empty cache
        out = NOTHING
        for part in node.elts:
            out |= elements(self.value(part.value)) if isinstance(part, ast.Starred) else self.value(part)
        return self.boxed(out)

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
        return self.boxed(out)

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
        self.program.add(("yield", self.unit), value or self.program.at_a_loss())
        return UNKNOWN

    def e_yield_from(self, node: ast.YieldFrom) -> Value:
        self.program.add(("yield", self.unit), elements(self.value(node.value)) or self.program.at_a_loss())
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
        box = self.boxed(out)
        return STREAM if box == UNKNOWN and isinstance(node, ast.GeneratorExp) else box


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
