"""OpenStack calls that fail now and then succeed: every client, one configuration.

>>> from os_retries import execute_with_retries
>>> execute_with_retries(nova.images.get, image_id)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from os_retries import slots
from os_retries.clients import execute_with_retries

if TYPE_CHECKING:
    from os_retries.config import configure
    from os_retries.evidence import Attempt, Evidence, GiveUp, Retry
    from os_retries.own_loops import client_options
    from os_retries.pacing import Pacer
    from os_retries.policy import RetryPolicy
    from os_retries.session import attach, detach

__all__ = [
    "Attempt",
    "Evidence",
    "GiveUp",
    "Retry",
    "RetryPolicy",
    "attach",
    "client_options",
    "configure",
    "detach",
    "execute_with_retries",
]

# Loaded when they are first asked for: who calls methods alone need not pay for sessions, policies and configuration.
_WHERE = {
    "Attempt": "evidence",
    "Evidence": "evidence",
    "GiveUp": "evidence",
    "Retry": "evidence",
    "RetryPolicy": "policy",
    "attach": "session",
    "client_options": "own_loops",
    "configure": "config",
    "detach": "session",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    found: object = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _shared_pacer(endpoint: str, url: str) -> "Pacer":
    import time  # noqa: PLC0415

    from os_retries.fleet import pacer_for  # noqa: PLC0415

    return pacer_for(url, endpoint, time.monotonic())


slots.shared = _shared_pacer
