"""Which names a module, class or function binds, determined from the syntax alone.

The value of a name becomes known gradually, but the syntax shows from the start where it is bound. A lookup therefore
stops at the scope or class that binds the name, even while its value is not known yet. Otherwise the verdicts would
depend on the order in which files are read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def of_module(tree: ast.Module, text: str) -> frozenset[str]:
    """Return the globals of a module."""
    names = set(_bound(tree.body))
    if "global " in text:  # walking through every expression takes long
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                names.update(node.names)
    return frozenset(names)


def of_function(node: Function) -> frozenset[str]:
    """Return the parameters and local names of a function."""
    args = node.args
    names = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    names.update(a.arg for a in (args.vararg, args.kwarg) if a is not None)
    if isinstance(node, ast.Lambda):
        return frozenset(names)
    names.update(_bound(node.body))
    for inner in _own(node.body):
        if isinstance(inner, (ast.Global, ast.Nonlocal)):
            names.difference_update(inner.names)
    return frozenset(names)


def of_class(node: ast.ClassDef) -> dict[str, bool]:
    """Return the attributes that a class binds on itself or on its instances; False for those that it only declares.

    An attribute is only declared if it is always None, has only an annotation, or is a method that returns nothing.
    Subclasses are expected to define it.
    """
    names: dict[str, bool] = {}
    for statement in _own(node.body):
        for name in _names(statement):
            names[name] = names.get(name, False) or not _announces(statement)
    for method in node.body:
        if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.args.args:
            for name, real in _set_on(method, method.args.args[0].arg):
                names[name] = names.get(name, False) or real
    return names


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in _own(body):
        yield from _names(node)


def _own(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements of a block, except those in nested scopes; assignment expressions are not looked for."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody", "handlers", "cases", "items"):
            todo += getattr(node, field, ())
        if isinstance(node, ast.match_case):
            todo += ast.walk(node.pattern)


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (a.asname or a.name.partition(".")[0] for a in node.names if a.name != "*")
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _stored(target)
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        yield from _stored(node.target)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _stored(node.optional_vars)


def _stored(target: ast.expr) -> Iterator[str]:
    return (n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _set_on(method: ast.AST, own: str) -> Iterator[tuple[str, bool]]:
    """Yield the attributes that a method sets on its first parameter, and whether the value is more than None."""
    nothing = {
        id(target)
        for node in ast.walk(method)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _announces(node)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in ast.walk(method):
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
            continue
        if isinstance(node.value, ast.Name) and node.value.id == own:
            yield node.attr, id(node) not in nothing


def _announces(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return _is_none(node.value)
    if isinstance(node, ast.AnnAssign):
        return node.value is None or _is_none(node.value)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return not any(
            (isinstance(inner, ast.Return) and inner.value is not None and not _is_none(inner.value))
            or (isinstance(inner, (ast.Expr, ast.Assign)) and isinstance(inner.value, (ast.Yield, ast.YieldFrom)))
            for inner in _own(node.body)
        )
    return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, False, ...)
