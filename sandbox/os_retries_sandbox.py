"""The command os-retries-sandbox: the sandbox as a package of its own.

This package has the contents of sandbox/ of a checkout. The modules keep their top-level names, so the command adds
this folder to its sys.path.
"""

import sys
from pathlib import Path


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from control.main import main

    return main()
