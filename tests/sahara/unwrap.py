"""Remove `execute_with_retries` from source code: `execute_with_retries(f, a)` becomes `f(a)`, and nothing else changes."""

from __future__ import annotations

import ast
import warnings

import libcst as cst

NAME = "execute_with_retries"


def _is_wrapper(func: cst.CSTNode | ast.AST, name: str) -> bool:
    if isinstance(func, (cst.Attribute, ast.Attribute)):
        func = func.attr
    value = func if isinstance(func, str) else getattr(func, "value", None) or getattr(func, "id", None)
    return value == name


class _Unwrap(cst.CSTTransformer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def leave_Call(  # noqa: N802  LibCST's name
        self, original_node: cst.Call, updated_node: cst.Call
    ) -> cst.Call:
        args = updated_node.args
        if not _is_wrapper(original_node.func, self.name) or not args or args[0].star:
            return updated_node
        return updated_node.with_changes(func=args[0].value, args=args[1:])


def unwrap(text: str, name: str = NAME) -> str:
    """Return `text` with every wrapped call unwrapped; imports stay."""
    return cst.parse_module(text).visit(_Unwrap(name)).code


def wrapped_calls(text: str, name: str = NAME) -> list[ast.Call]:
    """Return the calls of unwrap(text) that were wrapped in `text`, as nodes of unwrap(text)'s tree."""

    class Mark(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            if _is_wrapper(node.func, name) and node.args and not isinstance(node.args[0], ast.Starred):
                inner = ast.Call(node.args[0], node.args[1:], node.keywords)
                inner.was_wrapped = True  # type: ignore[attr-defined]
                return inner
            return node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Sahara's strings have invalid escapes
        before, after = Mark().visit(ast.parse(text)), ast.parse(unwrap(text, name))
    assert ast.dump(before) == ast.dump(after)
    pairs = zip(ast.walk(before), ast.walk(after), strict=True)
    return [new for old, new in pairs if getattr(old, "was_wrapped", False)]
