"""Run commands: those of `openstack`, in processes that have imported it already, and others as they are.

Half of what `openstack` costs is its start, a second of a processor; a hundred times over that is most of what the
programs cost. So this process imports the commands and forks for each of them. It is started below `os-retries run` as
any program is. Reads `{"words": [...], "environment": {...}, "folder": "..."}`, a line each; answers with the exit
status and the output, a line each.
"""

import gc
import importlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from typing import IO, Any

LONGEST = 300  # seconds that a command may take: a client may wait forever for what never comes
OF_OPENSTACK = (
    "openstack.common", "openstack.identity.v3", "openstack.compute.v2", "openstack.network.v2", "openstack.image.v2",
    "openstack.volume.v3", "openstack.object_store.v1", "openstack.orchestration.v1", "openstack.placement.v1",
)  # fmt: skip


def scripts(names: list[str]) -> dict[str, Any]:
    """Import the functions behind the commands, and for `openstack` those of its services."""
    entries = importlib.metadata.entry_points()
    found = {each.name: each.load() for each in entries.select(group="console_scripts") if each.name in names}
    if "openstack" in names:
        for module in {each.module for group in OF_OPENSTACK for each in entries.select(group=group)}:
            importlib.import_module(module)
    return found


def run_here(function: Any, asked: dict[str, Any], out: IO[bytes], err: IO[bytes]) -> None:
    """In the child: become the command."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    sys.argv = asked["words"]
    status: Any = 1
    try:
        status = function()
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status or 0))


def wait_for(child: int) -> int:
    """Return the exit status of a command; one that hangs is killed: 124, as of `timeout`."""
    until = time.monotonic() + LONGEST
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 124
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(ended[1])


def run(found: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Run one command and wait for it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        name = asked["words"][0]
        if name in found:
            child = os.fork()
            if child == 0:
                run_here(found[name], asked, out, err)
            status = wait_for(child)
        else:
            status = subprocess.run(
                asked["words"], check=False, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                env=asked["environment"], cwd=asked["folder"], timeout=LONGEST,
            ).returncode  # fmt: skip
        out.seek(0)
        err.seek(0)
        return {"status": status, "stdout": out.read().decode(), "stderr": err.read().decode()}


def main() -> None:
    warnings.simplefilter("ignore")
    found = scripts(sys.argv[1:])
    gc.freeze()
    # What run has put into the environment is for each command.
    kept = {name: value for name, value in os.environ.items() if name.startswith(("OSRETRIES_", "PYTHON"))}
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        asked["environment"] |= kept
        answers.write(json.dumps(run(found, asked)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
