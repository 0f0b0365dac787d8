"""Make the pages of `simulate --html` and `rehearse --html` in a folder: ``python -m tests.site.reports FOLDER``.

It runs in .venv, which has the clients; the browser is in .venv-site.  The programs that are rehearsed talk to the
cloud of tests/clients.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.cloud import CloudWithServer, write_clouds

OS_RETRIES = [sys.executable, "-m", "os_retries"]
#: It goes on after an error, as a program does that deletes all servers.
_PROGRAM = """\
import openstack
cloud = openstack.connect(cloud="demo")
for _ in range(20):
    try:
        print(len(list(cloud.compute.servers())))
    except openstack.exceptions.HttpException as error:
        print(error.status_code)
"""


def main(folder: Path) -> None:
    config = folder / "nova <b>.conf"
    config.write_text("[timeouts]\nretries_number = 1\nretry_after = 1\npacing = false\n")
    scenario = ["--rate", "20", "--capacity", "30", "--begins", "20", "--lasts", "20", "--calls", "2000"]
    options = ["--config-file", config.name, "--html", "simulate.html"]
    subprocess.run([*OS_RETRIES, "simulate", *scenario, *options], cwd=folder, check=True)
    cloud = CloudWithServer()
    environ = os.environ | {"OS_CLIENT_CONFIG_FILE": str(write_clouds(cloud, folder)), "NO_PROXY": "*"}
    options = ["--faults", "refused 503 40%", "--retry-after", "0.1", "--html", "rehearse.html"]
    command = [*OS_RETRIES, "rehearse", *options, "--", sys.executable, "-c", _PROGRAM]
    try:
        subprocess.run(command, cwd=folder, env=environ, check=True)
    finally:
        cloud.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
