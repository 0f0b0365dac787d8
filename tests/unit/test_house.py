"""The source code follows its rules.  The rule about imports is in pyproject.toml."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import os_retries

HOUSE = Path(os_retries.__file__).parent
ROOMS = sorted(HOUSE.rglob("*.py"))
CITED = ("CREATES.md", "CLIENTS.md", "DESIGN.md", "ANCHORS.md", "OUTSIDE.md", "STYLE.md")


def module(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """The modules of the house that a file imports, for types or for good, anywhere in it."""
    modules = {module(each) for each in ROOMS}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{each.name}" for each in node.names} | {node.module}
    return found & modules - {module(path)}


def test_no_room_has_more_than_one_story():
    """Four hundred lines at most; the recipes of a service are a table."""
    long = {module(path): len(path.read_text().splitlines()) for path in ROOMS if path.parent.name != "recipes"}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_no_import_goes_in_a_circle_also_not_for_types():
    graph = {module(path): imports(path) for path in ROOMS}
    graph["os_retries"] = set()  # it is imported by everything below it, and its own imports are lazy

    def reaches(start: str, goal: str) -> bool:
        waiting, seen = [start], set()
        while waiting:
            for each in graph.get(waiting.pop(), ()):
                if each == goal:
                    return True
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
        return False

    assert [name for name in graph if reaches(name, name)] == []


@pytest.mark.parametrize("wing", sorted({path.parent for path in ROOMS if path.parent != HOUSE}), ids=lambda w: w.name)
def test_each_wing_says_what_it_is_for(wing):
    if wing.name == "path":  # a folder that programs find on PYTHONPATH, and no package
        return
    assert ast.get_docstring(ast.parse((wing / "__init__.py").read_text()))


def test_what_the_code_cites_is_in_the_repository():
    places = [path for path in HOUSE.rglob("*") if path.suffix in (".py", ".lua")]
    assert [(path.name, each) for path in places for each in CITED if each in path.read_text()] == []
