"""Where clients may come from that could not be followed, with the --client option to try.

A program in which nothing was understood must not look like one in which nothing is wrong.
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
    """Return the hints for a program that was followed to the end."""
    return sorted([*_computed(program), *_unseen(program)])


def _computed(program: Program) -> Iterator[Hint]:
    """Yield what is called and comes by a computed name: globals, and functions that give what such a thing makes."""
    lines = {name: line for name, (line, calls) in program.computed.items() if calls}
    for name, function in program.functions.items():
        if COMPUTED_ATOM in program.result(name) and name in program.used and not function.outer:
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
    """Say whether an atom is a client itself, or a proxy of openstacksdk."""
    if not isinstance(atom, Client) or atom.service in {"keystoneauth", "--client"}:
        return False
    return not atom.path or (atom.service == "sdk" and len(atom.path) == 1)
