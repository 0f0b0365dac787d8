"""``Faults``: choose the fault of each request by rules and random numbers, and record every request."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from os_retries.faults.adapter import FaultyAdapter
from os_retries.faults.rules import VERSION, AtRandom, Dice, Request, Script

if TYPE_CHECKING:
    from os_retries.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class Entry:
    """The record of one request.

    ``fault``
        The fault that was injected, or None.
    ``status``
        The status that the caller saw; None if there was no response.
    """

    request: Request
    fault: Fault | None
    status: int | None = None


class Faults:
    """Rules that give faults to requests, and a record of all requests.

    The first rule whose ``only`` accepts a request decides about it.  Each kind of request (service, verb, pattern) has
    its own random numbers.  So with the same seed the n-th request of a kind always gets the same fault, no matter how
    the requests interleave or how often other requests are repeated.  Several threads may use one Faults object.

    ``record``
        An :class:`Entry` for every request, in the order in which they ended.

    :param rules: :class:`AtRandom` and :class:`Script` objects
    :param seed: seed of the random numbers
    :param tokens: whether requests for tokens and for API versions get faults too; they are recorded in any case
    :raises TypeError: for a rule or a seed of another type
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
        self._catalog: dict[str, str] = {}  # URL of an endpoint, without its project: service type
        self._lock = threading.Lock()
        self.late: list[threading.Thread] = []

    @property
    def injected(self) -> list[Entry]:
        """The entries of the record that have a fault."""
        return [entry for entry in list(self.record) if entry.fault is not None]

    def wait(self) -> None:
        """Wait until the service has processed every request that :meth:`Fault.late` holds back."""
        while self.late:
            self.late.pop().join()

    def session(self) -> requests.Session:
        """Return a requests.Session with faults, for ``keystoneauth1.session.Session(session=...)``."""
        from keystoneauth1.session import TCPKeepAliveAdapter

        session = requests.Session()
        for prefix in list(session.adapters):
            session.mount(prefix, TCPKeepAliveAdapter())
        self.mount(session)
        return session

    def mount(self, session: requests.Session) -> None:
        """Wrap each present adapter of ``session``, so that its requests get faults."""
        for prefix, inner in list(session.adapters.items()):
            session.mount(prefix, FaultyAdapter(inner, self))

    def swift_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Return a ``swiftclient.Connection`` with faults, made with these arguments.

        swiftclient opens its own connections, so a session with faults does not affect its requests.
        """
        from swiftclient.client import Connection

        faults = self

        class FaultyConnection(Connection):  # type: ignore[misc]
            def http_connection(self, url: str | None = None) -> tuple[Any, Any]:
                parsed, connection = super().http_connection(url)
                faults.mount(connection.request_session)
                return parsed, connection

        FaultyConnection.__name__ = FaultyConnection.__qualname__ = "Connection"  # the name that messages show
        return FaultyConnection(*args, **kwargs)

    # called by the adapter

    def next_fault(self, prepared: requests.PreparedRequest) -> tuple[Request, Fault | None]:
        """Return a request as the rules see it, and its fault or None."""
        verb, path = prepared.method or "GET", urlsplit(prepared.url or "").path or "/"
        pattern = "/".join(
            "{id}" if any(map(str.isdigit, part)) and not VERSION.fullmatch(part) else part for part in path.split("/")
        )
        with self._lock:
            # The catalog is not known before the first token.
            service = "identity" if path.endswith("/auth/tokens") else self._service(prepared.url or "")
            stream = (service, verb, pattern)
            if stream not in self._dice:
                # These random numbers need not be secure, but they must be reproducible.
                name = f"{self.seed} {service} {verb} {pattern}"
                self._dice[stream] = random.Random(name), itertools.count(1)  # noqa: S311
            generator, counter = self._dice[stream]
            request = Request(service, verb, path, pattern, next(counter))
            dice = Dice(*(generator.random() for _ in range(4)))
            if not self.tokens and (request.token or request.discovery):
                return request, None
            rule = next((rule for rule in self.rules if rule.only(request)), None)
            return request, None if rule is None else rule.fault(dice)

    def done(self, request: Request, fault: Fault | None, response: requests.Response | None) -> None:
        """Record how a request has ended, and read the catalog from the response to a token request."""
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
        """Return the service type of the endpoint to which ``url`` belongs.

        The URL may also be that of a version document, whose path is shorter than that of the endpoint.

        :returns: None if the catalog does not tell
        """
        address = _endpoint(url) + "/"
        inside = [known for known in self._catalog if address.startswith(known + "/")]
        if inside:
            return self._catalog[max(inside, key=len)]
        around = {service for known, service in self._catalog.items() if (known + "/").startswith(address)}
        if not around:  # the URL may name another API version than the catalog, so compare only host and port
            host = urlsplit(url).netloc
            around = {service for known, service in self._catalog.items() if urlsplit(known).netloc == host}
        return around.pop() if len(around) == 1 else None


def _endpoint(url: str) -> str:
    """Return a URL up to the first segment of the path that names a project or a resource."""
    parts = urlsplit(url)
    path = itertools.takewhile(
        lambda part: not any(map(str.isdigit, part)) or VERSION.fullmatch(part) is not None, parts.path.split("/")
    )
    return f"{parts.scheme}://{parts.netloc}{'/'.join(path)}".rstrip("/")


def _official(service: str) -> str:
    """Return the official service type for an alias that a catalog uses, such as block-storage for ``volumev3``."""
    from os_service_types import ServiceTypes

    return str(ServiceTypes().get_service_type(service) or service)
