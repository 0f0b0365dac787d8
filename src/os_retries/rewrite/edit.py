"""Change the text of one file with LibCST: wrap calls, and import the wrapper once.

Everything outside the calls stays as it is, byte for byte. Inside a call, the called method becomes the first argument
of the wrapper. If a line would become too long, or if arguments are aligned with a parenthesis that moves, the
arguments are moved too. Before the result is shown or written, it is verified: with all calls unwrapped, it must be the
original program again.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from os_retries.rewrite.files import BOM, FileError, parse, split_lines
from os_retries.rewrite.imports import Wrapper, import_wrapper, spelling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from libcst.metadata import CodeRange

    from os_retries.rewrite.parts import Module


class EditError(FileError):
    """The rewritten file would not be the same program; nothing was changed."""


class Edited(NamedTuple):
    """The new text of a file, and the calls that were not found in it."""

    text: str
    missed: list[ast.Call]


def edit(module: Module, calls: Sequence[ast.Call], wrapper: Wrapper, own: frozenset[str], line_length: int) -> Edited:
    """Wrap `calls` in the module's text.

    `own` are the top-level packages of the program. A wrapped call is split over several lines if a line would be
    longer than `line_length`. If that is 0, there is no limit, and no argument is moved.
    """
    tree = module.tree
    bom = BOM if module.text.startswith(BOM) else ""
    try:
        parsed = MetadataWrapper(cst.parse_module(module.text.removeprefix(BOM)), unsafe_skip_copy=True)
    except cst.ParserSyntaxError as error:
        raise EditError(f"LibCST cannot parse it ({error.message})") from None
    except RecursionError:
        raise EditError("it is nested too deeply for LibCST") from None
    if bom + parsed.module.code != module.text:
        raise EditError("LibCST would change other parts of it")
    positions = parsed.resolve(PositionProvider)
    places = _place(parsed.module, positions, tree, calls)
    if not places:
        return Edited(module.text, list(calls))
    spelled = spelling(module, tree, wrapper, own)
    transformer = _Wrap(parsed.module, positions, set(places), spelled.expression, line_length=line_length)
    changed = parsed.module.visit(transformer)
    first = min(positions[node].start.line for node in places)
    if spelled.missing:
        until = sum(1 for statement in parsed.module.body if positions[statement].end.line < first)
        changed = import_wrapper(changed, spelled, until, own)
    text = bom + changed.code
    _check(module, text, wrapper)
    return Edited(text, [call for call in calls if call not in set(places.values())])


def _place(
    module: cst.Module, positions: object, tree: ast.Module, calls: Iterable[ast.Call]
) -> dict[cst.Call, ast.Call]:
    """Find the calls of the syntax tree in LibCST's tree: by position, and inside an f-string by text.

    (Before Python 3.12, positions inside f-strings are wrong.)
    """
    finder = _Calls()
    module.visit(finder)
    by_place = {}
    for node in finder.plain:
        where = positions[node]  # type: ignore[index]
        by_place[where.start.line, where.start.column, where.end.line, where.end.column] = node
    lines = split_lines(module.code)
    in_strings, statement_of = _inside_fstrings(tree)
    places: dict[cst.Call, ast.Call] = {}
    wanted: Counter[tuple[int, str]] = Counter()
    for call in calls:
        if call in in_strings:
            wanted[statement_of[call], ast.dump(call)] += 1
        elif placed := by_place.get(_place_of(call, lines)):
            places[placed] = call
    if wanted:
        there = Counter((statement_of[c], ast.dump(c)) for c in in_strings)
        keys: dict[tuple[int, str], list[cst.Call]] = {}
        for node, statement in finder.in_strings:
            source = parse(f"({module.code_for_node(node)})", "").body[0].value  # type: ignore[attr-defined]
            keys.setdefault((positions[statement].start.line, ast.dump(source)), []).append(node)  # type: ignore[index]
        by_key = {(statement_of[c], ast.dump(c)): c for c in calls if c in in_strings}
        for key, count in wanted.items():
            if count == there[key] == len(keys.get(key, ())):  # wrap all equal calls in this statement, or none
                places.update(dict.fromkeys(keys[key], by_key[key]))
    return places


def _place_of(call: ast.Call, lines: list[str]) -> tuple[int, int, int, int]:
    def characters(line: int, offset: int) -> int:
        text = lines[line - 1]
        return offset if text.isascii() else len(text.encode()[:offset].decode())

    end_line, end_offset = call.end_lineno or call.lineno, call.end_col_offset or 0
    return (
        call.lineno,
        characters(call.lineno, call.col_offset),
        end_line,
        characters(end_line, end_offset),
    )


def _inside_fstrings(tree: ast.Module) -> tuple[set[ast.Call], dict[ast.Call, int]]:
    """Return the calls inside f-strings, and the first line of the statement that contains each."""
    inside: set[ast.Call] = set()
    line_of: dict[ast.Call, int] = {}

    def walk(node: ast.AST, line: int, *, within: bool) -> None:
        if isinstance(node, ast.stmt):
            line = node.lineno
        within = within or isinstance(node, ast.JoinedStr)
        if within and isinstance(node, ast.Call):
            inside.add(node)
            line_of[node] = line
        for child in ast.iter_child_nodes(node):
            walk(child, line, within=within)

    walk(tree, 1, within=False)
    return inside, line_of


class _Calls(cst.CSTVisitor):
    """Collects every call; those inside f-strings separately, with their statement."""

    def __init__(self) -> None:
        self.plain: list[cst.Call] = []
        self.in_strings: list[tuple[cst.Call, cst.CSTNode]] = []
        self._strings = 0
        self._statements: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self._statements.append(node)
        elif isinstance(node, cst.FormattedString):
            self._strings += 1
        elif isinstance(node, cst.Call):
            if self._strings:
                self.in_strings.append((node, self._statements[-1]))
            else:
                self.plain.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self._statements.pop()
        elif isinstance(original_node, cst.FormattedString):
            self._strings -= 1


class _Wrap(cst.CSTTransformer):
    """Turns f(a, b) into wrapper(f, a, b)."""

    def __init__(
        self,
        module: cst.Module,
        positions: object,
        targets: set[cst.Call],
        wrapper: cst.BaseExpression,
        *,
        line_length: int,
    ) -> None:
        super().__init__()
        self.module = module
        self.positions = positions
        self.targets = targets
        self.wrapper = wrapper
        self.width = len(module.code_for_node(wrapper)) + 1
        self.lines = split_lines(module.code)
        self.limit = line_length
        self._in_string = 0
        self._growth: Counter[int] = Counter()
        self._outermost: dict[int, CodeRange] = {}  # by line: the outermost call that begins there
        for node in targets:
            where = self._where(node)
            self._growth[where.start.line] += self.width - 1 + 2 * bool(node.args)
            self._outermost[where.start.line] = min(
                where,
                self._outermost.get(where.start.line, where),
                key=lambda w: (w.start.column, -w.end.line, -w.end.column),
            )

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:  # noqa: N802, ARG002  LibCST's names
        self._in_string += 1
        return True

    def leave_FormattedString(  # noqa: N802
        self,
        original_node: cst.FormattedString,  # noqa: ARG002
        updated_node: cst.FormattedString,
    ) -> cst.FormattedString:
        self._in_string -= 1
        return updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:  # noqa: N802
        if original_node not in self.targets:
            return updated_node
        arguments = list(updated_node.args)
        before = updated_node.whitespace_before_args
        gap: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
        if isinstance(before, cst.ParenthesizedWhitespace) and arguments:
            gap = before.with_changes(
                first_line=before.first_line.with_changes(comment=None, whitespace=cst.SimpleWhitespace("")),
                empty_lines=[],
            )
        elif self.limit and not self._in_string:
            before, gap, arguments = self._laid_out(original_node, before, gap, arguments)
        method = cst.Arg(updated_node.func)
        if arguments:
            method = method.with_changes(comma=cst.Comma(whitespace_after=gap))
        return updated_node.with_changes(func=self.wrapper, args=[method, *arguments], whitespace_before_args=before)

    def _laid_out(  # noqa: PLR0911  one return for each layout
        self,
        node: cst.Call,
        before: cst.BaseParenthesizableWhitespace,
        gap: cst.BaseParenthesizableWhitespace,
        arguments: list[cst.Arg],
    ) -> tuple[cst.BaseParenthesizableWhitespace, cst.BaseParenthesizableWhitespace, list[cst.Arg]]:
        """Keep aligned arguments aligned and lines within the limit."""
        where = self._where(node)
        line = self.lines[where.start.line - 1]
        method = self._where(node.func)
        text = self.module.code_for_node(node.func)
        hanging = len(line) - len(line.lstrip()) + 4
        indent = line[: len(line) - len(line.lstrip())] + "    "
        if method.start.line != method.end.line:
            return before, gap, arguments
        if where.start.line != where.end.line:
            if not arguments:
                return before, gap, arguments
            if not self._aligned(node):
                if self._hugs(node):
                    arguments = [a.visit(_Shift(self.width + 1)) for a in arguments]  # type: ignore[misc]
                return before, gap, arguments
            old = self._where(node.args[0]).start.column
            new = where.start.column + self.width
            if new + len(text) + 1 <= self.limit:
                moved = [a.visit(_Shift(new - old)) for a in arguments]
                return before, _newline(" " * new), moved  # type: ignore[return-value]
            moved = [a.visit(_Shift(hanging - old)) for a in arguments]
            return _newline(indent), _newline(indent), moved  # type: ignore[return-value]
        too_long = len(line) <= self.limit < len(line) + self._growth[where.start.line]
        if too_long and self._outermost[where.start.line] == where:
            rest = len(line) - where.start.column + self._growth[where.start.line] - self.width
            wide = hanging + rest > self.limit and arguments
            return _newline(indent), _newline(indent) if wide else gap, arguments
        return before, gap, arguments

    def _hugs(self, node: cst.Call) -> bool:
        """Return whether all arguments begin on the first line, the lines below aligned with a bracket in it."""
        first = self._where(node.func).end.line
        code = self.lines[first - 1].partition("#")[0].rstrip()
        return not code.endswith(("(", "[", "{")) and all(self._where(a).start.line == first for a in node.args)

    def _aligned(self, node: cst.Call) -> bool:
        """Return whether the lines of the arguments are aligned with the first of them."""
        first = self._where(node.args[0]).start
        if first.line != self._where(node.func).end.line:
            return False
        starts = [self._where(a).start for a in node.args]
        below = [s for s in starts if s.line != first.line and not self.lines[s.line - 1][: s.column].strip()]
        return bool(below) and all(s.column == first.column for s in below)

    def _where(self, node: cst.CSTNode) -> CodeRange:
        return self.positions[node]  # type: ignore[index, no-any-return]


class _Shift(cst.CSTTransformer):
    """Moves the lines inside an expression to the right, or to the left if `columns` is negative."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns

    def leave_ParenthesizedWhitespace(  # noqa: N802
        self,
        original_node: cst.ParenthesizedWhitespace,  # noqa: ARG002
        updated_node: cst.ParenthesizedWhitespace,
    ) -> cst.ParenthesizedWhitespace:
        old = updated_node.last_line.value
        new = old + " " * self.columns if self.columns >= 0 else old[: self.columns] if old.isspace() else old
        return updated_node.with_changes(last_line=cst.SimpleWhitespace(new))


