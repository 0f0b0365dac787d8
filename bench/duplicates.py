"""Count duplicates and orphans of 90 creates whose answers may be lost, for four ways to retry.

Servers, volumes and ports are created in turn on the real services of the sandbox, through novaclient, cinderclient and
neutronclient.  Below the clients, faults are injected at random with a seed.  Answers are lost: the service has done
the work, but the caller gets a 502, a 504, a reset or a timeout.  Requests are refused with a 503: the service has not
seen them.  All four ways have the same seed, and none really waits between attempts.  At the end the services are
asked, without faults, what exists:

  failed      creates for which the caller got an error
  orphans     failed creates whose resource exists, although the caller does not know it
  duplicates  resources beside the one that was asked for

  plain         the clients without retries
  keystoneauth  its own retries: connect_retries and status_code_retries, for the statuses of the specification
  the loop      execute_with_retries around the clients' methods, as the specification describes it
  os-retries    the same clients on an attached session

Then a program that makes 15 of these resources is killed after its 3rd, its 8th and its 13th create, and run again each
time.  There are no other faults.  The last run's answers are compared with what exists:

  killed, plain      the clients without retries
  killed, operation  the same clients on an attached session, in an operation

With --with NAME the creates are those of a service that the sandbox starts on demand (bench/on_demand.py).

Each way has a project of its own, which is removed at the end, even after Ctrl-C.  The exit status is 1 if os-retries
or the operation has any failed creates, orphans or duplicates.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cinderclient.client
import neutronclient.v2_0.client
import novaclient.client
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

import killed
from os_retries import RetryPolicy, attach
from os_retries.core.failure import RETRY_CODES
from os_retries.faults import AtRandom, Faults, only
from provision import Mistake, administrator, removed_afterwards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenancy import Tenancy

RETRIES = 5  # of each way that has retries
COLUMNS = "failed", "orphans", "duplicates"
KILLED = 15  # creates of the program that is killed

EPILOG = """\
examples:
  make bench-duplicates                       # start the sandbox, choose a seed at random, and print it
  make bench-duplicates ARGS="--seed 4711"    # repeat the faults of a seed
  make bench-duplicates ARGS="--with barbican --creates 100"    # after: sandbox/cloud up --with barbican
  .venv/bin/python bench/duplicates.py --seed 4711 --lost 0.5 --refused 0.2 --picture duplicates.svg

With the same seed, the n-th request of a kind (POST /servers, GET /volumes/detail ...) always has the same fault.  A
way that sends more requests has more faults.  --refused applies to the look-ups of os-retries too.
"""


# -- the ways ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One way to call the clients: their constructor arguments, a change of the session, and how a method is called."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Session], object] = lambda _session: None
    call: Callable[..., Any] = lambda method, *args, **kwargs: method(*args, **kwargs)


def no_wait(_seconds: float) -> None:
    """Return at once, in the place of every sleep."""


POLICY = RetryPolicy(retries_number=RETRIES, sleep=no_wait)
OURS = "os-retries"
WAYS = (
    Way("plain"),
    Way(
        "keystoneauth",
        options={
            "connect_retries": RETRIES,
            "connect_retry_delay": 0.001,
            "status_code_retries": RETRIES,
            "status_code_retry_delay": 0.001,
            "retriable_status_codes": sorted(RETRY_CODES),
        },
    ),
    Way("the loop", call=POLICY.execute),
    Way(OURS, prepare=lambda session: attach(session, POLICY)),
)
# With --with nobody else creates resources of these kinds in the project.
ALONE = RetryPolicy(retries_number=RETRIES, sleep=no_wait, single_writer=True)
WAYS_ON_DEMAND = WAYS[0], WAYS[2], Way(OURS, prepare=lambda session: attach(session, ALONE))


# -- one way -----------------------------------------------------------------------------------------------------------


@dataclass
class Result:
    """The counts of one way."""

    name: str
    failed: int = 0
    orphans: int = 0
    duplicates: int = 0
    #: Creates that succeeded for the caller, but whose resource does not exist or belongs to another create.
    untrue: int = 0
    #: The number of POSTs that create, and of all other requests.
    creates: int = 0
    others: int = 0
    faults: int = 0
    #: The errors that the callers got.
    errors: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every create was made once, and its caller knows its id."""
        return not (self.failed or self.orphans or self.duplicates or self.untrue)


