"""The adapter of requests that injects a fault in the place of the connection."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from os_retries.faults.answers import error_answer
from os_retries.faults.fault import Symptom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from os_retries.faults.fault import Fault
    from os_retries.faults.rules import Request

    class Source(Protocol):
        """The object that chooses the faults, and to which the adapter reports."""

        #: The threads that send a request later.
        late: list[threading.Thread]

        def next_fault(self, prepared: requests.PreparedRequest) -> tuple[Request, Fault | None]:
            """Return the request as the rules see it, and its fault or None."""

        def done(self, request: Request, fault: Fault | None, response: requests.Response | None) -> None:
            """Record how a request has ended."""


class FaultyAdapter(BaseAdapter):
    """Wraps an adapter, and passes the requests without a fault to it."""

    def __init__(self, inner: BaseAdapter, faults: Source) -> None:
        super().__init__()
        self.inner = inner
        self.faults = faults

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Pass ``request`` to the inner adapter, inject its fault, or do both."""
        seen, fault = self.faults.next_fault(request)
        response: requests.Response | None = None
        try:
            if fault is None:
                response = self.inner.send(request, *args, **kwargs)
            else:
                whole: requests.Response | None = None
                if fault.processed:
                    with self.inner.send(request, *args, **kwargs) as whole:
                        _ = whole.content  # read to the end, so that the service has finished
                elif fault.after is not None:
                    self._send_later(request, fault.after, args, kwargs)
                elif fault.symptom is not Symptom.UNREACHABLE:
                    _use_up(request.body)
                if fault.symptom is Symptom.CUT and whole is not None and whole.ok and whole.content:
                    response = _cut(request, whole)
                else:
                    response = _meet(request, fault, seen)
        finally:
            self.faults.done(seen, fault, response)
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
        self.faults.late.append(thread)

    def close(self) -> None:
        """Close the inner adapter."""
        self.inner.close()


def _use_up(body: Any) -> None:
    """Read a body that can be read only once, as a service does before it refuses, so that a retry must rewind it."""
    if hasattr(body, "read"):
        while body.read(1 << 16):
            pass
    elif hasattr(body, "__iter__") and not isinstance(body, str | bytes | bytearray):
        for _ in body:
            pass


def _meet(request: requests.PreparedRequest, fault: Fault, seen: Request) -> requests.Response:
    """Return the response of a fault, or raise the exception that requests raises for it.

    The exceptions are nested as they are on real sockets, where this was measured.
    """
    if fault.symptom is Symptom.STATUS:
        return error_answer(request, fault, seen)
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
    """Return a response whose body ends in the middle, although its Content-Length is that of the whole body."""
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
