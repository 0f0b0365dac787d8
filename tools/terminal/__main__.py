"""Write the completion scripts and the manual page from the parsers of the command line: ``make terminal``.

With ``--check`` nothing is written; the exit status is 1 if a file is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import completion
import manual

from os_retries.arguments import make_parser

_TOP = Path(__file__).parents[2]


def main() -> int:
    """Write or compare the files, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    made = {
        _TOP / f"src/os_retries/terminal/os-retries.{shell}": completion.script(make_parser(), shell)
        for shell in completion.SHELLS
    }
    made[_TOP / "docs/os-retries.1"] = manual.page(make_parser())
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(_TOP)} is not up to date: make terminal")
        else:
            path.write_text(made[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
