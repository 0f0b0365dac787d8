"""install.py VENV LOCK: create the virtual environment VENV with the packages of the hashed requirements file LOCK.

It does nothing if VENV is up to date. In a checkout of os-retries, tools/venv does the same faster.
"""

import subprocess
import sys
import venv
from pathlib import Path


def main() -> int:
    folder, lock = map(Path, sys.argv[1:])
    stamp, packages = folder / ".installed", lock.read_text()
    wanted = f"{folder}\n{sys.version}\n{packages}"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    number = sum("==" in line for line in packages.splitlines())
    print(f"installing {number} packages into {folder}: this takes minutes ...", file=sys.stderr, flush=True)
    stamp.unlink(missing_ok=True)
    venv.create(folder, clear=True, symlinks=True, with_pip=True)
    pip = folder / "bin/python", "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"
    done = subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", lock], check=False)
    if done.returncode == 0:
        stamp.write_text(wanted)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