def is_create(service: str | None, verb: str, path: str) -> bool:
    """Return whether a request creates one of the resources that are counted."""
    return verb == "POST" and service is not None and path.endswith(("/servers", "/volumes", "/ports"))


def faults_of(arguments: argparse.Namespace) -> Faults:
    """Return the faults of one way.  All ways have equal faults, because they have the same seed."""
    counted = AtRandom(
        lost=arguments.lost,
        refused=arguments.refused,
        statuses=(503,),
        retry_after=(None,),
        only=lambda request: is_create(request.service, request.verb, request.path),
    )
    looks = AtRandom(refused=arguments.refused, statuses=(503,), retry_after=(None,), only=only(verb="GET"))
    return Faults(counted, looks, seed=arguments.seed)


def makers_of(session: Session, way: Way, tenancy: Tenancy, network: str) -> dict[str, Callable[[str], str]]:
    """Return for each kind a function that creates one with that name, and returns its id."""
    flavor = next(each.id for each in tenancy.clients.nova.flavors.list() if each.name == "tiny")
    image = next(each["id"] for each in tenancy.clients.glance.images.list() if each["name"] == "cirros")
    nova = novaclient.client.Client("2.60", session=session, **way.options)
    cinder = cinderclient.client.Client("3.43", session=session, **way.options)
    neutron = neutronclient.v2_0.client.Client(session=session, **way.options)

    def server(name: str) -> str:
        return str(way.call(nova.servers.create, name, image, flavor, nics="none").id)

    def volume(name: str) -> str:
        return str(way.call(cinder.volumes.create, 1, name=name).id)

    def port(name: str) -> str:
        body = {"port": {"name": name, "network_id": network}}
        return str(way.call(neutron.create_port, body)["port"]["id"])

    return {"server": server, "volume": volume, "port": port}


def names_of(creates: int) -> list[tuple[str, str]]:
    """Return the kind and the name of each resource."""
    kinds = "server", "volume", "port"
    return [(kinds[number % 3], f"{kinds[number % 3]}-{number:03}") for number in range(creates)]


def a_network(tenancy: Tenancy) -> str:
    """Create the network of the ports, without faults."""
    return str(tenancy.clients.neutron.create_network({"network": {"name": "bench"}})["network"]["id"])


def compete(way: Way, tenancy: Tenancy, arguments: argparse.Namespace) -> Result:
    """Create the resources in one way; return the counts."""
    faults = faults_of(arguments)
    session = Session(v3.Password(**tenancy.auth), session=faults.session())
    makers = makers_of(session, way, tenancy, a_network(tenancy))
    session.get_token()
    way.prepare(session)
    told: dict[tuple[str, str], str | None] = {}
    result = Result(way.name)
    for number, key in enumerate(names_of(arguments.creates)):
        try:
            told[key] = makers[key[0]](key[1])
        except Exception as error:  # whichever client's
            told[key] = None
            result.errors.append(f"{key[1]}: {' '.join([str(error), *getattr(error, '__notes__', ())])}")
        progress(way.name, number + 1, arguments.creates)
    tally(result, told, tenancy)
    seen = Counter(is_create(each.request.service, each.request.verb, each.request.path) for each in faults.record)
    tokens = sum(each.request.token or each.request.discovery for each in faults.record)
    result.creates, result.others, result.faults = seen[True], seen[False] - tokens, len(faults.injected)
    return result


