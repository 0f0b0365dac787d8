"""The tables of options: the name, type, default, range and help text of each.

``RetryPolicy``, the options of oslo.config and the options of ``os-retries run`` are made from ``OPTIONS``.
``PROCESS_OPTIONS`` are no part of a policy, and hold for the whole process.  A test compares docs/configuration.md with
both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from os_retries.core.statuses import RETRY_CODES

LONGEST = 86_400.0  # seconds: the longest wait that can be configured
LONGEST_GROWN = 3600.0  # seconds: a wait that grows with each retry does not grow beyond this
_AGES = 1e9  # seconds: practically no limit


class Flag(NamedTuple):
    """An option of ``os-retries run``.

    ``flag``
        The option, such as ``--retries``.
    ``metavar``
        The name of its value in ``--help``; empty for an option without a value.
    ``help``
        The text of ``--help``.
    ``value``
        The value that an option without a value sets.
    """

    flag: str
    metavar: str
    help: str
    value: bool | None = None


class Option(NamedTuple):
    """One option.

    ``kind``
        ``int``, ``float``, ``bool`` or ``str``; ``list`` for a list of HTTP statuses, or of words.
    ``default``
        The value that applies if no other is set: the specification's, if it has one.
    ``low``, ``high``
        The range of a number, inclusive.
    ``optional``
        Whether None is allowed.
    ``interactive``
        The default of ``os-retries run``, if it differs.
    ``secret``
        Whether the value may hold a password.
    ``words``
        Whether a list is one of words.
    """

    name: str
    kind: type
    default: Any
    help: str
    low: float = 0
    high: float = 0
    optional: bool = False
    interactive: Any = None
    secret: bool = False
    flag: Flag | None = None
    words: bool = False


OPTIONS = (
    Option(
        "retries_number",
        int,
        5,
        "Number of times to repeat a failed call before giving up; the first attempt is not counted.",
        high=10_000,
        flag=Flag("--retries", "N", "retries after the first attempt"),
    ),
    Option(
        "retry_after",
        float,
        10.0,
        "Seconds between two attempts, unless the service sends a Retry-After.",
        high=LONGEST,
        interactive=1.0,
        flag=Flag(
            "--retry-after",
            "SECONDS",
            "wait before the first retry, unless the service sends a Retry-After",
        ),
    ),
    Option(
        "retry_codes",
        list,
        RETRY_CODES,
        "HTTP statuses after which a call is repeated.",
        low=400,
        high=599,
    ),
    Option(
        "retry_backoff",
        float,
        1.0,
        "Factor by which the wait grows with each retry; 1.0 keeps it constant.",
        low=1,
        high=100,
        interactive=2.0,
        flag=Flag("--backoff", "FACTOR", "factor by which the wait grows with each retry, up to an hour"),
    ),
    Option(
        "retry_jitter",
        float,
        0.0,
        "Share of the wait, from 0 to 1, that is drawn at random and added to it.",
        high=1,
        interactive=0.25,
        flag=Flag("--jitter", "SHARE", "share of the wait, from 0 to 1, that is drawn at random and added to it"),
    ),
    Option(
        "retry_max_wait",
        float,
        300.0,
        "Seconds that one call may wait beyond its configured waits: because the service sends a longer Retry-After, "
        "because it is in trouble and its retries are paced, or because a create is looked up. If a Retry-After would "
        "exceed this allowance, the call fails at once. A paced call fails when the allowance is used up.",
        high=_AGES,
        flag=Flag(
            "--max-wait",
            "SECONDS",
            "maximum extra wait of one request, if the service asks for a longer wait or is in trouble",
        ),
    ),
    Option(
        "attempt_timeout",
        float,
        None,
        "Timeout in seconds for each request of an attached session whose caller set none. Without a timeout, a "
        "request waits forever if the service accepts it and never answers.",
        low=0.001,
        high=_AGES,
        optional=True,
        interactive=120.0,
        flag=Flag(
            "--timeout", "SECONDS", "time for the service to answer, if the program sets no timeout; inf: no limit"
        ),
    ),
    Option(
        "safe_creates",
        bool,
        True,
        "Whether an attached session marks each create (with a tag, a metadata key or the like named os-retries), "
        "looks it up if its answer is lost, and repeats it if it certainly did not take effect.",
        flag=Flag(
            "--no-safe-creates",
            "",
            "do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost",
            value=False,
        ),
    ),
    Option(
        "settle_time",
        float,
        15.0,
        "Seconds during which a create that is not found may still appear after a lost connection, a 500, a 502 or an "
        "incomplete answer.",
        high=LONGEST,
    ),
    Option(
        "settle_time_after_timeout",
        float,
        120.0,
        "The same after a 504, a 408 or a timeout.",
        high=LONGEST,
    ),
    Option(
        "reap_late_duplicates",
        bool,
        False,
        "Whether a duplicate that appears after the settle time is deleted, and not only reported.",
    ),
    Option(
        "single_writer",
        bool,
        False,
        "Whether no other client creates resources of the same kind in this project. If so, a create without room for "
        "a marker is recognized because it is new and matches the request. If there is another client, that resource "
        "could be the other client's.",
        flag=Flag(
            "--single-writer",
            "",
            "state that no other client creates such resources in this project, so that a create without room for a "
            "marker (a network with a long description, EC2 credentials) is found as the new resource that matches the "
            "request",
            value=True,
        ),
    ),
    Option(
        "pacing",
        bool,
        True,
        "Whether the retries of all calls to a service in trouble form one queue, paced as the service recovers.",
        flag=Flag(
            "--no-pacing",
            "",
            "retry each request on its own schedule, even while the service is in trouble (default: at the rate that "
            "the service can take)",
            value=False,
        ),
    ),
    Option(
        "pacing_url",
        str,
        None,
        'Who shares one queue of retries: "host" for all processes of this user on this machine, the URL of a Redis '
        "for all processes that use it (redis://host:6379/0, rediss://user:password@host or unix:///path; needs "
        'os-retries[fleet]), or "process" for each process alone, which is the default.',
        optional=True,
        interactive="host",
        secret=True,
    ),
)
PROCESS_OPTIONS = (
    Option(
        "observe",
        list,
        (),
        "Where the events of calls that fail go: logging, structlog, prometheus, opentelemetry, or several. Each "
        "but logging needs the extra of its name, such as os-retries[prometheus].",
        words=True,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
