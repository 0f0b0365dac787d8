"""The functions that a unit defines, with decorators and defaults, and the arguments that it passes to functions."""

from __future__ import annotations

import ast

from os_retries.rewrite.parts import Function
from os_retries.rewrite.scope import Scope
from os_retries.rewrite.values import DECORATED, Bound, Ref, Value

#: Decorators that keep what the function returns, by the last part of their name.
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


class Definitions(Scope):
    """The functions that one unit defines, and the arguments that it passes."""

    def repeat_all(self, value: Value, by: str) -> None:
        """Record that a retry loop runs every function in the value."""
        for atom in value:
            if isinstance(atom, (Ref, Bound)) and atom[0] in self.program.functions:
                self.repeat(atom[0], by)

    def give(self, name: str, args: list[Value], keywords: dict[str, Value], *, bound: bool) -> None:
        """Add the arguments of a call to the parameters of a function of the program."""
        function = self.program.functions[name]
        if self.repeated and self.spreads:
            self.repeat(name, self.repeated)
        names = function.positional[1:] if bound and function.kind != "static" else function.positional
        for parameter, value in zip(names, args, strict=False):
            self.program.add(("param", name, parameter), value)
        known = {*function.positional, *function.keyword_only}
        for key, value in keywords.items():
            if key in known:
                self.program.add(("param", name, key), value)

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
        """Record decorators that may change what the function returns, and call those of the program."""
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
