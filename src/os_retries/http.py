"""HTTP's rules: which statuses may pass, and what a Retry-After says.  Plain values in, plain values out.

Nothing of a client, a session or a clock comes in here: the time of day is an argument.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from typing import Any

#: The statuses of the specification, "list of the errors, that can be retried".
RETRY_CODES = frozenset({408, 413, 429, 500, 502, 503, 504})

# The patterns in this file are texts: re compiles each when it is first asked, and most programs never ask.
_SECONDS = r"[0-9]+(\.[0-9]+)?"


class Kind(enum.StrEnum):
    """What a failure says of the request: the four classes of the design."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    MAYBE_PROCESSED = "maybe processed"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, as the policy sees it.

    ``status`` is the HTTP status, or None where the failure carries none; ``retry_after`` the wait that the service
    asked for, in seconds, or None where it asked for none that can be read; ``what`` names a failure without a status
    (``connection refused``).  ``repeatable`` is False where a repeat could do twice what was asked for once; ``note``
    says more about that, and ``found`` names what a look-up has found.  ``held_back``: it is that of the attempt
    before, once more, for a look-up did not let this one go.
    """

    status: int | None
    retry_after: float | None = None
    request_id: str | None = None
    kind: Kind = Kind.PERMANENT
    what: str = ""
    repeatable: bool = True
    note: str = ""
    found: tuple[str, ...] = ()
    held_back: bool = False


def kind_of(status: int | None, retry_codes: Container[int]) -> Kind:
    """Class a failure by its status alone, where nothing else is known.

    429 and 413 are answered instead of processing; any other status may come from a proxy in front of a service that
    goes on working.
    """
    if status is None or status not in retry_codes:
        return Kind.PERMANENT
    return Kind.REFUSED if status in {413, 429} else Kind.MAYBE_PROCESSED


#: RFC 9110 §9.2.2: a repeat of these does what the first one did.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

# What the verb does not tell (CREATES.md §1 and §2, most of it executed against the services): verb, path, whether a
# repeat is harmless.  The first row that matches holds.
_REPEATS: tuple[tuple[str, str, bool], ...] = (
    ("POST", r"/v3/auth/tokens$|/v2\.0/tokens$", True),  # one token more
    ("POST", r"/images/[^/]+/actions/(de|re)activate$", True),  # glance sets a state
    # A second one is refused although the first one took effect: it takes a look at the service to tell.
    ("PUT", r"/routers/[^/]+/(add|remove)_(router_interface|extraroutes|external_gateways)$", False),
    ("PUT", r"/trunks/[^/]+/(add|remove)_subports$", False),
    ("PUT", r"/address-groups/[^/]+/(add|remove)_addresses$", False),
    ("PUT", r"/images/[^/]+/(file|stage)$", True),
    ("PUT", r"/nodes/[^/]+/(states|management/inject_nmi)", False),  # ironic reboots twice
    ("PUT", r"/vendor_passthru(/|$)", False),  # whatever the driver makes of it
    ("PUT", r"/os-services/failover(_host)?$", False),  # cinder may go on to the next target
    ("DELETE", r"/queues/[^/]+/messages$", False),  # zaqar's pop takes the next ones
    ("DELETE", r"/stacks/.+/abandon$", False),  # heat tells once what it has abandoned
    ("PUT", r"/(loadbalancers|amphorae)/[^/]+/failover$", False),  # octavia fails over twice
)

# A 503 that says by its body that the service did nothing (CREATES.md §3).  Any other may come from a gateway in
# front of a service that goes on working.
_NOT_PROCESSED = (
    r"The Keystone service is temporarily unavailable"  # keystonemiddleware, before the service
    r"|Unable to lock the project"  # octavia
    r"|\bNoNetworkAvailable\b|\bHostMacAddressGenerationFailure\b"  # neutron, inside the transaction
    r"|\bNoFreeConductorWorker\b|No free conductor workers"  # ironic
)
_NODE_LOCKED = (
    r"\bNode \S+ is locked by host\b"  # ironic's 409, of any verb, and openstacksdk's and ironicclient's loops
)
_NO_SERVER = "No server is available to handle this request"  # HAProxy, where no service has answered

# A 413 is more often a quota (cinder, manila, designate, glance) or a body that is too large (oslo.middleware) than a
# limit on the rate.  Its reason phrase, "Request Entity Too Large", says none of these.
_QUOTA = r"(?i)quota|limit ?exceeded|exceeds|maximum|request is too large"


def is_repeatable(verb: str, path: str, service: str | None = None) -> bool:
    """Whether a repeat of this request does no more than the request itself, even if the first one took effect."""
    verb = verb.upper()
    if service == "object-store":  # swift's POST replaces or merges metadata, its COPY overwrites
        return verb in IDEMPOTENT | {"POST", "COPY"}
    for row_verb, pattern, repeatable in _REPEATS:
        if verb == row_verb and re.search(pattern, path):
            return repeatable
    return verb in IDEMPOTENT


def kind_of_answer(status: int, headers: Mapping[str, str], body: str, retry_codes: Container[int]) -> Kind:
    """Class an answer by all that it says: the status, the headers (lower case), the first kilobytes of the body.

    A 409 is none of the specification's statuses; one that says by its body that it will pass is repeated all the same.
    """
    kind = kind_of(status, retry_codes)
    if status == 409 and re.search(_NODE_LOCKED, body):
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


# The id that an OpenStack service gives to each request (oslo.middleware, nova, swift).  Gateways have ids of their
# own, such as X-Request-ID and x-amz-request-id.
_SERVICE_IDS = frozenset({"x-openstack-request-id", "x-compute-request-id", "x-trans-id"})


def is_from_service(headers: Mapping[str, str], read_json: Callable[[], Any]) -> bool:
    """Whether an OpenStack service has answered, and not a gateway in front of it that does not find the service.

    A service names the request in a header of OpenStack's own, or describes the error in a form of OpenStack's.

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
    from datetime import UTC  # noqa: PLC0415
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

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
    except Exception:  # noqa: S110  what looks like headers may be a test's mock
        pass
    return None
