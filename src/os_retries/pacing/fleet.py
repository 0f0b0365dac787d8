"""The pacer that several processes share through Redis.

It follows the same rules as :class:`os_retries.pacing.local.LocalPacer`.  Each decision is one run of ``fleet.lua``,
which is atomic and uses Redis's own clock.  Only failing calls talk to Redis.  Successes are counted here, and reported
with the next failure, with the next question, or when a call that had failed ends.

No call depends on Redis.  Each endpoint has a local pacer too, to which all outcomes are reported.  If Redis does not
answer within ``TIMEOUT``, or is unavailable, full or misconfigured, the local pacer decides, and one call at a time
tries Redis again at growing intervals.  Redis may be flushed or restarted at any time: its data are only seconds old,
and the next questions restore them.  Outcomes that cannot be reported are dropped, because they are soon out of date.

redis-py is imported only if there is a ``pacing_url``.
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

TIMEOUT = 0.08  # seconds without a byte from Redis after which the local pacer decides
AGAIN = 1.0, 30.0  # seconds until Redis is tried again: at first, and at most
GRACE = 5.0  # seconds by which a waiting call may be late with its next question before it loses its place
FORGET = 120  # seconds without a report after which Redis forgets an endpoint
PREFIX = "os-retries"
#: How many successes are reported at once, at most, while the endpoint is not in trouble.  All of them would be too
#: many: they may be old, and at the start of an outage every process would report its own.
SUCCESSES = 4
WATCH = 60.0  # seconds after a failure during which a process counts its successes

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
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # by which Redis identifies a script


def keys(endpoint: str) -> list[str]:
    """Return the keys of an endpoint in Redis: its numbers, its queue, and the signs of life of the waiting calls.

    The keys contain the hash of the script, because releases with different rules must not share their numbers.  The
    braces are a hash tag, which puts all three keys on the same node of a cluster.
    """
    tag = quote(endpoint, safe="/:.,@+")  # a brace in the endpoint would change the hash tag
    return [f"{PREFIX}:{SHA[:8]}:{{{tag}}}:{name}" for name in ("numbers", "queue", "alive")]


def check(url: str) -> None:
    """Check whether a ``pacing_url`` can be used here, without a connection.

    :raises ImportError: if redis-py is not installed
    :raises ValueError: for a string that is not the URL of a Redis
    """
    _connect(url)


def pacer_for(url: str, endpoint: str, now: float) -> FleetPacer:
    """Return the shared pacer of an endpoint.

    If ``url`` cannot be used, one warning is logged, and each process paces its own calls.
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
            retry=Retry(NoBackoff(), 0),  # the default of redis-py would wait for seconds
            protocol=2,  # protocol 3 would need one more request for each connection
        )
    except Exception:  # the cause is dropped, because it may quote a part of the password
        raise ValueError(
            f"pacing_url: {_without_secrets(url)} is not the URL of a Redis, such as redis://host:6379/0, "
            "rediss://host or unix:///path"
        ) from None


