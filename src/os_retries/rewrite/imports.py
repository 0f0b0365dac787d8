"""The import of the wrapper: its place in the file, and its spelling, in the style of the file."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from os_retries.rewrite.parts import Module

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement

_FUTURE, _STANDARD, _THIRD, _OWN = range(4)  # the order of the groups of imports in PEP 8


class Wrapper(NamedTuple):
    """The retry function, and the module that has it."""

    module: str = "os_retries"
    name: str = "execute_with_retries"


class Spelling(NamedTuple):
    """How a file spells the wrapper, and the import that it needs for this spelling."""

    expression: cst.BaseExpression
    missing: bool = False
    source: str = ""  # as written after "from"
    name: str = ""
    alias: str = ""
    module: str = ""  # the absolute name of the source


def spelling(module: Module, tree: ast.Module, wrapper: Wrapper, own: frozenset[str]) -> Spelling:
    """Decide how `module` spells the wrapper: by an existing import whose name has no other use, or by a new import."""
    if module.name == wrapper.module:
        return Spelling(cst.Name(wrapper.name))
    taken = _bound(tree)
    for node in tree.body:
        for name in _names_for(node, module, wrapper):
            if name.partition(".")[0] not in taken:
                return Spelling(cst.parse_expression(name))
    alias = wrapper.name
    imported = {
        a.asname or a.name.partition(".")[0]
        for n in ast.walk(tree)
        for a in getattr(n, "names", ())
        if isinstance(a, ast.alias)
    }
    while alias in taken or alias in imported:
        alias = "_" + alias
    return Spelling(
        cst.Name(alias),
        True,
        _source(module, tree, wrapper.module, own),
        wrapper.name,
        alias if alias != wrapper.name else "",
        wrapper.module,
    )


def _names_for(node: ast.stmt, module: Module, wrapper: Wrapper) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name == wrapper.module:
                yield f"{alias.asname or alias.name}.{wrapper.name}"
    elif isinstance(node, ast.ImportFrom):
        source = absolute(module, node.level, node.module or "")
        for alias in node.names:
            if (source, alias.name) == wrapper:
                yield alias.asname or alias.name
            elif f"{source}.{alias.name}" == wrapper.module:
                yield f"{alias.asname or alias.name}.{wrapper.name}"


def absolute(module: Module, level: int, name: str) -> str:
    """Return the full name of the module that an import in `module` names, which may be relative."""
    if not level:
        return name
    parts = module.name.split(".")
    keep = len(parts) - level + module.is_package
    return ".".join([*parts[: max(keep, 0)], *([name] if name else [])])


def _bound(tree: ast.Module) -> set[str]:
    """Return every name that the file binds, except by imports at its top level."""
    names: set[str] = set()
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
            names.add(node.name or "")
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in top:
            names.update(a.asname or a.name.partition(".")[0] for a in node.names)
    return names


def _source(module: Module, tree: ast.Module, target: str, own: frozenset[str]) -> str:
    """Return how the file names the wrapper's module: relatively, if all imports from its own package are relative."""
    root = target.partition(".")[0]
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    if root not in own or not package or package[0] != root:
        return target
    froms = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
    relative = [n for n in froms if n.level]
    written_out = [n for n in froms if not n.level and (n.module or "").partition(".")[0] == root]
    if not relative or written_out:
        return target
    parts = target.split(".")
    common = 0
    while common < min(len(parts), len(package)) and parts[common] == package[common]:
        common += 1
    return "." * (len(package) - common + 1) + ".".join(parts[common:])


def import_wrapper(module: cst.Module, spelled: Spelling, until: int, own: frozenset[str]) -> cst.Module:
    """Add the import at its place among the file's first `until` statements."""
    new = cst.ensure_type(
        cst.parse_statement(
            f"from {spelled.source} import {spelled.name}{f' as {spelled.alias}' if spelled.alias else ''}"
        ),
        cst.SimpleStatementLine,
    )
    body = list(module.body)
    for index, statement in enumerate(body[:until]):
        if joined := _joined(statement, spelled):
            body[index] = joined
            return module.with_changes(body=body)
    imports = [i for i, s in enumerate(body[:until]) if _is_import(s)]
    rank = _rank(spelled.source, own)
    same = [i for i in imports if rank_of(body[i], own) == rank]
    if same:
        group = _group(body, imports, same[-1])
        index = _position(body, group, new)
        if index == group[0]:
            head = body[index]
            if any(line.comment for line in head.leading_lines):
                index += 1  # a comment above belongs to the import below it
            else:
                new = new.with_changes(leading_lines=head.leading_lines)
                body[index] = head.with_changes(leading_lines=[])
        body.insert(index, new)
        return module.with_changes(body=body)
    blank = cst.EmptyLine(indent=False)
    earlier = [i for i in imports if rank_of(body[i], own) < rank]
    if earlier:
        index = earlier[-1] + 1
        body.insert(index, new.with_changes(leading_lines=[blank]))
        if index in imports and not _starts_apart(body[index + 1]):
            body[index + 1] = _apart(body[index + 1], 1)
    elif imports:
        index = imports[0]
        head = body[index]
        keep = [] if any(line.comment for line in head.leading_lines) else head.leading_lines
        body.insert(index, new.with_changes(leading_lines=keep))
        body[index + 1] = head.with_changes(leading_lines=[blank, *head.leading_lines[len(keep) :]])
    else:
        index = int(_is_docstring(body[0])) if body else 0
        body.insert(index, new.with_changes(leading_lines=[blank] * index))
        if index + 1 < len(body) and not _starts_apart(body[index + 1]):
            compound = isinstance(body[index + 1], (cst.FunctionDef, cst.ClassDef))
            body[index + 1] = _apart(body[index + 1], 2 if compound else 1)
    return module.with_changes(body=body)


