"""up, down and reset: compare what runs with what should run, and change as little as possible."""

import concurrent.futures
import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from services import ALL
from services.common import render

from . import bootstrap, credentials
from .cloud import Cloud, version, write
from .place import INSTALLING, LOCK, SANDBOX, VENV, installer
from .processes import Children, Failure, Process, Start, answers, listen, listen_near, running, screen, stop

OFFSET = 10000  # added to every usual port
PATIENCE = 180  # seconds that a service may take to answer; a few are usual
OURS = {"cloud.json", "clouds.yaml", "openrc", "openrc-admin", "etc", "data", "log", "lock", "template"}

Say = Callable[[str, str], None]
Sockets = dict[str, list[socket.socket]]  # by service, in the order of its ports


# ----- the commands


def up(
    root: Path, say: Say, *, only: tuple[str, ...] = (), without: tuple[str, ...] = (), fresh: bool = False
) -> Cloud:
    """Make the sandbox at `root` run, and answer, whatever state it is in."""
    with locked(root, say):
        check_place(root)
        install(say)
        cloud = recall(root, say)
        cloud.services, cloud.without = only or tuple(ALL), tuple(sorted(without))
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
    """Stop everything that belongs to the sandbox at `root`; False if nothing ran. Its data stay."""
    with locked(root, say) if root.exists() else contextlib.nullcontext():
        processes = running(root)
        stop(root, processes)
        return bool(processes)


def examine(cloud: Cloud, timeout: float = 5) -> dict[str, tuple[Process | None, bool]]:
    """Of each service: its process, and whether it answers."""
    processes = {process.service: process for process in running(cloud.root)}

    def look(name: str) -> tuple[Process | None, bool]:
        process = processes.get(name)
        return process, bool(process) and answers(cloud.url(name) + ALL[name].health, timeout)

    with concurrent.futures.ThreadPoolExecutor(len(ALL)) as pool:
        return dict(zip(ALL, pool.map(look, ALL), strict=True))


# ----- their parts


def check_place(root: Path) -> None:
    """Say early what would be hard to tell from a service's error."""
    for place in root, SANDBOX:
        if strange := set(str(place)) & set("$%;,?#\"'\\\n"):
            raise Failure(f"{place}: the services' configuration files cannot have {strange.pop()!r} in a path")
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
    """One command at a time changes a sandbox; the next one waits, and finds the work done."""
    foreign = sorted(entry.name for entry in root.iterdir() if entry.name not in OURS) if root.is_dir() else []
    if foreign and not (root / "cloud.json").exists():
        raise Failure(f"{root} holds files that are not a sandbox's ({foreign[0]}, ...): name another directory")
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


def install(say: Say) -> None:
    """The virtual environment; at once if it is up to date."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a clone that is read-only needs no lock
            INSTALLING.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_file(INSTALLING, lambda: say("", "waiting for another installation ...")))
        # A process group of its own: the installer has children, and none of them must outlive this program.
        process = subprocess.Popen(installer(), cwd=SANDBOX.parent, stdin=subprocess.DEVNULL, process_group=0)
        try:
            status = process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if status:
            raise Failure(f"the packages of {LOCK.name} could not be installed: the reason is above")


def recall(root: Path, say: Say) -> Cloud:
    """The sandbox at `root` as it was, if it is of use; or else a new one, whose remains are stopped and removed."""
    try:
        cloud = Cloud.load(root)
    except FileNotFoundError:
        return Cloud(root)
    except (OSError, ValueError) as error:
        say("", f"the state directory {error}: replaced")
    else:
        if not cloud.complete:
            say("", "an earlier start did not come to its end: replaced")
        elif set(cloud.ports) != {port for service in ALL.values() for port in service.ports}:
            say("", "the state directory knows other services: replaced")
        elif not running(root) and not bootstrap.intact(cloud):
            say("", "a database is broken (was the machine switched off?): replaced")
        else:
            return cloud
        (cloud.data / "complete").unlink(missing_ok=True)
        return Cloud(root, cloud.ports)
    return Cloud(root)


def renew(cloud: Cloud, children: Children, say: Say) -> Sockets:
    """Make fresh data: a copy of the template, or if there is none, a cloud made from nothing, the next template.

    Returns the ports that are open already for services that do not run yet.
    """
    for path in cloud.data, cloud.etc:
        shutil.rmtree(path, ignore_errors=True)
    sockets = open_sockets(cloud, ALL)
    cloud.save()
    with contextlib.ExitStack() as stack:
        copied = bootstrap.copy_template(cloud)
        if not copied:
            # Of several sandboxes that start together one makes the template, with all processors; the others copy it.
            waiting = functools.partial(say, "", "waiting for another sandbox, which makes the template ...")
            with contextlib.suppress(OSError):  # another user's lock: then this one makes its own
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
    """Make the data by the services' own means, and leave running what is wanted."""
    say("", "making a cloud from nothing: half a minute to a minute, the first time only")
    write_config(cloud)

    def start(name: str) -> None:
        wait(cloud, children.serve(name, fingerprint(cloud, name), sockets[name]), say)
        if name == "keystone":
            bootstrap.fill_keystone(cloud)
            say(name, "accounts and catalog made")

    bootstrap.make_databases(cloud, children, say, start)
    bootstrap.fill_others(cloud)
    say("", "flavors, image and networks made")
    try:
        bootstrap.save_template(cloud)
    except (OSError, sqlite3.Error) as error:
        say("", f"no template could be saved, the next reset will take as long as this: {error}")
    bootstrap.mark_complete(cloud)
    stop(cloud.root, [process for process in running(cloud.root) if process.service not in cloud.services])


