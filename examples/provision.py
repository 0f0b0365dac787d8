"""The demo: provision a cluster on a real OpenStack under faults, first without retries and then with them.

The cluster is provisioned step by step, as Sahara does it, through the clients of keystone, glance, neutron, heat,
nova, cinder and swift, on the services of the sandbox.  Faults are injected below the clients, at random with a seed.
One request in eleven is refused with 408, 413, 429, 500, 502, 503 or 504, with and without a Retry-After, in the format
of the service or of a load balancer.  One more request in twenty is processed by the service, but its answer is lost.

The first run uses the clients without retries, and stops at the first error.  The second run has the same faults, but
each session is attached: os_retries.attach(session).  The third run makes every call through
os_retries.execute_with_retries, as the specification describes.  In the third run requests are refused, but no answers
are lost, because execute_with_retries would repeat a create whose answer was lost, and so create a duplicate.

Everything is removed at the end, even after Ctrl-C.
"""

from __future__ import annotations

import argparse
import enum
import logging
import os
import random
import secrets
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openstack.config
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from oslo_config import cfg

from cluster import STEPS, Clients, Cluster, Step
from os_retries import attach, client_options, configure, execute_with_retries
from os_retries.core.failure import RETRY_CODES
from os_retries.faults import AtRandom, Entry, Faults, only
from tenancy import Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries import Retry

CLOUD = Path(__file__).resolve().parents[1] / "sandbox/cloud"
#: The demo divides all waits by this.
SCALE = 100
#: With 75 requests or more, fewer than one run in 1000 has no fault (0.91 ** 75 = 0.0008).
RATE = 0.09
#: How many answers are lost for each request that is refused.
LOST = 0.5
#: glanceclient does not tell these statuses apart ('N/A'), so execute_with_retries cannot repeat them.
LOST_BY_GLANCE = frozenset({408, 429, 504})

EPILOG = """\
examples:
  make demo                                  # set up everything, choose a seed at random, and print it
  make demo ARGS="--seed 4711 --verbose"     # repeat the faults of a seed, and show the log of each retry
  .venv/bin/python examples/provision.py --rate 0.2 --config-file my.conf
                                             # use a policy, such as: [timeouts] retries_number = 8
"""


class Way(enum.Enum):
    """How the clients are called."""

    PLAINLY = "the plain clients"
    ATTACHED = "attach(session)"
    EXECUTED = "execute_with_retries"


TITLES = {
    Way.PLAINLY: "The clients without retries",
    Way.ATTACHED: "The same faults, with one more line for each session: attach(session)",
    Way.EXECUTED: "Refusals but no lost answers, with every call through execute_with_retries",
}


class Mistake(Exception):  # noqa: N818 - a message for the user
    """Ends the demo with this message and exit status 2."""


# -- one run ---------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """The result of one step."""

    step: Step
    calls: int = 0
    retries: int = 0
    waited: float = 0.0
    met: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def outcome(self) -> str:
        """The result in one word."""
        return "failed" if self.error is not None else "ok" if self.calls else "-"


def faults_of(seed: int, rate: float, way: Way) -> Faults:
    """Return the faults of a run.  The plain run and the attached run have the same faults."""
    retry_after = (None, None, 2, 30)
    if way is Way.EXECUTED:
        spared = AtRandom(
            refused=rate, retry_after=retry_after, only=only(service="image"), statuses=RETRY_CODES - LOST_BY_GLANCE
        )
        return Faults(spared, AtRandom(refused=rate, retry_after=retry_after), seed=seed, tokens=True)
    # The attachment of a volume is looked up, but never sent again, because nova may process the first request half an
    # hour later.  So it is refused only with 429, which says that the request was not processed.
    attachment = only(service="compute", verb="POST", path="/os-volume_attachments$")
    return Faults(
        AtRandom(refused=rate, retry_after=retry_after, statuses={429}, lost=rate * LOST, only=attachment),
        AtRandom(refused=rate, retry_after=retry_after, lost=rate * LOST),  # all other requests
        seed=seed,
        tokens=True,
    )


