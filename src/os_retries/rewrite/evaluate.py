"""Run every function of a program on sets of possible values, until no fact grows any further.

This is an abstract interpreter. Branches are joined, loop bodies run twice, and a value that has nothing to do with
clients is `UNKNOWN`. Some clients cannot be found in this way: those from a registry, and those in a parameter that no
call fills. An unknown value is never assumed to be a client. Each `s_` method runs one kind of statement.
"""
# ruff: noqa: D102  the name of a method is that of the kind of node that it runs

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from os_retries.rewrite import repeats
from os_retries.rewrite.expressions import Expressions
from os_retries.rewrite.parts import Class, Function
from os_retries.rewrite.values import (
    COMPUTED_ATOM,
    NONE,
    NOTHING,
    RETRIER_ATOM,
    UNKNOWN,
    Bound,
    Inst,
    Managed,
    Ref,
    Value,
    elements,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from os_retries.rewrite.origins import Program
    from os_retries.rewrite.scope import Env


def run(program: Program, step: Callable[[], None] = lambda: None) -> None:
    """Run the units of the program until no fact grows; `step` is called after each unit."""
    for tests in (False, True):  # tests do not change the facts about the program, so they run last
        program.begin(tests=tests)
        while (unit := program.next_unit()) is not None or program.settle():
            if unit is None:
                continue
            try:
                Evaluator(program, unit).run()
            except Exception as error:  # a file that breaks the analysis must not stop it for the others
                program.failed[program.start(unit).path] = f"{type(error).__name__}: {error}"
            step()
    program.cover_declared()


class Evaluator(Expressions):
    """One run of one unit: a module's body, or a function's."""

    # -- the unit

    def run(self) -> None:
        function = self.function
        if function is None:
            self.block(self.module.tree.body)
        else:
            self._parameters(function)
            if isinstance(function.node, ast.Lambda):
                self.program.add(("ret", self.unit), self.value(function.node.body))
            else:
                if function.node.returns is not None:
                    self.promised = self.annotation(function.node.returns)
                    self.program.add(("ret", self.unit), self.promised or NOTHING)
                self.block(function.node.body)
                if not self.ended:
                    self.program.add(("ret", self.unit), NONE)
            if self.has_inner:
                for name, value in self.locals.items():
                    self.program.add(("local", self.unit, name), value)
        if function is None or not self.program.is_wrapper(self.unit):
            self.program.found[self.unit] = self.found

    def _parameters(self, function: Function) -> None:
        node = function.node
        names = list(function.positional)
        if function.cls and function.kind != "static" and names:
            own = names.pop(0)
            self.bind(own, frozenset({Ref(function.cls) if function.kind == "class" else Inst(function.cls)}))
        for name in (*names, *function.keyword_only):
            self.bind(name, self.program.get(("param", self.unit, name)))
        for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if arg.annotation is not None:
                declared = self.annotation(arg.annotation)
                if declared is None or declared:
                    self.bind(arg.arg, declared or NOTHING)
        for extra in (node.args.vararg, node.args.kwarg):
            if extra is not None:
                self.bind(extra.arg, UNKNOWN)

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            handler = _STATEMENTS.get(type(statement))
            if handler is None:
                self.children(statement)
            else:
                handler(self, statement)

    def branches(self, *bodies: Callable[[], None]) -> None:
        """Run the bodies as alternatives, and join their environments."""
        start = self.env
        ended_before = self.ended
        left: list[Env] = []
        for body in bodies:
            self.env = dict(start)
            self.ended = False
            body()
            if not self.ended:
                left.append(self.env)
        self.ended = ended_before or not left
        self.env = join(left) if left else start

    def s_import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.bind(alias.asname, self.imported(alias.name))
            else:
                root = alias.name.partition(".")[0]
                self.bind(root, self.imported(root))

    def s_import_from(self, node: ast.ImportFrom) -> None:
        source = self.import_source(node)
        for alias in node.names:
            if alias.name == "*":
                self.program.add(("star", self.module.name), frozenset({Ref(source)}))
                continue
            value = self.program.member(source, alias.name) or self.program.at_a_loss()
            self.bind(alias.asname or alias.name, value)

    def import_source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            found = self.program.module_named(node.module or "")
            return found.name if found else node.module or ""
        parts = self.module.name.split(".")
        keep = len(parts) - node.level + self.module.is_package
        return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])

    def s_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators: dict[str, Value] = {}
        for decorator in node.decorator_list:
            inner = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
            decorators[name] = self.value(decorator)
        self._defaults(node)
        function = self._register(node, node.name, decorators)
        for decorator, value in zip(node.decorator_list, decorators.values(), strict=False):
            if self._is_retrier(decorator, value):
                inner = decorator.func if isinstance(decorator, ast.Call) else decorator
                self.repeat(function.name, f"{ast.unparse(inner)} on {node.name}()")
        if not {"setter", "deleter"} & decorators.keys():
            self.bind(node.name, frozenset({Ref(function.name)}))

    def _is_retrier(self, decorator: ast.expr, value: Value) -> bool:
        """Return whether a decorator is a retry loop: a library's, the program's, or one by its name."""
        if RETRIER_ATOM in value or repeats.is_named_so(decorator):
            return True
        inner = self.value(decorator.func) if isinstance(decorator, ast.Call) else value
        return any(
            repeats.is_retrier(atom[0])
            or (atom[0] in self.program.functions and repeats.repeats_in_it(self.program.functions[atom[0]].node))
            for atom in inner
            if isinstance(atom, (Ref, Bound))
        )

    def s_class(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.value(decorator)
        full = f"{self.cls or self.unit}.{node.name}"
        program = self.program
        if full not in program.classes:
            program.classes[full] = Class(full, node, self.module.name)
        values = [self.value(base) for base in node.bases]
        bases = NOTHING.union(*values) if all(values) else NOTHING  # not before all of them are known
        for keyword in node.keywords:
            self.value(keyword.value)
        program.add(("bases", full), frozenset(a if isinstance(a, Ref) else Ref("?") for a in bases))
        for atom in bases:
            if isinstance(atom, Ref) and atom.name in program.classes and full != atom.name:
                program.link(full, atom.name)
        outer_cls, outer_env = self.cls, self.env
        self.cls, self.env = full, dict(self.env)
        self.has_inner = True
        self.block(node.body)
        self.cls, self.env = outer_cls, outer_env
        self.bind(node.name, frozenset({Ref(full)}))

    def s_expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def s_return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.value(node.value)
            if self.promised is not None:
                self.program.add(("ret", self.unit), value - UNKNOWN if self.promised else value)
        self.ended = True

    def s_stop(self, node: ast.stmt) -> None:
        self.children(node)
        self.ended = True

    def s_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        if COMPUTED_ATOM in value:
            value = self._computed(node, value)
        for target in node.targets:
            self.assign(target, value)

    def _computed(self, node: ast.Assign, value: Value) -> Value:
        """Give a global that is imported by a computed name an identity, so that --client can name it."""
        target = node.targets[0]
        if self.function is not None or self.cls is not None or not isinstance(target, ast.Name) or node.targets[1:]:
            return value
        name = f"{self.module.name}.{target.id}"
        self.program.computed.setdefault(name, (node.lineno, set()))
        return frozenset({Ref(name)})

    def s_annotated(self, node: ast.AnnAssign) -> None:
        value = self.value(node.value) if node.value is not None else NOTHING
        declared = self.annotation(node.annotation)
        if node.value is not None or declared:
            self.assign(node.target, NOTHING if declared is None else declared or value)

    def s_augmented(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        self.assign(node.target, self.value(node.target) | value)

    def s_for(self, node: ast.For | ast.AsyncFor) -> None:
        source = self.value(node.iter)

        def loop() -> None:
            for _ in range(2):
                self.assign(node.target, elements(source))
                if RETRIER_ATOM in source:
                    self.repeating(node.body, self._place(node), spreads=True)
                else:
                    self.looping(node, node.body)

        self.branches(loop, lambda: None)
        self.block(node.orelse)

    def s_while(self, node: ast.While) -> None:
        self.value(node.test)

        def loop() -> None:
            self.looping(node, node.body)
            self.value(node.test)
            self.looping(node, node.body)

        self.branches(loop, lambda: None)
        self.block(node.orelse)

    def _place(self, node: ast.stmt) -> str:
        return f"the loop in {self.module.name}, line {node.lineno}"

    def looping(self, node: ast.stmt, body: list[ast.stmt]) -> None:
        """Run the body of a loop, and remember the loop if it could be a retry loop."""
        outer = self.loop
        self.loop = node if isinstance(node, ast.While) or repeats.counts_attempts(node) else None
        self.block(body)
        self.loop = outer

    def repeating(self, body: list[ast.stmt], by: str, *, spreads: bool) -> None:
        """Run statements inside a retry loop; `spreads`: functions they call count as repeated too."""
        outer = self.repeated, self.spreads
        if not self.repeated:
            self.repeated, self.spreads = by, spreads
        self.block(body)
        self.repeated, self.spreads = outer

    def s_if(self, node: ast.If) -> None:
        self.value(node.test)
        self.branches(lambda: self.block(node.body), lambda: self.block(node.orelse))

    def s_with(self, node: ast.With | ast.AsyncWith) -> None:
        for part in node.items:
            value = self.entered(self.value(part.context_expr))
            if part.optional_vars is not None:
                self.assign(part.optional_vars, value)
        self.block(node.body)

    def entered(self, value: Value) -> Value:
        out = NOTHING
        for atom in value:
            if isinstance(atom, Managed):
                out |= atom.value
            elif isinstance(atom, Inst):
                for method in self.program.instance_attribute(atom.cls, "__enter__"):
                    out |= self.program.returned(method.function) if isinstance(method, Bound) else {atom}
            else:
                out |= {atom}
        return out

    def s_try(self, node: ast.Try) -> None:
        before = dict(self.env)
        after: Env = {}

        def handler(h: ast.ExceptHandler) -> Callable[[], None]:
            def body() -> None:
                self.env = join([before, after])
                self.ended = False
                if h.type is not None:
                    self.value(h.type)
                if h.name:
                    self.bind(h.name, UNKNOWN)
                self.block(h.body)

            return body

        def main() -> None:
            nonlocal after
            if self.loop is not None and repeats.swallows(node):
                self.repeating(node.body, self._place(self.loop), spreads=repeats.counts_attempts(self.loop))
            else:
                self.block(node.body)
            after = self.env
            if not self.ended:
                self.block(node.orelse)

        self.branches(main, *map(handler, node.handlers))
        self.block(node.finalbody)

    def s_match(self, node: ast.Match) -> None:
        subject = self.value(node.subject)

        def chosen(case: ast.match_case) -> Callable[[], None]:
            def body() -> None:
                for part in ast.walk(case.pattern):
                    if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name:
                        # A name alone is the whole subject: `case server if server.status == "ERROR"`.
                        whole = isinstance(part, ast.MatchAs) and part is case.pattern and part.pattern is None
                        self.bind(part.name, subject if whole else UNKNOWN)
                if case.guard is not None:
                    self.value(case.guard)
                self.block(case.body)

            return body

        self.branches(*map(chosen, node.cases), lambda: None)

    def s_global(self, node: ast.Global) -> None:
        self.globals.update(node.names)

    def s_nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    def s_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.env[target.id] = UNKNOWN
            else:
                self.children(target)


def join(environments: list[Env]) -> Env:
    """Join the environments of alternatives."""
    if len(environments) == 1:
        return environments[0]
    out = dict(environments[0])
    for env in environments[1:]:
        for name, value in env.items():
            out[name] = out.get(name, NOTHING) | value
    return out


_STATEMENTS: dict[type[ast.stmt], Callable[[Any, Any], None]] = {
    ast.Expr: Evaluator.s_expression,
    ast.Import: Evaluator.s_import,
    ast.ImportFrom: Evaluator.s_import_from,
    ast.FunctionDef: Evaluator.s_function,
    ast.AsyncFunctionDef: Evaluator.s_function,
    ast.ClassDef: Evaluator.s_class,
    ast.Return: Evaluator.s_return,
    ast.Raise: Evaluator.s_stop,
    ast.Assign: Evaluator.s_assign,
    ast.AnnAssign: Evaluator.s_annotated,
    ast.AugAssign: Evaluator.s_augmented,
    ast.For: Evaluator.s_for,
    ast.AsyncFor: Evaluator.s_for,
    ast.While: Evaluator.s_while,
    ast.If: Evaluator.s_if,
    ast.With: Evaluator.s_with,
    ast.AsyncWith: Evaluator.s_with,
    ast.Try: Evaluator.s_try,
    ast.TryStar: Evaluator.s_try,
    ast.Match: Evaluator.s_match,
    ast.Global: Evaluator.s_global,
    ast.Nonlocal: Evaluator.s_nonlocal,
    ast.Delete: Evaluator.s_delete,
}
