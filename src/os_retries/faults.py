"""Faults injected innermost, below every layer that might retry: for tests, rehearsals and demonstrations.

An adapter of ``requests`` sits where the connection would, so that keystoneauth, the client and whatever retries
above them meet a fault as they would meet a real one.  Nothing of os_retries' own loop comes in here::

    faults = Faults(AtRandom(refused=0.1), seed=4711)
    session = keystoneauth1.session.Session(auth=auth, session=faults.session())
    swift = faults.swift_connection(session=session)    # swiftclient makes connections of its own
"""

from __future__ import annotations

import enum
import http
import io
import itertools
import json
import math
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from os_retries.http import RETRY_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


def _check_status(status: object) -> None:
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        raise ValueError(f"{status!r} is not the status of an error (400 to 599)")


def _header(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.isprintable()):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    raise ValueError(f"retry_after must be seconds, a text or None, not {value!r}")


def _choose(values: Sequence[Any], dice: float) -> Any:
    return values[int(dice * len(values))]


# -- what can go wrong -----------------------------------------------------------------------------------------------


class Symptom(enum.StrEnum):
    """What the caller meets."""

    STATUS = "status"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    STALL = "stall"
    CUT = "cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Made by :meth:`refused`, :meth:`lost`, :meth:`unreachable`, :meth:`reset`, :meth:`stall`, :meth:`cut` and
    :meth:`late`.  ``processed`` says whether the service got the request and did what it asks for before the fault;
    ``after`` that it gets it so many seconds after the fault.
    """

    symptom: Symptom
    processed: bool = False
    status: int | None = None
    retry_after: str | None = None
    html: bool = False
    after: float | None = None

    @classmethod
    def refused(cls, status: int = 503, *, retry_after: float | str | None = None, html: bool = False) -> Fault:
        """Answer with ``status`` instead of the service, which never sees the request.

        :param retry_after: the header's value: seconds, or any text; None sends no header
        :param html: a balancer's page instead of an error in the dialect of the service
        :raises ValueError: for a status that is none of an error
        """
        _check_status(status)
        return cls(symptom=Symptom.STATUS, status=status, retry_after=_header(retry_after), html=html)

    @classmethod
    def lost(cls, status: int = 504, *, retry_after: float | str | None = None, html: bool = True) -> Fault:
        """Let the service process the request, and answer with ``status`` instead of its answer.

        :raises ValueError: for a status that is none of an error
        """
        _check_status(status)
        return cls(symptom=Symptom.STATUS, processed=True, status=status, retry_after=_header(retry_after), html=html)

    @classmethod
    def unreachable(cls) -> Fault:
        """Refuse the connection: the request was never sent."""
        return cls(symptom=Symptom.UNREACHABLE)

    @classmethod
    def reset(cls, *, processed: bool = False) -> Fault:
        """Reset the connection while the answer is awaited."""
        return cls(symptom=Symptom.RESET, processed=processed)

    @classmethod
    def stall(cls, *, processed: bool = False) -> Fault:
        """Answer nothing until the request's timeout is over.

        Nobody waits: the timeout's error comes at once.  A request without a timeout would wait for ever; it gets
        the same error.
        """
        return cls(symptom=Symptom.STALL, processed=processed)

    @classmethod
    def cut(cls) -> Fault:
        """Let the service process the request, and close the connection in the middle of its answer's body.

        An answer that is an error, or has no body, is lost altogether.
        """
        return cls(symptom=Symptom.CUT, processed=True)

    @classmethod
    def late(cls, seconds: float, status: int = 504) -> Fault:
        """Answer with ``status`` at once, and hand the request to the service that many seconds later.

        As a proxy does that does not wait any longer for a service which goes on working.  The request is sent from a
        thread; :meth:`Faults.wait` waits for it.

        :raises ValueError: for a status that is none of an error, and for a time that is none
        """
        _check_status(status)
        given: object = seconds
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
        return cls(symptom=Symptom.STATUS, status=status, html=True, after=seconds)

    def __str__(self) -> str:
        text = str(self.status) if self.symptom is Symptom.STATUS else str(self.symptom)
        text += f" (Retry-After: {self.retry_after})" if self.retry_after is not None else ""
        text += f", {self.after:g} s before processing" if self.after is not None else ""
        return text + (" after processing" if self.processed else "")


# -- which requests --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the rules see it.

    ``service`` is the official service type (``block-storage``), told from the catalog that came with the session's
    token; None before there was one, and for addresses that are not in it.  ``pattern`` is the path with every
    segment that holds a digit, versions apart, replaced: ``/v2.1/servers/{id}``.  ``number`` counts the requests with
    the same service, verb and pattern from 1.
    """

    service: str | None
    verb: str
    path: str
    pattern: str
    number: int = 0

    @property
    def token(self) -> bool:
        """Whether it asks for a token."""
        return self.verb == "POST" and self.path.endswith("/auth/tokens")

    @property
    def discovery(self) -> bool:
        """Whether it asks which versions of an API there are: a GET of nothing but a name and a version."""
        return self.verb == "GET" and _DISCOVERY.fullmatch(self.path) is not None


