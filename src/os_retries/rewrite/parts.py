"""The parts of a program: modules, functions, classes, and the calls that were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from os_retries.rewrite import bindings

if TYPE_CHECKING:
    import ast

    from os_retries.rewrite.values import Value


@dataclass(slots=True)
class Module:
    """One file of the program."""

    name: str
    path: str
    text: str
    is_package: bool
    is_test: bool
    tree: ast.Module
    binds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Determine the globals."""
        self.binds = bindings.of_module(self.tree, self.text)


@dataclass(slots=True)
class Function:
    """A function, method or lambda of the program."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: str
    cls: str | None  # the class whose method it is
    outer: tuple[str, ...]  # the functions around it, innermost first
    kind: str = "plain"  # plain, static, class, property, context
    positional: list[str] = field(default_factory=list)
    keyword_only: list[str] = field(default_factory=list)
    _binds: frozenset[str] | None = None

    def binds(self) -> frozenset[str]:
        """Return the parameters and local names, which are determined on the first call."""
        if self._binds is None:
            self._binds = bindings.of_function(self.node)
        return self._binds


@dataclass(slots=True)
class Class:
    """A class of the program."""

    name: str
    node: ast.ClassDef
    module: str
    above: set[str] = field(default_factory=set)  # all base classes in the program
    below: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    _binds: dict[str, bool] | None = None

    def binds(self) -> dict[str, bool]:
        """Return the attributes that the class binds, as in bindings.of_class."""
        if self._binds is None:
            self._binds = bindings.of_class(self.node)
        return self._binds


@dataclass(slots=True)
class Found:
    """A call whose function may be a client's method."""

    node: ast.Call
    value: Value
    body: bool = False
    session_given: bool = False
    awaited: bool = False
    repeated: str = ""  # the existing retry loop around the call
