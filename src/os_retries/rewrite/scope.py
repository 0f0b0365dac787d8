"""The names of one unit (the body of a module or function): lookup, assignment, annotations."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from os_retries.rewrite import services
from os_retries.rewrite.values import (
    DEPTH_LIMIT,
    NOTHING,
    UNKNOWN,
    Client,
    Inst,
    Many,
    Ref,
    Repeated,
    Value,
    depth,
    interesting,
    item,
)

if TYPE_CHECKING:
    from os_retries.rewrite.origins import Program
    from os_retries.rewrite.parts import Found

Env = dict[str, Value]

_BUILTINS = frozenset(dir(builtins))


class Scope:
    """The names of one unit: a module's body, or a function's."""

    def __init__(self, program: Program, unit: str) -> None:
        self.program = program
        self.unit = unit
        self.module = program.start(unit)
        self.function = program.functions.get(unit)
        self.cls: str | None = None  # set while a class body is run
        self.env: Env = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.locals: dict[str, Value] = {}  # all values of each name, for nested functions
        self.found: dict[int, Found] = {}
        self.has_inner = False
        self.promised: Value | None = NOTHING  # by the return annotation; None: not known yet
        self.loop: ast.stmt | None = None  # the loop around the statement, if it could be a retry loop
        self.repeated = self._repeated()  # the retry loop around the current statement
        self.spreads = bool(self.repeated)  # whether functions called here count as repeated
        self.ended = False  # whether the next statement is unreachable

    def _repeated(self) -> str:
        loops = self.program.get(("repeats", self.unit))
        return min((atom.by for atom in loops if isinstance(atom, Repeated)), default="")

    def repeat(self, function: str, by: str) -> None:
        """Record that a retry loop runs the function."""
        self.program.add(("repeats", function), frozenset({Repeated(by)}))

    def value(self, node: ast.expr) -> Value:
        """Return the value of an expression."""
        raise NotImplementedError

    def bind(self, name: str, value: Value) -> None:
        """Bind a name in the current scope: a class, a module or a function."""
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
        """Return the value of a name, by Python's rules of scope."""
        if name in self.env and name not in self.globals:
            return self.env[name]
        if self.function is not None:
            for outer in self.function.outer:
                value = self.program.get(("local", outer, name))
                if value or name in self.program.functions[outer].binds():
                    return value
        if name in _BUILTINS and name not in self.module.binds:
            return self.program.get(("glob", self.module.name, name)) or frozenset({Ref(f"builtins.{name}")})
        return self.program.member(self.module.name, name) or self.program.at_a_loss()

    def assign(self, target: ast.expr, value: Value) -> None:
        """Assign a value to a target: a name, an attribute, an item, or several of them."""
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self.value(target.slice)
            self.put_in(target.value, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for index, part in enumerate(target.elts):
                self.assign(part, item(value, index))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, UNKNOWN)

    def set_attribute(self, target: ast.Attribute, value: Value) -> None:
        """Set an attribute of an instance, a class or a module."""
        base = self.value(target.value)
        for atom in base:
            if isinstance(atom, Inst):
                self.program.add(("attr", atom.cls, target.attr), value)
            elif isinstance(atom, Ref):
                if module := self.program.module_named(atom.name):
                    self.program.add(("glob", module.name, target.attr), value)
                elif atom.name in self.program.classes:
                    self.program.add(("attr", atom.name, target.attr), value)
        if isinstance(target.value, ast.Name) and (interesting(value) or not value):
            dotted = f"{target.value.id}.{target.attr}"
            if target.value.id in self.env:
                self.env[dotted] = value
            if value and self.program.get(("glob", self.module.name, target.value.id)):
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
            self.set_attribute(box, many)

    def boxed(self, value: Value) -> Value:
        """Return a container whose elements have this value."""
        value = value or self.program.at_a_loss()
        if value - UNKNOWN and depth(value) < DEPTH_LIMIT:
            return frozenset({Many(value)})
        return UNKNOWN if value else NOTHING

    def annotation(self, node: ast.expr) -> Value | None:
        """Return instances of the clients and of the program's classes that an annotation names.

        None if these names are not known yet.
        """
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value.strip(), mode="eval").body
            except SyntaxError:
                return NOTHING
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            left, right = self.annotation(node.left), self.annotation(node.right)
            return None if left is None or right is None else left | right
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Optional":
            return self.annotation(node.slice)
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return NOTHING
        value = self.value(node)
        return NOTHING.union(*map(self._promised, value)) if value else None

    def _promised(self, atom: object) -> Value:
        if not isinstance(atom, Ref):
            return NOTHING
        if client := self.program.declared(atom.name):
            return frozenset({client})
        if service := services.constructor(atom.name):
            return frozenset({Client(service)})
        return frozenset({Inst(atom.name)}) if atom.name in self.program.classes else NOTHING

    def children(self, node: ast.AST) -> None:
        """Evaluate the direct subexpressions of a node that has no meaning of its own here."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