_VERSION = re.compile(r"v\d+(\.\d+)?")
_DISCOVERY = re.compile(r"(/[a-z-]+)?(/v\d+(\.\d+)?)?/?")
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def only(
    *, service: str | None = None, verb: str | Collection[str] | None = None, path: str | None = None
) -> Callable[[Request], bool]:
    """Make a filter for ``AtRandom`` and ``Script``: what is given must hold; any function of a request does as well.

    :param service: an official service type, such as ``compute``
    :param verb: one verb or several
    :param path: a regular expression that is searched in the path
    :raises ValueError: for an unknown verb, or a path that is no regular expression
    """
    verbs = {verb} if isinstance(verb, str) else None if verb is None else set(verb)
    if verbs is not None and not verbs <= _VERBS:
        raise ValueError(f"unknown verb {', '.join(sorted(verbs - _VERBS))}: one of {', '.join(sorted(_VERBS))}")
    try:
        pattern = None if path is None else re.compile(path)
    except re.error as error:
        raise ValueError(f"path is no regular expression: {path!r}: {error}") from error

    def matches(request: Request) -> bool:
        return (
            (service is None or request.service == service)
            and (verbs is None or request.verb in verbs)
            and (pattern is None or pattern.search(request.path) is not None)
        )

    return matches


def _any(_request: Request) -> bool:
    return True


# -- the rules: who gets which fault ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRandom:
    """Faults by chance.  The rates are shares of the requests, from 0 to 1, and add up to 1 at most.

    :param refused: answered by one of ``statuses`` before the service sees the request
    :param lost: processed by the service, and then answered by 502 or 504, reset or stalled
    :param unreachable: connection refused
    :param reset: connection reset before the service sees the request
    :param stall: never answered, and never seen by the service
    :param statuses: of what is refused
    :param retry_after: values of Retry-After to choose from for what is refused; None for no such header
    :param html: share of the answers that are a balancer's page
    :param only: which requests the rule is for
    :raises ValueError: for a rate or a status out of its range
    """

    refused: float = 0.0
    lost: float = 0.0
    unreachable: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    statuses: Collection[int] = RETRY_CODES
    retry_after: Sequence[float | str | None] = (None, 2)
    html: float = 0.5
    only: Callable[[Request], bool] = _any

    def __post_init__(self) -> None:
        for name in ("refused", "lost", "unreachable", "reset", "stall", "html"):
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, not {rate!r}")
        total = self.refused + self.lost + self.unreachable + self.reset + self.stall
        if total > 1 + 1e-9:
            raise ValueError(f"the rates add up to {total:g}, and no more than 1 makes sense")
        for name, values in (("statuses", self.statuses), ("retry_after", self.retry_after)):
            if isinstance(values, str) or not values:
                raise ValueError(f"{name} must be a list with something in it, not {values!r}")
        for status in self.statuses:
            _check_status(status)
        for value in self.retry_after:
            _header(value)

    def fault(self, dice: _Dice) -> Fault | None:
        """Decide for one request."""
        makers: tuple[tuple[float, Callable[[], Fault]], ...] = (
            (
                self.refused,
                lambda: Fault.refused(
                    _choose(sorted(self.statuses), dice.status),
                    retry_after=_choose(self.retry_after, dice.retry_after),
                    html=dice.html < self.html,
                ),
            ),
            (self.lost, lambda: _choose(_LOST, dice.status)),
            (self.unreachable, Fault.unreachable),
            (self.reset, Fault.reset),
            (self.stall, Fault.stall),
        )
        below = 0.0
        for rate, make in makers:
            below += rate
            if dice.kind < below:
                return make()
        return None