def tally(result: Result, told: dict[tuple[str, str], str | None], tenancy: Tenancy) -> None:
    """Compare what the callers were told with what exists."""
    there: dict[tuple[str, str], list[str]] = {key: [] for key in told}
    for key, identity in existing(tenancy):
        there.setdefault(key, []).append(identity)
    for key, identities in there.items():
        answer = told.get(key)
        result.failed += answer is None
        result.orphans += answer is None and bool(identities)
        result.duplicates += max(0, len(identities) - 1)
        result.untrue += answer is not None and answer not in identities


def die(name: str, tenancy: Tenancy, *, key: str | None) -> Result:
    """Kill a program that creates resources three times, and run it again each time; return the counts."""
    network = a_network(tenancy)
    told, creates, others = killed.in_lives(
        lambda: Session(v3.Password(**tenancy.auth)),
        lambda session: makers_of(session, WAYS[0], tenancy, network),
        names_of(KILLED),
        key,
        lambda verb, path: is_create("any", verb, path),
    )
    result = Result(name, creates=creates, others=others, faults=len(killed.DEATHS))
    tally(result, told, tenancy)
    return result


def existing(tenancy: Tenancy) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what exists according to the services: the kind and the name, and the id.  No faults are injected."""
    clients = tenancy.clients
    yield from ((("server", each.name), each.id) for each in clients.nova.servers.list())
    yield from ((("volume", each.name), each.id) for each in clients.cinder.volumes.list())
    for each in clients.neutron.list_ports(project_id=tenancy.project.id)["ports"]:
        if each["name"].startswith("port-"):
            yield ("port", each["name"]), each["id"]


def empty(tenancy: Tenancy, limit: float = 600) -> None:
    """Delete all resources, and wait until they are gone.

    A busy machine needs time to build servers and to delete them.

    :raises TimeoutError: if something is left after ``limit`` seconds
    """
    clients = tenancy.clients
    delete = {
        "server": clients.nova.servers.delete,
        "volume": clients.cinder.volumes.delete,
        "port": clients.neutron.delete_port,
    }
    deadline, asked = time.monotonic() + limit, set[str]()
    while left := list(existing(tenancy)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after {limit:g} s: {left}")
        for (kind, _name), identity in left:
            if identity not in asked:
                with contextlib.suppress(Exception):  # it cannot be deleted yet, or is already gone
                    delete[kind](identity)
                    asked.add(identity)
        time.sleep(0.5)


# -- output ------------------------------------------------------------------------------------------------------------


def progress(name: str, done: int, of: int) -> None:
    """Show the progress: in place on a terminal, else in three lines."""
    if sys.stderr.isatty():
        print(f"\r  {name:13} {done} of {of} ", end="\n" if done == of else "", file=sys.stderr, flush=True)
    elif done * 3 // of > (done - 1) * 3 // of:
        print(f"  {name:13} {done} of {of}", file=sys.stderr, flush=True)


def table(results: list[Result]) -> Iterator[str]:
    """Yield the lines of the table of all ways."""
    head = f"{'failed':>7} {'orphans':>8} {'duplicates':>11} {'creates sent':>13} {'other requests':>15}"
    yield f"{'':17} {head} {'faults':>7}"
    for each in results:
        numbers = f"{each.failed:7} {each.orphans:8} {each.duplicates:11} {each.creates:13} {each.others:15}"
        yield f"{each.name:17} {numbers} {each.faults:7}"


def draw(results: list[Result], arguments: argparse.Namespace) -> None:
    """Draw the table as bars into the file of --picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from picture import save

    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    colors = "#c9a227", "#d1495b", "#30638e"
    for offset, (column, color) in enumerate(zip(COLUMNS, colors, strict=True)):
        places = [number + (offset - 1) * 0.27 for number in range(len(results))]
        bars = axes.bar(places, [getattr(each, column) for each in results], 0.25, label=column, color=color)
        axes.bar_label(bars, padding=2)
    axes.set_xticks(range(len(results)), [each.name for each in results])
    axes.set_ylabel("creates")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)
    axes.legend(frameon=False)
    axes.set_title(
        f"{arguments.creates} creates, {arguments.lost:.0%} of the answers lost, {arguments.refused:.0%} refused "
        f"(seed {arguments.seed})",
        fontsize=11,
    )
    save(figure, arguments.picture)


