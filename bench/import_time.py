"""Measure how long ``import os_retries`` takes in a fresh interpreter, with ``python -X importtime``.

The interpreter starts without site-packages (``-S``), because a .pth file there may import modules early, which would
not be counted.  Modules that Python's own start-up always imports (such as ``os``, by ``site``) are not counted.  The
.pyc files are written to a temporary folder first, so they exist even if PYTHONDONTWRITEBYTECODE is set or the
installation is read-only.

``python bench/import_time.py [--json] [--runs N]``; the exit status is 1 if the import takes too long.
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

CEILING = 12.0  # milliseconds
PACKAGE = "os_retries"
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( +)(\S+)")


class Imported(NamedTuple):
    """One imported module.

    ``own``
        The microseconds of the module itself, without the modules that it imports.
    ``depth``
        How deeply its import is nested in the imports of other modules.
    """

    own: int
    depth: int
    name: str

    @property
    def ours(self) -> bool:
        return self.name.partition(".")[0] == PACKAGE


def imports(cache: str) -> list[Imported]:
    """Return every module that ``import os_retries`` loads in a fresh interpreter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(Path(os_retries.__file__).parents[1])}
    command = [sys.executable, "-S", "-X", "importtime", "-c", f"import site, {PACKAGE}"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    seen = [Imported(int(line[1]), len(line[3]) // 2, line[4]) for line in _LINE.finditer(told)]
    # The line of a package follows the lines of the modules that it has imported, which are nested more deeply.
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
