"""The pacer that a fleet shares through Redis: the same as :class:`os_retries.pacing.LocalPacer`, for all processes.

Every decision is one run of ``fleet.lua``, atomic and by Redis's own clock.  Only failing calls talk to Redis: what
succeeds is counted here, and told with the next failure, question, or end of a call that had failed.

Nothing depends on Redis.  Each endpoint has a local pacer too, which hears of all outcomes; when Redis does not answer
within ``TIMEOUT``, is away, full or misconfigured, the local one decides, and Redis is tried again after ever longer
intervals, by one call at a time.  It may be flushed or restarted at any time: what it knows is seconds old, and comes
again with the next questions.  What could not be told is not told later, for it would be old.

redis-py is imported when there is a ``pacing_url``, and not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from os_retries import pacing
from os_retries.pacing import LocalPacer

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 0.08  # seconds without a byte from Redis: the local pacer decides
AGAIN = 1.0, 30.0  # seconds until Redis is tried again: at first, and at most
GRACE = 5.0  # seconds that a waiting call may be late with its next question, before its place in the queue is lost
FORGET = 120  # seconds after which Redis forgets an endpoint that nobody talks about
PREFIX = "os-retries"
#: Successes told at once, at most, while the endpoint is at rest.  All would be too many: they may be hours old, and at
#: the start of an outage each process would bring its own.
SUCCESSES = 4
WATCH = 60.0  # seconds after a failure in which a process counts its successes

log = logging.getLogger("os_retries.fleet")


def _script() -> str:
    constants: dict[str, float] = {
        name: getattr(pacing, name)
        for name in (
            *("MARGIN", "MEMORY", "FADING", "START", "LOWEST", "BURST", "CUT", "FAST", "SLOW", "DRAINING", "GROWING"),
            *("LONGEST_BACK", "MANY", "JUMP", "STEP"),
        )
    }
    constants |= dict(zip(("NAP_LEAST", "NAP_FEW", "NAP_MANY"), pacing.NAP, strict=True))
    constants |= {"GRACE": GRACE, "FORGET": FORGET}
    names, values = ", ".join(constants), ", ".join(map(repr, constants.values()))
    return f"local {names} = {values}\n" + files("os_retries").joinpath("fleet.lua").read_text("utf-8")


SCRIPT = _script()
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # by which Redis knows a script


def keys(endpoint: str) -> list[str]:
    """Return the names in Redis of what is known of an endpoint.

    They have the script's name in them, for releases that decide in different ways must not share their numbers; and
    the braces put all three on the same node of a cluster.
    """
    tag = quote(endpoint, safe="/:.,@+")  # a brace in it would be another tag
    return [f"{PREFIX}:{SHA[:8]}:{{{tag}}}:{name}" for name in ("numbers", "queue", "alive")]


def check(url: str) -> None:
    """Find out whether a ``pacing_url`` can be used here, without using it.

    :raises ImportError: if redis-py is not installed
    :raises ValueError: for what is no URL of a Redis
    """
    _connect(url)


def pacer_for(url: str, endpoint: str, now: float) -> FleetPacer:
    """Return the shared pacer of an endpoint; where ``url`` cannot be used, say so once, and it is a local one."""
    with _fleets_lock:
        fleet = _fleets.get(url)
        if fleet is None:
            fleet = _fleets[url] = Fleet(url)
    return FleetPacer(fleet, endpoint, now)


def _connect(url: str) -> Any:
    try:
        import redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        raise ImportError("pacing_url needs redis-py: pip install 'os-retries[fleet]'") from None
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # redis-py's own would wait for seconds
            protocol=2,  # with 3 it would begin by asking for more than we need
        )
    except Exception:  # not the cause: it may quote a part of the password
        raise ValueError(
            f"pacing_url: {_without_secrets(url)} is no URL of a Redis: redis://host:6379/0, rediss://, unix:///path"
        ) from None


def _without_secrets(url: str) -> str:
    """Say where a Redis is, without who we are there."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}:{parts.port or ''}".rstrip(":")
    except ValueError:
        return "what it says"
    # Of a URL that is none any part may be the password.
    misplaced = "@" in parts.path + parts.query + parts.fragment
    if misplaced or not parts.scheme or (not parts.hostname and parts.scheme != "unix"):
        return "what it says"
    return f"{parts.scheme}://{host}{parts.path}"


