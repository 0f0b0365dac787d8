"""The contents of a fresh cloud: databases, accounts and the catalog, then flavors, an image and networks.

They are created once, which takes half a minute, and kept as a template. Every later cloud of this clone is a copy of
the template. In a template's databases, placeholders stand for the sandbox's directory and addresses.
"""

import contextlib
import functools
import json
import os
import shutil
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services import ALL, Service

from .cloud import PASSWORD, REGION, Cloud, version, write
from .place import TEMPLATES
from .processes import Children, Failure, urlopen

FLAVORS = {"tiny": (1, 64, 1), "small": (1, 512, 5), "medium": (2, 2048, 10)}  # vCPUs, MiB, GiB


def make_databases(
    cloud: Cloud, children: Children, say: Callable[[str, str], None], start: Callable[[str], None]
) -> None:
    """Run the first start of each service, one at a time on each processor, and call `start(name)` after each.

    keystone is started first, because the other services need their accounts when they start. They do not need them to
    create their tables.
    """
    for name in "db", "lock", "keystone", "glance":
        (cloud.data / name).mkdir(parents=True)
    processors = threading.Semaphore(max(2, os.cpu_count() or 2))
    keystone_runs = threading.Event()

    def work(service: Service) -> None:
        for command in service.first_start(cloud):
            with processors:
                children.run(command, cloud.log / "first-start.log")
        say(service.name, "prepared")
        while service.name != "keystone" and not keystone_runs.wait(0.2):
            children.check()
        start(service.name)
        if service.name == "keystone":
            keystone_runs.set()

    # keystone comes first, then nova, whose migrations take longest.
    order = sorted(ALL.values(), key=lambda service: (service.name != "keystone", service.name != "nova"))
    children.together([functools.partial(work, service) for service in order])


class Api:
    """A minimal client of the REST APIs, enough to fill a fresh cloud. It logs in as the administrator."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.token = cloud, ""
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": PASSWORD}
        answer, _ = self.call(
            "POST",
            f"{cloud.auth_url}/auth/tokens",
            {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": "admin", "domain": domain}},
                }
            },
        )
        self.token = answer["X-Subject-Token"]

    def call(self, method: str, url: str, body: Any = None) -> tuple[Any, Any]:
        """Send a request; return the headers and the decoded body of the answer. Bytes as `body` are sent unchanged."""
        raw = isinstance(body, bytes)
        request = urllib.request.Request(
            url,
            method=method,
            data=body if raw or body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/octet-stream" if raw else "application/json",
                "X-Auth-Token": self.token,
            },
        )
        try:
            with urlopen(request, timeout=60) as response:
                return response.headers, json.loads(response.read() or "null")
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:500]
            raise Failure(
                f"{method} {url} answered {error.code} {error.reason}: {text}\n  the logs: {self.cloud.log}"
            ) from None
        except OSError as error:
            raise Failure(f"{method} {url} failed: {error}\n  the logs: {self.cloud.log}") from None

    def create(self, url: str, kind: str, /, **attributes: Any) -> str:
        """Create a resource; return its id."""
        return self.call("POST", url, {kind: attributes})[1][kind]["id"]


def fill_keystone(cloud: Cloud) -> None:
    """Create the accounts of the services, the catalog, an ordinary user and heat's domain."""
    api = Api(cloud)
    v3 = cloud.auth_url
    roles = {role["name"]: role["id"] for role in api.call("GET", f"{v3}/roles")[1]["roles"]}
    for name in "heat_stack_owner", "heat_stack_user":
        roles[name] = api.create(f"{v3}/roles", "role", name=name)

    def account(name: str, scope: str, domain: str, *granted: str) -> None:
        user = api.create(f"{v3}/users", "user", name=name, password=PASSWORD, domain_id=domain)
        for role in granted:
            api.call("PUT", f"{v3}/{scope}/users/{user}/roles/{roles[role]}")

    project = api.create(f"{v3}/projects", "project", name="service", domain_id="default")
    for service in ALL.values():
        if not service.catalog:
            continue
        kind, path = service.catalog
        account(service.name, f"projects/{project}", "default", "admin", "service")
        service_id = api.create(f"{v3}/services", "service", name=service.name, type=kind)
        for interface in "public", "internal":
            api.create(
                f"{v3}/endpoints",
                "endpoint",
                service_id=service_id,
                region_id=REGION,
                interface=interface,
                url=cloud.url(service.name) + path,
            )
    demo = api.create(f"{v3}/projects", "project", name="demo", domain_id="default")
    account("demo", f"projects/{demo}", "default", "member", "reader", "heat_stack_owner")
    domain = api.create(f"{v3}/domains", "domain", name="heat")
    account("heat_domain_admin", f"domains/{domain}", domain, "admin")


