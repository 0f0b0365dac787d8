"""Run the unit suites of other projects plainly and with every session attached, and compare: see README.md.

Independent of os_retries on purpose: it meets the wheel as a user does, by its command line.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import TYPE_CHECKING

import outcomes
import suites

if TYPE_CHECKING:
    import subprocess

_EVERY = 20.0  # seconds between two words about what is running


def main() -> int:
    """Run what the command line asks for; return the exit status: 1 where anything differs from the lists."""
    options = _parser().parse_args()
    chosen = _chosen(options.only)
    if not options.compare_only:
        _say("preparing: the wheel of os-retries, the sdists")
        suites.prepare(chosen)
        _cpu_of_the_last()
        _run(chosen, options.jobs, options.timeout)
    red = [suite.name for suite in chosen if _report(suite, verbose=options.verbose)]
    print(f"\npeers: red: {', '.join(red)}" if red else "\npeers: no difference that is not in the lists")
    return 1 if red else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make peers ARGS=", description=__doc__.splitlines()[0])
    names = ",".join(suite.name for suite in suites.SUITES)
    parser.add_argument("--only", metavar="SUITE,...", help=f"these alone (of {names})")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time (default: 2)")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="for each of them (default: 900)")
    parser.add_argument("--compare-only", action="store_true", help="compare the results of the last run once more")
    parser.add_argument("-v", "--verbose", action="store_true", help="what is new or has changed: the failure in full")
    return parser


def _chosen(only: str | None) -> list[suites.Suite]:
    if only is None:
        return list(suites.SUITES)
    names = set(only.split(","))
    unknown = names - {suite.name for suite in suites.SUITES}
    if unknown:
        raise SystemExit(f"peers: there is no suite {', '.join(sorted(unknown))}")
    return [suite for suite in suites.SUITES if suite.name in names]


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _BEGUN:4.0f} s] {text}", file=sys.stderr, flush=True)


_BEGUN = time.monotonic()


class _Running:
    """One run of a suite that is under way."""

    def __init__(self, suite: suites.Suite, part: int, mode: str) -> None:
        self.name = f"{suite.name} {mode}" + (f" {part + 1}/{suite.parts}" if suite.parts > 1 else "")
        self.began = time.monotonic()
        self.process: subprocess.Popen[bytes] = suites.start(suite, part, mode)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def _run(chosen: list[suites.Suite], jobs: int, timeout: float) -> None:
    """Run both modes of each suite, ``jobs`` processes at a time."""
    waiting = [(suite, part, mode) for suite in chosen for part in range(suite.parts) for mode in suites.MODES]
    running: list[_Running] = []
    said = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_Running(*waiting.pop(0)))
            running = [each for each in running if not _has_ended(each, timeout)]
            if time.monotonic() - said > _EVERY:
                said = time.monotonic()
                _say("running: " + ", ".join(f"{each.name} ({each.seconds:.0f} s)" for each in running))
            time.sleep(0.1)
    finally:
        for each in running:
            each.process.kill()


def _has_ended(each: _Running, timeout: float) -> bool:
    if each.process.poll() is None:
        if each.seconds < timeout:
            return False
        each.process.kill()  # what it has not run by now is a difference, and red
        each.process.wait()
        _say(f"{each.name}: ended by us after {timeout:.0f} s")
        return True
    _say(f"{each.name}: {each.seconds:.0f} s, {_cpu_of_the_last():.0f} s of CPU")
    return True


def _cpu_of_the_last() -> float:
    """Return the CPU time of the process that has ended last: a busy machine shows in the other number alone."""
    global _cpu  # noqa: PLW0603
    before, usage = _cpu, resource.getrusage(resource.RUSAGE_CHILDREN)
    _cpu = usage.ru_utime + usage.ru_stime
    return _cpu - before


_cpu = 0.0


def _read(suite: suites.Suite, mode: str, texts: dict[str, str]) -> dict[str, str]:
    """Read the outcomes of all parts of a run, none of which may be empty."""
    found: dict[str, str] = {}
    for stream in suites.streams_of(suite, mode):
        part = outcomes.read(stream, texts)
        if not part:
            raise SystemExit(f"peers: no test ran: {stream}\n{stream.with_suffix('.log').read_text('utf-8')}")
        found |= part
    return found


def _report(suite: suites.Suite, *, verbose: bool) -> bool:
    """Print how a suite compares with its list; return whether it is red."""
    texts: dict[str, str] = {}
    plain = _read(suite, suites.PLAIN, {})
    attached = _read(suite, suites.ATTACHED, texts)
    path = suites.HERE / "expected" / f"{suite.name}.toml"
    found = outcomes.compare(plain, attached, outcomes.read_expected(path))
    differ = len(found.expected) + len(found.changed) + len(found.new)
    print(
        f"\n{suite.name}: {found.tests} tests, {differ} differ: {len(found.expected)} expected, {len(found.new)} new, "
        f"{len(found.changed)} changed; {len(found.stale)} stale; {len(found.fail_plain_too)} fail plain too"
    )
    for test, line in found.fail_plain_too.items():
        print(f"  fails plain too, left out: {test}: {line}")
    for test, reason in found.stale.items():
        print(f"  STALE, differs no longer, take it off {path.name}: {test}: {reason}")
    for test, (was, now) in found.changed.items():
        print(f"  CHANGED: {test}\n    listed: {was}\n    now:    {now}")
    if found.new:
        print(f"  NEW, not in {path.name} (the failures in full: -v):")
    for test, line in found.new.items():
        print(f"    {outcomes.as_toml(test, line)}")
    if verbose:
        for test in (*found.changed, *found.new):
            print(f"\n{'-' * 100}\n{test}\n{texts.get(test, '')}")
    return found.is_red


if __name__ == "__main__":
    sys.exit(main())
