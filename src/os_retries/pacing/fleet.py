"""The pacer that several processes share through Redis: the same as :class:`os_retries.pacing.local.LocalPacer`.

Each decision is one run of ``fleet.lua``, atomic and by Redis's own clock.  Only failing calls talk to Redis.
Successes are counted here, and reported with the next failure, with the next question, or when a call that had failed
ends.

Nothing depends on Redis.  Each endpoint has a local pacer too, which hears of all outcomes.  When Redis does not answer
within ``TIMEOUT``, is away, full or misconfigured, the local pacer decides, and one call at a time tries Redis again
after ever longer intervals.  Redis may be flushed or restarted at any time: what it knows is seconds old, and comes
again with the next questions.  What could not be reported is not reported later, because it would be out of date.

redis-py is imported when there is a ``pacing_url``, and not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from os_retries import forks
from os_retries.pacing import local
from os_retries.pacing.local import LocalPacer

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 0.08  # seconds without a byte from Redis: the local pacer decides
AGAIN = 1.0, 30.0  # seconds until Redis is tried again: at first, and at most
GRACE = 5.0  # seconds by which a waiting call may be late with its next question before it loses its place
FORGET = 120  # seconds without a report after which Redis forgets an endpoint
PREFIX = "os-retries"
#: Successes reported at once, at most, while the endpoint is at rest.  All would be too many: they may be hours old,
#: and at the start of an outage each process would bring its own.
SUCCESSES = 4
WATCH = 60.0  # seconds after a failure in which a process counts its successes

log = logging.getLogger("os_retries.fleet")


def _script() -> str:
    constants: dict[str, float] = {
        name: getattr(local, name)
        for name in (
            *("MARGIN", "MEMORY", "FADING", "START", "LOWEST", "BURST", "CUT", "FAST", "SLOW", "DRAINING", "GROWING"),
            *("LONGEST_BACK", "MANY", "JUMP", "STEP"),
        )
    }
    constants |= dict(zip(("NAP_LEAST", "NAP_FEW", "NAP_MANY"), local.NAP, strict=True))
    constants |= {"GRACE": GRACE, "FORGET": FORGET}
    names, values = ", ".join(constants), ", ".join(map(repr, constants.values()))
    return f"local {names} = {values}\n" + files("os_retries.pacing").joinpath("fleet.lua").read_text("utf-8")


SCRIPT = _script()
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # by which Redis knows a script


def keys(endpoint: str) -> list[str]:
    """Return the names in Redis of what is known of an endpoint.

    The names contain the hash of the script, because releases that decide in different ways must not share their
    numbers. The braces put all three keys on the same node of a cluster.
    """
    tag = quote(endpoint, safe="/:.,@+")  # a brace in it would be another tag
    return [f"{PREFIX}:{SHA[:8]}:{{{tag}}}:{name}" for name in ("numbers", "queue", "alive")]


def check(url: str) -> None:
    """Check whether a ``pacing_url`` can be used here, without using it.

    :raises ImportError: if redis-py is not installed
    :raises ValueError: for a text that is not the URL of a Redis
    """
    _connect(url)


def pacer_for(url: str, endpoint: str, now: float) -> FleetPacer:
    """Return the shared pacer of an endpoint.

    Where ``url`` cannot be used, a warning says so once, and each process paces its own calls.
    """
    with _fleets_lock:
        fleet = _fleets.get(url)
        if fleet is None:
            fleet = _fleets[url] = Fleet(url)
    return FleetPacer(fleet, endpoint, now)


def _connect(url: str) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ImportError("pacing_url needs redis-py: pip install 'os-retries[fleet]'") from None
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # redis-py's own would wait for seconds
            protocol=2,  # with 3 it would ask for more than we need first
        )
    except Exception:  # not the cause: it may quote a part of the password
        raise ValueError(
            f"pacing_url: {_without_secrets(url)} is not the URL of a Redis, such as redis://host:6379/0, "
            "rediss://host or unix:///path"
        ) from None


def _without_secrets(url: str) -> str:
    """Return where a Redis is, without the user and the password."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}:{parts.port or ''}".rstrip(":")
    except ValueError:
        return "its value"
    # In a text that is not a URL any part may be the password.
    misplaced = "@" in parts.path + parts.query + parts.fragment
    if misplaced or not parts.scheme or (not parts.hostname and parts.scheme != "unix"):
        return "its value"
    return f"{parts.scheme}://{host}{parts.path}"


def _read(nap: Any, trouble: Any) -> tuple[float, bool]:
    """Read the script's answer.

    :raises Exception: for an answer that the script cannot have given
    """
    seconds = float(nap)
    if not 0.0 <= seconds <= FORGET:  # "nan" is not either
        raise ValueError("not an answer of the script")
    return seconds, bool(int(trouble))


def _described(error: Exception) -> str:
    """Describe an error without what it may quote: a Redis that knows no AUTH repeats the password in its answer."""
    name = type(error).__name__
    code = re.match(r"[A-Z]+(?= )", str(error))  # such as OOM, READONLY, NOPERM
    if isinstance(error, OSError) or name in ("ConnectionError", "TimeoutError"):
        return f"{name}: {error}"
    return f"{name}: {code[0]}" if code else name


