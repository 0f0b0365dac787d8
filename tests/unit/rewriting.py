"""Helpers for the tests of `os-retries rewrite`: a code base of a few lines, and the result of the tool."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from os_retries.rewrite import command
from os_retries.rewrite.options import Options

IMPORT = "from os_retries import execute_with_retries\n"


class Outcome(NamedTuple):
    status: int
    out: str
    err: str
    texts: dict[str, str]

    @property
    def text(self) -> str:
        """The file main.py, without the import that was added."""
        return self.texts["main.py"].replace(IMPORT, "", 1)


def rewrite(folder: Path, main: str | None = None, files: dict[str, str] | None = None, **options: object) -> Outcome:
    """Write the files, run the tool on all of them, and read them again."""
    every = {**(files or {}), **({"main.py": main} if main is not None else {})}
    for name, text in every.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    options = {"mode": "write", "line_length": 0, **options}
    out, err = io.StringIO(), io.StringIO()
    paths = options.pop("paths", [str(folder)])
    status = command.run(Options(paths, **options), out, err)
    texts = {name: (folder / name).read_bytes().decode() for name in every}
    return Outcome(status, out.getvalue().replace(f"{folder}/", ""), err.getvalue().replace(f"{folder}/", ""), texts)
