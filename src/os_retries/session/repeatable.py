"""Which requests may be repeated without a look-up: this depends on the verb and the path, and for a PATCH on its body.

The functions take and return plain values.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: The idempotent methods of RFC 9110 §9.2.2: several identical requests have the same effect as one.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

# An account of object storage, at the beginning of the path or below one more segment.  Clients such as the `openstack`
# command use the full URL, without a service type.
_ACCOUNT = re.compile(r"(/[^/]+)?/v1(\.0)?/AUTH_[^/]+(/|$)")

# Exceptions to the rule by verb: verb, path, and whether a repeat is harmless.  The first match decides.
# The reasons are in docs/design/creates.md#repeats-by-verb; most of them were tested on the services.
_REPEATS: tuple[tuple[str, str, bool], ...] = (
    ("POST", r"/v3/auth/tokens$|/v2\.0/tokens$", True),  # a second token does no harm
    ("POST", r"/images/[^/]+/actions/(de|re)activate$", True),  # glance sets a state
    # The service refuses a repeat although the first request has taken effect.  Only a look-up can tell.
    ("PUT", r"/routers/[^/]+/(add|remove)_(router_interface|extraroutes|external_gateways)$", False),
    ("PUT", r"/trunks/[^/]+/(add|remove)_subports$", False),
    ("PUT", r"/address-groups/[^/]+/(add|remove)_addresses$", False),
    ("PUT", r"/stacks/[^/]+(/[^/]+)?$", False),  # heat refuses a second update while the first is in progress
    ("PUT", r"/images/[^/]+/(file|stage)$", True),
    ("PUT", r"/nodes/[^/]+/(states|management/inject_nmi)", False),  # ironic reboots twice
    ("PUT", r"/vendor_passthru(/|$)", False),  # the effect depends on the driver
    ("PUT", r"/os-services/failover(_host)?$", False),  # cinder may go on to the next target
    ("DELETE", r"/queues/[^/]+/messages$", False),  # with pop, zaqar removes the next messages
    ("DELETE", r"/stacks/.+/abandon$", False),  # heat returns only once what it has abandoned
    ("PUT", r"/(loadbalancers|amphorae)/[^/]+/failover$", False),  # octavia fails over twice
)


def is_repeatable(verb: str, path: str, service: str | None = None) -> bool:
    """Return whether a repeat of this request does no harm, even if the first request has taken effect.

    :param path: the path of the URL, without the query
    :param service: the service type; None if it is not known
    """
    verb = verb.upper()
    if service == "object-store" or (service is None and _ACCOUNT.match(path)):
        return verb in IDEMPOTENT | {"POST", "COPY"}  # POST replaces or merges metadata, COPY overwrites
    for its_verb, pattern, repeatable in _REPEATS:
        if verb == its_verb and re.search(pattern, path):
            return repeatable
    return verb in IDEMPOTENT


# Services whose PATCH merges a mapping of new values, so that a repeat sets the same values: keystone, designate.
_MERGING = frozenset({"identity", "dns"})
# Services whose PATCH is a list of operations (RFC 6902): glance, ironic.
_OPERATING = frozenset({"image", "baremetal"})


def is_absolute(service: str | None, body: Any) -> bool:
    """Return whether a PATCH with this body only sets values, so that a repeat changes nothing more.

    Three kinds of PATCH cannot be repeated: ``add`` to a list, which would insert twice; ``remove``, which is refused
    the second time; and a change of a password, because keystone may refuse a password that was used before.
    """
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return False
    if service in _MERGING:
        wanted = only_member(body)
        return isinstance(wanted, dict) and not {"password", "original_password"} & set(wanted)
    if service in _OPERATING:
        return isinstance(body, list) and all(_sets(operation) for operation in body)
    return False


def _sets(operation: Any) -> bool:
    if not isinstance(operation, dict) or operation.get("op") not in ("add", "replace"):
        return False
    last = str(operation.get("path", "")).rpartition("/")[2]
    return bool(last) and last != "-" and not last.isdecimal()


def only_member(body: Any) -> Any:
    """Return the object inside an envelope such as ``{"volume": {...}}``, or the body itself if it has no envelope."""
    if isinstance(body, dict) and len(body) == 1:
        (inner,) = body.values()
        return inner if isinstance(inner, dict) else body
    return body
