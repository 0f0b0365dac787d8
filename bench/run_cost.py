"""Measure the CPU time that `os-retries run` adds to a program that needs no retries.

    python bench/run_cost.py [COMMAND ...]

Each round runs the command once without and once with `os-retries run`, and the medians and the minima are compared.
CPU time is the user and system time of the process and of all its children.  It is used because elapsed time depends on
other load.  Then the modules that `os-retries run` loads are listed, with what most of them take.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", "21"))
RUN = [str(Path(sys.executable).with_name("os-retries")), "run", "--"]


def cpu(command: list[str]) -> float:
    """Run a command; return its CPU time in milliseconds."""
    with Path(os.devnull).open("r+b") as null:
        files = [(os.POSIX_SPAWN_DUP2, null.fileno(), number) for number in (0, 1, 2)]
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    _, status, used = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return (used.ru_utime + used.ru_stime) * 1000


def imports(rounds: int = 5) -> dict[str, int]:
    """Return the microseconds that each module takes that `os-retries run` loads, the least of some rounds."""
    least: dict[str, int] = {}
    command = [sys.executable, "-X", "importtime", *RUN, "true"]
    for _ in range(rounds):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for own, name in re.findall(r"import time:\s*(\d+) \|\s*\d+ \|\s*(\S+)", done.stderr):
            least[name] = min(int(own), least.get(name, sys.maxsize))
    return least


def main() -> None:
    """Measure, and print the medians."""
    command = sys.argv[1:] or [sys.executable, "-c", "pass"]
    commands = {
        " ".join(command): command,
        "below os-retries run": [*RUN, *command],
        "os-retries run -- true": [*RUN, "true"],
    }
    # Without byte code each of them would compile its modules.  A first run of each writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for each in commands.values():
        cpu(each)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, each in commands.items():
            times[name].append(cpu(each))
    print(f"load average: {os.getloadavg()[0]:.1f}; medians, and minima of {ROUNDS} runs")
    plain, *_ = times.values()
    for name, each in times.items():
        for kind, of in ((" ", statistics.median), ("  minimum", min)):
            figure, base = of(each), of(plain)
            print(f"{figure:7.1f} ms  {figure - base:+7.1f} ms  {figure / base:5.2f} x  {name}{kind}".rstrip())
    took = imports()
    print(f"\n{sum(took.values()) / 1000:.1f} ms for {len(took)} modules, Python's own start included; of these")
    for name, own in sorted(took.items(), key=lambda item: -item[1])[:12]:
        print(f"{own / 1000:7.1f} ms  {name}")


if __name__ == "__main__":
    main()
