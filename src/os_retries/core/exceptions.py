"""How a failure is read from the attributes of a client's exception, without importing the client.

The tables say where each of 18 clients keeps the status, the Retry-After and the request id.  They were measured; see
docs/design/clients.md.  No method of an exception is called.  Only attributes of the exception and of its response are
read.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from os_retries.core.answers import header, parse_date, parse_retry_after
from os_retries.core.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# keystoneauth, nova, manila, swift | neutron, barbican, openstacksdk | nova, cinder, heat, glance | sahara, mistral
_STATUS = ("http_status", "status_code", "code", "error_code")
# keystoneauth and most | swift
_HEADERS = ("headers", "http_response_headers")
# most | neutron (a list) | swift
_REQUEST_ID = ("request_id", "request_ids", "transaction_id")
_REQUEST_ID_HEADERS = ("x-openstack-request-id", "x-compute-request-id", "x-trans-id")
_PLAUSIBLE_ID = r"[A-Za-z0-9._:-]{1,128}"

# An exception without a status of its own has the status of the exception that it translates: magnum's RuntimeError and
# ironic's AmbiguousAuthSystem stand for keystoneauth's 503 on the token request.  The exceptions below translate
# nothing: they are a bug of the caller's, or a lost connection, that happened inside an except block.  They are listed
# by name, because keystoneauth and requests each have a class called ConnectionError.
_NO_TRANSLATION = frozenset(
    {
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "ConnectionError",
        "LookupError",
        "NameError",
        "OSError",
        "TypeError",
    }
)
_DEPTH = 8  # links of a chain of exceptions: enough for requests, keystoneauth, a client and its caller


def read_failure(
    error: BaseException, now: Callable[[], float] = time.time, handled: BaseException | None = None
) -> Failure:
    """Return what ``error`` says about the failed request; the status is None if ``error`` has none.

    The status is the first of the known attributes that holds an integer from 100 to 599.  glance's ``'N/A'``, a
    Boolean and ``SystemExit.code`` are not statuses.  Retry-After is read from the headers if the client kept them,
    because the attribute ``retry_after`` is less reliable: keystoneauth sets it to 0 for every 413, and cinder drops
    whole days of a date.

    :param now: returns the seconds since the epoch; used if Retry-After is a date and the service sent no ``Date``
    :param handled: the exception that the caller was handling when it made the call.  Python makes it the context of
        every error of the call, but it is not part of the failure.
    """
    statuses = [(part, _status(part)) for part in _translated(error, handled)]
    status = next((status for _part, status in statuses if status is not None), None)
    # An exception further down the chain describes the same answer only if it has the same status, or none.
    parts = [part for part, own in statuses if own in (None, status)]
    retry_after = next((seconds for part in parts if (seconds := _retry_after(part, now))), None)
    request_id = next((name for part in parts if (name := _request_id(part))), None)
    return Failure(status, retry_after, request_id)


def chain(error: BaseException, handled: BaseException | None = None) -> Iterator[BaseException]:
    """Yield ``error`` and the exceptions that it was raised from or while handling, the nearest first.

    ``handled`` and the exceptions behind it are left out.
    """
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < 2 * _DEPTH:
        part = waiting.pop(0)
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += [
                next_ for next_ in (part.__cause__, part.__context__) if next_ is not None and next_ is not handled
            ]


def _translated(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    part: BaseException | None = error
    for _ in range(_DEPTH):
        if part is None or part is handled:
            return
        yield part
        if part.__cause__ is not None:
            part = part.__cause__
        elif part.__suppress_context__ or any(kind.__name__ in _NO_TRANSLATION for kind in type(part).__mro__):
            return
        else:
            part = part.__context__


def get(thing: object, name: str) -> Any:
    """Return an attribute of a client's object; None if there is no such attribute, or if a property raises."""
    try:
        return getattr(thing, name, None)
    except Exception:  # a property may fail in any way
        return None


def _status(error: BaseException) -> int | None:
    for name in _STATUS:
        value = get(error, name)
        # A bool is an int but not a status.  An http.HTTPStatus is an int and a status.
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return int(value)
    value = get(get(error, "response"), "status_code")
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def _headers(error: BaseException) -> Iterator[Mapping[object, object]]:
    for owner in (error, get(error, "response")):
        for name in _HEADERS:
            headers = get(owner, name)
            # requests and urllib use mappings of their own, swift a dict; isinstance() would need those packages.
            if headers is not None and callable(get(headers, "items")):
                yield headers


def _retry_after(error: BaseException, now: Callable[[], float]) -> float | None:
    for headers in _headers(error):
        value = header(headers, "retry-after")
        if value is not None:
            # A date is compared with the service's own clock if it sent a Date: ours may differ by more than the wait.
            date = parse_date(header(headers, "date") or "")
            return parse_retry_after(value, now() if date is None else date)
    return parse_retry_after(get(error, "retry_after"), now())


def _request_id(error: BaseException) -> str | None:
    candidates: list[object] = [get(error, name) for name in _REQUEST_ID]
    candidates += [header(headers, name) for headers in _headers(error) for name in _REQUEST_ID_HEADERS]
    return plausible_id(*(value[0] if isinstance(value, list | tuple) and value else value for value in candidates))


def plausible_id(*candidates: object) -> str | None:
    """Return the first candidate that looks like a request id; None if none does.

    The id is logged, and any other text could forge a line of the log.
    """
    return next((each for each in candidates if isinstance(each, str) and re.fullmatch(_PLAUSIBLE_ID, each)), None)