def fill_others(cloud: Cloud) -> None:
    """Create what a newcomer needs for `openstack server create`. The names are those of devstack."""
    api = Api(cloud)
    for name, (vcpus, ram, disk) in FLAVORS.items():
        api.create(f"{cloud.url('nova')}/v2.1/flavors", "flavor", name=name, vcpus=vcpus, ram=ram, disk=disk)
    images = f"{cloud.url('glance')}/v2/images"
    image = api.call(
        "POST",
        images,
        {"name": "cirros", "visibility": "public", "disk_format": "raw", "container_format": "bare"},
    )[1]["id"]
    api.call(
        "PUT",
        f"{images}/{image}/file",
        b"not really cirros: no hypervisor will ever boot it\n".ljust(4096, b"\0"),
    )

    v2 = f"{cloud.url('neutron')}/v2.0"
    public = api.create(
        f"{v2}/networks",
        "network",
        name="public",
        **{"router:external": True, "provider:network_type": "flat", "provider:physical_network": "public"},
    )
    api.create(
        f"{v2}/subnets",
        "subnet",
        name="public-subnet",
        network_id=public,
        ip_version=4,
        cidr="172.24.4.0/24",
        enable_dhcp=False,
    )
    projects = api.call("GET", f"{cloud.auth_url}/projects?name=demo")[1]["projects"]
    owner = {"project_id": projects[0]["id"]}
    private = api.create(f"{v2}/networks", "network", name="private", **owner)
    subnet = api.create(
        f"{v2}/subnets",
        "subnet",
        name="private-subnet",
        network_id=private,
        ip_version=4,
        cidr="10.0.0.0/22",
        **owner,
    )
    router = api.create(
        f"{v2}/routers", "router", name="router1", external_gateway_info={"network_id": public}, **owner
    )
    api.call("PUT", f"{v2}/routers/{router}/add_router_interface", {"subnet_id": subnet})


# ----- the template


def template(cloud: Cloud) -> Path:
    """Return the path of this version's template: beside the code, or in the state directory if that is read-only."""
    with contextlib.suppress(OSError):
        TEMPLATES.mkdir(parents=True, exist_ok=True)
    place = TEMPLATES if os.access(TEMPLATES, os.W_OK) else cloud.root / "template"
    return place / version()


def save_template(cloud: Cloud) -> None:
    """Save this fresh cloud as the template while it runs. SQLite's backup copies a database in use consistently."""
    target = template(cloud)
    new = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        shutil.copytree(cloud.data, new, ignore=lambda place, names: names if Path(place) == cloud.db else [])
        for path in databases(cloud.db):
            with (
                contextlib.closing(sqlite3.connect(path)) as source,
                contextlib.closing(sqlite3.connect(new / "db" / path.name)) as copy,
            ):
                source.backup(copy)
        rename(new, {value: f"@{name}@" for name, value in cloud.names().items()})
        for old in target.parent.iterdir():  # templates of other versions are not needed any more
            if not old.name.startswith(version()):
                shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(OSError):  # another sandbox of this clone was faster
            new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def copy_template(cloud: Cloud) -> bool:
    """Create data/ from the template; return False if no template can be used."""
    try:
        shutil.copytree(template(cloud), cloud.data)
    except (OSError, shutil.Error):  # none yet, or made by another user, whose keys are private
        shutil.rmtree(cloud.data, ignore_errors=True)
        return False
    rename(cloud.data, {f"@{name}@": value for name, value in cloud.names().items()})
    return True


def move(cloud: Cloud, old: dict[str, str]) -> None:
    """Update the databases after a change of ports.

    The change is made through placeholders, because the old port of one service may be the new port of another.
    """
    rename(cloud.data, {value: f"@{name}@" for name, value in old.items()})
    rename(cloud.data, {f"@{name}@": value for name, value in cloud.names().items()})


def rename(data: Path, changes: dict[str, str]) -> None:
    for service in ALL.values():
        for file, table, column in service.addresses:
            with contextlib.closing(sqlite3.connect(data / "db" / file)) as database, database:
                for old, new in changes.items():
                    database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))


def databases(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.db*")) if not path.name.endswith(("-wal", "-shm"))]


def intact(cloud: Cloud) -> bool:
    """Return whether every database can be read. A machine that was switched off may have damaged one."""
    try:
        for path in databases(cloud.db):
            with contextlib.closing(sqlite3.connect(path)) as database:
                if database.execute("PRAGMA quick_check").fetchone() != ("ok",):
                    return False
    except sqlite3.Error:
        return False
    return True


def mark_complete(cloud: Cloud) -> None:
    write(cloud.data / "complete", version())
