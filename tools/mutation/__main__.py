"""Draw small changes of the code, and see whether the fast tests notice each of them: ``make mutation``.

``tests.toml`` says which tests matter to which module.  ``equivalent.toml`` has the changes that no test can notice,
because the changed code does the same, or that none should; these are not tried.  Ends with 1 if too many survive.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import runner
from mutants import Mutant, mutants_of

HERE = Path(__file__).parent


def read_table() -> dict[str, list[list[str]]]:
    """Return the tests of each module, in the order in which they are run: each list is one run of pytest."""
    text = (HERE / "tests.toml").read_text()
    return tomllib.loads(text.replace("FEW", tomllib.loads(text)["few"]))["modules"]


def read_equivalent() -> dict[tuple[str, str], str]:
    """Return the reasons of the mutants that are not tried, by module and mutated line."""
    rows = tomllib.loads((HERE / "equivalent.toml").read_text()).get("equivalent", [])
    return {(row["module"], row["line"]): row["reason"] for row in rows}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=4711, help="of the sample (%(default)s)")
    parser.add_argument("--sample", type=int, default=100, metavar="N", help="mutants to draw; 0: all (%(default)s)")
    parser.add_argument("--at-most", type=float, default=5.0, metavar="PERCENT", help="may survive (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (%(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants of modules whose path contains this")
    parser.add_argument("--line", default="", metavar="TEXT", help="mutants of lines that contain this")
    parser.add_argument("--list", action="store_true", help="print the mutants drawn, and try none")
    return parser.parse_args()


class Limits:
    """How long each run of tests may take.  It is first run on the code as it is, where it must pass."""

    def __init__(self, folder: Path) -> None:
        self._copy = runner.Copy(folder)
        self._limits: dict[str, float] = {}

    def of(self, tests: list[str]) -> float:
        """Return the limit in seconds, and measure it when it is asked for first."""
        name = " ".join(tests)
        if name not in self._limits:
            began = time.monotonic()
            passed, said = self._copy.passes(tests, 600.0)
            if not passed:  # a few tests measure time, and the machine may be busy
                passed, said = self._copy.passes(tests, 600.0)
            if not passed:
                print(f"these fail on the code as it is: {name}\n{said}", file=sys.stderr)
                sys.exit(2)
            self._limits[name] = 20.0 + 5 * (time.monotonic() - began)
        return self._limits[name]


def try_all(drawn: list[Mutant], table: dict[str, list[list[str]]]) -> int:
    """Return how many of the mutants survive."""
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        limits, copy = Limits(Path(folder, "as_it_is")), runner.Copy(Path(folder, "mutated"))
        for mutant in drawn:
            survived = True
            for tests in table[mutant.module]:
                limit = limits.of(tests)
                with copy.with_mutant(mutant):
                    survived = copy.passes(tests, limit)[0]
                if not survived:
                    break
            survivors += survived
            where = f"{mutant.module}:{mutant.number} ({mutant.what})"
            print(f"SURVIVED {where}\n{mutant.diff()}" if survived else f"noticed  {where}", flush=True)
    return survivors


def share_out(drawn: list[Mutant], jobs: int, table: dict[str, list[list[str]]]) -> int:
    """Try the mutants in several processes; return how many survive."""
    if jobs == 1:
        return try_all(drawn, table)
    children = []
    for job in range(jobs):
        child = os.fork()
        if child == 0:
            code = 255  # the tests fail on the code as it is
            try:
                code = min(254, try_all(drawn[job::jobs], table))
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return sys.exit("a process has failed") if 255 in codes else sum(codes)


def main() -> int:
    """Draw, try, print."""
    args = arguments()
    table, equivalent = read_table(), read_equivalent()
    everything = [mutant for module in table for mutant in mutants_of(runner.PACKAGE, module)]
    unknown = set(equivalent) - {(mutant.module, mutant.line) for mutant in everything}
    if unknown:
        sys.exit(f"equivalent.toml names what is no mutant any more: {sorted(unknown)}")
    wanted = [mutant for mutant in everything if args.only in mutant.module and args.line in mutant.line]
    size = min(args.sample or len(wanted), len(wanted))
    drawn = random.Random(args.seed).sample(wanted, size)
    tried = [mutant for mutant in drawn if (mutant.module, mutant.line) not in equivalent]
    print(f"{len(drawn)} drawn of {len(wanted)} with seed {args.seed}, {len(drawn) - len(tried)} of them equivalent")
    if args.list:
        for mutant in drawn:
            print(f"{mutant.module}:{mutant.number} ({mutant.what})\n{mutant.diff()}")
        return 0
    runner.load()
    survived = share_out(tried, args.jobs, table)
    share = 100.0 * survived / len(tried) if tried else 0.0
    print(f"{survived} of {len(tried)} survive: {share:.1f} % (seed {args.seed}, at most {args.at_most:g} %)")
    return int(share > args.at_most)


if __name__ == "__main__":
    sys.exit(main())
