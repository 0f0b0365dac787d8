"""How a request of a session failed, according to the answer, or to the exceptions down to the socket.

A session sees more than its clients do: the headers, the body of a load balancer, how a connection broke.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

from os_retries.core.answers import parse_date, parse_retry_after
from os_retries.core.deadlines import let_through
from os_retries.core.exceptions import chain, get, plausible_id, read_failure
from os_retries.core.failure import Failure, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from os_retries.core.protocols import Policy

_BODY = 4096  # characters of an error's body that are searched
_TOLD_BY_BODY = frozenset({409, 413, 503})  # the statuses whose kind depends on the body
_READ_AHEAD = 65_536  # bytes of the longest error body that is read if the caller wants a stream
_READ_TIME = 5.0  # seconds for each read of such a body

# How a connection broke, by the names of the exceptions below keystoneauth's own.  Names are compared and not classes,
# because requests and urllib3 have classes of the same names.
_NOT_SENT = {
    "NameResolutionError": "name not resolved",
    "gaierror": "name not resolved",
    "ConnectionRefusedError": "connection refused",
    "NewConnectionError": "no connection",
    "ConnectTimeoutError": "no connection in time",
    "ConnectTimeout": "no connection in time",  # of requests; keystoneauth's own ConnectTimeout stands for any timeout
    "ProxyError": "no connection to the proxy",
    "EmptyPoolError": "no connection free",
}
_MAYBE_PROCESSED = {
    "ReadTimeoutError": "no answer in time",
    "ReadTimeout": "no answer in time",
    "RemoteDisconnected": "closed without an answer",
    "ConnectionResetError": "connection reset",
    "BrokenPipeError": "connection closed while sending",
    "ConnectionAbortedError": "connection aborted",
    "IncompleteRead": "answer cut off",
    "InvalidChunkLength": "answer cut off",
    "ChunkedEncodingError": "answer cut off",
    "BadStatusLine": "no HTTP answer",
    "ProtocolError": "connection broken",
}


# A 503 with such a body says that the service did nothing (docs/design/creates.md).  Any other 503 may come from a
# gateway whose service is still processing the request.
_NOT_PROCESSED = (
    r"The Keystone service is temporarily unavailable"  # keystonemiddleware, which runs before the service
    r"|Unable to lock the project"  # octavia
    r"|\bNoNetworkAvailable\b|\bHostMacAddressGenerationFailure\b"  # neutron, inside the transaction
    r"|\bNoFreeConductorWorker\b|\bConcurrentActionLimit\b|(?i:(no|lack of) free conductor workers)"  # ironic
)
# A 409 with such a body says that the service did nothing because a resource is busy for a while.
_BUSY = (
    r"\bNode \S+ is locked by host\b"  # ironic, to any verb; openstacksdk and ironicclient repeat it too
    r"|\bis immutable and cannot be updated\b|\bInvalid state PENDING_\w+ of loadbalancer\b"  # octavia
)
_NO_SERVER = "No server is available to handle this request"  # HAProxy, which has no service to pass the request to

# A 413 more often means a quota (cinder, manila, designate, glance) or a body that is too large (oslo.middleware) than
# a rate limit.  Its reason phrase, "Request Entity Too Large", does not tell which.
_QUOTA = r"(?i)quota|limit ?exceeded|exceeds|maximum|request is too large"


def read_inside(
    error: Exception, inside: Exception | None, policy: Policy, handled: BaseException | None
) -> Failure | None:
    """Return the failure of an inner request, if it is why the outer request failed; None if it is not.

    keystoneauth raises the error of a token request unchanged.  If a discovery document fails, keystoneauth raises an
    error of its own without a status, or continues without the document.

    :param error: the error of the outer request
    :param inside: the error of the inner request that failed last
    :param handled: the exception that the caller was handling when it made the call; not part of the failure
    """
    if inside is None:
        return None
    has_answer = getattr(error, "response", None) is not None
    if not any(part is inside for part in chain(error, handled)) and (
        has_answer or _how_it_broke(error, handled) is not None
    ):
        return None
    failure = read_failure(inside, handled=handled)
    if failure.status is None:
        broke = _how_it_broke(inside, handled)
        return None if broke is None else Failure(None, kind=Kind.NOT_SENT, what=f"token or discovery: {broke[1]}")
    if failure.status not in policy.retry_codes:
        return None
    return Failure(
        failure.status, failure.retry_after, failure.request_id, Kind.NOT_SENT, f"token or discovery: {failure.status}"
    )


def read_answer(response: Any, policy: Policy, *, streaming: bool) -> Failure:
    """Classify a failed answer by its status, its headers, and the beginning of its body.

    :param streaming: whether the caller wants to read the body itself
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    kind = kind_of(response.status_code, policy.retry_codes)
    retry_after = None
    if kind is not Kind.PERMANENT or response.status_code == 409:
        kind = kind_of_answer(response.status_code, headers, _text(response, streaming=streaming), policy.retry_codes)
        date = parse_date(headers.get("date", ""))
        # 0 and a date in the past ask for no wait: nova and cinder send 0 if they have no time to offer.
        retry_after = parse_retry_after(headers.get("retry-after"), time.time() if date is None else date) or None
    ids = (headers.get(name) for name in ("x-openstack-request-id", "x-compute-request-id", "x-trans-id"))
    return Failure(response.status_code, retry_after, plausible_id(*ids), kind)


