"""Programs of others, on the real services of the sandbox, behind a proxy that misbehaves: undisturbed, then disturbed.

Each program runs once undisturbed and without os-retries; then once for each plan of faults under `os-retries run`.
While all that it makes is there, and when it has removed it, the cloud is asked without faults: nothing is there twice,
nothing is left, no marker stands where people read, and each command has printed what it printed undisturbed. What may
be wrong is in expected.toml, with its reason; anything else is red, and so is an entry that is not needed any more.
"""

import argparse
import contextlib
import dataclasses
import json
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import census
import ground
import units
import verdict
from plans import PLANS, Plan
from play import Result
from proxy import Proxy

SHORT = {"openstack": ("first-answer",)}  # the plan of which no chance decides
DISTURBED = [name for name in PLANS if name != "none"]


@dataclasses.dataclass
class Round:
    """One run of one program: under one plan, with os-retries or without."""

    program: str
    plan: str
    plainly: bool
    run: str
    results: dict[str, list[Result]] = dataclasses.field(default_factory=dict)
    """By unit."""
    requests: dict[str, int] = dataclasses.field(default_factory=dict)
    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    left: list[census.Thing] = dataclasses.field(default_factory=list)
    twice: list[str] = dataclasses.field(default_factory=list)
    marked: list[str] = dataclasses.field(default_factory=list)
    outcomes: list[verdict.Outcome] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def title(self) -> str:
        how = "plainly" if self.plainly else "os-retries run"
        return f"{self.program}, {self.plan}, {how}"


