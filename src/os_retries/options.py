"""The options: name, type, default, range and help of each, stated once.

``RetryPolicy``, the options of oslo.config, those of ``os-retries run``, and the table in docs/configuration.md are
made of this table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from os_retries.core.statuses import RETRY_CODES

LONGEST = 86_400.0  # seconds: the longest wait that can be configured
LONGEST_GROWN = 3600.0  # seconds: a wait that grows with each retry ends here
_AGES = 1e9  # seconds: more than any sleep or socket takes


class Flag(NamedTuple):
    """An option of ``os-retries run``.

    ``flag``
        The option, such as ``--retries``.
    ``metavar``
        The name of its value in ``--help``; empty for an option without a value.
    ``help``
        The text of ``--help``.
    ``value``
        What an option without a value stands for.
    """

    flag: str
    metavar: str
    help: str
    value: bool | None = None


class Option(NamedTuple):
    """One option.

    ``kind``
        ``int``, ``float``, ``bool`` or ``str``; ``list`` for a list of HTTP statuses.
    ``default``
        The specification's value, or the one that holds where nobody has set another.
    ``low``, ``high``
        The range of a number, inclusive.
    ``optional``
        Whether None is a value too.
    ``interactive``
        The default of ``os-retries run``, where it differs.
    ``secret``
        Whether the value may hold a password.
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
        "Seconds between two attempts, unless the service asks for another wait by its Retry-After.",
        high=LONGEST,
        interactive=1.0,
        flag=Flag(
            "--retry-after",
            "SECONDS",
            "wait before the first retry, unless the service asks for another by its Retry-After",
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
        flag=Flag("--backoff", "FACTOR", "by which the wait grows with each retry, up to an hour"),
    ),
    Option(
        "retry_jitter",
        float,
        0.0,
        "Share of the wait, from 0 to 1, that is drawn at random and added to it.",
        high=1,
        interactive=0.25,
        flag=Flag("--jitter", "SHARE", "of the wait, from 0 to 1, that is drawn at random and added to it"),
    ),
    Option(
        "retry_max_wait",
        float,
        300.0,
        "Seconds that one call may wait beyond its configured waits: because a service asks for longer ones by its "
        "Retry-After, because the service is in trouble and its retries are paced, or because a create is looked up. A "
        "call that a Retry-After would make wait longer fails at once. A paced call fails when the time is over.",
        high=_AGES,
        flag=Flag(
            "--max-wait", "SECONDS", "that one request may wait beyond these waits, because the service asks for it"
        ),
    ),
    Option(
        "attempt_timeout",
        float,
        None,
        "Seconds that a request of an attached session may hear nothing, where its caller set no timeout. Without it, "
        "a service that accepts a request and never answers is waited for without end.",
        low=0.001,
        high=_AGES,
        optional=True,
        interactive=120.0,
        flag=Flag(
            "--timeout", "SECONDS", "for the service to answer, where the program sets no timeout; inf: no limit"
        ),
    ),
    Option(
        "safe_creates",
        bool,
        True,
        "Whether an attached session marks creates (with a tag, a metadata key or the like named os-retries), looks up "
        "what became of a create whose answer was lost, and repeats it when it is surely not there.",
        flag=Flag(
            "--no-safe-creates",
            "",
            "put no marker (os-retries-...) into what is created, and so repeat no create whose answer was lost",
            value=False,
        ),
    ),
    Option(
        "settle_time",
        float,
        15.0,
        "Seconds during which a create that is not found may still appear, after a lost connection, a 500, a 502 or an "
        "answer cut off.",
        high=LONGEST,
    ),
    Option(
        "settle_time_after_timeout",
        float,
        120.0,
        "The same after a 504, a 408 and a request that was not answered in time.",
        high=LONGEST,
    ),
    Option(
        "reap_late_duplicates",
        bool,
        False,
        "Whether a duplicate that appeared later than that is deleted when it is seen, and not only reported.",
    ),
    Option(
        "single_writer",
        bool,
        False,
        "Whether no other client creates resources of the same kind in this project. A create without room for a "
        "marker is then found by being new and equal in all that was asked for. With another writer it could be "
        "another one's.",
        flag=Flag(
            "--single-writer",
            "",
            "no other client creates such resources in this project: find also what has no room for a marker (a "
            "network with a description, a server group), by being new and equal in all that was asked for",
            value=True,
        ),
    ),
    Option(
        "pacing",
        bool,
        True,
        "Whether the retries of all calls to a service in trouble are one queue, sent as fast as the service recovers.",
        flag=Flag(
            "--no-pacing",
            "",
            "retry on each request's own clock, also while a service is down (default: as the service recovers)",
            value=False,
        ),
    ),
    Option(
        "pacing_url",
        str,
        None,
        "URL of the Redis through which several processes share one queue of retries, such as redis://host:6379/0, "
        "rediss://user:password@host or unix:///path; needs os-retries[fleet]. Without it each process has its own "
        "queue.",
        optional=True,
        secret=True,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
