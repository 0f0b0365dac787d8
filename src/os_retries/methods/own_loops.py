"""``client_options``: constructor arguments for clients that retry by themselves, so that attempts do not multiply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.config import ConfiguredPolicy
from os_retries.policy import policy_for
from os_retries.service_types import SERVICE_TYPES

if TYPE_CHECKING:
    from os_retries.policy import RetryPolicy


def _swift(policy: RetryPolicy) -> dict[str, Any]:
    # swiftclient doubles its wait up to max_backoff, which is set to the longest wait of the policy.  It ignores
    # Retry-After.
    return {
        "retries": policy.retries_number,
        "retry_on_ratelimit": 429 in policy.retry_codes,
        "starting_backoff": policy.retry_after,
        "max_backoff": policy.own_wait(max(1, policy.retries_number)),
    }


def _neutron(policy: RetryPolicy) -> dict[str, Any]:
    # neutronclient repeats only connection errors, one second apart, and never a POST (neutronclient 14,
    # v2_0/client.py).
    return {"retries": policy.retries_number}


# Clients whose own retries would multiply the attempts, and the arguments that turn these retries off.
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
    """Return constructor arguments for a client that retries by itself, so that attempts do not multiply.

    swiftclient and neutronclient keep their own retries, as the specification says; the arguments make them follow
    ``[timeouts]``.  (neutronclient repeats only connection errors.)  The retries of the clients of ironic, manila,
    cinder and trove and of openstacksdk are turned off.  A client that never retries gets no arguments::

        swiftclient.Connection(session=session, **client_options("swift"))

    :param client: the client's name (``swift``, ``openstacksdk``) or its service type (``object-store``)
    :param conf: the oslo.config object to read ``[timeouts]`` from; None for the one that was passed to ``configure``,
        or for the specification's numbers
    :returns: the arguments; an empty dict for a client that does not retry by itself
    :raises ValueError: for an unknown client
    """
    name = client.strip().lower().replace("_", "-").removeprefix("python-").removesuffix("client")
    service = _NAMES.get(name, name)
    if service not in _NAMES.values():
        raise ValueError(f"unknown client {client!r}: one of {', '.join(sorted(_NAMES))}, or a service type")
    if service in _OBEY:
        policy = policy_for(service) if conf is None else ConfiguredPolicy(conf)(service)
        return _OBEY[service](policy)
    return dict(_LEFT_TO_US.get(service, {}))
