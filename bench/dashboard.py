"""Evaluate the dashboard docs/grafana.json with a real Prometheus that scrapes a real program in trouble.

A small cloud on 127.0.0.1 fails in all ways that the dashboard shows.  A program with an attached session and the sink
``prometheus`` calls it, and so does a job under ``os-retries run --metrics``.  Prometheus scrapes both; then each query
of the dashboard is sent to it as Grafana would send it.

``python bench/dashboard.py [--seconds N] [--picture FILE]``; ``prometheus`` must be on PATH (Debian: apt install
prometheus).  The exit status is 1 if a panel has no data, or does not show how many calls were given up.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DASHBOARD = Path(__file__).parents[1] / "docs" / "grafana.json"
PANELS = [each for each in json.loads(DASHBOARD.read_text())["panels"] if each.get("targets")]
STEP = 1.0  # seconds between two scrapes
#: By title of a panel: its curves, each with a name and the values over time.
Panels = dict[str, list[tuple[str, list[tuple[float, float]]]]]


# -- the cloud -------------------------------------------------------------------------------------------------------


class Cloud(http.server.ThreadingHTTPServer):
    """Some of neutron and of nova.  A tenth of the answers are lost or refused, and nova is down for a while.

    :param down: when nova is down, in seconds from now
    """

    daemon_threads = True

    def __init__(self, down: tuple[float, float], metrics: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.url = f"http://127.0.0.1:{self.server_port}"
        began = time.monotonic()
        self.down = began + down[0], began + down[1]
        self.metrics = metrics
        self.networks: list[dict[str, Any]] = []
        self.dice = random.Random(1)
        self.asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, verb: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the content of an answer."""
        parts = urllib.parse.urlsplit(path)
        if path == "/metrics":
            return 200, self.metrics.read_text() if self.metrics.exists() else ""
        if parts.path.startswith("/v2.1"):
            return self._nova(parts.path)
        if parts.path.startswith("/v2.0/networks"):
            return self._neutron(verb, parts, body)
        return 404, {"error": "there is no such thing"}

    def _nova(self, path: str) -> tuple[int, Any]:
        if self.down[0] <= time.monotonic() < self.down[1]:
            return 503, "<html>No server is available to handle this request.</html>"
        if path.endswith("/gone"):  # it fails, and is then found to be gone
            self.asked += 1
            return (500, {}) if self.asked % 2 else (404, {"itemNotFound": {"message": "gone", "code": 404}})
        return (self.dice.choice((500, 503, 429)), {}) if self.dice.random() < 0.1 else (200, {"servers": []})

    def _neutron(self, verb: str, parts: urllib.parse.SplitResult, body: Any) -> tuple[int, Any]:
        if verb == "POST":
            lost = self.dice.random()
            if lost < 0.15:  # before it is made
                return 504, {}
            made = {"id": str(uuid.uuid4()), "tags": [], "created_at": "2026-01-01T00:00:00Z", **body["network"]}
            self.networks.append(made)
            return (504, {}) if lost < 0.45 else (201, {"network": made})
        given = dict(urllib.parse.parse_qsl(parts.query))
        if verb == "GET" and parts.path == "/v2.0/networks":
            found = [
                each for each in self.networks if all(str(each.get(k)) == v for k, v in given.items() if k in each)
            ]
            return 200, {"networks": found}
        name = parts.path.rsplit("/", 1)[-1]
        found = [each for each in self.networks if each["id"] == name]
        if verb == "PUT" and found:
            found[0].update(body["network"])
        return (200, {"network": found[0]}) if found else (404, {})


class _Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cloud

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = self.server.answer(self.command, self.path, json.loads(text) if text else None)
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header(
            "Content-Type", "text/plain; version=0.0.4" if isinstance(content, str) else "application/json"
        )
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


# -- the program -----------------------------------------------------------------------------------------------------

_PROGRAM = """
import logging, sys, threading, time
import prometheus_client
from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
import os_retries, os_retries.observe

logging.disable()
url, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
session = Session(auth=Token(url, "token"))
if port:
    prometheus_client.start_http_server(port, addr="127.0.0.1")
    os_retries.observe.add("prometheus")
    os_retries.attach(session, os_retries.RetryPolicy(retries_number=3, retry_after=0.3, retry_max_wait=4))
compute = Adapter(session, service_type="compute", endpoint_override=url + "/v2.1")
network = Adapter(session, service_type="network", endpoint_override=url)
calls = [
    lambda: compute.get("/servers"),
    lambda: compute.get("/servers/gone"),
    lambda: network.post("/v2.0/networks", json={"network": {"name": "backend", "description": ""}}),
    lambda: network.get("/v2.0/networks"),
]
end = time.monotonic() + seconds

given_up = []

def call_again(number):
    while time.monotonic() < end:
        try:
            calls[number % len(calls)]()
        except ClientException as error:
            if error.http_status != 404:
                given_up.append(error)
        time.sleep(0.15)

threads = [threading.Thread(target=call_again, args=(number,)) for number in range(32 if port else 4)]
for each in threads: each.start()
for each in threads: each.join()
print(len(given_up), flush=True)
if port:
    time.sleep(3)  # for the last scrape
"""


def program(url: str, port: int, seconds: float) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, url, str(port), str(seconds)]