def _without_secrets(url: str) -> str:
    """Return the URL of a Redis without the user and the password, or "its value" if it is not a URL."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}:{parts.port or ''}".rstrip(":")
    except ValueError:
        return "its value"
    # If the text is not a URL, any part of it may be the password.
    misplaced = "@" in parts.path + parts.query + parts.fragment
    if misplaced or not parts.scheme or (not parts.hostname and parts.scheme != "unix"):
        return "its value"
    return f"{parts.scheme}://{host}{parts.path}"


def _read(nap: Any, trouble: Any) -> tuple[float, bool]:
    """Return the script's answer as the seconds until the next question, and whether there is trouble.

    :raises Exception: for an answer that the script cannot have given
    """
    seconds = float(nap)
    if not 0.0 <= seconds <= FORGET:  # true for "nan" too
        raise ValueError("not an answer of the script")
    return seconds, bool(int(trouble))


def _described(error: Exception) -> str:
    """Return a description of an error without any quotation.

    A Redis that does not support AUTH quotes the password in its error.
    """
    name = type(error).__name__
    code = re.match(r"[A-Z]+(?= )", str(error))  # such as OOM, READONLY, NOPERM
    if isinstance(error, OSError) or name in ("ConnectionError", "TimeoutError"):
        return f"{name}: {error}"
    return f"{name}: {code[0]}" if code else name


class Fleet:
    """The connection of this process to one Redis.

    One call at a time uses it.  While Redis is unavailable, it is tried only from time to time.
    """

    def __init__(self, url: str) -> None:
        self.place = _without_secrets(url)
        self._url = url
        self._client: Any = None
        self._away = False
        self._again = self._back = float("-inf")  # when to try Redis again; since when it has been available again
        self._interval = AGAIN[0]
        self.renew()
        try:
            self._client = _connect(url)
        except Exception as error:  # a call is failing now, and must be repeated even without Redis
            log.warning("%s; until then each process paces its own retries", error)
            self._again = float("inf")

    def renew(self) -> None:
        """Reset the connection in a child process.

        A thread of the parent may hold the lock, and the socket belongs to the parent.
        """
        self.name = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._client = None

    def close(self) -> None:
        """Close the connection; the next decision opens a new one."""
        client, self._client = self._client, None
        with contextlib.suppress(Exception):
            client.close()

    def decide(self, now: float, keys: Sequence[str], arguments: Sequence[str | float]) -> tuple[float, bool] | None:
        """Run the script; return the seconds until the next question, and whether there is trouble.

        :param now: the time in seconds by this process's monotonic clock
        :param keys: the keys of the endpoint
        :param arguments: the arguments of the script
        :returns: None if Redis is unavailable
        """
        if now < self._again:
            return None
        # While Redis is unavailable, one call at a time tries it again, and the other calls do not wait for that.
        if not self._lock.acquire(timeout=0 if self._away else TIMEOUT):
            return None
        try:
            if now < self._again:  # another call has just tried it in vain
                return None
            try:
                nap, trouble = self._evaluate(keys, arguments)
                answer = _read(nap, trouble)
            except Exception as error:  # no error of Redis may reach the caller
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
            if type(error).__name__ != "NoScriptError":  # a new, flushed or restarted Redis needs the script itself
                raise
        return self._client.eval(SCRIPT, len(keys), *keys, *arguments)

    def _lost(self, now: float, error: Exception) -> None:
        steady = not self._away and now - self._back > AGAIN[1]
        self._interval = AGAIN[0] if steady else min(2 * self._interval, AGAIN[1])
        self._again = now + self._interval
        self.close()  # the next connection resolves the host name again
        if not self._away:
            self._away = True
            log.warning(
                "pacing: Redis at %s is unavailable (%s); until it is back, each process paces its own retries",
                self.place,
                _described(error),
            )


class FleetPacer:
    """The pacer of one endpoint, for all processes that use the same Redis.  Several threads may use it."""

    def __init__(self, fleet: Fleet, endpoint: str, now: float) -> None:
        self.local = LocalPacer(now)
        self._fleet = fleet
        self._keys = keys(endpoint)
        self._lock = forks.Lock()
        self._now = now
        self._failed_at: float | None = None
        self._succeeded = 0  # successes that are not reported yet
        self._trouble = False  # according to the last answer of Redis
        self._told = now

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Record outcomes.  Successes are not reported to Redis until something fails or a call asks for a slot."""
        with self._lock:
            self._now = now
            self.local.note(now, succeeded, failed, back)
            self._succeeded += succeeded
            if not failed:
                return
            last, self._failed_at = self._failed_at, now
            # Successes were not counted during that time.  If there were any before, the endpoint is assumed to have
            # worked until now.  Nothing is known about a new endpoint.
            if last is None or now - last > WATCH:
                self._succeeded = max(self._succeeded, SUCCESSES if self._succeeded else 1)
        self._tell(now, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: return 0 if there is one, or the seconds after which to ask again."""
        nap = self._tell(now, what="ask", who=who, age=age)
        with self._lock:
            if nap is None:
                return self.local.ask(now, who, age)
            self.local.stop_waiting(now, who)  # the call may have waited there while Redis was unavailable
            return nap

    def stop_waiting(self, now: float, who: int) -> None:
        """Record that a call no longer waits."""
        with self._lock:
            self.local.stop_waiting(now, who)
        self._tell(now, what="leave", who=who)

    def call_failed(self) -> None:
        """Record that a call has failed for the first time."""
        with self._lock:
            self.local.call_failed()

    def call_ended(self) -> None:
        """Record that a call that had failed has ended, and report successes that Redis does not know yet."""
        with self._lock:
            self.local.call_ended()
            untold = self._succeeded
        if untold:
            self._tell(self._now)

    def idle(self, now: float) -> bool:
        """Return whether the pacer can be discarded."""
        return self.local.idle(now) and (self._failed_at is None or now - self._failed_at > WATCH)

    def _aware(self, now: float) -> bool:
        """Return whether this process knows of the trouble, and so has reported all its successes since it began."""
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


_fleets: dict[str, Fleet] = {}  # by URL: one for each pacing_url in the configuration
_fleets_lock = forks.Lock()


@forks.in_child
def _renew_all() -> None:
    for fleet in _fleets.values():
        fleet.renew()
