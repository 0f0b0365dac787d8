"""up, down and reset: compare what runs with what should run, and change as little as possible."""

import concurrent.futures
import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from services import ALL, EXTRAS, KNOWN
from services.common import render

from . import bootstrap, credentials, extras
from .cloud import Cloud, version, write
from .place import INSTALLING, LOCK, SANDBOX, VENV, installer
from .processes import Children, Failure, Process, Start, answers, listen, listen_near, running, screen, stop

# Added to every usual port.  SANDBOX_PORT_OFFSET sets another number, so that sandboxes which are started and stopped
# at any time do not take each other's ports.
OFFSET = int(os.environ.get("SANDBOX_PORT_OFFSET", "10000"))
PATIENCE = 180  # seconds that a service may take to answer; a few are usual
OURS = {"cloud.json", "clouds.yaml", "openrc", "openrc-admin", "etc", "data", "log", "lock", "template"}

Say = Callable[[str, str], None]
Sockets = dict[str, list[socket.socket]]  # by service, in the order of its ports


# ----- the commands


def up(
    root: Path,
    say: Say,
    *,
    only: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Cloud:
    """Start the sandbox at `root` from any state, and wait until its services answer.

    :param only: start only these services
    :param more: start these services too, which are not started by default
    """
    with locked(root, say):
        check_place(root)
        install(say, tuple(name for name in (*only, *more) if name in EXTRAS))
        cloud = recall(root, say)
        cloud.services, cloud.without = (*(only or tuple(ALL)), *more), tuple(sorted(without))
        cloud.environment = dict(environment or {})
        children = Children(cloud)
        try:
            sockets = {}
            if fresh or not cloud.complete:
                stop(root, running(root))
                sockets = renew(cloud, children, say)
            reconcile(cloud, children, say, sockets)
        except BaseException:
            children.end()
            raise
        return cloud


def down(root: Path, say: Say) -> bool:
    """Stop all processes of the sandbox at `root`, but keep its data; return False if nothing was running."""
    with locked(root, say) if root.exists() else contextlib.nullcontext():
        processes = running(root)
        stop(root, processes)
        return bool(processes)


def examine(cloud: Cloud, timeout: float = 5) -> dict[str, tuple[Process | None, bool]]:
    """Return the process of each service, and whether it answers."""
    processes = {process.service: process for process in running(cloud.root)}

    def look(name: str) -> tuple[Process | None, bool]:
        process = processes.get(name)
        return process, bool(process) and answers(cloud.url(name) + KNOWN[name].health, timeout)

    names = [name for name in KNOWN if name in cloud.ports]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def chosen_extras(cloud: Cloud) -> tuple[str, ...]:
    """Return the services of this sandbox that are not started by default."""
    return tuple(name for name in cloud.services if name in EXTRAS)


# ----- their parts


def check_place(root: Path) -> None:
    """Check for problems that would be hard to recognize from a service's error."""
    for place in root, SANDBOX:
        if strange := set(str(place)) & set("$%;,?#\"'\\\n"):
            raise Failure(f"{place}: the services' configuration files do not allow {strange.pop()!r} in a path")
    try:
        os.setxattr(root, "user.sandbox", b"")
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
            raise Failure(
                f"swift needs extended attributes, which the file system of {root} lacks: "
                "name a directory on ext4, xfs or btrfs with --state"
            ) from None
        raise


@contextlib.contextmanager
def locked(root: Path, say: Say) -> Iterator[None]:
    """Hold the lock of a sandbox, so that only one command at a time changes it."""
    foreign = sorted(entry.name for entry in root.iterdir() if entry.name not in OURS) if root.is_dir() else []
    if foreign and not (root / "cloud.json").exists():
        raise Failure(f"{root} has files that do not belong to a sandbox ({foreign[0]}, ...): name another directory")
    (root / "log").mkdir(parents=True, exist_ok=True)
    with lock_file(root / "lock", lambda: say("", f"waiting for another command that works on {root} ...")):
        yield


@contextlib.contextmanager
def lock_file(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(say: Say, more: tuple[str, ...] = ()) -> None:
    """Install the virtual environment, and the packages of the services `more`, unless they are up to date."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a read-only clone needs no lock
            INSTALLING.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_file(INSTALLING, lambda: say("", "waiting for another installation ...")))
        # The installer gets a process group of its own, so that its children can be ended with it.
        process = subprocess.Popen(installer(), cwd=SANDBOX.parent, stdin=subprocess.DEVNULL, process_group=0)
        try:
            status = process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if status:
            raise Failure(f"the packages of {LOCK.name} could not be installed: see the messages above")
        extras.install(more, say)


def recall(root: Path, say: Say) -> Cloud:
    """Return the sandbox at `root` as it was, or a new one if the old one cannot be used."""
    try:
        cloud = Cloud.load(root)
    except FileNotFoundError:
        return Cloud(root)
    except (OSError, ValueError) as error:
        say("", f"the state directory {error}: replacing it")
    else:
        if not cloud.complete:
            say("", "an earlier start was interrupted: replacing the data")
        elif not {port for service in ALL.values() for port in service.ports} <= set(cloud.ports):
            say("", "the data are for other services: replacing the data")
        elif not running(root) and not bootstrap.intact(cloud):
            say("", "a database is damaged (was the machine switched off?): replacing the data")
        else:
            return cloud
        (cloud.data / "complete").unlink(missing_ok=True)
        return Cloud(root, cloud.ports)
    return Cloud(root)


def renew(cloud: Cloud, children: Children, say: Say) -> Sockets:
    """Create fresh data: copy the template, or create a cloud from nothing, which becomes the template.

    Returns the open sockets of the services that do not run yet.
    """
    for path in cloud.data, cloud.etc:
        shutil.rmtree(path, ignore_errors=True)
    sockets = open_sockets(cloud, ALL)
    cloud.save()
    with contextlib.ExitStack() as stack:
        copied = bootstrap.copy_template(cloud)
        if not copied:
            # If several sandboxes start together, one makes the template with all processors, and the others copy it.
            waiting = functools.partial(say, "", "waiting for another sandbox that makes the template ...")
            with contextlib.suppress(OSError):  # another user has the lock: this sandbox makes its own data
                folder = bootstrap.template(cloud).parent
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(lock_file(folder / "lock", waiting))
            copied = bootstrap.copy_template(cloud)
        if not copied:
            make_from_nothing(cloud, children, say, sockets)
            return {}
    say("", "data copied from the template")
    bootstrap.mark_complete(cloud)
    return {name: opened for name, opened in sockets.items() if name in cloud.services}


def make_from_nothing(cloud: Cloud, children: Children, say: Say, sockets: Sockets) -> None:
    """Create the data with the services themselves, and leave the wanted services running."""
    say("", "creating a cloud from nothing: this takes up to a minute, the first time only")
    write_config(cloud)

    def start(name: str) -> None:
        wait(cloud, children.serve(name, fingerprint(cloud, name), sockets[name]), say)
        if name == "keystone":
            bootstrap.fill_keystone(cloud)
            say(name, "accounts and catalog created")

    bootstrap.make_databases(cloud, children, say, start)
    bootstrap.fill_others(cloud)
    say("", "flavors, image and networks created")
    try:
        bootstrap.save_template(cloud)
    except (OSError, sqlite3.Error) as error:
        say("", f"the template could not be saved, so the next reset will take as long as this: {error}")
    bootstrap.mark_complete(cloud)
    stop(cloud.root, [process for process in running(cloud.root) if process.service not in cloud.services])


def reconcile(cloud: Cloud, children: Children, say: Say, sockets: Sockets) -> None:
    """Start missing services, and restart services that do not answer or that have an old configuration."""
    seen = examine(cloud, 10)
    good = {
        name
        for name, (process, well) in seen.items()
        if process and well and process.fingerprint == fingerprint(cloud, name)
    }
    keep = [process for name, (process, _) in seen.items() if process and name in good]
    extra = [process for process in running(cloud.root) if process not in keep]
    for process in extra:
        if process.service in seen:
            well = seen[process.service][1]
            say(process.service, "runs with other options: restarting" if well else "does not answer: restarting")
    stop(cloud.root, extra)
    before = cloud.names()
    sockets |= open_sockets(cloud, [name for name in cloud.services if name not in good and name not in sockets])
    if not before.items() <= cloud.names().items():
        # Every service knows the addresses of the others, so all are restarted at the new addresses.
        say("", "another program uses some of the ports: moving to other ports")
        stop(cloud.root, keep)
        bootstrap.move(cloud, before)
        sockets |= open_sockets(cloud, [name for name in cloud.services if name not in sockets])
    cloud.save()
    write_config(cloud)
    credentials.save(cloud)

    def start(name: str, opened: list[socket.socket]) -> None:
        wait(cloud, children.serve(name, fingerprint(cloud, name), opened, KNOWN[name].venv), say)

    def start_extra(name: str, opened: list[socket.socket]) -> None:
        extras.prepare(cloud, children, name, say)
        start(name, opened)

    usual = [functools.partial(start, name, opened) for name, opened in sockets.items() if name in ALL]
    children.together(usual)
    # These follow, because they need keystone.
    children.together(
        [functools.partial(start_extra, name, opened) for name, opened in sockets.items() if name in EXTRAS]
    )


def open_sockets(cloud: Cloud, names: Iterable[str]) -> Sockets:
    """Open the ports of these services, the previous ones if they are free, and store them in cloud.ports."""
    sockets: Sockets = {}
    for name in names:
        sockets[name] = []
        for port_name, usual in KNOWN[name].ports.items():
            sock = (listen(cloud.ports[port_name]) if port_name in cloud.ports else None) or listen_near(usual + OFFSET)
            cloud.ports[port_name] = sock.getsockname()[1]
            sockets[name].append(sock)
    return sockets


def write_config(cloud: Cloud) -> None:
    cloud.etc.mkdir(exist_ok=True)
    for service in (*ALL.values(), *(EXTRAS[name] for name in chosen_extras(cloud) if name in cloud.ports)):
        for file, sections in service.config(cloud).items():
            write(cloud.etc / file, render(sections))


def fingerprint(cloud: Cloud, name: str) -> str:
    """Return a hash of everything with which a service is started. A service with another hash is restarted."""
    config = "".join(render(sections) for sections in KNOWN[name].config(cloud).values())
    installed = extras.version_of(name) if name in EXTRAS else (VENV / ".installed").read_text()
    environment = json.dumps(cloud.environment, sort_keys=True)
    return hashlib.sha256(f"{version()} {installed} {config} {environment}".encode()).hexdigest()[:16]


def wait(cloud: Cloud, start: Start, say: Say) -> None:
    """Wait until a service answers.

    Raises Failure, with the end of the service's log, if it exits or takes too long.
    """
    url = cloud.url(start.name) + KNOWN[start.name].health
    deadline = time.monotonic() + PATIENCE
    while not answers(url, timeout=3):
        if (status := start.child.poll()) is not None:
            raise Failure(screen(f"{start.name} did not start (exit status {status})", start.log, start.begin))
        if time.monotonic() > deadline:
            os.kill(start.child.pid, signal.SIGUSR1)  # it writes the stack of every thread to its log
            time.sleep(0.5)
            raise Failure(screen(f"{start.name} does not answer at {url}", start.log, start.begin, 30))
        time.sleep(0.1)
    say(start.name, f"answers at {cloud.url(start.name)}")
