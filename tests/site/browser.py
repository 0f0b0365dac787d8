"""The headless Chromium of these tests: the one that tools/chromium installs, $CHROMIUM, or one on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TOP = Path(__file__).parents[2]
SITE = TOP / "site"
INSTALLED = TOP / ".cache" / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")


def executable() -> str | None:
    """The path of the browser; None if there is none."""
    found = [os.environ.get("CHROMIUM"), shutil.which(str(INSTALLED / "chromium")), *map(shutil.which, _NAMES)]
    return next(filter(None, found), None)


def launch(playwright):
    """Start the browser. The installed one finds beside itself what the system may lack: some libraries, and a font."""
    path = executable()
    environment = dict(os.environ)
    if Path(path).parent == INSTALLED:
        libraries = [str(INSTALLED / "al2023" / "lib"), environment.get("LD_LIBRARY_PATH")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
        environment["FONTCONFIG_FILE"] = str(_fonts())
    return playwright.chromium.launch(executable_path=path, env=environment)


def _fonts() -> Path:
    """The configuration of the fonts: the system's, if it has one, and the font of the installed browser."""
    path = INSTALLED / "fonts.conf"
    system = '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
    ours = f"<dir>{INSTALLED / 'fonts'}</dir><cachedir>{INSTALLED / 'fonts-cache'}</cachedir>"
    path.write_text(f"<fontconfig>{system}{ours}</fontconfig>\n")
    return path