class Fleet:
    """The way of this process to one Redis: one connection, one call at a time, and whether it is worth trying."""

    def __init__(self, url: str) -> None:
        self.place = _without_secrets(url)
        self._url = url
        self._client: Any = None
        self._away = False
        self._again = self._back = float("-inf")  # when to try again; since when it is back
        self._interval = AGAIN[0]
        self.renew()
        try:
            self._client = _connect(url)
        except Exception as error:  # a call is failing now: that it is repeated is what matters
            log.warning("%s; until then each process paces its retries alone", error)
            self._again = float("inf")

    def renew(self) -> None:
        """Begin anew in a child process: the lock may be held by a thread that is not here, the socket is another's."""
        self.name = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._client = None

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        client, self._client = self._client, None
        with contextlib.suppress(Exception):
            client.close()

    def run(self, now: float, keys: Sequence[str], arguments: Sequence[str | float]) -> tuple[float, bool] | None:
        """Run the script: the seconds until the next question, and whether there is trouble; None without Redis."""
        if now < self._again:
            return None
        # Away, one call at a time may find out whether it is back, and no other waits for what it finds.
        if not self._lock.acquire(timeout=0 if self._away else TIMEOUT):
            return None
        try:
            if now < self._again:  # another call has just found out
                return None
            try:
                nap, trouble = self._evaluate(keys, arguments)
                answer = float(nap), bool(int(trouble))
            except Exception as error:  # never an error for the caller, whatever it is
                self._lost(now, error)
                return None
            if self._away:
                self._away, self._back = False, now
                log.info("pacing: Redis at %s answers again, and the retries of the fleet are one queue", self.place)
            return answer
        finally:
            self._lock.release()

    def _evaluate(self, keys: Sequence[str], arguments: Sequence[str | float]) -> Any:
        if self._client is None:
            self._client = _connect(self._url)
        try:
            return self._client.evalsha(SHA, len(keys), *keys, *arguments)
        except Exception as error:
            if type(error).__name__ != "NoScriptError":  # new, flushed or restarted: it is told the script
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
                "pacing: Redis at %s does not help (%s: %s); until it does, each process paces its retries alone",
                self.place,
                type(error).__name__,
                error,
            )


class FleetPacer:
    """The pacer of one endpoint, for all processes that use the same Redis.  May be used by several threads."""

    def __init__(self, fleet: Fleet, endpoint: str, now: float) -> None:
        self.local = LocalPacer(now)
        self._fleet = fleet
        self._keys = keys(endpoint)
        self._lock = threading.RLock()  # a signal's handler may call a service, too
        self._now = now
        self._failed_at: float | None = None
        self._succeeded = 0  # not told yet
        self._trouble = False  # as Redis has last said
        self._told = now

    def note(self, now: float, succeeded: int, failed: int, back: float = 0.0) -> None:
        """Take note of outcomes; successes alone are not told to Redis yet."""
        with self._lock:
            self._now = now
            self.local.note(now, succeeded, failed, back)
            self._succeeded += succeeded
            if not failed:
                return
            last, self._failed_at = self._failed_at, now
            # Nobody has counted since then: what was all right goes on being so; of what is new nothing is known.
            if last is None or now - last > WATCH:
                self._succeeded = max(self._succeeded, SUCCESSES if self._succeeded else 1)
        self._tell(now, failed, back)

    def ask(self, now: float, who: int, age: float) -> float:
        """Ask for a slot: 0, or the seconds after which to ask again."""
        nap = self._tell(now, what="ask", who=who, age=age)
        with self._lock:
            if nap is None:
                return self.local.ask(now, who, age)
            self.local.leave(now, who)  # it may have waited there while Redis was away
            return nap

    def leave(self, now: float, who: int) -> None:
        """Stop waiting."""
        with self._lock:
            self.local.leave(now, who)
        self._tell(now, what="leave", who=who)

    def begin(self) -> None:
        """Take note of a call that has failed for the first time."""
        with self._lock:
            self.local.begin()

    def end(self) -> None:
        """Take note that such a call is over: when it has succeeded in the end, the fleet must know."""
        with self._lock:
            self.local.end()
            untold = self._succeeded
        if untold:
            self._tell(self._now)

    def idle(self, now: float) -> bool:
        """Whether nobody would miss this pacer."""
        return self.local.idle(now) and (self._failed_at is None or now - self._failed_at > WATCH)

    def _aware(self, now: float) -> bool:
        """Whether we know of trouble, and so have told all that has succeeded in it."""
        return self._trouble and now - self._told < pacing.NAP[2] + GRACE  # whoever waits asks at least so often

    def _tell(
        self, now: float, failed: int = 0, back: float = 0.0, *, what: str = "", who: int = 0, age: float = 0.0
    ) -> float | None:
        with self._lock:
            aware = self._aware(now)
            succeeded, self._succeeded = self._succeeded if aware else min(self._succeeded, SUCCESSES), 0
        outcomes = succeeded, failed, repr(back), int(not aware)
        answer = self._fleet.run(now, self._keys, (*outcomes, what, f"{self._fleet.name}:{who}", repr(age)))
        if answer is None:
            return None
        with self._lock:
            self._trouble, self._told = answer[1], now
        return answer[0]


_fleets: dict[str, Fleet] = {}  # by URL: as many as there are in the configuration
_fleets_lock = threading.Lock()


def _after_fork() -> None:
    global _fleets_lock  # noqa: PLW0603
    _fleets_lock = threading.Lock()
    for fleet in _fleets.values():
        fleet.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