class Fleet:
    """The connection of this process to one Redis: used by one call at a time, and not while Redis is away."""

    def __init__(self, url: str) -> None:
        self.place = _without_secrets(url)
        self._url = url
        self._client: Any = None
        self._away = False
        self._again = self._back = float("-inf")  # when to try again; since when Redis is back
        self._interval = AGAIN[0]
        self.renew()
        try:
            self._client = _connect(url)
        except Exception as error:  # a call is failing now: that it is repeated is what matters
            log.warning("%s; until then each process paces its own retries", error)
            self._again = float("inf")

    def renew(self) -> None:
        """Begin anew in a child process: a thread of the parent may hold the lock, and the socket is the parent's."""
        self.name = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._client = None

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        client, self._client = self._client, None
        with contextlib.suppress(Exception):
            client.close()

    def decide(self, now: float, keys: Sequence[str], arguments: Sequence[str | float]) -> tuple[float, bool] | None:
        """Run the script, and return the seconds until the next question, and whether there is trouble.

        :returns: None without Redis
        """
        if now < self._again:
            return None
        # While Redis is away, one call at a time finds out whether it is back, and no other call waits for that.
        if not self._lock.acquire(timeout=0 if self._away else TIMEOUT):
            return None
        try:
            if now < self._again:  # another call has just found out
                return None
            try:
                nap, trouble = self._evaluate(keys, arguments)
                answer = _read(nap, trouble)
            except Exception as error:  # never an error for the caller, whatever it is
                self._lost(now, error)
                return None
            if self._away:
                self._away, self._back = False, now
                log.info("pacing: Redis at %s answers again; the retries of the fleet are one queue", self.place)
            return answer
        finally:
            self._lock.release()

    def _evaluate(self, keys: Sequence[str], arguments: Sequence[str | float]) -> Any:
        if self._client is None:
            self._client = _connect(self._url)
        try:
            return self._client.evalsha(SHA, len(keys), *keys, *arguments)
        except Exception as error:
            if type(error).__name__ != "NoScriptError":  # new, flushed or restarted: send the script itself
                raise
        return self._client.eval(SCRIPT, len(keys), *keys, *arguments)

    def _lost(self, now: float, error: Exception) -> None:
        steady = not self._away and now - self._back > AGAIN[1]
        self._interval = AGAIN[0] if steady else min(2 * self._interval, AGAIN[1])
        self._again = now + self._interval
        self.close()  # the next connection looks the name up again
        if not self._away:
            self._away = True
            log.warning(
                "pacing: Redis at %s is unavailable (%s); until it is back, each process paces its own retries",
                self.place,
                _described(error),
            )


class FleetPacer:
    """The pacer of one endpoint, for all processes that use the same Redis.  May be used by several threads."""

    def __init__(self, fleet: Fleet, endpoint: str, now: float) -> None:
        self.local = LocalPacer(now)
        self._fleet = fleet
        self._keys = keys(endpoint)
        self._lock = forks.Lock()
        self._now = now
        self._failed_at: float | None = None
        self._succeeded = 0  # not reported yet
        self._trouble = False  # according to the last answer of Redis
        self._told = now

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes; successes alone are not reported to Redis yet."""
        with self._lock:
            self._now = now
            self.local.note(now, succeeded, failed, back)
            self._succeeded += succeeded
            if not failed:
                return
            last, self._failed_at = self._failed_at, now
            # Successes were not counted since then.  What was all right is taken to be so still, and of a new endpoint
            # nothing is known.
            if last is None or now - last > WATCH:
                self._succeeded = max(self._succeeded, SUCCESSES if self._succeeded else 1)
        self._tell(now, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""
        nap = self._tell(now, what="ask", who=who, age=age)
        with self._lock:
            if nap is None:
                return self.local.ask(now, who, age)
            self.local.stop_waiting(now, who)  # the call may have waited there while Redis was away
            return nap

    def stop_waiting(self, now: float, who: int) -> None:
        """Take note that a call waits no longer."""
        with self._lock:
            self.local.stop_waiting(now, who)
        self._tell(now, what="leave", who=who)

    def call_failed(self) -> None:
        """Take note of a call that has failed for the first time."""
        with self._lock:
            self.local.call_failed()

    def call_ended(self) -> None:
        """Take note that such a call has ended; if it succeeded in the end, the fleet must know."""
        with self._lock:
            self.local.call_ended()
            untold = self._succeeded
        if untold:
            self._tell(self._now)

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be forgotten."""
        return self.local.idle(now) and (self._failed_at is None or now - self._failed_at > WATCH)

    def _aware(self, now: float) -> bool:
        """Return whether we know of trouble, and so have reported all successes in it."""
        return self._trouble and now - self._told < local.NAP[2] + GRACE  # a waiting call asks at least this often

    def _tell(
        self, now: float, failed: int = 0, back: float = 0.0, *, what: str = "", who: int = 0, age: float = 0.0
    ) -> float | None:
        with self._lock:
            aware = self._aware(now)
            succeeded, self._succeeded = self._succeeded if aware else min(self._succeeded, SUCCESSES), 0
        outcomes = succeeded, failed, repr(back), int(not aware)
        answer = self._fleet.decide(now, self._keys, (*outcomes, what, f"{self._fleet.name}:{who}", repr(age)))
        if answer is None:
            return None
        with self._lock:
            self._trouble, self._told = answer[1], now
        return answer[0]


_fleets: dict[str, Fleet] = {}  # by URL: as many as there are in the configuration
_fleets_lock = forks.Lock()


@forks.in_child
def _renew_all() -> None:
    for fleet in _fleets.values():
        fleet.renew()
