"""Let Sahara provision, scale and delete a cluster while its requests to the cloud fail, in four ways.

Sahara 19.0.0 is the project for whose sake execute_with_retries was specified.  It runs on a sandbox of its own
(sandbox/.state-sahara): its API and its engine, with the fake plugin, whose clusters are heat stacks.  Its requests to
the cloud pass a proxy that misbehaves: it refuses requests with a 503, loses answers after the service has done the
work, and turns answers into a 502.  The user's own requests to Sahara and those between the other services do not pass
it.  The dice of a request depend on the seed, on its kind, and on how many of that kind came before.

  as it is   Sahara as released
  shim       the same, with our execute_with_retries in the place of its own (docs/migrate-from-sahara.md)
  run        Sahara as released, under `os-retries run`
  both       with the shim, under `os-retries run`

At the end of each way the cloud is asked, without faults, what is there that was not there before.  The exit status is
1 if, under `os-retries run`, a step failed or anything is left.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keystoneauth1.exceptions import ClientException

sys.path.append(str(Path(__file__).resolve().parents[1] / "programs"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "sandbox"))

import fire_cloud
from cloud_under_fire import Fire
from control import processes
from control.cloud import Cloud
from plans import Plan
from proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keystoneauth1.session import Session

    from plans import Fault

TOP = Path(__file__).resolve().parents[1]
STATE = TOP / "sandbox/.state-sahara"
SHIM = TOP / "tests/sahara/sahara_shim.py"
PYTHON = TOP / "sandbox/.venv-sahara/bin/python"
WAYS = {"as it is": (False, False), "shim": (True, False), "run": (False, True), "both": (True, True)}
STEPS = "create", "scale", "delete"
#: What a user finds after a cluster that is gone: (kind, service, path, key).
THINGS = (
    ("server", "nova", "/v2.1/servers?all_tenants=1", "servers"),
    ("stack", "heat", "/v1/{project}/stacks?show_nested=true", "stacks"),
    ("trust", "keystone", "/v3/OS-TRUST/trusts", "trusts"),
    ("volume", "cinder", "/v3/{project}/volumes?all_tenants=1", "volumes"),
    ("port", "neutron", "/v2.0/ports", "ports"),
    ("floating IP", "neutron", "/v2.0/floatingips", "floatingips"),
)
WORKERS, MORE = 2, 3  # nodes of the cluster as it is created, and after it was scaled, beside the master
QUIET = 30  # seconds in which what is being deleted must be gone


class Between(Fire):
    """The faults between Sahara and the cloud, whatever the ports of this sandbox are."""

    def __init__(self, seed: int, rate: float, ports: dict[str, int]) -> None:
        super().__init__(seed, rate)
        self.run = "demosahara"  # what begins with it is the name of a cluster, and no kind of its own
        self._services = {str(port): name for name, port in ports.items()}

    def fault(self, method: str, url: str, kind: str, now: float) -> Fault | None:
        """Draw for the next request."""
        port = kind.split(" ")[1].partition("/")[0]
        return super().fault(method, url, kind.replace(port, self._services.get(port, port), 1), now)


@dataclass
class Result:
    """What one way came to."""

    way: str
    outcome: dict[str, str] = field(default_factory=lambda: dict.fromkeys(STEPS, "-"))
    left: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0

    @property
    def good(self) -> bool:
        """Whether everything ended as the user asked, and nothing is left."""
        return list(self.outcome.values()) == ["Active", "Active", "gone"] and not self.left


# -- the cloud ---------------------------------------------------------------------------------------------------------


def start(state: Path) -> Cloud:
    """Start a sandbox with Sahara, and end its Sahara: each way starts its own."""
    command = [*fire_cloud.COMMAND, "up", "--state", str(state), "--with", "sahara"]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)
    cloud = Cloud.load(state)
    processes.stop(state, [each for each in processes.running(state) if each.service == "sahara"])
    return cloud


def session(cloud: Cloud, account: str) -> Session:
    """Return a session that no fault hits."""
    made = fire_cloud.session(cloud.auth_url, account)
    made.session.trust_env = False
    return made


def there(cloud: Cloud, user: Session, admin: Session) -> set[tuple[str, str]]:
    """Return the kind and the id of everything that the cloud has."""
    found = set()
    for kind, service, path, key in THINGS:
        who = user if kind == "stack" else admin
        answer = who.get(cloud.url(service) + path.format(project=who.get_project_id()))
        found |= {(kind, each["id"]) for each in answer.json()[key]}
    return found


# -- Sahara ------------------------------------------------------------------------------------------------------------


def with_shim(folder: Path) -> Path:
    """Make a copy of Sahara in which our function is in the place of its own, as the guide says; return its folder."""
    (released,) = (TOP / "sandbox/.venv-sahara/lib").glob("python3*/site-packages/sahara")
    copy = folder / "sahara"
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(released, copy)
    base = copy / "utils/openstack/base.py"
    before, function, _its_body = base.read_text().partition("def execute_with_retries")
    if not function:
        sys.exit(f"{base} has no execute_with_retries")
    base.write_text(before + SHIM.read_text())
    return copy.parent


@contextlib.contextmanager
def sahara(cloud: Cloud, way: str, proxy: str) -> Iterator[None]:
    """Run Sahara in one way, and end it."""
    shim, run = WAYS[way]
    variables = {"http_proxy": proxy, "OS_RETRIES__RETRY_AFTER": "1"}
    if shim:
        variables["PYTHONPATH"] = f"{with_shim(cloud.root / 'etc/shim')}:{TOP / 'src'}"
    log = cloud.log / f"sahara-{way.replace(' ', '-')}.log"
    prefix = []
    if run:
        events = log.with_suffix(".jsonl")
        events.unlink(missing_ok=True)
        prefix = [Path(sys.executable).parent / "os-retries", "run", "-q", "--log-json", events, "--"]
    if (socket := processes.listen(cloud.ports["sahara"])) is None:
        sys.exit(f"another program listens at {cloud.url('sahara')}")
    handed = f"{cloud.ports['sahara']}={socket.fileno()}"
    command = [*prefix, *processes.mark(cloud.root, PYTHON.parents[1]), "-W", "ignore", processes.SERVE]
    with log.open("w") as output:
        child = subprocess.Popen(
            [*command, "sahara", cloud.root, "demo", handed],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=processes.environment(cloud) | variables,
            cwd=cloud.root,
            pass_fds=[socket.fileno()],
        )
    socket.close()
    try:
        deadline = time.monotonic() + 120
        while not processes.answers(cloud.url("sahara"), 3):
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(processes.screen("Sahara did not start", log))
            time.sleep(0.2)
        yield
    finally:
        child.terminate()
        child.wait(10)


# -- the user ----------------------------------------------------------------------------------------------------------


class User:
    """A user of Sahara, who asks once for each step, and then waits."""

    def __init__(self, cloud: Cloud, user: Session, way: str, patience: float) -> None:
        self.cloud, self.session, self.way, self.patience = cloud, user, way, patience
        self.name = f"demo-sahara-{way.replace(' ', '-')}-{secrets.token_hex(2)}"
        self.id = ""

    def _ask(self, verb: str, path: str, body: Any = None) -> Any:
        return self.session.request(self.cloud.url("sahara") + "/v2" + path, verb, json=body, raise_exc=False)

    def _list(self, service: str, path: str, key: str) -> dict[str, str]:
        return {each["name"]: each["id"] for each in self.session.get(self.cloud.url(service) + path).json()[key]}

    def create(self) -> str:
        """Create a cluster: a master, and workers with a volume each; each with a floating IP."""
        flavor = self._list("nova", "/v2.1/flavors", "flavors")["tiny"]
        networks = self._list("neutron", "/v2.0/networks", "networks")
        image = self._list("glance", "/v2/images", "images")["cirros-sahara"]
        common = {"flavor_id": flavor, "floating_ip_pool": networks["public"]}
        master = {"name": "master", "count": 1, "node_processes": ["namenode", "jobtracker"]}
        volume = {"volumes_per_node": 1, "volumes_size": 1}
        worker = {"name": "worker", "count": WORKERS, "node_processes": ["datanode", "tasktracker"], **volume}
        answer = self._ask(
            "POST",
            "/clusters",
            {
                "name": self.name,
                "plugin_name": "fake",
                "plugin_version": "0.1",
                "default_image_id": image,
                "neutron_management_network": networks["private"],
                "node_groups": [common | master, common | worker],
            },
        )
        if not answer.ok:
            return f"refused ({answer.status_code})"
        self.id = answer.json()["cluster"]["id"]
        return self._wait("Active", "Error")

    def scale(self) -> str:
        """Add workers.  A cluster that could not be scaled is Active too, and its description says why."""
        answer = self._ask("PUT", f"/clusters/{self.id}", {"resize_node_groups": [{"name": "worker", "count": MORE}]})
        if not answer.ok:
            return f"refused ({answer.status_code})"
        ended = self._wait("Active", "Error")
        if ended != "Active":
            return ended
        shown = self._ask("GET", f"/clusters/{self.id}")
        while not shown.ok:
            shown = self._ask("GET", f"/clusters/{self.id}")
        (workers,) = (each["count"] for each in shown.json()["cluster"]["node_groups"] if each["name"] == "worker")
        return "Active" if workers == MORE else "not scaled"

    def delete(self) -> str:
        """Delete the cluster."""
        answer = self._ask("DELETE", f"/clusters/{self.id}")
        return self._wait("gone", "Error") if answer.ok else f"refused ({answer.status_code})"

    def _wait(self, *ends: str) -> str:
        """Wait until the cluster has one of these statuses; return the last one."""
        deadline, shown, before = time.monotonic() + self.patience, "", ""
        time.sleep(1)  # a cluster that is to be scaled is Active until Sahara begins
        while time.monotonic() < deadline:
            with contextlib.suppress(ClientException):
                answer = self._ask("GET", f"/clusters/{self.id}")
                text = ""
                if answer.status_code == 404:
                    shown = "gone"
                elif answer.ok:
                    shown, text = (answer.json()["cluster"][key] for key in ("status", "status_description"))
                if shown != before:
                    say(self.way, f"the cluster is {shown}{': ' * bool(text)}{' '.join((text or '').split())[:300]}")
                    before = shown
                if shown in ends:
                    return shown
            time.sleep(1)
        return f"still {shown}"


def say(way: str, text: str) -> None:
    """Show the progress."""
    print(f"  {time.strftime('%H:%M:%S')}  {way:9} {text}", file=sys.stderr, flush=True)


def try_way(way: str, cloud: Cloud, arguments: argparse.Namespace) -> Result:
    """Let Sahara work in one way."""
    result, begun = Result(way), time.monotonic()
    demo, admin = session(cloud, "demo"), session(cloud, "admin")
    before = there(cloud, demo, admin)
    fire = Between(arguments.seed, arguments.rate, cloud.ports)
    with Proxy(Plan("none"), cloud.log / f"requests-{way.replace(' ', '-')}.jsonl") as proxy:
        say(way, "Sahara starts")
        with sahara(cloud, way, proxy.url):
            user = User(cloud, demo, way, arguments.patience)
            proxy.plan = fire
            result.outcome["create"] = user.create()
            if result.outcome["create"] == "Active":
                result.outcome["scale"] = user.scale()
            if user.id:
                result.outcome["delete"] = user.delete()
        proxy.plan = Plan("none")
    result.left = settled(cloud, demo, admin, before)
    result.requests, result.faults = fire.requests, fire.met
    result.seconds = time.monotonic() - begun
    ended = ", ".join(f"{step}: {end}" for step, end in result.outcome.items())
    say(way, f"{ended}; left: {cell(result.left)}; {cell(result.faults)} of {result.requests} requests failed")
    return result


def settled(cloud: Cloud, demo: Session, admin: Session, before: set[tuple[str, str]]) -> Counter[str]:
    """Wait until nothing is left, or until it no longer becomes less; count what is left, by kind."""
    deadline = time.monotonic() + QUIET
    while (left := there(cloud, demo, admin) - before) and time.monotonic() < deadline:
        time.sleep(1)
    return Counter(kind for kind, _ in left)


# -- output ------------------------------------------------------------------------------------------------------------


def table(results: list[Result]) -> str:
    """Return the lines of the table."""
    rows = {step: [each.outcome[step] for each in results] for step in STEPS}
    rows |= {
        "left on the cloud": [cell(each.left) for each in results],
        "requests sent": [str(each.requests) for each in results],
        "failures injected": [cell(each.faults) for each in results],
        "seconds": [f"{each.seconds:.0f}" for each in results],
    }
    names = list(rows)
    widths = [max(len(name), *(len(rows[name][n]) for n in range(len(results)))) for name in names]
    lines = ["  ".join([f"{'':8}", *(f"{name:{size}}" for name, size in zip(names, widths, strict=True))]).rstrip()]
    for n, each in enumerate(results):
        cells = (f"{rows[name][n]:{size}}" for name, size in zip(names, widths, strict=True))
        lines.append("  ".join([f"{each.way:8}", *cells]).rstrip())
    return "\n".join(lines)


def cell(counts: Counter[str]) -> str:
    """Return a count by kind as text: ``3 (2 trust, 1 stack)``."""
    if not counts:
        return "nothing"
    return f"{counts.total()} ({', '.join(f'{number} {kind}' for kind, number in counts.most_common())})"


def verdict(results: list[Result]) -> tuple[str, int]:
    """Return what the demo showed, and the exit status."""
    ours = [each for each in results if WAYS[each.way][1]]
    bad = [each.way for each in ours if not each.good]
    if bad:
        return f"The promise is broken: see {' and '.join(bad)}.", 1
    if not all(each.faults for each in ours):
        return "Nothing was proven: no failure was injected. Choose another --seed or a higher --rate.", 1
    others = [each for each in results if not WAYS[each.way][1]]
    text = "Under `os-retries run` the cluster was created, scaled and deleted, and nothing is left."
    for each in others:
        text += f"\nSahara {'as it is' if each.way == 'as it is' else 'with the shim alone'}: "
        text += "the same." if each.good else "not so."
    return text, 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="seed of the faults (default: at random)")
    parser.add_argument("--rate", type=float, default=0.1, help="share of the requests that fail (%(default)s)")
    parser.add_argument("--only", choices=WAYS, action="append", help="this way only; can be repeated")
    parser.add_argument("--patience", type=float, default=240, help="seconds for a step (%(default)s)")
    parser.add_argument("--state", type=Path, default=STATE, help="the state directory of the sandbox (its own)")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    arguments = parser.parse_args()
    arguments.seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    if not 0 <= arguments.rate < 1:
        parser.error("--rate is a share from 0 to 1")
    return arguments


def main() -> int:
    """Run all ways; return the exit status."""
    arguments = parse()
    try:
        cloud = start(arguments.state.resolve())
        results = [try_way(way, cloud, arguments) for way in arguments.only or WAYS]
    finally:
        if not arguments.keep:
            fire_cloud.stop(arguments.state.resolve())
    print(f"\nseed {arguments.seed}, rate {arguments.rate:g}\n\n{table(results)}\n")
    text, status = verdict(results)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
