"""The facts about a program, and the queue by which they are completed.

A fact is a set of atoms (`values.py`): one for every global, attribute, parameter and return value. `evaluate.py` takes
units (the body of a module or function) from the queue and runs them. When a fact grows, all units that have read it
are queued again. Atoms are only added, never removed, so this ends, and the result does not depend on the order: it is
the least fixed point. Steps that are not monotone, such as "nothing is known of this name, so it is unknown", are
taken in `settle`, when the queue is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.rewrite.values import (
    NONE,
    NOTHING,
    SIZE_LIMIT,
    TOO_MANY,
    UNKNOWN,
    Client,
    Result,
    Value,
    clients_in,
    collapsed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from os_retries.rewrite.parts import Class, Found, Function, Module

Key = tuple[str, ...]


class Facts:
    """All given modules, and the facts about their values that are known so far."""

    def __init__(self, modules: Iterable[Module], clients: dict[str, Client], wrappers: frozenset[str]) -> None:
        self.modules: dict[str, Module] = {}
        self.aliases: dict[str, str] = {}
        self.clients = clients
        self.clients_met: set[str] = set()
        self.wrappers = wrappers
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, Class] = {}
        self.covered: set[str] = set()
        self.used: set[str] = set()  # functions whose result was used
        self.computed: dict[str, tuple[int, set[int]]] = {}  # globals imported by a computed name: line, calls
        self.dotted: set[str] = set()
        self.failed: dict[str, str] = {}  # by path, why a file could not be followed
        self.found: dict[str, dict[int, Found]] = {}
        self._state: dict[Key, Value] = {}
        self._readers: dict[Key, set[str]] = {}
        self.queue: dict[str, None] = {}  # ordered, each once
        self.unit = ""
        self.testing = False
        self._settled = False
        self._later: dict[str, None] = {}
        self._seen: dict[tuple[str, str, object], Value] = {}  # the values that this unit has already read in this run
        self._ancestries: dict[str, list[str]] = {}
        self._at_a_loss: dict[str, None] = {}
        self._named: dict[str, Value] | None = None  # by name, the values of such attributes, once guesses are made
        self._guessing: dict[str, dict[str, None]] = {}  # by name, the units that would like to guess
        for module in modules:
            self.modules[module.name] = module

    def get(self, key: Key) -> Value:
        """Return the fact `key`; the current unit will run again when it grows."""
        readers = self._readers.get(key)
        if readers is None:
            readers = self._readers[key] = set()
        readers.add(self.unit)
        return self._state.get(key, NOTHING)

    def add(self, key: Key, value: Value) -> None:
        """Add `value` to the fact `key`."""
        old = self._state.get(key, NOTHING)
        if any(isinstance(atom, Result) and atom.name for atom in value):  # if it is stored, it is data
            value = frozenset(a for a in value if not (isinstance(a, Result) and a.name)) | UNKNOWN
        if TOO_MANY in old:
            value = clients_in(value)
        if value <= old or (self.testing and self._is_tested(key)):
            return
        new = collapsed(old | value)
        if len(new) > SIZE_LIMIT:  # a part of the set would depend on the order of the files
            new = clients_in(new) | UNKNOWN | {TOO_MANY}
            if len(new) > 4 * SIZE_LIMIT:
                new = UNKNOWN | {TOO_MANY}
        if new == old:
            return
        self._state[key] = new
        if key[0] == "attr":
            self.add(("named", key[2]), value)
            cls = self.classes[key[1]]
            cls.attributes.add(key[2])
            for base in cls.above:
                self.add(("below", base, key[2]), value)
        elif key[0] == "bases":
            self._ancestries.clear()
        # If only "unknown" was added, the readers can wait until everything else has been done.
        queue = self._later if new - old <= UNKNOWN | NONE else self.queue
        queue.update(dict.fromkeys(self._readers.get(key, ())))

    def set_on_global(self, module: str, dotted: str, value: Value) -> None:
        """Add to an attribute of a global that is itself unknown: `local.nova = ...`."""
        if dotted not in self.dotted:  # names that are not in here are never looked up
            self.dotted.add(dotted)
            self.queue.update(dict.fromkeys(name for name, f in self.functions.items() if f.module == module))
        self.add(("glob", module, dotted), value)

    def begin(self, *, tests: bool) -> None:
        """Queue the modules of the program, or those of its tests."""
        self._settled = False
        self.queue.update(dict.fromkeys(name for name, module in self.modules.items() if module.is_test is tests))

    def next_unit(self) -> str | None:
        """Take the next unit from the queue."""
        if not self.queue:
            self.queue, self._later = self._later, {}
        unit = next(iter(self.queue), None)
        if unit is not None:
            del self.queue[unit]
            self._later.pop(unit, None)
        return unit

    def start(self, unit: str) -> Module:
        """Make `unit` the current unit, and return its module."""
        self.unit = unit
        self._seen.clear()
        module = self.modules[self.functions[unit].module if unit in self.functions else unit]
        self.testing = module.is_test
        return module

    def _is_tested(self, key: Key) -> bool:
        """Return whether the key belongs to the program and not to its tests, whose values are mocks."""
        kind, owner = key[:2]
        if kind not in {"param", "attr", "glob", "named", "below"}:
            return False
        part = self.functions.get(owner) or self.classes.get(owner)
        module = self.modules.get(part.module if part else owner)
        return module is None or not module.is_test

    def settle(self) -> bool:
        """Take the next step when the queue is empty; return False after the last step.

        First, parameters, names and attributes without any value become unknown. When the queue is empty again, guesses
        are made, all of them from the same facts.
        """
        self.testing = False
        if not self._settled:
            for key in [k for k in self._readers if k[0] == "param" and not self._state.get(k)]:
                self.add(key, UNKNOWN)
            self._settled = True
            self.queue.update(dict.fromkeys(self._at_a_loss))
            self._at_a_loss.clear()
            return True
        if self._named is None:
            self._named = {key[1]: value for key, value in self._state.items() if key[0] == "named"}
        for name, units in self._guessing.items():
            if self._named.get(name, UNKNOWN) - UNKNOWN - NONE:
                self.queue.update(units)
        self._guessing.clear()
        return bool(self.queue)

    def named(self, name: str) -> Value:
        """Return the values of all attributes called `name` in the program; unknown until everything is settled."""
        if self._named is None:
            self._guessing.setdefault(name, {})[self.unit] = None
            return UNKNOWN
        return self._named.get(name, UNKNOWN)

    def at_a_loss(self) -> Value:
        """Return the value of a name without any fact: nothing at first, and unknown after everything is settled."""
        if self._settled:
            return UNKNOWN
        self._at_a_loss[self.unit] = None
        return NOTHING
