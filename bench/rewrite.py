"""Measure how fast `os-retries rewrite` processes a code base, in files per second of one core's time.

``python bench/rewrite.py [PATH...]``; without a path, the installed openstacksdk, whose classes are the largest that we
know. Each code base is read, analyzed and rewritten (into a diff, which is discarded) in a process of its own. The exit
status is 1 if one of them is slower than 50 files a second.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

FLOOR = 50.0  # files a second
_RUN = """
import io, os, sys, time
from os_retries.rewrite import command
from os_retries.rewrite.options import Options
os.chdir(sys.argv[1])
err = io.StringIO()
start = time.process_time()
command.run(Options(sys.argv[2:], tests=True), io.StringIO(), err)
print(time.process_time() - start, err.getvalue().splitlines()[-1])
"""


def measured(path: Path) -> tuple[float, str]:
    """Return the seconds of processor time that one run takes, and its last line of output."""
    command = [sys.executable, "-c", _RUN, path.parent, path.name]
    seconds, _, said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition(" ")
    return float(seconds), said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    sdk = importlib.util.find_spec("openstack")
    parser.add_argument("paths", nargs="*", type=Path, default=[Path(str(sdk and sdk.origin)).parent])
    bad = False
    for path in parser.parse_args().paths:
        files = sum(1 for _ in path.rglob("*.py"))
        seconds, said = measured(path.absolute())
        print(f"{path.name}: {files} files in {seconds:.1f} s, {files / seconds:.0f} files/s · {said}")
        bad |= files / seconds < FLOOR
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
