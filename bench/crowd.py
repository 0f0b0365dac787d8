"""Let a service go down for real, while a hundred processes and a script of 200 ``openstack`` commands use it.

The service is on loopback.  It answers as a keystone does, and with 503 while it is down.  The processes make a request
every two seconds through an attached session, and a third of them is killed in the middle of the outage.  The commands
run below one ``os-retries run``, in five loops of a shell script, each as a process of its own.  All of them pace their
retries with ``pacing_url = host``.

``python bench/crowd.py [--processes N] [--commands N] [--down SECONDS]``; the exit status is 1 if a call or a command
has failed.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CROWD = Path(__file__).parents[1] / "tests" / "fleet" / "crowd.py"
LOOPS = 5
TOKEN = {
    "methods": ["password"],
    "user": {"id": "u", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "project": {"id": "p", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "issued_at": "2026-01-01T00:00:00.000000Z",
    "expires_at": "2099-01-01T00:00:00.000000Z",
    "catalog": [],
    "roles": [],
}


class Service(ThreadingHTTPServer):
    """Counts what it is asked while it is down, by who asks: a process or a command."""

    daemon_threads = True
    request_queue_size = 1000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.answered: collections.Counter[str] = collections.Counter()
        self.refused: collections.Counter[str] = collections.Counter()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        about = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self.server.url}/v3/"}]}
        self.answer(200, {"version": about})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, {"token": TOKEN})

    def answer(self, status: int, body: object) -> None:
        who = "commands" if self.path.startswith("/v3") else "processes"
        if self.server.status == 503 or (self.server.status == 410 and who == "processes"):
            status = self.server.status
        (self.server.refused if status == 503 else self.server.answered)[who] += 1
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Subject-Token", "token")
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # from a process that was killed
            super().handle()

    def log_message(self, *_: object) -> None:
        pass


def script(commands: int, done: Path) -> list[str]:
    """Return a command that runs the commands in five loops; each writes its exit status to a file."""
    tool = Path(sys.executable).with_name("openstack")
    each = f'"{tool}" token issue -f value -c project_id > /dev/null; echo $? >> "{done}"'
    loop = f"i=0; while [ $i -lt {commands // LOOPS} ]; do {each}; i=$((i+1)); done"
    loops = f"for n in {' '.join(map(str, range(LOOPS)))}; do ( {loop} ) & done; wait"
    return [str(Path(sys.executable).with_name("os-retries")), "run", "--", "sh", "-c", loops]


def statuses(done: Path) -> list[str]:
    return done.read_text().split() if done.exists() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--commands", type=int, default=200)
    parser.add_argument("--down", type=float, default=20.0, metavar="SECONDS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Service() as service:
        threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
        done = Path(folder, "done")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")} | {
            "XDG_RUNTIME_DIR": folder,
            "OS_AUTH_URL": f"{service.url}/v3",
            **{f"OS_{name}": "demo" for name in ("USERNAME", "PASSWORD", "PROJECT_NAME")},
            **{f"OS_{name}_DOMAIN_NAME": "Default" for name in ("USER", "PROJECT")},
        }
        crowd = subprocess.Popen(
            [sys.executable, str(CROWD), str(service.server_port), str(options.processes), "host"],
            env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            assert crowd.stdout is not None
            pids = json.loads(crowd.stdout.readline())
            loops = script(options.commands, done)
            commands = subprocess.Popen(loops, env=environment, stderr=subprocess.PIPE, text=True)
            while len(statuses(done)) < options.commands // 4:
                time.sleep(0.2)
            service.status = 503
            time.sleep(options.down / 2)
            killed = pids[::3]
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            time.sleep(options.down / 2)
            service.status, up = 200, time.monotonic()
            refused = dict(service.refused)
            while len(statuses(done)) < options.commands and commands.poll() is None:
                time.sleep(0.2)
            took = time.monotonic() - up
            said = commands.communicate()[1]
            service.status = 410
            counts = [json.loads(line) for line in crowd.stdout]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(crowd.pid, signal.SIGKILL)
            crowd.wait()
        ended = statuses(done)
        service.shutdown()
    failed = sum(each["failed"] for each in counts)
    bad = len(ended) - ended.count("0")
    print(f"load average: {os.getloadavg()[0]:.1f}; the service was down for {options.down:g} s")
    print(
        f"{options.processes} processes, {len(killed)} of them killed: {failed} of "
        f"{failed + sum(each['succeeded'] for each in counts)} calls failed; {refused.get('processes', 0)} requests "
        "while the service was down"
    )
    print(
        f"{len(ended)} commands: {bad} failed; {refused.get('commands', 0)} requests while the service was down; the "
        f"last one ended {took:.0f} s after that"
    )
    print(said.strip())
    return int(bool(failed or bad or len(ended) < options.commands))


if __name__ == "__main__":
    sys.exit(main())
