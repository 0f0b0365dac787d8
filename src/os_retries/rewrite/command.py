"""The body of `os-retries rewrite`: read, find out, change or report, and say how it went."""

from __future__ import annotations

import difflib
import gc
import re
import sys
from typing import TYPE_CHECKING, TextIO

from os_retries.rewrite import files
from os_retries.rewrite.options import Options, UsageError
from os_retries.rewrite.progress import Progress
from os_retries.rewrite.survey import find

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator

    from os_retries.rewrite.imports import Wrapper
    from os_retries.rewrite.parts import Module
    from os_retries.rewrite.survey import Report


def run(options: Options, out: TextIO, err: TextIO) -> int:
    """Do it. Returns 0; 1 if `--check` found a call; 2 if a file could not be worked on."""
    collecting = gc.isenabled()
    gc.disable()  # syntax trees hold no cycles, and looking for some takes half of the time on a large code base
    try:
        return _run(options, out, err)
    finally:
        if collecting:
            gc.enable()


def _run(options: Options, out: TextIO, err: TextIO) -> int:
    edit = _editor()
    wrapper = _wrapper(options.wrapper)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))  # deep expressions; Python's frames are not C's
    progress = Progress(err)
    report = find(options, wrapper.name, progress)
    counts = dict.fromkeys(("wrap", "attach", "unsure", "changed"), 0)
    for index, module in enumerate(report.modules, 1):
        progress("rewriting", index, len(report.modules))
        calls = report.calls.get(module.path, [])
        targets = [call.node for call in calls if call.verdict == "wrap"]
        if targets and options.mode != "check":
            try:
                new, missed = edit(module, targets, wrapper, report.own, options.line_length)
                if options.mode == "write" and new != module.text:
                    files.write(module.path, module.text, new)
            except files.FileError as error:
                text = str(error)
                report.errors.append(text if text.startswith(module.path) else f"{module.path}: {text}; not changed")
                continue
            counts["changed"] += new != module.text
            lost = "stands where it cannot be told from another call"
            calls = [c._replace(verdict="unsure", why=lost) if c.node in missed else c for c in calls]
            if options.mode == "diff":
                progress.clear()
                out.writelines(_diff(module.path, module.text, new))
        progress.clear()
        for call in calls:
            counts[call.verdict] += 1
            place = f"{module.path}:{call.node.lineno}:{_column(module, call.node)}"
            if call.verdict != "wrap":
                label = "not sure" if call.verdict == "unsure" else "left alone"
                err.write(f"{place}: {label}: {call.name}() {call.why}\n")
            elif options.mode == "check":
                out.write(f"{place}: {call.name}() is not wrapped in {wrapper.name}\n")
    progress.clear()
    err.writelines(f"os-retries rewrite: {message}\n" for message in report.errors)
    err.write(_summary(options, report, counts))
    return 2 if report.errors else int(options.mode == "check" and counts["wrap"] > 0)


def _editor() -> Callable[..., tuple[str, list[ast.Call]]]:
    try:
        from os_retries.rewrite.edit import edit  # noqa: PLC0415  LibCST is an extra
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


def _lines(text: str) -> list[str]:
    """Split at line feeds alone, as diff and patch do."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _wrapper(text: str) -> Wrapper:
    from os_retries.rewrite.imports import Wrapper  # noqa: PLC0415  LibCST is an extra

    module, colon, name = text.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"--import {text}: write it as MODULE:NAME, such as os_retries:execute_with_retries")
    return Wrapper(module, name)


def _column(module: Module, node: ast.Call) -> int:
    lines = files.split_lines(module.text.removeprefix(files.BOM))
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    return 1 + len(line.encode()[: node.col_offset].decode(errors="ignore"))


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _summary(options: Options, report: Report, counts: dict[str, int]) -> str:
    calls, changed = _many(counts["wrap"], "call"), _many(counts["changed"], "file")
    did = {
        "diff": f"would wrap {calls} in {changed}",
        "write": f"wrapped {calls} in {changed}",
        "check": f"{calls} not wrapped",
    }[options.mode]
    parts = [_many(len(report.modules), "file"), did]
    if counts["attach"]:
        parts.append(f"{counts['attach']} left to os_retries.attach")
    if counts["unsure"]:
        parts.append(f"not sure of {counts['unsure']} (--client says where clients come from)")
    if report.tests:
        parts.append(f"{_many(report.tests, 'test file')} left out (--tests includes them)")
    if report.unread:
        parts.append(f"{_many(report.unread, 'file')} of the project could not be read")
    if report.errors:
        parts.append(_many(len(report.errors), "error"))
    return f"os-retries rewrite: {', '.join(parts)}\n"