_LOST = (Fault.lost(502), Fault.lost(504), Fault.reset(processed=True), Fault.stall(processed=True))


class Script:
    """These faults in this order, one for each request that ``only`` lets through; None lets a request through.

    When they are used up everything is let through.
    """

    def __init__(self, faults: Iterable[Fault | None], *, only: Callable[[Request], bool] = _any) -> None:
        self.only = only
        self.left = list(faults)
        for each in self.left:
            if each is not None and not isinstance(each, Fault):
                raise TypeError(f"a script holds Faults and None, not {each!r}")

    def fault(self, _dice: _Dice) -> Fault | None:
        """Take the next one."""
        return self.left.pop(0) if self.left else None


@dataclass(frozen=True, slots=True)
class _Dice:
    """What one request rolls: always the same number of dice, so that no decision shifts the next one's."""

    kind: float
    status: float
    retry_after: float
    html: float


# -- the plan --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that came by: the fault that it met, or None, and the status that the caller saw, if any."""

    request: Request
    fault: Fault | None
    status: int | None = None


class Faults:
    """Which requests meet which faults, and a record of all of them.

    The first rule whose ``only`` lets a request through decides about it.  Each kind of request (service, verb,
    pattern) rolls dice of its own, so under one seed the n-th request of a kind meets the same fault, however the
    requests interleave and however often others were repeated.  Safe from many threads.

    ``record`` holds an :class:`Entry` for every request that came by, in the order in which they ended.

    :param rules: :class:`AtRandom` and :class:`Script`
    :param seed: of the dice
    :param tokens: whether requests for tokens and for versions take part; they are recorded in any case
    :raises TypeError: for a rule or a seed that is none
    """

    def __init__(self, *rules: AtRandom | Script, seed: int = 0, tokens: bool = False) -> None:
        for rule in rules:
            if not isinstance(rule, AtRandom | Script):
                raise TypeError(f"a rule is an AtRandom or a Script, not {rule!r}")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise TypeError(f"seed must be a whole number, not {seed!r}")
        self.rules, self.seed, self.tokens = rules, seed, tokens
        self.record: list[Entry] = []
        self._dice: dict[tuple[str | None, str, str], tuple[random.Random, itertools.count[int]]] = {}
        self._catalog: dict[str, str] = {}  # address of an endpoint, without its project: service type
        self._lock = threading.Lock()
        self._late: list[threading.Thread] = []

    @property
    def injected(self) -> list[Entry]:
        """The part of the record that met a fault."""
        return [entry for entry in list(self.record) if entry.fault is not None]

    def wait(self) -> None:
        """Wait until the service has dealt with every request that :meth:`Fault.late` holds back."""
        while self._late:
            self._late.pop().join()

    def session(self) -> requests.Session:
        """Make a session for ``keystoneauth1.session.Session(session=...)``, with keystoneauth's own adapter inside."""
        from keystoneauth1.session import TCPKeepAliveAdapter  # noqa: PLC0415 - only who needs it has it

        session = requests.Session()
        for prefix in list(session.adapters):
            session.mount(prefix, TCPKeepAliveAdapter())
        self.mount(session)
        return session

    def mount(self, session: requests.Session) -> None:
        """Put the faults between ``session`` and each adapter that it has now."""
        for prefix, inner in list(session.adapters.items()):
            session.mount(prefix, _Adapter(inner, self))

    def swift_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Make a ``swiftclient.Connection`` of these arguments: the object store is not asked through the session."""
        from swiftclient.client import Connection  # noqa: PLC0415 - only who needs it has it

        faults = self

        class FaultyConnection(Connection):  # type: ignore[misc]
            def http_connection(self, url: str | None = None) -> tuple[Any, Any]:
                parsed, connection = super().http_connection(url)
                faults.mount(connection.request_session)
                return parsed, connection

        FaultyConnection.__name__ = FaultyConnection.__qualname__ = "Connection"  # as messages know it
        return FaultyConnection(*args, **kwargs)

    # what the adapter asks

    def _next(self, prepared: requests.PreparedRequest) -> tuple[Request, Fault | None]:
        verb, path = prepared.method or "GET", urlsplit(prepared.url or "").path or "/"
        pattern = "/".join(
            "{id}" if any(map(str.isdigit, part)) and not _VERSION.fullmatch(part) else part for part in path.split("/")
        )
        with self._lock:
            # Before the first token no catalog says so.
            service = "identity" if path.endswith("/auth/tokens") else self._service(prepared.url or "")
            stream = (service, verb, pattern)
            if stream not in self._dice:
                # No secret: the dice of a rehearsal, which must fall again as they fell.
                name = f"{self.seed} {service} {verb} {pattern}"
                self._dice[stream] = random.Random(name), itertools.count(1)  # noqa: S311
            generator, counter = self._dice[stream]
            request = Request(service, verb, path, pattern, next(counter))
            dice = _Dice(*(generator.random() for _ in range(4)))
            if not self.tokens and (request.token or request.discovery):
                return request, None
            rule = next((rule for rule in self.rules if rule.only(request)), None)
            return request, None if rule is None else rule.fault(dice)

    def _done(self, request: Request, fault: Fault | None, response: requests.Response | None) -> None:
        with self._lock:
            self.record.append(Entry(request, fault, None if response is None else response.status_code))
            if request.token and fault is None and response is not None and response.ok:
                self._learn(response)

    def _learn(self, response: requests.Response) -> None:
        try:
            catalog = response.json()["token"]["catalog"]
            endpoints = [(each["url"], entry["type"]) for entry in catalog for each in entry["endpoints"]]
        except (ValueError, LookupError, TypeError):
            return  # an unscoped token has no catalog
        for url, service in endpoints:
            self._catalog[_endpoint(url)] = _official(service)

    def _service(self, url: str) -> str | None:
        """Find the endpoint that ``url`` belongs to; an unversioned document belongs to it as well."""
        address = _endpoint(url) + "/"
        inside = [known for known in self._catalog if address.startswith(known + "/")]
        if inside:
            return self._catalog[max(inside, key=len)]
        around = {service for known, service in self._catalog.items() if (known + "/").startswith(address)}
        if not around:  # another version of the API than the catalog's, at a port of the service's own
            host = urlsplit(url).netloc
            around = {service for known, service in self._catalog.items() if urlsplit(known).netloc == host}
        return around.pop() if len(around) == 1 else None


def _endpoint(url: str) -> str:
    """The address of a catalog's entry or of a request, up to the first segment that names a project or resource."""
    parts = urlsplit(url)
    path = itertools.takewhile(
        lambda part: not any(map(str.isdigit, part)) or _VERSION.fullmatch(part) is not None, parts.path.split("/")
    )
    return f"{parts.scheme}://{parts.netloc}{'/'.join(path)}".rstrip("/")