def _joined(statement: cst.BaseStatement, spelled: Spelling) -> cst.SimpleStatementLine | None:
    """Return `statement` with the name added, if it is a one-line import from the same module."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    node = statement.body[0]
    if not isinstance(node, cst.ImportFrom) or isinstance(node.names, cst.ImportStar) or node.lpar:
        return None
    if _dotted(node) != spelled.source or spelled.alias:
        return None
    names = [*node.names]
    added = cst.ImportAlias(cst.Name(spelled.name))
    index = next((i for i, n in enumerate(names) if cst.Module([]).code_for_node(n.name) > spelled.name), len(names))
    names.insert(index, added)
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    names = [
        n.with_changes(comma=n.comma if isinstance(n.comma, cst.Comma) else comma)
        if i < len(names) - 1
        else n.with_changes(comma=cst.MaybeSentinel.DEFAULT)
        for i, n in enumerate(names)
    ]
    return statement.with_changes(body=[node.with_changes(names=names)])


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(part, (cst.Import, cst.ImportFrom)) for part in statement.body
    )


def _is_docstring(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )


def _dotted(node: cst.Import | cst.ImportFrom) -> str:
    """Return the module name in an import statement, as written."""
    if isinstance(node, cst.Import):
        return cst.Module([]).code_for_node(node.names[0].name)
    return "." * len(node.relative) + (cst.Module([]).code_for_node(node.module) if node.module else "")


def _rank(dotted: str, own: frozenset[str]) -> int:
    root = dotted.partition(".")[0]
    if root == "__future__":
        return _FUTURE
    if dotted.startswith(".") or root in own:
        return _OWN
    return _STANDARD if root in sys.stdlib_module_names else _THIRD


def rank_of(statement: cst.CSTNode, own: frozenset[str]) -> int:
    """Return the rank of an import statement's group."""
    node = cst.ensure_type(statement, cst.SimpleStatementLine).body[0]
    return _rank(_dotted(node), own)  # type: ignore[arg-type]


def _group(body: Sequence[cst.BaseStatement], imports: list[int], member: int) -> list[int]:
    """Return the indices of the imports in the block of `member`: those without a blank line between them."""
    first = last = member
    while first - 1 in imports and not _starts_apart(body[first]):
        first -= 1
    while last + 1 in imports and not _starts_apart(body[last + 1]):
        last += 1
    return list(range(first, last + 1))


def _position(body: Sequence[cst.BaseStatement], group: list[int], new: cst.SimpleStatementLine) -> int:
    """Return the index at which the group stays sorted, by any of three orders; its end if it is not sorted."""
    for key in (_by_full_name, _by_kind, _by_module):
        keys = [key(body[i]) for i in group]
        if keys == sorted(keys):
            return next((i for i, k in zip(group, keys, strict=True) if k > key(new)), group[-1] + 1)
    return group[-1] + 1


def _by_full_name(statement: cst.CSTNode) -> tuple[bool, str]:
    """Sort key of OpenStack's order: `from a import b` counts as `a.b`."""
    node = cst.ensure_type(statement, cst.SimpleStatementLine).body[0]
    dotted = _dotted(node)  # type: ignore[arg-type]
    if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        dotted += "." + cst.Module([]).code_for_node(node.names[0].name)
    return False, dotted.lower()


def _by_kind(statement: cst.CSTNode) -> tuple[bool, str]:
    """Sort key of isort's order: `import a` comes before `from a import b`."""
    node = cst.ensure_type(statement, cst.SimpleStatementLine).body[0]
    return isinstance(node, cst.ImportFrom), _dotted(node).lower()  # type: ignore[arg-type]


def _by_module(statement: cst.CSTNode) -> tuple[bool, str]:
    """Sort key of an order by module only."""
    return False, _dotted(cst.ensure_type(statement, cst.SimpleStatementLine).body[0]).lower()  # type: ignore[arg-type]


def _starts_apart(statement: cst.CSTNode) -> bool:
    """Return whether there is a blank line above the statement."""
    lines = getattr(statement, "leading_lines", ())
    return any(line.comment is None for line in lines)


def _apart(statement: Statement, lines: int) -> Statement:
    above = getattr(statement, "leading_lines", ())
    return statement.with_changes(leading_lines=[cst.EmptyLine(indent=False)] * lines + list(above))