def kind_of_answer(status: int, headers: Mapping[str, str], body: str, retry_codes: Container[int]) -> Kind:
    """Classify an answer by its status, its headers and the first kilobytes of its body.

    409 is not one of the specification's statuses.  A 409 whose body names a temporary conflict is repeated all the
    same.

    :param headers: the headers, with names in lower case
    """
    kind = kind_of(status, retry_codes)
    if status == 409 and re.search(_BUSY, body):
        return Kind.REFUSED
    if (
        status == 413
        and kind is Kind.REFUSED
        and (headers.get("retry-after", "").strip() == "0" or re.search(_QUOTA, body))
    ):
        return Kind.PERMANENT
    if status == 503 and kind is Kind.MAYBE_PROCESSED:
        from_balancer = "x-openstack-request-id" not in headers and _NO_SERVER in body
        if from_balancer or re.search(_NOT_PROCESSED, body):
            return Kind.REFUSED
    return kind


def _text(response: Any, *, streaming: bool) -> str:
    """Return the beginning of an error's body; an empty string if it should not or cannot be read.

    If the caller asked for a stream, the body is read only if it is known to be short and is not compressed.  requests
    keeps the content, so that the caller can read it again.
    """
    try:
        if streaming and not response._content_consumed:  # noqa: SLF001
            length = response.headers.get("content-length", "")
            short = length.isdecimal() and int(length) <= _READ_AHEAD
            if response.status_code not in _TOLD_BY_BODY or not short or "content-encoding" in response.headers:
                return ""
            with _within(response, _READ_TIME):
                content = response.content
        else:
            content = response.content
    except Exception as error:  # cut off; the status is enough
        let_through(error)
        return ""
    return content[:_BODY].decode("utf-8", "replace") if isinstance(content, bytes) else ""


@contextlib.contextmanager
def _within(response: Any, seconds: float) -> Iterator[None]:
    """Bound each read from the socket of a streamed answer, whose caller may have set no timeout."""
    socket = get(get(response.raw, "_connection"), "sock")
    if socket is None:
        yield
        return
    before = socket.gettimeout()
    socket.settimeout(seconds if before is None else min(before, seconds))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the socket was closed by the read
            socket.settimeout(before)


def read_connection(error: Exception, handled: BaseException | None) -> Failure:
    """Classify the failure of a request that got no answer."""
    broke = _how_it_broke(error, handled)
    return Failure(None) if broke is None else Failure(None, kind=broke[0], what=broke[1])


def _how_it_broke(error: BaseException, handled: BaseException | None) -> tuple[Kind, str] | None:
    """Return how a connection broke, according to the innermost exception that says so; None if none does."""
    found: tuple[Kind, str] | None = None
    for part in _down_to_the_socket(error, handled):
        names = [kind.__name__ for kind in type(part).__mro__]
        if type(part).__module__.startswith("keystoneauth1."):
            if found is None and any(name in ("ConnectFailure", "ConnectTimeout", "SSLError") for name in names):
                found = Kind.MAYBE_PROCESSED, "connection failed"
            continue
        if "ValueError" in names and type(part).__module__.startswith("requests."):
            return None  # InvalidURL, InvalidHeader, ...: a mistake of the caller; requests did not send the request
        if "SSLCertVerificationError" in names:
            return Kind.PERMANENT, "certificate not accepted"
        if "SSLError" in names:
            kind = Kind.NOT_SENT if _in_handshake(part) else Kind.MAYBE_PROCESSED
            found = kind, "TLS failed"
            continue
        for table, kind in ((_NOT_SENT, Kind.NOT_SENT), (_MAYBE_PROCESSED, Kind.MAYBE_PROCESSED)):
            what = next((table[name] for name in names if name in table), None)
            if what is not None:
                found = kind, what
    return found


def _down_to_the_socket(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    """Yield the chain of exceptions, and the ones that urllib3 keeps in ``reason`` and requests in ``args``."""
    waiting, seen = list(chain(error, handled)), set[int]()
    while waiting and len(seen) < 32:
        part = waiting.pop(0)
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            carried = (*part.args, getattr(part, "reason", None))
            waiting += [each for each in carried if isinstance(each, BaseException) and each is not handled]


def _in_handshake(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name in {"do_handshake", "ssl_wrap_socket"}:
            return True
        traceback = traceback.tb_next
    return False
