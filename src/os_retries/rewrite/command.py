"""The body of `os-retries rewrite`: read, find out, change or report, and say how it went."""

from __future__ import annotations

import ast
import difflib
import gc
import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TextIO

from os_retries.rewrite import evaluate, files, services
from os_retries.rewrite.origins import Program
from os_retries.rewrite.values import NONE, UNKNOWN, Client, Result, unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from os_retries.rewrite.imports import Wrapper
    from os_retries.rewrite.origins import Found, Module

_SKIP = re.compile(r"#\s*os-retries:\s*skip\b")
_FIRST_NOTE, _NOTE_EVERY = 5.0, 10.0  # seconds until the first line of progress, and between two


class UsageError(Exception):
    """The command line asks for something that cannot be; the message says what to do."""


@dataclass
class Options:
    """What the command line says."""

    paths: Sequence[str]
    mode: str = "diff"  # diff, write, check
    clients: Sequence[str] = ()
    wrapper: str = "os_retries:execute_with_retries"
    exclude: Sequence[str] = ()
    line_length: int = 79


class Call(NamedTuple):
    """One call, and what is to be done with it."""

    node: ast.Call
    verdict: str
    why: str
    name: str


@dataclass
class Report:
    """What was found in the files given."""

    calls: dict[str, list[Call]] = field(default_factory=dict)  # by the path of the file
    modules: list[Module] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    own: frozenset[str] = frozenset()


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
    err.write(_summary(options, len(report.modules), counts, len(report.errors)))
    return 2 if report.errors else int(options.mode == "check" and counts["wrap"] > 0)


def _editor() -> Callable[..., tuple[str, list[ast.Call]]]:
    try:
        from os_retries.rewrite.edit import edit  # noqa: PLC0415  LibCST is an extra
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        raise UsageError("os-retries rewrite needs LibCST. Install it: pip install 'os-retries[rewrite]'") from None
    return edit


def find(options: Options, wrapper_name: str, progress: Progress) -> Report:
    """Find the calls of clients in the files given."""
    tree = files.Tree()
    for done, total, tree in files.load(options.paths, options.exclude):  # noqa: B007  the last one counts
        progress("reading", done, total)
    clients = dict(_client(text) for text in options.clients)
    program = Program(tree.modules, clients, frozenset({wrapper_name, "execute_with_retries"}))
    program.aliases = tree.aliases
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress("following clients", done, done + len(program.queue))

    evaluate.run(program, step)
    report = Report(modules=tree.modules, errors=tree.errors)
    report.errors += [
        f"{path}: could not be followed, not changed; please report this ({why})"
        for path, why in program.failed.items()
    ]
    report.modules = [m for m in report.modules if m.path not in program.failed]
    report.errors += [
        f"--client {name}: nothing of that name is used in the files given; it is MODULE.NAME, as its own module has it"
        for name in clients
        if name not in program.clients_met
    ]
    report.own = frozenset(module.name.partition(".")[0] for module in tree.modules)
    paths = {module.name: module for module in tree.modules}
    for unit, found in program.found.items():
        function = program.functions.get(unit)
        module = paths[function.module if function else unit]
        lines = None
        for item in found.values():
            judgement = judge(item)
            if judgement.verdict == "silent":
                continue
            if program.is_covered(unit):
                continue
            lines = lines or files.split_lines(module.text)
            if _skipped(item.node, lines):
                continue
            name = _name(item.node)
            report.calls.setdefault(module.path, []).append(Call(item.node, *judgement, name))
    for calls in report.calls.values():
        calls.sort(
            key=lambda c: (
                c.node.lineno,
                c.node.col_offset,
                -(c.node.end_lineno or 0),
                -(c.node.end_col_offset or 0),
            )
        )
    return report


def judge(found: Found) -> services.Judgement:
    """Judge a call by everything that its function may be."""
    judgements: set[services.Judgement] = set()
    other = bool(found.value & UNKNOWN)
    keywords = {k.arg: k.value.value for k in found.node.keywords if k.arg and isinstance(k.value, ast.Constant)}
    for atom in unwrapped(found.value - UNKNOWN - NONE):
        if isinstance(atom, Client) and atom.path:
            judgements.add(services.judge_path(atom.service, atom.path, dict(keywords), body=found.body))
        elif isinstance(atom, Result) and atom.name:
            session = found.session_given
            judgements.add(services.judge_resource(atom.service, atom.shape, atom.name, session_given=session))
        else:
            other = True
    if judgements == {services.SILENT} or not judgements:
        return services.SILENT
    if other or services.SILENT in judgements:
        return services.Judgement("unsure", "may be a client's call, or something else")
    for verdict in ("unsure", "attach"):
        for judgement in sorted(judgements):
            if judgement.verdict == verdict:
                return judgement
    return services.AWAITED if found.awaited else services.WRAP


class Progress:
    """How far it is: on a terminal one line that is written over, elsewhere a line now and then on a long run."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.next = time.monotonic() + (0.5 if self.terminal else _FIRST_NOTE)
        self.shown = False

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Say that `done` of `total` are done, if it is time to."""
        now = time.monotonic()
        if now < self.next:
            return
        text = f"os-retries rewrite: {doing} {done}/{total}"
        if self.terminal:
            self.stream.write(f"\r\x1b[K{text}")
            self.next = now + 0.2
            self.shown = True
        else:
            self.stream.write(text + "\n")
            self.next = now + _NOTE_EVERY
        self.stream.flush()

    def clear(self) -> None:
        """Take the line off the terminal, for something else to be written there."""
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.shown = False


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


def _client(text: str) -> tuple[str, str]:
    name, equals, service = text.partition("=")
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"--client {text}: write it as MODULE.NAME, such as mypackage.clients.nova")
    if equals and service not in services.SERVICES:
        known = ", ".join(sorted(s for s in services.SERVICES if s.isalpha()))
        raise UsageError(f"--client {text}: no client is called {service}; known are {known}")
    return name, service or "--client"


def _skipped(node: ast.Call, lines: list[str]) -> bool:
    return any(_SKIP.search(line) for line in lines[node.lineno - 1 : node.end_lineno])


def _column(module: Module, node: ast.Call) -> int:
    lines = files.split_lines(module.text.removeprefix(files.BOM))
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    return 1 + len(line.encode()[: node.col_offset].decode(errors="ignore"))


def _name(node: ast.Call) -> str:
    text = " ".join(ast.unparse(node.func).split())
    return text if len(text) <= 60 else f"…{text[-59:]}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _summary(options: Options, number: int, counts: dict[str, int], errors: int) -> str:
    calls, changed = _many(counts["wrap"], "call"), _many(counts["changed"], "file")
    did = {
        "diff": f"would wrap {calls} in {changed}",
        "write": f"wrapped {calls} in {changed}",
        "check": f"{calls} not wrapped",
    }[options.mode]
    parts = [_many(number, "file"), did]
    if counts["attach"]:
        parts.append(f"{counts['attach']} left to os_retries.attach")
    if counts["unsure"]:
        parts.append(f"not sure of {counts['unsure']} (--client says where clients come from)")
    if errors:
        parts.append(_many(errors, "error"))
    return f"os-retries rewrite: {', '.join(parts)}\n"
