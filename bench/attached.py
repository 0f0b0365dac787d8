"""Measure how much longer a request takes through an attached session.

A server on loopback, in a process of its own, answers with a small JSON document.  An attached session and a plain one
send the same requests in pairs, in random order, so that other load on the machine affects both equally.  The ratios of
the medians and of the tenth percentiles are printed, and the CPU time that the attached session takes more: on a busy
machine the medians are those of the other load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time

import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from os_retries import attach

SERVER = """
import http.server, sys
BODY = b'{"servers": [' + b'{"id": "1", "name": "vm"},' * 20 + b'{}]}'
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def client(url: str) -> Adapter:
    """Return an adapter on a session of its own, with an open connection."""
    session = Session(auth=Token(url, "token"), session=requests.Session())
    adapter = Adapter(session, service_type="compute")
    adapter.get("/servers", log=False)
    return adapter


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=3000, help="requests in each session (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    arguments = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            plain, attached = client(url), client(url)
            attach(attached)
            pairs = [("plain", plain), ("attached", attached)]
            times: dict[str, list[float]] = {"plain": [], "attached": []}
            cpu: dict[str, list[float]] = {"plain": [], "attached": []}
            for _ in range(arguments.requests):
                for name, adapter in random.sample(pairs, 2):
                    begin, used = time.perf_counter(), time.thread_time()
                    adapter.get("/servers", log=False)
                    cpu[name].append(time.thread_time() - used)
                    times[name].append(time.perf_counter() - begin)
        finally:
            server.terminate()
    figures = {
        name: {"median": statistics.median(values) * 1e6, "tenth": statistics.quantiles(values, n=10)[0] * 1e6}
        for name, values in times.items()
    }
    ratios = {kind: figures["attached"][kind] / figures["plain"][kind] for kind in ("median", "tenth")}
    least = {name: statistics.quantiles(values, n=10)[0] * 1e6 for name, values in cpu.items()}
    if arguments.json:
        print(json.dumps({"us": figures, "ratio": ratios, "tenth_of_cpu_us": least}))
        return
    print(f"load average: {os.getloadavg()[0]:.1f}")
    print(f"{arguments.requests} requests each on loopback: median, tenth percentile")
    for name, each in figures.items():
        print(f"  {name:<9}{each['median']:9.1f} µs {each['tenth']:9.1f} µs")
    print(f"  attached / plain = {ratios['median']:.3f} and {ratios['tenth']:.3f}")
    print(
        f"  CPU of the client: {least['plain']:.0f} µs, and {least['attached'] - least['plain']:.1f} more when attached"
    )


if __name__ == "__main__":
    main()