class Run:
    """One run of all steps with one way of calling, and its counts.

    :param conf: the oslo.config object with ``[timeouts]``
    """

    def __init__(
        self, way: Way, tenancy: Tenancy, faults: Faults, image: bytes, binary: bytes, conf: cfg.ConfigOpts
    ) -> None:
        self.way = way
        self.faults = faults
        self.rows = [Row(step) for step in STEPS]
        self.row = self.rows[0]
        self.retrying = way is not Way.PLAINLY
        configure(conf, sleep=self._sleep, on_retry=self._on_retry)
        self.cluster = Cluster(
            name=tenancy.name,
            tenant=Clients(self._session(v3.Password(**tenancy.auth)), self._options),
            admin=Clients(self._session(v3.Password(**tenancy.admin_auth)), self._options),
            call=self._call,
            swift_connection=self._swift_connection,
            session=self._session,
            image=image,
            binary=binary,
        )

    def steps(self, *, verbose: bool) -> None:
        """Run the steps until one fails, and print a line for each."""
        for row in self.rows:
            self.row = row
            begin, before = time.monotonic(), len(self.faults.injected)
            print(f"  {row.step.client:8}  {row.step.title} ", end="\n" if verbose else "", flush=True)
            try:
                row.step.run(self.cluster)
            except Exception as error:  # whichever client's
                row.error = error
            self._count(before)
            met = f", faults: {statuses(row)}" if row.met else ""
            print(f"{' ' * 11 if verbose else ''}... {row.outcome} after {time.monotonic() - begin:.1f} s{met}")
            if row.error is not None:
                # The notes of the exception are left out, because the table has the same information.
                name = f"{type(row.error).__module__}.{type(row.error).__name__}"
                text = textwrap.shorten(f"{name}: {row.error}", 300)
                print(textwrap.indent(textwrap.fill(text, 94), " " * 6))
                break

    @property
    def done(self) -> str:
        """How many of the steps succeeded."""
        return f"{sum(row.outcome == 'ok' for row in self.rows)} of {len(self.rows)}"

    @property
    def complete(self) -> bool:
        """Whether every step succeeded."""
        return self.rows[-1].outcome == "ok"

    # -- used by the cluster

    def _session(self, auth: v3.Password) -> Session:
        session = Session(auth, session=self.faults.session())
        return attach(session) if self.way is Way.ATTACHED else session

    def _options(self, client: str) -> dict[str, Any]:
        return client_options(client) if self.retrying else {}

    def _swift_connection(self, session: Session) -> Any:
        # swiftclient repeats and sleeps by itself, with or without our options; its waits are divided too.
        options = {"starting_backoff": 1, "max_backoff": 64} | self._options("swift")
        self.swift_wait = float(options["starting_backoff"])
        for name in "starting_backoff", "max_backoff":
            options[name] /= SCALE
        return self.faults.swift_connection(session=session, **options)

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.row.calls += 1
        executed = self.way is Way.EXECUTED
        return execute_with_retries(method, *args, **kwargs) if executed else method(*args, **kwargs)

    # -- counts

    def _on_retry(self, _retry: Retry) -> None:
        self.row.retries += 1

    def _sleep(self, seconds: float) -> None:
        self.row.waited += seconds
        time.sleep(seconds / SCALE)

    def _count(self, before: int) -> None:
        met = self.faults.injected[before:]
        self.row.met = [what(entry) for entry in met]
        # swiftclient does not report its retries, so they are counted by the faults.  It does not repeat a 413.
        own = sum(entry.request.service == "object-store" and entry.status != 413 for entry in met)
        own -= own > 0 and self.row.error is not None  # no retry followed the last fault
        self.row.retries += own
        self.row.waited += own * self.swift_wait if own else 0.0


def what(entry: Entry) -> str:
    """Return a name for a fault: the status of a refusal, such as ``503``, or ``lost`` for a lost answer."""
    fault = entry.fault
    assert fault is not None
    return "lost" if fault.processed else str(entry.status)


def statuses(row: Row) -> str:
    """Return the faults of a step with their numbers: ``503, lost x2``."""
    return ", ".join(f"{status} x{n}" if n > 1 else status for status, n in Counter(row.met).most_common())


# -- what is shown ---------------------------------------------------------------------------------------------------

FORMAT = "{:31} {:8}  {:7}  {:>5} {:>8} {:>7}  {:7} {}"
WIDTH = 100