# -- the command -------------------------------------------------------------------------------------------------------


def whole(text: str) -> int:
    """Parse a seed."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def some(text: str) -> int:
    """Parse the number of creates."""
    if not 1 <= whole(text) <= 3000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 3000")
    return int(text)


def share(text: str) -> float:
    """Parse a rate."""
    try:
        rate = float(text)
    except ValueError:
        rate = -1
    if not 0 <= rate <= 0.5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 0.5")
    return rate


def picture(text: str) -> Path:
    """Parse the path of the picture, and check that it can be drawn."""
    path = Path(text)
    if path.suffix not in (".svg", ".png"):
        raise argparse.ArgumentTypeError(f"{text!r} ends neither in .svg nor in .png")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {path.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("matplotlib is not installed here; it is in requirements/dev.txt")
    return path


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=whole, metavar="N", help="seed of the faults (default: at random)")
    parser.add_argument("--with", dest="extra", metavar="NAME", help="creates of a service that is started on demand")
    parser.add_argument("--creates", type=some, default=90, metavar="N", help="number of creates (%(default)s)")
    parser.add_argument("--killed", action="store_true", help="only the program that is killed and run again")
    parser.add_argument("--lost", type=share, default=0.3, metavar="R", help="share of lost answers (%(default)s)")
    parser.add_argument("--refused", type=share, default=0.1, metavar="R", help="share of 503s (%(default)s)")
    parser.add_argument("--picture", type=picture, metavar="FILE", help="draw the table into this .svg or .png file")
    arguments = parser.parse_args()
    arguments.seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Run all ways and print the table; return the exit status."""
    admin = administrator()
    if arguments.extra:
        import on_demand
    begun = time.monotonic()
    print(
        f"seed {arguments.seed}: {arguments.creates} creates, {arguments.lost:.0%} of the answers lost, "
        f"{arguments.refused:.0%} refused",
        flush=True,
    )
    results: list[Result] = []
    if arguments.extra:
        results = [on_demand.compete(way, Result(way.name), arguments, admin, progress) for way in WAYS_ON_DEMAND]
    for way in () if arguments.extra or arguments.killed else WAYS:
        with removed_afterwards(admin) as tenancy:
            try:
                results.append(compete(way, tenancy, arguments))
            finally:
                empty(tenancy)
    deaths: list[Result] = []
    for name, key in () if arguments.extra else (("killed, plain", None), ("killed, operation", "bench")):
        with removed_afterwards(admin) as tenancy:
            try:
                deaths.append(die(name, tenancy, key=key))
            finally:
                empty(tenancy)
    print("\n" + "\n".join(table([*results, *deaths])) + "\n")
    if arguments.picture:
        draw(results, arguments)
        print(f"the picture is in {arguments.picture}")
    for each in results:
        if each.untrue:
            print(f"{each.name}: {each.untrue} creates succeeded for the caller, but their resources do not exist")
    ours = [*results[-1:], *deaths[-1:]]
    for each in ours:
        print("".join(f"  {error}\n" for error in ([] if each.clean else each.errors)), end="")
        print(f"{each.name}: {'every create made once, and known to its caller' if each.clean else 'NOT clean'}")
    print(f"{time.monotonic() - begun:.0f} s for all of them")
    return 0 if all(each.clean for each in ours) else 1


def interrupt(*_: object) -> None:
    """Treat a SIGTERM like Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the comparison; return the exit status."""
    arguments = parse()
    signal.signal(signal.SIGTERM, interrupt)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"  # the sandbox is never behind a proxy
    warnings.filterwarnings("ignore", module="(cinder|glance|heat|keystone|neutron|nova|swift)client")  # not ours
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        return run(arguments)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        for number in signal.SIGINT, signal.SIGTERM:  # the program ends now, and must not be interrupted again
            signal.signal(number, signal.SIG_IGN)
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
