"""What the headers and the body of an HTTP answer say: Retry-After, the date, and whether a gateway sent it.

The functions take and return plain values.  The time of day is an argument.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

# A string and not a compiled pattern: re compiles it at its first use, and most programs never use it.
_SECONDS = r"[0-9]+(\.[0-9]+)?"

# The headers in which OpenStack services send the request id (oslo.middleware, nova, swift).  Gateways use other
# headers, such as X-Request-ID and x-amz-request-id.
_SERVICE_IDS = frozenset({"x-openstack-request-id", "x-compute-request-id", "x-trans-id"})


def is_from_service(headers: Mapping[str, str], read_json: Callable[[], Any]) -> bool:
    """Return whether an OpenStack service sent this answer, rather than a gateway in front of it.

    A gateway answers 404 while it cannot find the service.  A service sends the request id in one of OpenStack's own
    headers, or describes the error in one of the forms that OpenStack services use.

    :param read_json: parses the answer's body; raises ValueError or OSError if the body is not JSON or was cut off
    """
    if any(name.lower() in _SERVICE_IDS for name in headers):
        return True
    try:
        return _is_error_of_openstack(read_json())
    except (ValueError, OSError):
        return False


def _is_error_of_openstack(body: Any) -> bool:
    """Return whether a JSON body has the form in which an OpenStack service describes an error."""
    if not isinstance(body, dict):
        return False
    if len(body) == 1:
        ((name, inner),) = body.items()
        if isinstance(inner, dict):  # keystone, nova, cinder, manila, trove | neutron
            return "message" in inner and ("code" in inner or name == "NeutronError")
        if name == "errors" and isinstance(inner, list):  # placement, magnum
            return any(isinstance(each, dict) and {"status", "title", "detail"} <= each.keys() for each in inner)
        return bool(name == "error_message")  # ironic
    forms = (
        {"code", "title", "explanation"},  # heat
        {"code", "type", "message", "request_id"},  # designate
        {"code", "title", "description"},  # barbican
        {"faultcode", "faultstring"},  # octavia, mistral
        {"error_code", "error_name", "error_message"},  # sahara
    )
    return any(form <= body.keys() for form in forms)


def parse_retry_after(value: object, now: float) -> float | None:
    """Return the seconds that a Retry-After asks to wait from ``now`` (seconds since the epoch); None if invalid.

    RFC 9110 §10.2.3 allows whole seconds or an HTTP-date.  Fractions of a second, which some gateways send, are
    accepted too.  A date in the past is 0.  A negative number is invalid.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        value = str(value)  # an integer may be too large for a float; a text never is
    if not isinstance(value, str):
        return None
    value = value.strip()
    if re.fullmatch(_SECONDS, value):
        return float(value)
    date = parse_date(value)
    return None if date is None else max(0.0, date - now)


def parse_date(value: str) -> float | None:
    """Return the seconds since the epoch of an HTTP-date (RFC 9110 §5.6.7, obsolete forms too); None if invalid."""
    # Imported here, because it imports the socket module, and only a failed call needs it.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    if len(value) > 64:  # no HTTP-date is that long
        return None
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser raises for other texts
        return None


def header(headers: Mapping[object, object], name: str) -> str | None:
    """Return the value of a header, ignoring the case of its name; None if it is absent or not a string."""
    try:
        for key, value in headers.items():
            if isinstance(key, str) and key.lower() == name and isinstance(value, str):
                return value
    except Exception:  # noqa: S110
        pass
    return None