def table(plain: Run, retried: Run) -> Iterator[str]:
    """Yield the table of a run with retries, beside the plain run if both had the same faults."""
    beside = retried.way is Way.ATTACHED
    yield f"{'':42}{'PLAINLY' if beside else '':7}  WITH {retried.way.value}"
    yield FORMAT.format("STEP", "CLIENT", "", "CALLS", "RETRIES", "WAITED", "OUTCOME", "FAULTS MET")
    yield "-" * WIDTH
    for before, row in zip(plain.rows, retried.rows, strict=True):
        counts = row.calls or "-", row.retries or "-", f"{row.waited:.0f} s" if row.waited else "-"
        start = FORMAT.format(
            row.step.title, row.step.client, before.outcome if beside else "", *counts, row.outcome, ""
        )
        yield (start + textwrap.shorten(statuses(row), WIDTH - len(start), placeholder=" ...")).rstrip()
    yield "-" * WIDTH
    calls, retries = (sum(getattr(row, name) for row in retried.rows) for name in ("calls", "retries"))
    waited, met = sum(row.waited for row in retried.rows), sum(len(row.met) for row in retried.rows)
    yield FORMAT.format(
        "steps done, and sums",
        "",
        plain.done if beside else "",
        calls,
        retries,
        f"{waited:.0f} s",
        retried.done,
        f"{met} faults",
    )


def say(text: str = "") -> None:
    """Print a paragraph."""
    print(textwrap.fill(text, WIDTH), flush=True)


def explain(plain: Run, runs: list[Run], rate: float) -> None:
    """Print explanations of the tables."""
    if not plain.faults.injected:
        say("The plain run had no fault by chance, so there is nothing to compare: use another --seed.")
    elif plain.complete:
        say("The plain run succeeded by chance: all its faults were in requests that swiftclient repeats by itself.")
    attached = runs[0]
    if attached.complete and rate:
        # The requests without a fault are those that a run without faults would send, and a few look-ups.
        requests = sum(entry.fault is None for entry in attached.faults.record)
        odds = f"one run in {(1 - rate * (1 + LOST)) ** -requests:,.0f}"
        say(
            f"Provisioning takes about {requests} requests. With faults in {rate * (1 + LOST):.0%} of them, only "
            f"{odds} has no fault."
        )
    say(
        "A number is the status of a refusal: the service did not see the request. 'lost' is an answer that was lost "
        "after the service had processed the request. An attached session looks up each create whose answer was lost, "
        "and sends it again only if it did not take effect. execute_with_retries repeats every method, as the "
        "specification says, so no answers were lost in its run."
    )
    say(
        "The attachment of a volume is refused only with 429: it is looked up, but never sent again, because nova may "
        "process the first request half an hour later."
    )
    say(
        f"WAITED is the wait according to the policy; the demo slept a {SCALE}th of it. RETRIES of swift are those of "
        "swiftclient, which repeats by itself. With execute_with_retries glance does not answer 408, 429 or 504, "
        "because glanceclient's exceptions do not tell these statuses apart."
    )


def demo(args: argparse.Namespace) -> int:
    """Make all runs and print the tables; return the exit status."""
    conf = configuration(args.config_file)
    admin = administrator()
    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    dice = random.Random(seed)
    contents = dice.randbytes(1 << 20), dice.randbytes(1 << 18)
    say(f"seed {seed}: {args.rate:.0%} of the requests are refused, and {args.rate * LOST:.1%} of the answers are lost")

    runs: dict[Way, Run] = {}
    wrong: list[str] = []
    for way, title in TITLES.items():
        print(f"\n{title}:")
        with removed_afterwards(admin) as tenancy:
            run = runs[way] = Run(way, tenancy, faults_of(seed, args.rate, way), *contents, conf)
            run.steps(verbose=args.verbose)
            if run.complete and run.retrying:
                wrong += [f"{way.value}: {each}" for each in tenancy.differences(run.cluster)]

    plain = runs.pop(Way.PLAINLY)
    for run in runs.values():
        print("\n" + "\n".join(table(plain, run)))
    print()
    explain(plain, list(runs.values()), args.rate)
    print()
    complete = all(run.complete for run in runs.values())
    if complete and not wrong:
        say(
            "After each run with retries the cloud was checked without faults: it had exactly one of each resource, "
            "and the image and the job's binary had the data that were sent. Everything has been removed again."
        )
    for each in wrong:
        say(f"WRONG: {each}")
    if not complete:
        say(
            "A run with retries failed too. Its last step shows the error; --verbose shows each attempt. A run fails "
            f"if one request is refused {conf.timeouts.retries_number + 1} times in a row."
        )
    print(f"""
What to try next:
  make demo ARGS="--seed {seed} --verbose"     the same faults, with the log of each retry
  OS_TIMEOUTS__RETRIES_NUMBER=0 make demo ARGS="--seed {seed}"     the same faults, without retries by [timeouts]
  less examples/cluster.py                   the code that makes the calls
  eval "$(sandbox/cloud env)"                become a user of the sandbox, which is still running
  .venv/bin/os-retries run -- openstack server list     retries for any program, without a change of its code
  sandbox/cloud down                         stop the sandbox""")
    return 0 if complete and not wrong else 1


