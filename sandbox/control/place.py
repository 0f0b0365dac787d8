"""The paths and the name of this program, in a checkout of os-retries or installed as a package of its own.

In a checkout everything is below the checkout. An installed package is in a site-packages, where data must not be
written, so everything else is below $XDG_DATA_HOME.
"""

import os
import sys
from pathlib import Path

SANDBOX = Path(__file__).resolve().parents[1]
LOCK = SANDBOX / "requirements.txt"
TOP = SANDBOX.parent
IN_CHECKOUT = (TOP / "tools/venv").is_file()


def data_home() -> Path:
    """Return $XDG_DATA_HOME, or its default."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if given.startswith("/") else Path.home() / ".local/share"


# In a checkout data_home() is not called, because there may be no home directory.
DATA = TOP if IN_CHECKOUT else data_home() / "os-retries-sandbox"
# The HOME of the services is their state directory, so serve.py needs XDG_DATA_HOME to find the same paths.
HANDED_DOWN = {} if IN_CHECKOUT else {"XDG_DATA_HOME": str(DATA.parent)}
COMMAND = "sandbox/cloud" if IN_CHECKOUT else "os-retries-sandbox"
VENV = SANDBOX / ".venv" if IN_CHECKOUT else DATA / "venv"
STATE = SANDBOX / ".state" if IN_CHECKOUT else DATA / "state"
TEMPLATES = TOP / ".cache/sandbox" if IN_CHECKOUT else DATA / "templates"
INSTALLING = TOP / ".cache/sandbox-install.lock" if IN_CHECKOUT else DATA / "install.lock"


def shown(path: Path) -> str:
    """Return a path for messages; in a checkout it is relative to the checkout."""
    return str(path.relative_to(TOP)) if IN_CHECKOUT else str(path)


def installer(venv: Path = VENV, lock: Path = LOCK) -> list[str | Path]:
    """Return the command that installs a virtual environment, or does nothing if it is up to date."""
    if IN_CHECKOUT:
        return [TOP / "tools/venv", venv.relative_to(TOP), lock.relative_to(TOP)]
    return [sys.executable, SANDBOX / "control/install.py", venv, lock]
