"""Hints: places that the analysis could not follow and that may create clients, with the --client option to try.

Without hints, a program that the analysis cannot follow would look like a program that makes no client calls.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

from os_retries.rewrite import services
from os_retries.rewrite.reports import Hint
from os_retries.rewrite.values import COMPUTED_ATOM, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from os_retries.rewrite.origins import Program


def of(program: Program) -> list[Hint]:
    """Return the hints for a program that has been analyzed."""
    return sorted([*_for_computed_imports(program), *_for_uncalled_functions(program)])


def _for_computed_imports(program: Program) -> Iterator[Hint]:
    """Yield a hint for each called global with a computed import, and for each function that returns its result."""
    line_of = {name: line for name, (line, calls) in program.computed.items() if calls}
    for name, function in program.functions.items():
        candidate = (
            not function.outer and function.kind != "property"
        )  # a property only returns the result of a function
        if candidate and COMPUTED_ATOM in program.result(name) and name in program.used:
            line_of[name] = function.node.lineno
    for name, line in line_of.items():
        short = name.rpartition(".")[2]
        service = next((each for each in services.SERVICES if each in short.lower().split("_")), "SERVICE")
        module = program.functions[name].module if name in program.functions else name.rpartition(".")[0]
        if name not in program.clients and (service != "SERVICE" or "client" in short.lower()):
            text = f"{short}() returns an object that is imported by a computed name; if that is a client, try"
            yield Hint(program.modules[module].path, line, text, f"{name}={service}")


def _for_uncalled_functions(program: Program) -> Iterator[Hint]:
    """Yield a hint for each function that returns a client and whose calls the analysis has not found."""
    for name, function in program.functions.items():
        node, module = function.node, program.modules[function.module]
        if isinstance(node, ast.Lambda) or function.outer or function.kind == "property":
            continue
        if module.is_test or name in program.used or name in program.clients:
            continue
        for client in sorted(atom for atom in program.result(name) if _is_client(atom)):
            text = f"{node.name}() returns a client of {client.service}, but no call of {node.name}() was found"
            service = ".".join((client.service, *client.path))
            yield Hint(
                module.path, node.lineno, f"{text}; if it is called under another name, try", f"MODULE.NAME={service}"
            )


def _is_client(atom: object) -> TypeGuard[Client]:
    """Return whether an atom is a client itself, not something reached from it, or a proxy of openstacksdk."""
    if not isinstance(atom, Client) or atom.service in {"keystoneauth", "--client"}:
        return False
    return not atom.path or (atom.service == "sdk" and len(atom.path) == 1)
