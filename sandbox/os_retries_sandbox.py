"""The sandbox installed by itself: the command os-retries-sandbox.

What a checkout has in sandbox/ is in this package. Its modules keep the names that they have there, so this folder goes
onto the path of the one process that runs the command.
"""

import sys
from pathlib import Path


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from control.main import main

    return main()
