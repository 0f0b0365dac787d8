"""The command line: the commands, their messages and their exit statuses."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from services import ALL, EXTRAS

from . import credentials, lifecycle
from .cloud import OPTIONAL, Cloud
from .place import COMMAND, STATE, VENV, shown
from .processes import Failure, running

DESCRIPTION = """\
Run a real OpenStack on this machine: keystone, placement, glance, neutron, nova (with a fake hypervisor), cinder, heat
and swift from PyPI, as eight ordinary processes that listen only on 127.0.0.1. This needs no root, no Docker, no
message broker and no database server.
"""
EPILOG = f"""\
first steps:
  {COMMAND} up                         # the first time it installs 750 MB and takes a minute; later seconds
  eval "$({COMMAND} env)"
  {shown(VENV)}/bin/openstack server create --flavor tiny --image cirros --network private --wait one
  {COMMAND} reset                      # replace all data by those of a fresh cloud, in seconds
  {COMMAND} down
"""


def main() -> int:
    args = parse()
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, interrupt)
    root = args.state.absolute().resolve()
    try:
        check_machine()
        return args.command(root, args)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the processes that this command had started are stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parse() -> argparse.Namespace:
    def names(known: dict[str, object]):
        def split(text: str) -> tuple[str, ...]:
            chosen = tuple(name.strip() for name in text.split(",") if name.strip())
            if unknown := [name for name in chosen if name not in known]:
                raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
            return chosen

        return split

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        default=STATE,
        help=f"where the sandbox keeps its data and logs (default: {shown(STATE)})",
    )
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, function, text: str, **more: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=text, description=text, **more)
        made.set_defaults(command=function)
        return made

    start = command(
        "up",
        up,
        "install what is missing, start what does not run, and wait until all services answer",
        epilog="It can be repeated at any time: it repairs what is broken and leaves the rest alone.",
    )
    start.add_argument("--only", type=names(ALL), default=(), metavar="NAME,...", help="start only these services")
    start.add_argument(
        "--with",
        dest="more",
        type=names(EXTRAS),
        default=(),
        metavar="NAME,...",
        help=f"start these services too: {', '.join(EXTRAS)}",
    )
    start.add_argument(
        "--without",
        type=names(OPTIONAL),
        default=(),
        metavar="PART,...",
        help="leave these parts out: " + "; ".join(f"{name} ({what})" for name, what in OPTIONAL.items()),
    )
    start.add_argument(
        "--env",
        type=variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give the services this variable, such as http_proxy for a proxy between the services; can be repeated",
    )
    command("down", down, "stop the sandbox and keep its data")
    command("status", status, "print one line for each service; exit with 0 if all services answer, with 1 if not")
    shell = command("env", env, f'print the environment of a user, for: eval "$({COMMAND} env)"')
    shell.add_argument("--cloud", choices=credentials.ACCOUNTS, default="demo", help="the user (default: demo)")
    shell.add_argument(
        "--plain",
        action="store_true",
        help="print OS_AUTH_URL, OS_USERNAME, ... instead of OS_CLOUD, "
        "for clients that do not read clouds.yaml, such as swift",
    )
    command("reset", reset, "replace all data by those of a fresh cloud; everything that was created is lost")
    return parser.parse_args()


def variable(text: str) -> tuple[str, str]:
    """Read the argument NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def up(root: Path, args: argparse.Namespace) -> int:
    begin = time.monotonic()
    lifecycle.up(root, progress(), only=args.only, more=args.more, without=args.without, environment=dict(args.env))
    summary(begin)
    return 0


def down(root: Path, _args: argparse.Namespace) -> int:
    print("stopped" if lifecycle.down(root, progress()) else "nothing was running", file=sys.stderr)
    return 0


def reset(root: Path, _args: argparse.Namespace) -> int:
    begin = time.monotonic()
    only = without = ()
    environment: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        known = Cloud.load(root)
        only, without, environment = known.services, known.without, known.environment
    lifecycle.up(root, progress(), only=only, without=without, environment=environment, fresh=True)
    summary(begin)
    return 0


def status(root: Path, _args: argparse.Namespace) -> int:
    cloud = load(root)
    seen = lifecycle.examine(cloud)
    row = "{:10} {:13} {:23} {:>8} {:>8}".format
    print(row("SERVICE", "STATE", "URL", "PID", "MEMORY"))
    for name, (process, well) in seen.items():
        if process:
            memory = f"{(process.memory() or 0) >> 20} MB"
            print(row(name, "running" if well else "not answering", cloud.url(name), process.pid, memory))
        else:
            print(row(name, "not running" if name in cloud.services else "not asked for", cloud.url(name), "-", "-"))
    print(f"\nclouds.yaml  {cloud.clouds_yaml} (clouds: {', '.join(credentials.ACCOUNTS)})")
    print(f"logs         {cloud.log}")
    if cloud.without:
        print(f"without      {', '.join(cloud.without)}")
    return 0 if cloud.complete and all(seen[name][1] for name in cloud.services) else 1


def env(root: Path, args: argparse.Namespace) -> int:
    cloud = load(root)
    if not running(root):
        print(f"warning: the sandbox is not running; start it with: {COMMAND} up", file=sys.stderr)
    print(credentials.environment(cloud, args.cloud, plain=args.plain))
    return 0


def load(root: Path) -> Cloud:
    try:
        return Cloud.load(root)
    except FileNotFoundError:
        raise Failure(f"there is no sandbox yet; create one with: {COMMAND} up") from None
    except ValueError as error:
        raise Failure(f"the state directory {root} {error}; replace it with: {COMMAND} up") from None


def progress():
    """Return a function that writes a line of progress to stderr, with the seconds since the command began."""
    begin = time.monotonic()

    def say(name: str, text: str) -> None:
        # Each line is one write, because several threads write at the same time.
        sys.stderr.write(f"{time.monotonic() - begin:6.1f} s  {name:10} {text}\n")
        sys.stderr.flush()

    return say


def summary(begin: float) -> None:
    seconds = time.monotonic() - begin
    print(f'The sandbox is up ({seconds:.1f} s). To use it: eval "$({COMMAND} env)"', file=sys.stderr)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def check_machine() -> None:
    if not Path("/proc/self/cmdline").exists() or not hasattr(os, "pidfd_open"):
        raise Failure("the sandbox needs Linux (5.3 or newer) with /proc")
    if not shutil.which("sh"):
        raise Failure("the sandbox needs a shell, sh")
