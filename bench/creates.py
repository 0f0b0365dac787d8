"""Measure how much longer a create takes that is marked and succeeds at once.

A server on loopback, in a process of its own, answers each POST as nova and cinder do.  An attached session and a plain
one make the same creates in pairs, in random order, so that other load on the machine affects both equally.  The ratio
of the medians is printed, and in which functions of os_retries the difference is spent.

``python bench/creates.py [--creates N] [--json]``
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import statistics
import subprocess
import sys
import time
from typing import Any

import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from os_retries import attach

SERVER = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def do_POST(self):
        ((kind, asked),) = json.loads(self.rfile.read(int(self.headers["Content-Length"]))).items()
        made = {"id": "5f1c6a3e-0000-4000-8000-000000000000", "status": "creating", "links": []}
        self.answer(202, {kind: asked | made})
    def do_GET(self):
        print("unexpected:", self.path, file=sys.stderr)
        self.answer(404, {})
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
CREATES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a server": (
        "compute",
        "/servers",
        {"server": {"name": "web", "imageRef": "1", "flavorRef": "2", "networks": "none", "metadata": {"a": "b"}}},
    ),
    "a volume": ("block-storage", "/volumes", {"volume": {"name": "data", "size": 1, "metadata": {"a": "b"}}}),
}


def client(url: str, service: str) -> Adapter:
    """Return an adapter on a session of its own."""
    return Adapter(Session(auth=Token(url, "token"), session=requests.Session()), service_type=service)


def measure(url: str, name: str, number: int) -> dict[str, float]:
    """Return the median microseconds of a create, plain and attached."""
    service, path, body = CREATES[name]
    clients = {"plain": client(url, service), "attached": client(url, service)}
    attach(clients["attached"])
    times: dict[str, list[float]] = {each: [] for each in clients}
    for turn in range(number + 20):
        for each, adapter in random.sample(list(clients.items()), 2):
            begin = time.perf_counter()
            made = adapter.post(path, json=body, log=False)
            took = time.perf_counter() - begin
            assert made.status_code == 202
            if turn >= 20:  # the first ones open connections and load modules
                times[each].append(took)
    return {each: statistics.median(took) * 1e6 for each, took in times.items()}


def profile(url: str, name: str, number: int) -> list[str]:
    """Return the functions of os_retries that take the most time of their own, as lines."""
    service, path, body = CREATES[name]
    adapter = client(url, service)
    attach(adapter)
    adapter.post(path, json=body, log=False)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(number):
        adapter.post(path, json=body, log=False)
    profiler.disable()
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    ours = [(own, where) for where, (_, _, own, _, _) in stats.items() if "/os_retries/" in where[0]]
    total = sum(own for own, _ in ours)
    lines = [f"{total / number * 1e6:8.1f} µs in functions of os_retries, with the profiler's own; of these"]
    for own, (file, line, function) in sorted(ours, reverse=True)[:8]:
        where = file.rpartition("/os_retries/")[2]
        lines.append(f"{own / number * 1e6:8.1f} µs  {where}:{line} {function}")
    return lines


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--creates", type=int, default=1500, help="creates in each session (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    arguments = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            medians = {name: measure(url, name, arguments.creates) for name in CREATES}
            lines = profile(url, "a server", 300)
        finally:
            server.terminate()
    ratios = {name: each["attached"] / each["plain"] for name, each in medians.items()}
    if arguments.json:
        print(json.dumps({"median_us": medians, "ratio": ratios}))
        return
    print(f"a create on loopback, median of {arguments.creates}")
    for name, each in medians.items():
        print(f"  {name}: plain {each['plain']:.0f} µs, attached {each['attached']:.0f} µs: x {ratios[name]:.3f}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
