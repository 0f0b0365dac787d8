"""Hints: places where clients may come from that the analysis could not follow, with the --client option to try.

Without them, a program that was not understood would look like a program without calls.
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
    return sorted([*_computed(program), *_unseen(program)])


def _computed(program: Program) -> Iterator[Hint]:
    """Yield globals that are imported by a computed name and called, and functions that return what these give."""
    lines = {name: line for name, (line, calls) in program.computed.items() if calls}
    for name, function in program.functions.items():
        own = not function.outer and function.kind != "property"  # a property only passes on what a function gives
        if own and COMPUTED_ATOM in program.result(name) and name in program.used:
            lines[name] = function.node.lineno
    for name, line in lines.items():
        last = name.rpartition(".")[2]
        service = next((s for s in services.SERVICES if s in last.lower().split("_")), "SERVICE")
        module = program.functions[name].module if name in program.functions else name.rpartition(".")[0]
        if name not in program.clients and (service != "SERVICE" or "client" in last.lower()):
            text = f"{last}() gives what is imported by a computed name; if that is a client, try"
            yield Hint(program.modules[module].path, line, text, f"{name}={service}")


def _unseen(program: Program) -> Iterator[Hint]:
    """Yield the functions that return a client and are never seen called."""
    for name, function in program.functions.items():
        node, module = function.node, program.modules[function.module]
        if isinstance(node, ast.Lambda) or function.outer or function.kind == "property":
            continue
        if module.is_test or name in program.used or name in program.clients:
            continue
        for client in sorted(atom for atom in program.result(name) if _is_client(atom)):
            text = f"{node.name}() gives a client of {client.service}, and no call of it is seen"
            service = ".".join((client.service, *client.path))
            yield Hint(
                module.path, node.lineno, f"{text}; if it is called by another name, try", f"MODULE.NAME={service}"
            )


def _is_client(atom: object) -> TypeGuard[Client]:
    """Return whether an atom is a client itself, or a proxy of openstacksdk."""
    if not isinstance(atom, Client) or atom.service in {"keystoneauth", "--client"}:
        return False
    return not atom.path or (atom.service == "sdk" and len(atom.path) == 1)
