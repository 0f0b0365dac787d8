"""The results of functions: what they return, their decorators, and the --client options."""

from __future__ import annotations

from os_retries.rewrite import repeats
from os_retries.rewrite.facts import Facts
from os_retries.rewrite.values import (
    DECORATED,
    ITS_RESULT,
    NONE,
    NOTHING,
    RETRIER_ATOM,
    STREAM,
    UNKNOWN,
    Bound,
    Client,
    Managed,
    Many,
    Ref,
    Value,
)


class Functions(Facts):
    """The facts about the functions of a program."""

    def returned(self, function: str) -> Value:
        """Return the result of calling the function."""
        f = self.functions[function]
        self.used.add(function)
        value = self.get(("ret", function))
        if given := self.get(("yield", function)):
            if f.kind == "context":
                value = frozenset({Managed(given)})
            else:
                value = frozenset({Many(given)}) if given - UNKNOWN - NONE else STREAM
        if value and not all(map(self._passes_on, self.get(("decorators", function)))):
            value |= UNKNOWN
        return value

    def result(self, function: str) -> Value:
        """Return the result of calling the function.  The current unit does not run again when it grows."""
        return self._state.get(("ret", function), NOTHING)

    def _passes_on(self, decorator: object) -> bool:
        """Return whether a decorator keeps the result of the function that it decorates."""
        if decorator == RETRIER_ATOM or (isinstance(decorator, Ref) and repeats.is_retrier(decorator.name)):
            return True
        if not isinstance(decorator, (Ref, Bound)) or decorator[0] not in self.functions:
            return False
        for atom in self.get(("ret", decorator[0])):
            inner = self.get(("ret", atom.name)) if isinstance(atom, Ref) and atom.name in self.functions else UNKNOWN
            if atom != DECORATED and inner - NONE - {ITS_RESULT}:
                return False
        return True

    def call_declared(self, name: str) -> Value:
        """Return the client, as a value, that a --client option declares as the result of calling `name`."""
        client = self.declared(name)
        return frozenset({client}) if client else NOTHING

    def declared(self, name: str) -> Client | None:
        """Return the client that a --client option declares as the result of calling `name`."""
        client = self.clients.get(name)
        if client:
            self.clients_met.add(name)
        return client

    def is_wrapper(self, name: str) -> bool:
        """Return whether a dotted name is the retry function, by its last part."""
        return name.rpartition(".")[2] in self.wrappers
