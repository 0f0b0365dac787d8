"""What ``import os_retries`` costs in a fresh interpreter whose .pyc files are there, by ``python -X importtime``.

The interpreter starts without site-packages (``-S``), so what a .pth file there has imported already is not left out;
what Python's own start-up always imports (``os``, by ``site``) is.
The .pyc files are kept in a folder of the measurement's own: that they are there does not depend on
PYTHONDONTWRITEBYTECODE, or on whether the installation can be written to.

``python bench/import_time.py [--json] [--runs N]``; ends with 1 if a number of the design's is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import os_retries

CEILING = 25.0  # milliseconds, DESIGN.md
PACKAGE = "os_retries"
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( +)(\S+)")


class Imported(NamedTuple):
    """One module: microseconds of its own, how deep inside another one's import it was imported, and its name."""

    own: int
    depth: int
    name: str

    @property
    def ours(self) -> bool:
        return self.name.partition(".")[0] == PACKAGE


def imports(cache: str) -> list[Imported]:
    """Every module that ``import os_retries`` loads into a fresh interpreter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(Path(os_retries.__file__).parents[1])}
    command = [sys.executable, "-S", "-X", "importtime", "-c", f"import site, {PACKAGE}"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    seen = [Imported(int(line[1]), len(line[3]) // 2, line[4]) for line in _LINE.finditer(told)]
    # A package's line comes last, after the lines of all that it imported, which are deeper.
    (end,) = (index for index, module in enumerate(seen) if module.name == PACKAGE)
    start = end
    while start and seen[start - 1].depth > seen[end].depth:
        start -= 1
    return seen[start : end + 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--runs", type=int, default=20, help="number of fresh interpreters (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        imports(cache)  # writes the .pyc files
        runs = [imports(cache) for _ in range(options.runs)]
    totals = [sum(module.own for module in run) / 1000 for run in runs]
    best = runs[totals.index(min(totals))]
    library = sorted((module for module in best if not module.ours), reverse=True)
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "minimum": min(totals),
        "median": statistics.median(totals),
        "standard_library": sum(module.own for module in library) / 1000,
        "modules": {module.name: module.own / 1000 for module in sorted(best, reverse=True)},
        "missed": [f"{min(totals):.1f} ms, not {CEILING:g}"] if min(totals) > CEILING else [],
    }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"import {PACKAGE}: {min(totals):.1f} ms (median {figures['median']:.1f}), Python {figures['python']};")
        print(f"{figures['standard_library']:.1f} ms of that are {len(library)} modules of the standard library")
        for line in figures["missed"]:
            print(f"MISSED: {line}")
    return 1 if figures["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
