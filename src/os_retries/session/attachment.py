"""What an attached session carries with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from os_retries.policy import RetryPolicy

_NO_ADAPTERS: Mapping[str, Any] = {}
_BY_DEFAULT = (503,)  # keystoneauth's retriable_status_codes, where the caller gives none


class Attachment:
    """What an attached session knows of being attached: its policy, and what was there before.

    It does not know the session.  A copy of an attached session (``copy.copy``) is attached as well and shares this
    object, but sends its own requests with its own credentials.  Nothing keeps a session alive that nobody uses.
    """

    def __init__(self, policy: RetryPolicy | None) -> None:
        self.policy = policy
        #: Methods that attributes of the instance had replaced before, and which would hide ours.
        self.shadows: dict[str, Any] = {}
        #: Transport adapters, and the retries of urllib3 that they had before.
        self.adapters: list[tuple[Any, Any]] = []

    def policy_for(self, service: str | None) -> RetryPolicy:
        """Return the policy that holds now for requests to ``service``."""
        return self.policy or policy_for(service)

    def silence_layers_below(self, session: Any, kwargs: dict[str, Any]) -> None:
        """Set the retries of keystoneauth and of urllib3 to zero, because each request has one owner of its retries.

        Statuses that the caller wants repeated, and that the policy does not repeat, stay keystoneauth's.
        """
        theirs = kwargs.get("status_code_retries")
        kwargs["connect_retries"] = kwargs["status_code_retries"] = 0
        if theirs:
            ours = self.policy_for(None).retry_codes
            left = [each for each in kwargs.get("retriable_status_codes") or _BY_DEFAULT if each not in ours]
            if left:
                kwargs["status_code_retries"], kwargs["retriable_status_codes"] = theirs, left
        for adapter in getattr(session.session, "adapters", _NO_ADAPTERS).values():
            below: Any = getattr(adapter, "max_retries", None)
            if getattr(below, "total", 0):
                self.adapters.append((adapter, below))
                # requests' own default: no retries, and a read error is an error.
                adapter.max_retries = type(below)(0, read=False)
