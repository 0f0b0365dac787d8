"""Every small change that the tests of a module should notice."""

from __future__ import annotations

import ast
import copy
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The other side of a boundary, and the opposite.
_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_REMOVED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)
_BODIES = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    ``module``
        The file, below the package.
    ``what``
        The kind of change, in a few words.
    ``start``, ``end``
        Where the replaced text is, in bytes of the source.
    """

    module: str
    number: int
    what: str
    start: int
    end: int
    text: str
    source: str

    @property
    def mutated(self) -> str:
        """The whole file with the change."""
        whole = self.source.encode()
        return (whole[: self.start] + self.text.encode() + whole[self.end :]).decode()

    @property
    def line(self) -> str:
        """The first changed line, without its indent and its comment: equivalent.toml names mutants by it."""
        removed = self.text == "pass"
        line = (self.source if removed else self.mutated).splitlines()[self.number - 1]
        line = line.strip().partition("  #")[0]
        return f"without {line}" if removed else line

    def diff(self) -> str:
        """The change as a diff without context."""
        lines = difflib.unified_diff(
            self.source.splitlines(), self.mutated.splitlines(), self.module, f"{self.what}", lineterm="", n=0
        )
        return "\n".join(list(lines)[3:])


def mutants_of(package: Path, module: str) -> list[Mutant]:
    """Return every mutant of a file, in the order of the file."""
    source = (package / module).read_text()
    tree = ast.parse(source)
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, what, text in _changes(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        mutant = Mutant(module, node.lineno, what, start, end, text, source)
        try:
            compile(mutant.mutated, module, "exec", dont_inherit=True)
        except SyntaxError:
            continue
        found.append(mutant)
    return sorted(found, key=lambda each: (each.start, each.end, each.what, each.text))


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    for parent, node in _walk(tree):
        if isinstance(node, ast.expr):
            for what, changed in _of_expression(parent, node):
                yield node, what, f"({ast.unparse(changed)})"
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node.test, "condition negated", f"(not ({ast.unparse(node.test)}))"
        if isinstance(node, ast.stmt):
            yield from _of_statement(parent, node)


def _walk(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield each node after its parent, without what never runs, or not at its place.

    Left out are annotations, f-strings (whose parts have no position in Python 3.11), calls of ``log.debug``, blocks
    for type checkers, ``__slots__``, and the defaults that dataclasses describe.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr) or _is_left_out(child):
                continue
            yield node, child
            yield from _walk(child)


def _is_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
        return True
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "log.debug"


def _of_expression(parent: ast.AST, node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                for other in _COMPARED[type(op)]:
                    changed = copy.deepcopy(node)
                    changed.ops[i] = other()
                    yield "comparison", changed
        case ast.BoolOp():
            yield "and/or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", node.operand
        case ast.BinOp() if type(node.op) in _CALCULATED:
            yield "arithmetic", ast.BinOp(node.left, _CALCULATED[type(node.op)](), node.right)
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if isinstance(parent, ast.Compare | ast.Set | ast.Tuple | ast.Dict):
            yield "constant", ast.Constant(value + "XX")


def _of_statement(parent: ast.AST, node: ast.stmt) -> Iterator[tuple[ast.stmt, str, str]]:
    match node:
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) not in ("None", "True", "False"):
            yield node, "return value", "return None"
        case ast.AugAssign() if type(node.op) in _CALCULATED:
            other = ast.AugAssign(node.target, _CALCULATED[type(node.op)](), node.value)
            yield node, "arithmetic", ast.unparse(other)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_left_out(node.value):
        return
    if isinstance(node, _REMOVED) and not isinstance(parent, ast.Module | ast.ClassDef):
        yield node, "statement removed", "pass"
