"""What may be wrong (expected.toml), and what is."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from play import Result, normalized


@dataclass(frozen=True)
class Debt:
    """A known failure under `os-retries run`, and the reason for it."""

    program: str
    unit: str
    command: str
    reason: str
    plans: frozenset[str]
    """Where it surely fails; under the other plans it may."""
    then: frozenset[str] = frozenset()
    """Commands of the same unit that may fail, or say something else, because this one has failed."""
    leaves: frozenset[str] = frozenset()
    """Kinds of things that it may leave behind."""
    prints: bool = False
    """It does not fail, but prints something else than undisturbed."""


def read(path: Path) -> list[Debt]:
    sets = ("plans", "then", "leaves")
    return [
        Debt(**{key: frozenset(value) if key in sets else value for key, value in entry.items()})
        for entry in tomllib.loads(path.read_text()).get("debt", [])
    ]


@dataclass
class Outcome:
    """What a run of one unit has come to, beside the undisturbed one."""

    unit: str
    results: list[Result]
    failed: list[Result] = field(default_factory=list)
    expected: list[Result] = field(default_factory=list)
    differ: list[tuple[Result, list[str]]] = field(default_factory=list)
    """Commands that printed something else than undisturbed, and the lines."""
    stale: list[Debt] = field(default_factory=list)


def judge(
    program: str,
    unit: str,
    plan: str,
    results: list[Result],
    undisturbed: Iterable[Result],
    debts: list[Debt],
    runs: tuple[str, str],
) -> Outcome:
    """Compare a disturbed run with the undisturbed one; ``runs`` are their names."""
    outcome = Outcome(unit, results)
    mine = [debt for debt in debts if (debt.program, debt.unit) == (program, unit)]
    fails = {debt.command for debt in mine if not debt.prints}
    prints = {debt.command for debt in mine if debt.prints}
    failed = {result.label for result in results if result.status}
    excused = {label for debt in mine if debt.command in failed for label in debt.then}
    then = {result.label: result for result in undisturbed}
    differ = set()
    for result in results:
        if result.status:
            (outcome.expected if result.label in fails | excused else outcome.failed).append(result)
        elif result.label in then and (lines := _difference(then[result.label], result, runs)):
            differ.add(result.label)
            if result.label not in prints | excused:
                outcome.differ.append((result, lines))
    outcome.stale = [
        debt
        for debt in mine
        if debt.command not in then
        or (plan in debt.plans and debt.command not in (differ | failed if debt.prints else failed))
    ]
    return outcome


def _difference(before: Result, now: Result, runs: tuple[str, str]) -> list[str]:
    """Compare what two runs of a command have printed, line by line."""
    first, second = normalized(before.stdout, runs[0]), normalized(now.stdout, runs[1])
    gone, new = Counter(first) - Counter(second), Counter(second) - Counter(first)
    return [f"- {line}" for line in gone.elements()] + [f"+ {line}" for line in new.elements()]


def unexcused(things: list[Any], failed: Iterable[tuple[str, str, str]], debts: list[Debt]) -> list[Any]:
    """Drop what a debt that has failed is known to leave behind; ``failed`` are programs, units and commands."""
    met = set(failed)
    kinds = {kind for debt in debts if (debt.program, debt.unit, debt.command) in met for kind in debt.leaves}
    return [thing for thing in things if thing.kind not in kinds]
