"""The files given: found, read, named as modules, and written again whole or not at all."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import tempfile
import tokenize
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from os_retries.rewrite.parts import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BOM = "\ufeff"
_NEWLINE = re.compile(r"\r\n|\r|\n")
_SKIPPED = {"__pycache__", "node_modules"}


class FileError(Exception):
    """A file that cannot be worked on; the message says which, and why."""


@dataclass
class Tree:
    """The files given, and what is wrong with the ones left out."""

    modules: list[Module] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def load(paths: Sequence[str], exclude: Sequence[str] = ()) -> Iterator[tuple[int, int, Tree]]:
    """Read and parse every file under `paths`; yield (files done, files in all, the tree so far) after each."""
    tree = Tree()
    files = list(_find(paths, exclude, tree.errors))
    names: set[str] = set()
    for done, (shown, real, root) in enumerate(files, 1):
        name, is_package = module_name(real)
        if name in names:
            name = f"{name}@{real}"  # two scripts of one name: each is evaluated, neither can be imported
        try:
            text = read(real, shown)
            tree.modules.append(Module(name, shown, text, is_package, is_test(real, root), parse(text, shown)))
            names.add(name)
            relative = os.path.relpath(real, root).removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
            tree.aliases.setdefault(relative, name)
        except FileError as error:
            tree.errors.append(str(error))
        yield done, len(files), tree
    if not files:
        yield 0, 0, tree


def _find(paths: Sequence[str], exclude: Sequence[str], errors: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (path as shown, real path, the given path's folder) of each file once."""
    seen: set[str] = set()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            candidates: Iterator[Path] = _walk(path, errors)
            root = os.path.realpath(given)
        elif path.exists():
            candidates = iter([path])
            root = os.path.realpath(path.parent)
        else:
            why = "is a symbolic link to nothing" if path.is_symlink() else "does not exist"
            errors.append(f"{given}: {why}")
            continue
        for candidate in candidates:
            if candidate != path and any(candidate.match(pattern) or _under(candidate, pattern) for pattern in exclude):
                continue
            real = os.path.realpath(candidate)
            if real in seen:
                continue
            seen.add(real)
            if not Path(real).is_file():
                errors.append(f"{candidate}: is not a file")
                continue
            yield str(candidate), real, root


def _under(path: Path, pattern: str) -> bool:
    return any(parent.match(pattern) for parent in path.parents if parent.name)


def _walk(top: Path, errors: list[str]) -> Iterator[Path]:
    """Yield the *.py files below `top` in order; symbolic links to folders are not followed, so there are no loops."""

    def failed(error: OSError) -> None:
        errors.append(f"{error.filename}: cannot be listed ({error.strerror})")

    for folder, folders, names in os.walk(top, onerror=failed):
        folders[:] = sorted(
            f
            for f in folders
            if not f.startswith(".") and f not in _SKIPPED and not Path(folder, f, "pyvenv.cfg").exists()
        )
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
    """Say whether the file is one of the program's tests, by the usual names of files and folders."""
    parts = Path(os.path.relpath(real, root)).parts
    return bool({"test", "tests"} & set(parts[:-1])) or parts[-1].startswith("test_") or parts[-1] == "conftest.py"


def read(real: str, shown: str) -> str:
    """Read a file's text, newlines as they are; raise FileError unless it is UTF-8."""
    try:
        data = Path(real).read_bytes()
    except OSError as error:
        raise FileError(f"{shown}: cannot be read ({error.strerror})") from None
    declared = ""
    with contextlib.suppress(SyntaxError):
        declared = tokenize.detect_encoding(BytesIO(data).readline)[0]
    if declared.startswith("utf-8") or data.isascii():
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise FileError(f"{shown}: is not UTF-8 (byte {error.start}); convert it first") from None
    raise FileError(f"{shown}: is not UTF-8{f' (it says {declared})' if declared else ''}; convert it first")


def split_lines(text: str) -> list[str]:
    """Split where Python ends a line (str.splitlines splits at form feeds and more, too)."""
    return _NEWLINE.split(text)


def parse(text: str, shown: str) -> ast.Module:
    """Parse a file's text; raise FileError where this Python cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.removeprefix(BOM))
    except SyntaxError as error:
        raise FileError(f"{shown}:{error.lineno or 1}: does not parse ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{shown}: does not parse ({str(error) or type(error).__name__})") from None


def write(shown: str, old: str, new: str) -> None:
    """Replace a file's text, all of it or nothing: a new file beside it takes its place, its mode and its owner.

    A symbolic link stays one: what it points to is replaced.
    """
    real = os.path.realpath(shown)
    try:
        status = Path(real).stat()
        if not status.st_mode & 0o222 or not os.access(real, os.W_OK):
            raise FileError(f"{shown}: is read-only, not changed")
        if read(real, shown) != old:
            raise FileError(f"{shown}: was changed by something else meanwhile, not changed; run again")
        handle, temporary = tempfile.mkstemp(prefix=".os-retries-", dir=Path(real).parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(new.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(status.st_mode & 0o7777)
            if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
                os.chown(temporary, status.st_uid, status.st_gid)
            Path(temporary).replace(real)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"{shown}: cannot be written, not changed ({error.strerror})") from None