def _newline(indent: str) -> cst.ParenthesizedWhitespace:
    return cst.ParenthesizedWhitespace(indent=False, last_line=cst.SimpleWhitespace(indent))


def _check(module: Module, new: str, wrapper: Wrapper) -> None:
    """Raise EditError unless the new text, with every wrapped call unwrapped, is the old program plus one import."""
    try:
        after = parse(new, "the rewritten file")
    except FileError as error:
        raise EditError(str(error)) from None
    before = parse(module.text, module.path)
    if _plain(before, wrapper) != _plain(after, wrapper):
        raise EditError("the rewritten file would not be the same program")


class _Unwrap(ast.NodeTransformer):
    """Turns wrapper(f, a, b) into f(a, b), and removes the import of the wrapper."""

    def __init__(self, wrapper: Wrapper, tree: ast.Module) -> None:
        self.names = {wrapper.name, "_" + wrapper.name}
        self.wrapper = wrapper
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self.names.update(a.asname for a in node.names if a.asname and a.name == wrapper.name)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in self.names and node.args and not isinstance(node.args[0], ast.Starred):
            return ast.Call(node.args[0], node.args[1:], node.keywords)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        node.names = [a for a in node.names if a.name != self.wrapper.name]
        return node if node.names else None


def _plain(tree: ast.Module, wrapper: Wrapper) -> str:
    return ast.dump(_Unwrap(wrapper, tree).visit(tree))