# -- what it needs ---------------------------------------------------------------------------------------------------


class removed_afterwards:  # noqa: N801 - reads as one phrase
    """A context manager around a Tenancy that reports its removal."""

    def __init__(self, admin: dict[str, str]) -> None:
        self.tenancy = Tenancy(admin)

    def __enter__(self) -> Tenancy:
        return self.tenancy.__enter__()

    def __exit__(self, *error: object) -> None:
        begin = time.monotonic()
        print("\n" * (error[0] is not None) + "  (removing everything ", end="", flush=True)
        for again in True, False:
            try:
                self.tenancy.__exit__(*error)
                break
            except BaseException as problem:  # the first Ctrl-C too, so that nothing is left behind
                if again:
                    print(f"... {type(problem).__name__}, trying once more ", end="", flush=True)
                    continue
                print(f"\n  the project {self.tenancy.name} could not be removed ({type(problem).__name__}).")
                print("  To get a fresh cloud in seconds: sandbox/cloud reset")
                raise
        print(f"... {time.monotonic() - begin:.1f} s)")


def configuration(file: Path | None) -> cfg.ConfigOpts:
    """Read ``[timeouts]`` from ``file``, and from the environment (OS_TIMEOUTS__...)."""
    conf = cfg.ConfigOpts()
    try:
        conf(["--config-file", str(file)] if file else [], project="os-retries-demo", default_config_files=[])
        configure(conf)
    except (cfg.Error, ValueError, TypeError) as error:
        raise Mistake(f"[timeouts] cannot be used: {error}") from error
    return conf


def administrator() -> dict[str, str]:
    """Return the administrator's credentials on the sandbox: arguments of keystoneauth's ``v3.Password``."""
    status = subprocess.run([CLOUD, "status"], check=False, capture_output=True, text=True)
    if status.returncode:
        details = (status.stderr or status.stdout).strip()
        raise Mistake(f"the sandbox is not up; start it with: sandbox/cloud up\n{textwrap.indent(details, '  ')}")
    files = [str(CLOUD.parent / ".state/clouds.yaml")]
    known = openstack.config.OpenStackConfig(config_files=files, secure_files=[], vendor_files=[], load_envvars=False)
    return dict(known.get_one("admin").config["auth"])


def arguments() -> argparse.Namespace:
    """Read the command line."""

    def a_seed(text: str) -> int:
        if not text.isdecimal():
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
        return int(text)

    def a_rate(text: str) -> float:
        try:
            rate = float(text)
        except ValueError:
            rate = -1
        if not 0 <= rate <= 0.5:
            raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 0.5")
        return rate

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=a_seed, metavar="N", help="seed of the faults (default: at random)")
    parser.add_argument("--rate", type=a_rate, default=RATE, metavar="R", help=f"share of faults (default: {RATE})")
    parser.add_argument("--config-file", type=Path, metavar="FILE", help="an oslo.config file with a group [timeouts]")
    parser.add_argument("--verbose", action="store_true", help="show the log of os_retries and of the clients")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo; return the exit status."""
    args = arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"  # the sandbox is never behind a proxy
    warnings.filterwarnings("ignore", module="(cinder|glance|heat|keystone|neutron|nova|swift)client")  # not ours
    log: logging.Handler = logging.StreamHandler(sys.stdout) if args.verbose else logging.NullHandler()
    logging.basicConfig(handlers=[log], format=f"{' ' * 11}%(message)s")
    logging.getLogger("neutronclient").setLevel(logging.ERROR)  # it warns four times that it is deprecated
    try:
        return demo(args)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    except ClientException as error:  # from the clients without faults
        print(f"error: the sandbox failed, not by our faults: {error}\n  see: sandbox/cloud status", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        for number in signal.SIGINT, signal.SIGTERM:  # the program ends now, and must not be interrupted again
            signal.signal(number, signal.SIG_IGN)
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
