"""Retries for OpenStack calls that fail temporarily, with one configuration for every Python client.

>>> from os_retries import execute_with_retries
>>> execute_with_retries(nova.servers.get, server_id)  # doctest: +SKIP
"""

from os_retries.methods.execute import execute_with_retries
from os_retries.pacing.process import pacers

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from os_retries.config import configure
    from os_retries.evidence import Attempt, Evidence, GiveUp, Kind, LookedUp, Retry
    from os_retries.methods.own_loops import client_options
    from os_retries.operations.scope import NotCovered, Operation, OperationError, operation
    from os_retries.pacing.local import Pacer
    from os_retries.policy import RetryPolicy
    from os_retries.session import attach, detach

    __version__: str

__all__ = [
    "Attempt",
    "Evidence",
    "GiveUp",
    "Kind",
    "LookedUp",
    "NotCovered",
    "Operation",
    "OperationError",
    "Retry",
    "RetryPolicy",
    "__version__",
    "attach",
    "client_options",
    "configure",
    "detach",
    "execute_with_retries",
    "operation",
]

# These modules are loaded on first use, so that a program that only calls execute_with_retries does not load sessions,
# policies and configuration.
_WHERE = {
    "Attempt": "evidence",
    "Evidence": "evidence",
    "GiveUp": "evidence",
    "Kind": "evidence",
    "LookedUp": "evidence",
    "NotCovered": "operations.scope",
    "Operation": "operations.scope",
    "OperationError": "operations.scope",
    "Retry": "evidence",
    "RetryPolicy": "policy",
    "attach": "session",
    "client_options": "methods.own_loops",
    "configure": "config",
    "detach": "session",
    "operation": "operations.scope",
}


def __getattr__(name: str) -> object:
    """Load a public name on its first use."""
    found: object
    if name == "__version__":
        from importlib.metadata import version

        found = version("os-retries")
    elif name in _WHERE:
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _shared_pacer(endpoint: str, url: str) -> "Pacer":
    if url == "host":
        from os_retries.pacing import host

        return host.pacer_for(endpoint, pacers.clock())
    from os_retries.pacing import fleet

    return fleet.pacer_for(url, endpoint, pacers.clock())


pacers.shared = _shared_pacer