def _official(service: str) -> str:
    """``volumev3`` is block-storage: a catalog may use any alias."""
    from os_service_types import ServiceTypes  # noqa: PLC0415 - it comes with keystoneauth

    return str(ServiceTypes().get_service_type(service) or service)


# -- the adapter -----------------------------------------------------------------------------------------------------


class _Adapter(BaseAdapter):
    def __init__(self, inner: BaseAdapter, faults: Faults) -> None:
        super().__init__()
        self.inner = inner
        self.faults = faults

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send ``request`` on, or meet it with a fault, or both."""
        seen, fault = self.faults._next(request)  # noqa: SLF001 - one story, two classes
        response: requests.Response | None = None
        try:
            if fault is None:
                response = self.inner.send(request, *args, **kwargs)
            else:
                whole: requests.Response | None = None
                if fault.processed:
                    with self.inner.send(request, *args, **kwargs) as whole:
                        _ = whole.content  # until the end, so that the service is done
                elif fault.after is not None:
                    self._send_later(request, fault.after, args, kwargs)
                elif fault.symptom is not Symptom.UNREACHABLE:
                    _use_up(request.body)
                if fault.symptom is Symptom.CUT and whole is not None and whole.ok and whole.content:
                    response = _cut(request, whole)
                else:
                    response = _meet(request, fault, seen)
        finally:
            self.faults._done(seen, fault, response)  # noqa: SLF001
        return response

    def _send_later(
        self, request: requests.PreparedRequest, seconds: float, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        request = request.copy()

        def send() -> None:
            time.sleep(seconds)
            with self.inner.send(request, *args, **kwargs) as answer:
                _ = answer.content

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        self.faults._late.append(thread)  # noqa: SLF001

    def close(self) -> None:
        """Close the adapter inside."""
        self.inner.close()


def _use_up(body: Any) -> None:
    """Read a body that can be read once, as a service does before it refuses: what repeats must bring it anew."""
    if hasattr(body, "read"):
        while body.read(1 << 16):
            pass
    elif hasattr(body, "__iter__") and not isinstance(body, str | bytes | bytearray):
        for _ in body:
            pass


def _meet(request: requests.PreparedRequest, fault: Fault, seen: Request) -> requests.Response:
    """Answer, or raise what requests raises; the exceptions' insides are as measured on real sockets."""
    if fault.symptom is Symptom.STATUS:
        return _answer(request, fault, seen)
    url = urlsplit(request.url or "")
    pool = urllib3.HTTPConnectionPool(url.hostname or "localhost", url.port)
    reason: Exception
    if fault.symptom is Symptom.UNREACHABLE:
        new = NewConnectionError(
            urllib3.connection.HTTPConnection(pool.host, pool.port),
            "Failed to establish a new connection: [Errno 111] Connection refused",
        )
        reason = MaxRetryError(pool, url.path, new)
    elif fault.symptom is Symptom.STALL:
        raise requests.exceptions.ReadTimeout(ReadTimeoutError(pool, url.path, "Read timed out."), request=request)
    else:
        reset = ConnectionResetError(104, "Connection reset by peer")
        reason = ProtocolError("Connection aborted.", reset)
    raise requests.exceptions.ConnectionError(reason, request=request)