# -- Prometheus ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def prometheus(targets: dict[str, str]) -> Iterator[str]:
    """Run a Prometheus that scrapes these targets, by job, and yield its address."""
    port, begun = free_port(), time.monotonic()
    jobs = [{"job_name": name, "static_configs": [{"targets": [each]}]} for name, each in targets.items()]
    with tempfile.TemporaryDirectory(prefix="os-retries-prometheus-") as folder:
        config = Path(folder, "prometheus.yml")  # JSON is YAML
        config.write_text(json.dumps({"global": {"scrape_interval": f"{STEP:g}s"}, "scrape_configs": jobs}))
        address = f"127.0.0.1:{port}"
        options = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)
        try:
            while not _ready(f"http://{address}"):
                if process.poll() is not None or time.monotonic() - begun > 60:
                    raise RuntimeError(Path(folder, "log").read_text())
                time.sleep(0.2)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()


def _ready(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{address}/-/ready").status == 200)
    except OSError:
        return False


def ask(address: str, what: str, **options: Any) -> Any:
    """Send a query to Prometheus, and return its data."""
    with urllib.request.urlopen(f"{address}/api/v1/{what}?{urllib.parse.urlencode(options)}") as answer:
        return json.load(answer)["data"]


def evaluate(address: str, begin: float, end: float) -> Panels:
    """Return for each panel its curves: a name, and the values over time.

    The variables have the values that Grafana gives them: $__rate_interval is four scrapes at least.
    """
    variables = {"$service": ".*", "$__range": f"{end - begin:.0f}s", "$__rate_interval": f"{4 * STEP:g}s"}
    found: Panels = {}
    for panel in PANELS:
        curves = found.setdefault(panel["title"], [])
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in variables.items():
                query = query.replace(name, value)
            if panel["type"] == "timeseries":
                data = ask(address, "query_range", query=query, start=begin, end=end, step=STEP)
            else:
                data = ask(address, "query", query=query, time=end)
            curves += [(_name(target, each["metric"]), _values(each)) for each in data["result"]]
    return found


def _name(target: dict[str, Any], labels: dict[str, str]) -> str:
    name = target.get("legendFormat") or " ".join(f"{{{{{each}}}}}" for each in labels)
    for label, value in labels.items():
        name = name.replace(f"{{{{{label}}}}}", value)
    return str(name)


def _values(series: dict[str, Any]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in series.get("values") or [series["value"]]]


# -- the command -----------------------------------------------------------------------------------------------------


def measure(seconds: float) -> tuple[float, float, Panels, list[str], int]:
    """Run everything.

    :returns: when it began and ended, the curves of each panel, the values of the variable ``service``, and how many
        errors the programs have met
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder, "job.prom")
        cloud = Cloud((seconds * 0.3, seconds * 0.6), metrics)
        targets = {"program": f"127.0.0.1:{port}", "textfile": cloud.url.removeprefix("http://")}
        with prometheus(targets) as address:
            begin = time.time()
            job = [sys.executable, "-m", "os_retries", "run", "-q", "--retries", "1", "--max-wait", "2"]
            job += ["--retry-after", "0.2", "--no-pacing", "--metrics", str(metrics), "--", *program(cloud.url, 0, 1.0)]
            main = subprocess.Popen(program(cloud.url, port, seconds), stdout=subprocess.PIPE, text=True)
            done = subprocess.run(job, check=True, env=os.environ, stdout=subprocess.PIPE, text=True)
            given_up = int(main.communicate()[0]) + int(done.stdout)
            end = time.time()
            services = ask(address, "label/service/values", **{"match[]": "os_retries_failed_attempts_total"})
            found = evaluate(address, begin, end)
        cloud.shutdown()
        cloud.server_close()
    return begin, end, found, services, given_up


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the program runs (%(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the panels into this .svg or .png file")
    options = parser.parse_args()
    if shutil.which("prometheus") is None:
        parser.error("there is no prometheus on PATH")
    begin, end, found, services, given_up = measure(options.seconds)
    print(f"$service: {', '.join(services)}")
    for title, curves in found.items():
        numbers = [value for _, values in curves for _, value in values]
        last = f"{curves[0][1][-1][1]:g}" if len(curves) == 1 else f"{len(curves)} curves"
        print(f"{title}: " + (f"{last}, highest {max(numbers):.4g}" if numbers else "NO DATA"))
    shown = found["Calls given up"][0][1][-1][1]
    print(f"The programs have met {given_up} errors of calls that were given up; the dashboard shows {shown:g}.")
    if options.picture:
        draw(found, begin, end, options.picture)
    return 0 if all(found.values()) and shown == given_up else 1


def draw(found: dict[str, Any], begin: float, end: float, path: Path) -> None:
    """Draw the panels in their places."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from picture import save

    rows = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in PANELS)
    figure = plt.figure(figsize=(11, rows * 0.3), layout="constrained")
    grid = figure.add_gridspec(rows, 24)
    for panel in PANELS:
        at, curves = panel["gridPos"], found[panel["title"]]
        axes = figure.add_subplot(grid[at["y"] : at["y"] + at["h"], at["x"] : at["x"] + at["w"]])
        axes.set_title(panel["title"], fontsize=8, loc="left")
        if panel["type"] == "timeseries":
            for name, values in curves:
                axes.plot([when - begin for when, _ in values], [value for _, value in values], linewidth=1, label=name)
            axes.set(xlim=(0, end - begin), ylim=(0, None))
            axes.tick_params(labelsize=6)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=5, frameon=False, loc="upper right")
            continue
        axes.set_axis_off()
        if panel["type"] == "stat":
            axes.text(0.5, 0.4, f"{curves[0][1][-1][1]:.0f}" if curves else "no data", fontsize=18, ha="center")
            continue
        lines = sorted(((values[-1][1], name) for name, values in curves), reverse=True)[:12]
        axes.text(
            0, 1, "\n".join(f"{value:6.0f}  {name}" for value, name in lines), fontsize=6, va="top", family="monospace"
        )
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
