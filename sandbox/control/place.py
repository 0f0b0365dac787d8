"""Where this program keeps things, and what it is called: in a checkout of os-retries, or installed by itself.

In a checkout everything is below it. Installed, the code is in a site-packages, where data have no place: then
everything is below $XDG_DATA_HOME.
"""

import os
import sys
from pathlib import Path

SANDBOX = Path(__file__).resolve().parents[1]
LOCK = SANDBOX / "requirements.txt"
TOP = SANDBOX.parent
IN_CHECKOUT = (TOP / "tools/venv").is_file()


def data_home() -> Path:
    """$XDG_DATA_HOME, or what it is if unset."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if given.startswith("/") else Path.home() / ".local/share"


# Never used in a checkout, where there may be no home directory.
DATA = TOP if IN_CHECKOUT else data_home() / "os-retries-sandbox"
# The services' HOME is their state directory, and what is here is where they look, too.
HANDED_DOWN = {} if IN_CHECKOUT else {"XDG_DATA_HOME": str(DATA.parent)}
COMMAND = "sandbox/cloud" if IN_CHECKOUT else "os-retries-sandbox"
VENV = SANDBOX / ".venv" if IN_CHECKOUT else DATA / "venv"
STATE = SANDBOX / ".state" if IN_CHECKOUT else DATA / "state"
TEMPLATES = TOP / ".cache/sandbox" if IN_CHECKOUT else DATA / "templates"
INSTALLING = TOP / ".cache/sandbox-install.lock" if IN_CHECKOUT else DATA / "install.lock"


def shown(path: Path) -> str:
    """A path as people type it: in a checkout, from its top."""
    return str(path.relative_to(TOP)) if IN_CHECKOUT else str(path)


def installer() -> list[str | Path]:
    """The command that makes VENV, or does nothing when it is up to date."""
    if IN_CHECKOUT:
        return [TOP / "tools/venv", VENV.relative_to(TOP), LOCK.relative_to(TOP)]
    return [sys.executable, SANDBOX / "control/install.py", VENV, LOCK]
