"""OpenStack calls that fail now and then succeed: every client, one configuration.

>>> from os_retries import execute_with_retries
>>> execute_with_retries(nova.images.get, image_id)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from os_retries import slots
from os_retries.clients import client_options, execute_with_retries
from os_retries.config import configure
from os_retries.evidence import Attempt, Evidence, GiveUp, Retry
from os_retries.policy import RetryPolicy

if TYPE_CHECKING:
    from os_retries.pacing import Pacer
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


def __getattr__(name: str) -> object:
    """Load the session's side when it is first asked for: who calls methods alone need not pay for it."""
    if name in {"attach", "detach"}:
        from os_retries import session  # noqa: PLC0415

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _shared_pacer(endpoint: str, url: str) -> "Pacer":
    import time  # noqa: PLC0415

    from os_retries.fleet import pacer_for  # noqa: PLC0415

    return pacer_for(url, endpoint, time.monotonic())


slots.shared = _shared_pacer
