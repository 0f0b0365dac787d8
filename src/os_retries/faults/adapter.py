"""The adapter of requests that meets a request with its fault, where the connection would be."""

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
        """Where the adapter gets its faults, and what it reports to."""

        #: The threads that send a request later.
        late: list[threading.Thread]

        def next_fault(self, prepared: requests.PreparedRequest) -> tuple[Request, Fault | None]:
            """Return the request as the rules see it, and the fault that it meets."""

        def done(self, request: Request, fault: Fault | None, response: requests.Response | None) -> None:
            """Take note of how a request has ended."""


class FaultyAdapter(BaseAdapter):
    """Stands before an adapter, and lets through what meets no fault."""

    def __init__(self, inner: BaseAdapter, faults: Source) -> None:
        super().__init__()
        self.inner = inner
        self.faults = faults

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send ``request`` on, or meet it with a fault, or both."""
        seen, fault = self.faults.next_fault(request)
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
