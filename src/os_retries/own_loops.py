"""The clients that retry by themselves, and the constructor arguments by which they fit in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.config import ConfiguredPolicy
from os_retries.policy import policy_for
from os_retries.target import SERVICE_TYPES

if TYPE_CHECKING:
    from os_retries.policy import RetryPolicy


def _swift(policy: RetryPolicy) -> dict[str, Any]:
    # swiftclient doubles its back-off up to max_backoff: the longest of our own waits, which is the first one when
    # they are constant.  It does not know a Retry-After.
    return {
        "retries": policy.retries_number,
        "retry_on_ratelimit": 429 in policy.retry_codes,
        "starting_backoff": policy.retry_after,
        "max_backoff": policy.own_wait(max(1, policy.retries_number)),
    }


def _neutron(policy: RetryPolicy) -> dict[str, Any]:
    # Connection errors alone, one second apart, and never a POST (neutronclient 14, v2_0/client.py).
    return {"retries": policy.retries_number}


# Clients whose own loops would multiply with ours, and how each is told to leave the retrying to us.
_LEFT_TO_US: dict[str, dict[str, Any]] = {
    "block-storage": {"retries": 0},  # cinderclient: repeats 413
    "baremetal": {"max_retries": 0},  # ironicclient: five times on 409, 503 and lost connections
    "shared-file-system": {"retries": 0},  # manilaclient: would repeat every error, 404 included
    "database": {"retries": 0},  # troveclient: becomes connect_retries, which repeats creates
    # openstacksdk: status_code_retries of 5 for these three services (config/defaults.json)
    "openstacksdk": {
        f"{service}_status_code_retries": 0 for service in ("image", "baremetal", "baremetal_introspection")
    },
}
_OBEY = {"object-store": _swift, "network": _neutron}
_NAMES = {package.removesuffix("client"): service for package, service in SERVICE_TYPES.items()} | {
    "openstack": "openstacksdk",
    "openstacksdk": "openstacksdk",
}


def client_options(client: str, conf: Any = None) -> dict[str, Any]:
    """Return the constructor arguments by which a client that retries by itself fits in.

    swift and neutron repeat by themselves, as the specification says, so theirs make them obey ``[timeouts]``
    (neutron's loop is about connection errors only); ironic, manila, cinder, trove and openstacksdk are told to leave
    the retrying to us; a client that never retries gets none::

        swiftclient.Connection(session=session, **client_options("swift"))

    :param client: the client's name (``swift``, ``openstacksdk``) or its service type (``object-store``)
    :param conf: the oslo.config object to read ``[timeouts]`` from; None means what ``configure`` was given, or the
        specification's numbers
    :raises ValueError: for a client that is not known
    """
    name = client.strip().lower().replace("_", "-").removeprefix("python-").removesuffix("client")
    service = _NAMES.get(name, name)
    if service not in _NAMES.values():
        raise ValueError(f"unknown client {client!r}: one of {', '.join(sorted(_NAMES))}, or a service type")
    if service in _OBEY:
        policy = policy_for(service) if conf is None else ConfiguredPolicy(conf)(service)
        return _OBEY[service](policy)
    return dict(_LEFT_TO_US.get(service, {}))
