"""The meaning of names: modules, their members, names from outside the program, and guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.rewrite import repeats, services
from os_retries.rewrite.classes import Classes
from os_retries.rewrite.values import NONE, UNKNOWN, Client, Guess, Inst, Ref, Value, clients_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from os_retries.rewrite.parts import Module

_HANDLERS = frozenset({
    "builtins", "functools", "contextlib", "copy", "typing", "importlib", "oslo_utils", "io", "codecs", "os", "gzip",
    "six", "tempfile", "collections", "weakref", "os_retries", "?",
})  # fmt: skip


class Program(Classes):
    """All modules, and the facts about them."""

    def __init__(self, modules: Iterable[Module], clients: dict[str, Client], wrappers: frozenset[str]) -> None:
        """`clients` maps names declared with --client to a service; `wrappers` are the names of the retry function."""
        super().__init__(modules, clients, wrappers)
        self._roots = services.PACKAGES | repeats.ROOTS | _HANDLERS | {name.partition(".")[0] for name in clients}

    def module_named(self, dotted: str) -> Module | None:
        """Find a module of the program by its name, or by its path in the project."""
        return self.modules.get(dotted) or self.modules.get(self.aliases.get(dotted, ""))

    def member(self, dotted: str, name: str) -> Value:
        """Look up `name` in the module, class or external object `dotted`."""
        value = self._seen.get((dotted, name, None))
        if value is None:
            value = self._seen[dotted, name, None] = self._member(dotted, name, frozenset())
        return value

    def _member(self, dotted: str, name: str, seen: frozenset[str]) -> Value:
        full = f"{dotted}.{name}"
        if module := self.module_named(dotted):
            value = self.get(("glob", module.name, name))
            if name in module.binds:
                return value
            if sub := self.module_named(full):
                return value | {Ref(sub.name)}
            if module.name not in seen:
                for star in self.get(("star", module.name)):
                    if isinstance(star, Ref):
                        value |= self._member(star.name, name, seen | {module.name}) - UNKNOWN
            return value
        if dotted in self.classes:
            return self.class_attribute(dotted, name)
        if dotted in self.functions:
            return UNKNOWN
        return self.outside(full)

    def outside(self, dotted: str) -> Value:
        """Return a name from outside the program, if its package has clients or functions that handle them."""
        if dotted.partition(".")[0] in self._roots or self.is_wrapper(dotted):
            return frozenset({Ref(dotted)})
        return UNKNOWN

    def guess(self, name: str) -> Value:
        """Guess attribute `name` of an unknown object: its value elsewhere in the program, if that leads to a client.

        The result also contains the unknown value, which marks it as a guess.
        """
        value = self.named(name)
        if value & UNKNOWN or not value:
            return UNKNOWN
        known = clients_in(value) | {atom for atom in value if isinstance(atom, Inst)}
        if known == value - NONE:
            return known | UNKNOWN
        if len(value) == 1 and isinstance(atom := next(iter(value)), Ref) and (f := self.functions.get(atom.name)):
            if f.kind == "property":
                return clients_in(self.returned(f.name)) | UNKNOWN
            return frozenset({Guess(f.name)}) | UNKNOWN
        return UNKNOWN

    def cover_declared(self) -> None:
        """Mark the inside of --client functions and classes as retried, because their callers retry."""
        for name in self.clients:
            if name in self.classes or name in self.functions:
                self.clients_met.add(name)
            if name in self.classes:
                self.covered.add(name)
            if name in self.functions:
                for atom in self.returned(name):
                    if isinstance(atom, Inst):
                        self.covered.update(c for c in self.ancestry(atom.cls) if c in self.classes)

    def is_covered(self, unit: str) -> bool:
        """Return whether the unit is inside a function or class that is retried as a whole."""
        return any(unit == name or unit.startswith(name + ".") for name in self.covered)
