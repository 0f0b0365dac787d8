"""The services that are not started by default: `up --with NAME` installs, prepares and starts them.

Their packages are added to the virtual environment of the sandbox, but for those that cannot be installed beside the
others: such a service has a virtual environment of its own. Their data are not in the template: they are created
at the first start of each sandbox, and are deleted with the other data.
"""

import hashlib
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from services import EXTRAS, Service

from .bootstrap import Api
from .cloud import PASSWORD, REGION, Cloud, version, write
from .place import IN_CHECKOUT, SANDBOX, TOP, VENV, installer
from .processes import Children, Failure

Say = Callable[[str, str], None]


def lock_of(name: str) -> Path:
    """Return the hashed requirements file with the packages that a service needs beside those of the sandbox.

    It has all packages of a service with a virtual environment of its own.
    """
    return SANDBOX / "with" / f"{name}.txt"


def installed(name: str) -> str:
    """Return what is installed for a service: a text that changes with its lock and with the virtual environment."""
    return (EXTRAS[name].venv / ".installed").read_text() + lock_of(name).read_text()


def version_of(name: str) -> str:
    """Return a hash of everything on which the data of a service depend."""
    sources = installed(name), (SANDBOX / f"services/{name}.py").read_text(), version()
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:16]


def install(names: tuple[str, ...], say: Say) -> None:
    """Install the packages of these services, unless they are there already."""
    tools = TOP / ".cache/bootstrap/bin"
    if IN_CHECKOUT and (tools / "uv").exists():
        pip = [tools / "uv", "pip", "install", "--python", VENV / "bin/python", "--compile-bytecode"]
    elif IN_CHECKOUT:
        pip = [tools / "python", "-m", "pip", "--python", VENV / "bin/python", "install"]
    else:
        pip = [VENV / "bin/python", "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    for name in names:
        if EXTRAS[name].alone:
            _run(installer(EXTRAS[name].venv, lock_of(name)), name)
            continue
        stamp = VENV / f".installed-{name}"
        if stamp.exists() and stamp.read_text() == installed(name):
            continue
        say(name, "installing its packages ...")
        # All dependencies are in the lock, or in the lock of the sandbox, which is installed.
        command = [*pip, "--quiet", "--no-deps", "--require-hashes", "--requirement", lock_of(name)]
        if IN_CHECKOUT:
            command += ["--cache-dir", TOP / ".cache/uv"]
        _run(command, name)
        stamp.write_text(installed(name))


def _run(command: list[str | Path], name: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, cwd=SANDBOX.parent, check=False).returncode:
        raise Failure(f"the packages of {lock_of(name).name} could not be installed: see the messages above")


def prepare(cloud: Cloud, children: Children, name: str, say: Say) -> None:
    """Create the data of a service and its entries in keystone, which must run, unless they are there already."""
    stamp = cloud.data / f"with-{name}"
    if stamp.exists() and stamp.read_text() == version_of(name):
        return
    service = EXTRAS[name]
    for path in cloud.db.glob(f"{name}.db*"):
        path.unlink()
    for command in service.first_start(cloud):
        children.run(command, cloud.log / "first-start.log")
    _register(cloud, service)
    if service.fill:
        service.fill(cloud, Api(cloud))
    write(stamp, version_of(name))
    say(name, "prepared")


def _register(cloud: Cloud, service: Service) -> None:
    """Create the account and the endpoints of a service. Those of an interrupted start are replaced."""
    api, v3 = Api(cloud), cloud.auth_url

    def found(collection: str, name: str) -> list[str]:
        query = urllib.parse.urlencode({"name": name})
        return [each["id"] for each in api.call("GET", f"{v3}/{collection}?{query}")[1][collection]]

    for collection in "users", "services":
        for each in found(collection, service.name):
            api.call("DELETE", f"{v3}/{collection}/{each}")
    (project,) = found("projects", "service")
    user = api.create(f"{v3}/users", "user", name=service.name, password=PASSWORD, domain_id="default")
    for role in "admin", "service":
        api.call("PUT", f"{v3}/projects/{project}/users/{user}/roles/{found('roles', role)[0]}")
    (demo,) = found("projects", "demo")
    for name in service.roles:
        role = (found("roles", name) or [api.create(f"{v3}/roles", "role", name=name)])[0]
        api.call("PUT", f"{v3}/projects/{demo}/users/{found('users', 'demo')[0]}/roles/{role}")
    if not service.catalog:
        return
    kind, path = service.catalog
    service_id = api.create(f"{v3}/services", "service", name=service.name, type=kind)
    for interface in "public", "internal":
        url = cloud.url(service.name) + path
        api.create(f"{v3}/endpoints", "endpoint", service_id=service_id, region_id=REGION, interface=interface, url=url)