def _cut(request: requests.PreparedRequest, whole: Any) -> requests.Response:
    """Make of a whole answer one whose body ends in the middle, though its header promises all of it."""
    length = {"content-length", "content-encoding", "transfer-encoding"}
    headers = {name: value for name, value in whole.headers.items() if name.lower() not in length}
    content = whole.content
    raw = urllib3.HTTPResponse(
        body=io.BytesIO(content[: len(content) // 2]),
        headers=headers | {"Content-Length": str(len(content))},
        status=whole.status_code,
        reason=whole.reason,
        preload_content=False,
        request_method=request.method,
        enforce_content_length=True,
    )
    return HTTPAdapter().build_response(request, raw)


def _answer(request: requests.PreparedRequest, fault: Fault, seen: Request) -> requests.Response:
    assert fault.status is not None
    reason = http.HTTPStatus(fault.status).phrase if fault.status in _PHRASED else "Error"
    if fault.html:
        body = f"<html><body><h1>{fault.status} {reason}</h1>\nNo server is available.\n</body></html>\n"
    else:
        body = _DIALECTS.get(seen.service or "", _plain)(fault.status, reason)
    headers = {
        "Content-Type": "text/html; charset=UTF-8" if body.startswith("<") else "application/json",
        "Content-Length": str(len(body)),
    }
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    raw = urllib3.HTTPResponse(
        body=io.BytesIO(b"" if seen.verb == "HEAD" else body.encode()),
        headers=headers,
        status=fault.status,
        reason=reason,
        preload_content=False,
        request_method=seen.verb,
    )
    return HTTPAdapter().build_response(request, raw)


# How each service words an error, read off their sources; what is not here speaks like keystone.
def _plain(status: int, reason: str) -> str:
    return json.dumps({"error": {"code": status, "title": reason, "message": "A fault that os-retries injected."}})


def _compute(status: int, reason: str) -> str:
    names = {413: "overLimit", 429: "overLimit", 500: "computeFault", 503: "serviceUnavailable"}
    return json.dumps({names.get(status, "computeFault"): {"code": status, "message": reason}})


def _network(_status: int, reason: str) -> str:
    return json.dumps({"NeutronError": {"type": reason.replace(" ", ""), "message": reason, "detail": ""}})


def _orchestration(status: int, reason: str) -> str:
    error = {"type": reason.replace(" ", ""), "message": reason, "traceback": None}
    return json.dumps({"code": status, "title": reason, "explanation": reason, "error": error})


def _page(status: int, reason: str) -> str:
    return f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"


_DIALECTS: Mapping[str, Callable[[int, str], str]] = {
    "compute": _compute,
    "block-storage": _compute,
    "network": _network,
    "orchestration": _orchestration,
    "image": _page,
    "object-store": _page,
}
_PHRASED = frozenset(http.HTTPStatus)
