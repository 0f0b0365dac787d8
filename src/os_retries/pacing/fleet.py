"""The pacer that several processes share through Redis: see :mod:`os_retries.pacing.shared`.

Each decision is one run of ``fleet.lua``, which is atomic and uses Redis's own clock.  If Redis does not answer within
``TIMEOUT``, or is unavailable, full or misconfigured, the local pacer decides.  Redis may be flushed or restarted at
any time: its data are only seconds old, and the next questions restore them.

redis-py is imported only if there is a ``pacing_url`` that names a Redis.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from os_retries import forks
from os_retries.pacing import local
from os_retries.pacing.shared import GRACE, SharedPacer, Store, log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from os_retries.pacing.shared import Step

TIMEOUT = 0.08  # seconds without a byte from Redis after which the local pacer decides
WHOLE = 3  # so many times the timeout may a decision wait for all its answers; most of a new connection's are short
FORGET = 120  # seconds without a report after which Redis forgets an endpoint
PREFIX = "os-retries"


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
    :raises ValueError: for a string that is neither host nor the URL of a Redis
    """
    _connect(url)


def pacer_for(url: str, endpoint: str, now: float) -> SharedPacer:
    """Return the shared pacer of an endpoint.

    If ``url`` cannot be used, one warning is logged, and each process paces its own calls.
    """
    with _fleets_lock:
        fleet = _fleets.get(url)
        if fleet is None:
            fleet = _fleets[url] = Fleet(url)
    return SharedPacer(fleet, endpoint, now)


class _Socket:
    """A socket to Redis whose answers must be complete after ``WHOLE`` times its timeout.

    The timeout of a socket limits only the time between two bytes.  A Redis that sends a byte now and then would hold a
    failing call forever.

    :param began: returns the instant at which the present decision began, by ``time.monotonic``
    """

    def __init__(self, sock: Any, began: Callable[[], float]) -> None:
        self._sock = sock
        self._began = began

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, *arguments: Any) -> Any:
        """Receive what has arrived, as the socket does."""
        return self._in_time(self._sock.recv, arguments)

    def recv_into(self, *arguments: Any) -> Any:
        """Receive what has arrived into a buffer, as the socket does (hiredis)."""
        return self._in_time(self._sock.recv_into, arguments)

    def _in_time(self, receive: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        timeout = self._sock.gettimeout()
        if not timeout:  # it does not wait, or the URL has switched the timeout off
            return receive(*arguments)
        left = self._began() + WHOLE * timeout - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not complete")
        self._sock.settimeout(min(left, timeout))
        try:
            return receive(*arguments)
        finally:
            self._sock.settimeout(timeout)


def _in_time(kind: type[Any], began: Callable[[], float]) -> type[Any]:
    """Return a class of connections as ``kind``, whose answers must be complete in time."""

    class InTime(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            return _Socket(super()._connect(), began)

    return InTime


def _connect(url: str, began: Callable[[], float] = time.monotonic) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ImportError("pacing_url needs redis-py: pip install 'os-retries[fleet]'") from None
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # the default of redis-py would wait for seconds
            protocol=2,  # protocol 3 would need one more request for each connection
        )
        pool = client.connection_pool
        pool.connection_class = _in_time(pool.connection_class, began)
    except Exception:  # the cause is dropped, because it may quote a part of the password
        raise ValueError(
            f"pacing_url: {_without_secrets(url)} is neither host nor the URL of a Redis, such as redis://host:6379/0, "
            "rediss://host or unix:///path"
        ) from None
    return client


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


class Fleet(Store):
    """The connection of this process to one Redis."""

    timeout = TIMEOUT

    def __init__(self, url: str) -> None:
        self.place = _without_secrets(url)
        self._url = url
        self._client: Any = None
        self._began = 0.0
        super().__init__()
        try:
            self._client = _connect(url, lambda: self._began)
        except Exception as error:  # a call is failing now, and must be repeated even without Redis
            log.warning("%s; until then each process paces its own retries", error)
            self._again = float("inf")

    def renew(self) -> None:
        """Reset the connection in a child process, because the socket belongs to the parent."""
        super().renew()
        self._client = None

    def close(self) -> None:
        """Close the connection; the next decision opens a new one, and resolves the host name again."""
        client, self._client = self._client, None
        with contextlib.suppress(Exception):
            client.close()

    def key(self, endpoint: str) -> list[str]:
        """Return the keys of an endpoint."""
        return keys(endpoint)

    def evaluate(self, key: Sequence[str], step: Step) -> tuple[float, bool]:
        """Run the script once."""
        who = f"{self.name}:{step.who}"
        told = step.succeeded, step.failed, repr(step.back), int(not step.aware)
        nap, trouble = self._evaluate(key, (*told, step.what, who, repr(step.age)))
        return _read(nap, trouble)

    def lost(self, error: Exception) -> str:
        """Return the warning that Redis is unavailable."""
        return (
            f"pacing: Redis at {self.place} is unavailable ({_described(error)}); until it is back, each process paces "
            "its own retries"
        )

    def found(self) -> str:
        """Return the message that Redis is available again."""
        return f"pacing: Redis at {self.place} answers again; the retries of the fleet are one queue"

    def _evaluate(self, keys: Sequence[str], arguments: Sequence[str | float]) -> Any:
        self._began = time.monotonic()
        if self._client is None:
            self._client = _connect(self._url, lambda: self._began)
        try:
            return self._client.evalsha(SHA, len(keys), *keys, *arguments)
        except Exception as error:
            if type(error).__name__ != "NoScriptError":  # a new, flushed or restarted Redis needs the script itself
                raise
        return self._client.eval(SCRIPT, len(keys), *keys, *arguments)


_fleets: dict[str, Fleet] = {}  # by URL: one for each pacing_url in the configuration
_fleets_lock = forks.Lock()


@forks.in_child
def _renew_all() -> None:
    for fleet in _fleets.values():
        fleet.renew()
