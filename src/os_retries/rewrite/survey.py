"""The survey: read the files, follow the clients, and decide for each call what to do with it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from os_retries.rewrite import evaluate, files, hints, services
from os_retries.rewrite.judgments import AWAITED, CREATES, SILENT, WRAP, Judgment
from os_retries.rewrite.options import Options, UsageError
from os_retries.rewrite.origins import Program
from os_retries.rewrite.tree import Tree, load
from os_retries.rewrite.values import NONE, UNKNOWN, Client, Result, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from os_retries.rewrite.parts import Found, Module
    from os_retries.rewrite.progress import Progress
    from os_retries.rewrite.reports import Hint

_SKIP = re.compile(r"#\s*os-retries:\s*skip\b")


class Call(NamedTuple):
    """One call of a client, and what to do with it."""

    node: ast.Call
    verdict: str
    why: str
    name: str
    creates: bool = False


@dataclass
class Report:
    """The calls found in the given files."""

    calls: dict[str, list[Call]] = field(default_factory=dict)  # by the path of the file
    modules: list[Module] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    own: frozenset[str] = frozenset()
    hints: list[Hint] = field(default_factory=list)
    tests: int = 0  # files left out
    unread: int = 0  # other files of the project that could not be read


def find(options: Options, wrapper_name: str, progress: Progress) -> Report:
    """Find the calls of clients in the given files."""
    tree = Tree()
    for done, total, tree in load(options.paths, options.exclude, tests=options.tests):  # noqa: B007  the last one counts
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
    given = {module.path: module for module in tree.given}
    report = Report(errors=tree.errors, tests=tree.tests, unread=tree.unread)
    report.errors += [
        f"{path}: could not be analyzed, not changed; please report this ({why})"
        for path, why in program.failed.items()
        if path in given
    ]
    report.errors += [
        f"--client {name}: the code uses nothing of that name; write it as MODULE.NAME, with the module that defines it"
        for name in clients
        if name not in program.clients_met
    ]
    report.modules = [module for module in tree.given if module.path not in program.failed]
    report.own = frozenset(module.name.partition(".")[0] for module in tree.modules)
    for unit, found in program.found.items():
        function = program.functions.get(unit)
        module = program.modules[function.module if function else unit]
        if module.path in given and not program.is_covered(unit):
            report.calls.setdefault(module.path, []).extend(_judged(found.values(), module, options))
    for calls in report.calls.values():
        calls.sort(key=_position)
    report.hints = [hint for hint in hints.of(program) if hint.path in given]
    return report


def _judged(found: Iterable[Found], module: Module, options: Options) -> Iterator[Call]:
    lines = None
    for item in found:
        judgment = judge(item)
        if judgment.verdict == "silent":
            continue
        lines = lines or files.split_lines(module.text)
        if _skipped(item.node, lines):
            continue
        creates = any(services.creates(name) for name in _methods(item))
        if creates and judgment.verdict == "wrap" and not options.creates:
            judgment = CREATES
        yield Call(item.node, *judgment, _name(item.node), creates)


def _position(call: Call) -> tuple[int, int, int, int]:
    node = call.node
    return node.lineno, node.col_offset, -(node.end_lineno or 0), -(node.end_col_offset or 0)


def _methods(found: Found) -> Iterator[str]:
    """Yield the names of the client methods that may be called here."""
    for atom in unwrapped(found.value):
        if isinstance(atom, Client) and atom.path:
            yield atom.path[-1]
        elif isinstance(atom, Result):
            yield atom.name


def judge(found: Found) -> Judgment:
    """Decide what to do with a call, considering everything that its function may be."""
    verdicts: set[Judgment] = set()
    other = bool(found.value & UNKNOWN)
    keywords = {k.arg: k.value.value for k in found.node.keywords if k.arg and isinstance(k.value, ast.Constant)}
    for atom in unwrapped(found.value - UNKNOWN - NONE):
        if isinstance(atom, Client) and atom.path:
            verdicts.add(services.judge_path(atom.service, atom.path, dict(keywords), body=found.body))
        elif isinstance(atom, Result) and atom.name:
            session = found.session_given
            verdicts.add(services.judge_resource(atom.service, atom.shape, atom.name, session_given=session))
        else:
            other = True
    if verdicts == {SILENT} or not verdicts:
        return SILENT
    if other or SILENT in verdicts:
        return Judgment("unsure", "may be a client's call or something else")
    for verdict in ("unsure", "attach"):
        for judgment in sorted(verdicts):
            if judgment.verdict == verdict:
                return judgment
    if found.repeated:
        return Judgment("unsure", f"is already repeated by {found.repeated}")
    return AWAITED if found.awaited else WRAP


def _client(text: str) -> tuple[str, Client]:
    name, equals, service = text.partition("=")
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"--client {text}: write it as MODULE.NAME, such as mypackage.clients.nova")
    service, dot, proxy = service.partition(".")
    if equals and (service not in services.SERVICES or (dot and (service != "sdk" or not proxy.isidentifier()))):
        known = ", ".join(sorted(s for s in services.SERVICES if s.isalpha()))
        raise UsageError(
            f"--client {text}: no client is called {text.partition('=')[2]}; known are {known},"
            " and openstacksdk's proxies, such as sdk.baremetal"
        )
    return name, Client(service or "--client", (proxy,) if proxy else ())


def _skipped(node: ast.Call, lines: list[str]) -> bool:
    return any(_SKIP.search(line) for line in lines[node.lineno - 1 : node.end_lineno])


def _name(node: ast.Call) -> str:
    try:
        text = " ".join(ast.unparse(node.func).split())
    except RecursionError:
        return "…"
    return text if len(text) <= 60 else f"…{text[-59:]}"
