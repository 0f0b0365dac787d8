"""The files to process, and the project around them, which is only read.

The verdict on a call needs the whole program, because its client may be made in any other file. So a single file is
read together with its project, and gets the same verdicts as when the whole project is given. Only the given files are
reported or changed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.rewrite.files import FileError, parse, read
from os_retries.rewrite.parts import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROJECT = (".git", "pyproject.toml", "setup.py", "setup.cfg")
_SKIPPED = {"__pycache__", "node_modules"}
_COPIES = {"build", "dist", "site-packages"}  # of a project, not read: they contain copies of its modules


@dataclass
class Tree:
    """The program: the given files, the other files of their projects, and the errors."""

    modules: list[Module] = field(default_factory=list)
    given: list[Module] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    tests: int = 0  # given test files that are left out
    unread: int = 0  # other files of the project that could not be read


@dataclass(slots=True)
class _File:
    """A file that is to be read."""

    shown: str
    real: str
    root: str
    is_test: bool
    given: bool


def load(paths: Sequence[str], exclude: Sequence[str] = (), *, tests: bool = False) -> Iterator[tuple[int, int, Tree]]:
    """Read and parse the program; yield (files done, files in all, the tree so far) after each file.

    Tests below a given folder are left out, unless `tests` is true. A test file, or a folder of tests, that is given
    itself is never left out.
    """
    tree = Tree()
    files = list(_find(paths, exclude, tree, tests=tests))
    tests = tests or any(file.is_test for file in files)
    real = {file.real for file in files}
    files += [file for file in _around(paths, exclude) if file.real not in real and (tests or not file.is_test)]
    given = {file.real: index for index, file in enumerate(files) if file.given}
    files.sort(key=lambda file: (file.real.count(os.sep), file.real))
    names: set[str] = set()
    found: dict[int, Module] = {}
    for done, file in enumerate(files, 1):
        try:
            module = _module(file, names)
        except FileError as error:
            if file.given:
                tree.errors.append(str(error))
            tree.unread += not file.given
        else:
            tree.modules.append(module)
            if file.given:
                found[given[file.real]] = module
            for alias in _aliases(file, module):
                tree.aliases.setdefault(alias, module.name)
        tree.given = [found[index] for index in sorted(found)]
        yield done, len(files), tree
    if not files:
        yield 0, 0, tree


def _aliases(file: _File, module: Module) -> Iterator[str]:
    """Yield the names by which a module may be imported if folders above its outermost package are packages, too."""
    relative = Path(os.path.relpath(file.real, file.root)).with_suffix("")
    parts = relative.parent.parts if relative.name == "__init__" else relative.parts
    if os.pardir not in parts:
        longer = len(parts) - module.name.count(".")
        yield from (".".join(parts[start:]) for start in range(max(longer, 1)))


def _module(file: _File, names: set[str]) -> Module:
    name, is_package = module_name(file.real)
    if name in names:
        name = f"{name}@{file.real}"  # two scripts of one name: both are analyzed, only the first can be imported
    text = read(file.real, file.shown)
    module = Module(name, file.shown, text, is_package, file.is_test, parse(text, file.shown))
    names.add(name)
    return module


def _find(paths: Sequence[str], exclude: Sequence[str], tree: Tree, *, tests: bool) -> Iterator[_File]:
    """Find each file that is given, once."""
    seen: set[str] = set()
    left_out: set[str] = set()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            candidates: Iterator[Path] = _walk(path, tree.errors)
        elif path.exists():
            candidates = iter([path])
        else:
            why = "is a symbolic link to nothing" if path.is_symlink() else "does not exist"
            tree.errors.append(f"{given}: {why}")
            continue
        root = _root(given)
        named = tests or not path.is_dir() or is_test(os.path.join(os.path.realpath(given), "x.py"), root)  # noqa: PTH118
        for candidate in candidates:
            if candidate != path and _excluded(candidate, exclude):
                continue
            real = os.path.realpath(candidate)
            if real in seen:
                continue
            if not Path(real).is_file():
                tree.errors.append(f"{candidate}: is not a file")
                continue
            test = is_test(real, root)
            if test and not named:
                left_out.add(real)
                continue
            seen.add(real)
            yield _File(str(candidate), real, root, test, True)
    tree.tests = len(left_out - seen)


def _around(paths: Sequence[str], exclude: Sequence[str]) -> Iterator[_File]:
    """Find all files of the projects to which the given files belong."""
    roots: dict[str, None] = {}
    for given in paths:
        if os.path.exists(given):  # noqa: PTH110
            roots[_root(given)] = None
    for root in roots:
        whole = _is_project(Path(root)) or any(os.path.realpath(given) == root for given in paths)
        for path in _walk(Path(root), [], whole=whole):
            real = os.path.realpath(path)
            if not _excluded(path, exclude) and os.path.isfile(real):  # noqa: PTH113
                yield _File(str(path), real, root, is_test(real, root), False)


def _root(given: str) -> str:
    """Return the folder of the project to which a file or folder belongs.

    Without a project file above it, this is the outermost package.
    """
    path = Path(os.path.realpath(given))
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        if _is_project(candidate):
            return str(candidate)
        if _is_foreign(candidate):  # an environment inside a project is not part of the project
            break
    while (folder / "__init__.py").exists() and folder.name:
        folder, path = folder.parent, folder
    return str(path if path.is_dir() else folder)


def _is_foreign(folder: Path) -> bool:
    """Return whether a folder is left out when a folder above it is walked."""
    name = folder.name
    return name.startswith(".") or name in _SKIPPED | _COPIES or (folder / "pyvenv.cfg").exists()


def _is_project(folder: Path) -> bool:
    return folder not in {Path.home(), Path(folder.anchor)} and any((folder / name).exists() for name in _PROJECT)


def _excluded(path: Path, exclude: Sequence[str]) -> bool:
    return any(path.match(pattern) or _under(path, pattern) for pattern in exclude)


def _under(path: Path, pattern: str) -> bool:
    return any(parent.match(pattern) for parent in path.parents if parent.name)


def _walk(top: Path, errors: list[str], *, whole: bool | None = None) -> Iterator[Path]:
    """Yield the *.py files below `top` in order; symbolic links to folders are not followed, so there are no loops.

    `whole` is None for a given folder. In the rest of a project, folders of copies are left out; where there is no
    project file, `whole` is False, and folders that are not packages are left out too.
    """

    def failed(error: OSError) -> None:
        errors.append(f"{error.filename}: cannot be listed ({error.strerror})")

    def wanted(folder: str, name: str) -> bool:
        path = Path(folder, name)
        if whole is None and name in _COPIES:
            return True
        return not _is_foreign(path) and (whole is not False or (path / "__init__.py").exists())

    for folder, folders, names in os.walk(top, onerror=failed):
        folders[:] = sorted(name for name in folders if wanted(folder, name))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))


def module_name(real: str) -> tuple[str, bool]:
    """Return the dotted name of the module in a file, from the packages (folders with an __init__.py) around it."""
    path = Path(real)
    is_package = path.stem == "__init__"
    parts = [] if is_package else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name, is_package


def is_test(real: str, root: str) -> bool:
    """Return whether the file is one of the program's tests, by the usual names of files and folders."""
    parts = Path(os.path.relpath(real, root)).parts
    name = parts[-1]
    return bool({"test", "tests"} & set(parts[:-1])) or name.startswith("test_") or name in {"conftest.py", "tests.py"}
