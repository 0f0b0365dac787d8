"""What the headers and the body of an HTTP answer say: Retry-After, the date, and who has answered.

Plain values in, plain values out.  The time of day is an argument.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

# A text, for re compiles it when it is first needed, and most programs never need it.
_SECONDS = r"[0-9]+(\.[0-9]+)?"

# The id that an OpenStack service gives to each request (oslo.middleware, nova, swift).  Gateways have ids of their
# own, such as X-Request-ID and x-amz-request-id.
_SERVICE_IDS = frozenset({"x-openstack-request-id", "x-compute-request-id", "x-trans-id"})


def is_from_service(headers: Mapping[str, str], read_json: Callable[[], Any]) -> bool:
    """Whether an OpenStack service has sent this answer, and not a gateway in front of it.

    A gateway answers 404 while it does not find the service.  A service names the request in one of OpenStack's own
    headers, or describes the error in one of the forms that OpenStack services use.

    :param read_json: reads the answer's body, and raises ValueError or OSError where it is no JSON or was cut off
    """
    if any(name.lower() in _SERVICE_IDS for name in headers):
        return True
    try:
        return _is_error_of_openstack(read_json())
    except (ValueError, OSError):
        return False


def _is_error_of_openstack(body: Any) -> bool:
    """Whether JSON has the form in which an OpenStack service describes an error."""
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
    """Read a Retry-After: seconds to wait from ``now`` (seconds since the epoch), or None if it cannot be read.

    RFC 9110 §10.2.3 knows whole seconds and an HTTP-date.  Fractions, which gateways send, are read as well; a date
    that is past is 0.  A negative number is no Retry-After, so it counts as unreadable.
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
    """Read an HTTP-date (RFC 9110 §5.6.7, the two obsolete forms included): seconds since the epoch, or None."""
    # Imported here: it pulls in the socket module, and only a failed call ever needs it.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    if len(value) > 64:  # no HTTP-date is that long
        return None
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # the parser's ways to say no
        return None


def header(headers: Mapping[object, object], name: str) -> str | None:
    """The value of one header, whatever the case of its name; None where it is absent or no text."""
    try:
        for key, value in headers.items():
            if isinstance(key, str) and key.lower() == name and isinstance(value, str):
                return value
    except Exception:  # noqa: S110
        pass
    return None