class Runner:
    """Runs programs, and asks the cloud what has become of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.ground = ground.Ground(ground.sandbox(options.state))
        self.census = census.Census(self.ground.accounts())
        self.debts = verdict.read(ground.HERE / "expected.toml")
        self.folder = options.runs
        shutil.rmtree(self.folder, ignore_errors=True)
        self.began = time.monotonic()
        self.undisturbed: dict[str, Round] = {}

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)

    def round(self, program: str, plan: str, *, plainly: bool) -> Round:
        """Run the units of a program side by side, and look at the cloud twice."""
        this = Round(program, plan, plainly, f"prog-{secrets.token_hex(3)}")
        self.say(f"{this.title} (seed {self.options.seed}, names {this.run}-...)")
        chosen = self._units(program)
        begin = time.monotonic()
        before = self.census.take()
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(self.options.jobs) as pool:
            settings = {unit.name: self._setting(this, unit.name, stack) for unit in chosen}
            for unit, results in zip(
                chosen, pool.map(lambda each: each.make(settings[each.name]), chosen), strict=True
            ):
                this.results[unit.name] = list(results)
            things = census.appeared(before, self.census.take())
            this.twice, this.marked = census.twice(things, this.run), census.marked(things)
            for unit, results in zip(
                chosen, pool.map(lambda each: each.remove(settings[each.name]), chosen), strict=True
            ):
                this.results[unit.name] += results
        this.left = self._left(before)
        this.seconds = time.monotonic() - begin
        self._read_journals(this)
        return this

    def _setting(self, this: Round, unit: str, stack: contextlib.ExitStack) -> units.Setting:
        proxy = stack.enter_context(self._proxy(this, unit))
        prefix = () if this.plainly else ground.PREFIX
        folder = self._place(this) / unit
        return units.setting_for(
            this.run, self.ground, proxy.url, prefix, folder, lambda result: self._told(unit, result)
        )

    def _units(self, program: str) -> list[units.Unit]:
        only = self.options.units
        return [unit for unit in units.programs()[program] if not only or unit.name in only]

    def _place(self, this: Round) -> Path:
        place = self.folder / f"{this.program}-{this.plan}{'-plainly' if this.plainly else ''}"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _proxy(self, this: Round, unit: str) -> Proxy:
        undisturbed = self.undisturbed.get(this.program)
        middle = max(1, undisturbed.requests[unit] // 2) if undisturbed else 1
        rate = self.options.rate if this.plan in ("mixed", "lost-writes") else None
        plan = Plan(this.plan, seed=self.options.seed, rate=rate, run=this.run, outage=(middle, self.options.outage))
        return Proxy(plan, self._place(this) / f"{unit}.jsonl")

    def _told(self, unit: str, result: Result) -> None:
        seconds = f"{result.end - result.begin:.0f} s"
        if result.status or self.options.verbose:
            said = " ".join(result.stderr.split())[-200:]
            outcome = f"FAILED ({result.status})" if result.status else "ok"
            self.say(f"  {unit}: {result.label}: {outcome} {seconds} {said}")

    def _left(self, before: census.Things) -> list[census.Thing]:
        """What is left; what is on its way out is given a while."""
        until = time.monotonic() + 10
        while (left := census.appeared(before, self.census.take())) and time.monotonic() < until:
            time.sleep(1)
        return left

    def _read_journals(self, this: Round) -> None:
        for unit in this.results:
            entries = list(self._journal(this, unit))
            this.requests[unit] = len(entries)
            this.faults.update(entry["fault"] for entry in entries if entry["fault"])

    def _journal(self, this: Round, unit: str) -> Iterator[dict[str, object]]:
        with (self._place(this) / f"{unit}.jsonl").open() as lines:
            yield from map(json.loads, lines)

    # what is wrong

    def judge(self, this: Round) -> None:
        """Find what is wrong with a disturbed run, beside the undisturbed one."""
        undisturbed = self.undisturbed[this.program]
        for unit, results in this.results.items():
            before = undisturbed.results[unit]
            runs = (undisturbed.run, this.run)
            outcome = verdict.judge(this.program, unit, this.plan, results, before, self.debts, runs)
            this.outcomes.append(outcome)
            for result in outcome.failed:
                this.problems.append(
                    f"{unit}: {result.label} failed ({result.status})\n{self._story(this, unit, result)}"
                )
            for result, lines in outcome.differ:
                this.problems.append("\n      ".join([f"{unit}: {result.label} printed something else", *lines[:12]]))
            this.problems += [
                f"expected.toml: {debt.unit}: {debt.command} is expected to fail under {this.plan}, and did not"
                for debt in outcome.stale
            ]
        expected = [(this.program, outcome.unit, each.label) for outcome in this.outcomes for each in outcome.expected]
        this.problems += [f"left behind: {thing}" for thing in verdict.unexcused(this.left, expected, self.debts)]
        this.problems += [f"there twice: {each}" for each in this.twice]
        this.problems += [f"a marker where people read: {each}" for each in this.marked]

    def check_undisturbed(self, this: Round) -> None:
        """A table that does not pass without faults says nothing."""
        for unit, results in this.results.items():
            this.problems += [
                f"{unit}: {each.label} failed ({each.status}) undisturbed: {each.stderr[-500:]}"
                for each in results
                if each.status
            ]
        this.problems += [f"left behind undisturbed: {thing}" for thing in this.left]

    def _story(self, this: Round, unit: str, result: Result) -> str:
        """What a command said, and the requests of its that met a fault."""
        lines = [f"      {line}" for line in (result.stderr.strip().splitlines() or ["(no words)"])[-6:]]
        for entry in self._journal(this, unit):
            if result.begin <= float(str(entry["time"])) <= result.end and entry["fault"]:
                processed = f"processed, {entry['status']}" if entry["processed"] else "not processed"
                lines.append(
                    f"      {entry['fault']} ({processed}): {entry['method']} {entry['url']} {entry.get('body', '')}"[
                        :400
                    ]
                )
        return "\n".join(lines)

    # what is shown

    def tell(self, this: Round) -> None:
        for each in this.problems:
            print(f"WRONG  {this.title}: {each}", flush=True)

    def write(self, rounds: list[Round]) -> None:
        content = [
            {
                "title": this.title,
                "run": this.run,
                "seconds": this.seconds,
                "requests": this.requests,
                "faults": dict(this.faults),
                "left": [str(each) for each in this.left],
                "problems": this.problems,
                "results": {unit: [dataclasses.asdict(each) for each in those] for unit, those in this.results.items()},
            }
            for this in rounds
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "results.json").write_text(json.dumps(content, indent=1))


FORMAT = "{:10} {:13} {:15} {:>8} {:>6} {:>9} {:>7} {:>8} {:>7} {:>5} {:>6} {:>7}"


def table(rounds: list[Round]) -> Iterator[str]:
    yield FORMAT.format(
        "program", "faults", "how", "commands", "failed", "expected", "differ", "requests", "faults", "left", "twice",
        "seconds",
    )  # fmt: skip
    for this in rounds:
        results = [each for those in this.results.values() for each in those]
        failed = sum(bool(each.status) for each in results)
        yield FORMAT.format(
            this.program,
            this.plan,
            "plainly" if this.plainly else "os-retries run",
            len(results),
            failed,
            sum(len(outcome.expected) for outcome in this.outcomes) if not this.plainly else "",
            sum(len(outcome.differ) for outcome in this.outcomes) if this.outcomes and not this.plainly else "",
            sum(this.requests.values()),
            this.faults.total(),
            len(this.left),
            len(this.twice),
            round(this.seconds),
        )


def main() -> int:
    options = arguments()
    chosen = (
        SHORT if options.short else dict.fromkeys(options.only or units.programs(), tuple(options.plan or DISTURBED))
    )
    print(f"seed {options.seed}; {ground.install_wheel()}", flush=True)
    ground.install_collection()
    runner = Runner(options)
    rounds: list[Round] = []
    try:
        for program, plans in chosen.items():
            first = runner.undisturbed[program] = runner.round(program, "none", plainly=True)
            runner.check_undisturbed(first)
            rounds.append(first)
            runner.tell(first)
            for plan in plans:
                for plainly in (True, False) if options.plain else (False,):
                    this = runner.round(program, plan, plainly=plainly)
                    if not plainly:
                        runner.judge(this)
                    rounds.append(this)
                    runner.tell(this)
    finally:
        runner.write(rounds)
        print("\n" + "\n".join(table(rounds)), flush=True)
    wrong = sum(len(this.problems) for this in rounds)
    print(f"\n{wrong} wrong: see above" if wrong else "\nNothing twice, nothing left, nothing failed unexpectedly.")
    print(f"Journals of the proxy, and all results: {runner.folder}")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=units.programs(), help="a program; may be repeated")
    parser.add_argument("--units", action="append", metavar="NAME", help="a chapter of a program; may be repeated")
    parser.add_argument("--plan", action="append", choices=DISTURBED, help="a plan of faults; may be repeated")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument(
        "--rate", type=float, help="of requests that meet a fault (mixed: 0.2; lost-writes, of writes: 0.15)"
    )
    parser.add_argument("--outage", type=float, default=6.0, metavar="SECONDS")
    parser.add_argument("--plain", action="store_true", help="each plan also without os-retries, for the table")
    parser.add_argument("--short", action="store_true", help="what says most in six minutes, for CI")
    parser.add_argument("--jobs", type=int, default=4, help="units that run side by side")
    parser.add_argument("--state", type=Path, default=ground.TOP / "sandbox/.state", help="of which sandbox")
    parser.add_argument("--runs", type=Path, default=ground.STATE / "runs", help="folder of the results, emptied first")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each command")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
