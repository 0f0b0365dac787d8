"""The body of `os-retries rewrite`: survey the files, change or report them, and summarize."""

from __future__ import annotations

import difflib
import gc
import re
import sys
from typing import TYPE_CHECKING, TextIO

from os_retries.rewrite import files, reports
from os_retries.rewrite.options import Options, UsageError
from os_retries.rewrite.progress import Progress
from os_retries.rewrite.survey import find
from os_retries.terminal.stream import painter

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator

    from os_retries.rewrite.imports import Wrapper
    from os_retries.rewrite.parts import Module
    from os_retries.rewrite.survey import Call
    from os_retries.terminal.stream import Paint

_COLORS = {"+": "green", "-": "red", "@": "cyan"}


def run(options: Options, out: TextIO, err: TextIO) -> int:
    """Run the command. Returns 0; 1 if `--check` found a call to wrap; 2 if a file could not be processed."""
    collecting = gc.isenabled()
    gc.disable()  # syntax trees have no cycles, and searching for them takes half of the time on a large code base
    try:
        return _run(options, out, err)
    finally:
        if collecting:
            gc.enable()


def _run(options: Options, out: TextIO, err: TextIO) -> int:
    edit = _editor()
    wrapper = _wrapper(options.wrapper)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))  # for deep expressions
    progress = Progress(err)
    found = find(options, wrapper.name, progress)
    result = reports.Result(
        len(found.modules), hints=found.hints, errors=found.errors, tests=found.tests, unread=found.unread
    )
    for index, module in enumerate(found.modules, 1):
        progress("rewriting", index, len(found.modules))
        calls = found.calls.get(module.path, [])
        targets = [call.node for call in calls if call.verdict == "wrap"]
        if targets and options.mode != "check":
            try:
                new, missed = edit(module, targets, wrapper, found.own, options.line_length)
                if options.mode == "write" and new != module.text:
                    files.write(module.path, module.text, new)
            except files.FileError as error:
                text = str(error)
                result.errors.append(text if text.startswith(module.path) else f"{module.path}: {text}; not changed")
                continue
            except RecursionError:
                result.errors.append(f"{module.path}: is nested too deeply for this Python; not changed")
                continue
            result.changed += new != module.text
            lost = "cannot be told apart from another call in the same f-string"
            calls = [c._replace(verdict="unsure", why=lost) if c.node in missed else c for c in calls]
            if options.mode == "diff" and options.format == "text":
                progress.clear()
                out.writelines(_painted(_diff(module.path, module.text, new), painter(out)))
        rows = _rows(module, calls)
        result.rows += rows
        if options.format == "text":
            progress.clear()
            reports.lines(rows, options, out, err)
    progress.clear()
    if options.format != "text":
        out.write(reports.as_json(options, result) if options.format == "json" else reports.as_sarif(options, result))
    err.write(reports.summary(options, result))
    return 2 if result.errors else int(options.mode == "check" and result.count("wrap") > 0)


def _editor() -> Callable[..., tuple[str, list[ast.Call]]]:
    try:
        from os_retries.rewrite.edit import edit
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        raise UsageError("os-retries rewrite needs LibCST. Install it: pip install 'os-retries[rewrite]'") from None
    return edit


def _diff(path: str, old: str, new: str) -> Iterator[str]:
    shown = path.lstrip("/")
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{shown}", f"b/{shown}")
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _painted(lines: Iterator[str], paint: Paint) -> Iterator[str]:
    """Yield the lines of one file's diff in the colors of git."""
    for at, line in enumerate(lines):
        style = "bold" if at < 2 else _COLORS.get(line[0], "")  # the two lines with its name begin with - and + too
        first, end, rest = line.partition("\n")  # the rest says that there is no newline at the end of the file
        yield paint(first, style) + end + rest


def _lines(text: str) -> list[str]:
    """Split at line feeds alone, as diff and patch do."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _wrapper(text: str) -> Wrapper:
    from os_retries.rewrite.imports import Wrapper

    module, colon, name = text.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"--import {text}: write it as MODULE:NAME, such as os_retries:execute_with_retries")
    return Wrapper(module, name)


def _rows(module: Module, calls: list[Call]) -> list[reports.Row]:
    lines = files.split_lines(module.text.removeprefix(files.BOM)) if calls else []

    def column(line: int, offset: int) -> int:
        return 1 + len(lines[line - 1].encode()[:offset].decode(errors="ignore")) if line <= len(lines) else 1

    rows = []
    for node, verdict, why, name, creates in calls:
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        start = column(node.lineno, node.col_offset)
        rows.append(
            reports.Row(module.path, node.lineno, start, end_line, column(end_line, end), name, verdict, why, creates)
        )
    return rows