def reconcile(cloud: Cloud, children: Children, say: Say, sockets: Sockets) -> None:
    """Start what is missing, restart what is not well or was started with another configuration."""
    seen = examine(cloud, 10)
    good = {
        name
        for name, (process, well) in seen.items()
        if process and well and process.fingerprint == fingerprint(cloud, name)
    }
    keep = [process for name, (process, _) in seen.items() if process and name in good]
    extra = [process for process in running(cloud.root) if process not in keep]
    for process in extra:
        if process.service in ALL:
            well = seen[process.service][1]
            say(process.service, "runs with other options: restarting" if well else "does not answer: restarting")
    stop(cloud.root, extra)
    before = cloud.names()
    sockets |= open_sockets(cloud, [name for name in cloud.services if name not in good and name not in sockets])
    if cloud.names() != before:
        # Everything knows everything's address: start over at the new ones.
        say("", "some ports are taken by another program: moving to others")
        stop(cloud.root, keep)
        bootstrap.move(cloud, before)
        sockets |= open_sockets(cloud, [name for name in cloud.services if name not in sockets])
    cloud.save()
    write_config(cloud)
    credentials.save(cloud)

    def start(name: str, opened: list[socket.socket]) -> None:
        wait(cloud, children.serve(name, fingerprint(cloud, name), opened), say)

    children.together([functools.partial(start, name, opened) for name, opened in sockets.items()])


def open_sockets(cloud: Cloud, names: Iterable[str]) -> Sockets:
    """Open the ports of these services, at the addresses they had if they can be had; cloud.ports tells which."""
    sockets: Sockets = {}
    for name in names:
        sockets[name] = []
        for port_name, usual in ALL[name].ports.items():
            sock = (listen(cloud.ports[port_name]) if port_name in cloud.ports else None) or listen_near(usual + OFFSET)
            cloud.ports[port_name] = sock.getsockname()[1]
            sockets[name].append(sock)
    return sockets


def write_config(cloud: Cloud) -> None:
    cloud.etc.mkdir(exist_ok=True)
    for service in ALL.values():
        for file, sections in service.config(cloud).items():
            write(cloud.etc / file, render(sections))


def fingerprint(cloud: Cloud, name: str) -> str:
    """Of all that a running service was started with; a different one means a restart."""
    config = "".join(render(sections) for sections in ALL[name].config(cloud).values())
    installed = (VENV / ".installed").read_text()
    return hashlib.sha256(f"{version()} {installed} {config}".encode()).hexdigest()[:16]


def wait(cloud: Cloud, start: Start, say: Say) -> None:
    """Until it answers; raises Failure, with the end of its log, if it dies or takes too long."""
    url = cloud.url(start.name) + ALL[start.name].health
    deadline = time.monotonic() + PATIENCE
    while not answers(url, timeout=3):
        if (status := start.child.poll()) is not None:
            raise Failure(screen(f"{start.name} died at its start (exit status {status})", start.log, start.begin))
        if time.monotonic() > deadline:
            os.kill(start.child.pid, signal.SIGUSR1)  # what every thread does, for the log
            time.sleep(0.5)
            raise Failure(screen(f"{start.name} does not answer at {url}", start.log, start.begin, 30))
        time.sleep(0.1)
    say(start.name, f"answers at {cloud.url(start.name)}")
