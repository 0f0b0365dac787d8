"""``Faults``: the rules, the dice, and a record of every request that came by."""

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
        self.late: list[threading.Thread] = []

    @property
    def injected(self) -> list[Entry]:
        """The part of the record that met a fault."""
        return [entry for entry in list(self.record) if entry.fault is not None]

    def wait(self) -> None:
        """Wait until the service has dealt with every request that :meth:`Fault.late` holds back."""
        while self.late:
            self.late.pop().join()

    def session(self) -> requests.Session:
        """Make a session for ``keystoneauth1.session.Session(session=...)``, with keystoneauth's own adapter inside."""
        from keystoneauth1.session import TCPKeepAliveAdapter

        session = requests.Session()
        for prefix in list(session.adapters):
            session.mount(prefix, TCPKeepAliveAdapter())
        self.mount(session)
        return session

    def mount(self, session: requests.Session) -> None:
        """Put the faults between ``session`` and each adapter that it has now."""
        for prefix, inner in list(session.adapters.items()):
            session.mount(prefix, FaultyAdapter(inner, self))

    def swift_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Make a ``swiftclient.Connection`` of these arguments: the object store is not asked through the session."""
        from swiftclient.client import Connection

        faults = self

        class FaultyConnection(Connection):  # type: ignore[misc]
            def http_connection(self, url: str | None = None) -> tuple[Any, Any]:
                parsed, connection = super().http_connection(url)
                faults.mount(connection.request_session)
                return parsed, connection

        FaultyConnection.__name__ = FaultyConnection.__qualname__ = "Connection"  # as messages know it
        return FaultyConnection(*args, **kwargs)

    # what the adapter calls

    def next_fault(self, prepared: requests.PreparedRequest) -> tuple[Request, Fault | None]:
        """Return a request as the rules see it, and the fault that it meets; None if it meets none."""
        verb, path = prepared.method or "GET", urlsplit(prepared.url or "").path or "/"
        pattern = "/".join(
            "{id}" if any(map(str.isdigit, part)) and not VERSION.fullmatch(part) else part for part in path.split("/")
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
            dice = Dice(*(generator.random() for _ in range(4)))
            if not self.tokens and (request.token or request.discovery):
                return request, None
            rule = next((rule for rule in self.rules if rule.only(request)), None)
            return request, None if rule is None else rule.fault(dice)

    def done(self, request: Request, fault: Fault | None, response: requests.Response | None) -> None:
        """Record how a request has ended, and learn the catalog from an answer with a token."""
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
        lambda part: not any(map(str.isdigit, part)) or VERSION.fullmatch(part) is not None, parts.path.split("/")
    )
    return f"{parts.scheme}://{parts.netloc}{'/'.join(path)}".rstrip("/")


def _official(service: str) -> str:
    """``volumev3`` is block-storage: a catalog may use any alias."""
    from os_service_types import ServiceTypes

    return str(ServiceTypes().get_service_type(service) or service)
