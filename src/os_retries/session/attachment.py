"""The state that an attached session carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from os_retries.policy import RetryPolicy

_NO_ADAPTERS: Mapping[str, Any] = {}
_BY_DEFAULT = (503,)  # keystoneauth's retriable_status_codes, if the caller gives none


class Attachment:
    """The policy of an attached session, and what ``detach`` must restore.

    It has no reference to the session.  So a copy of an attached session (``copy.copy``) can share this object and
    still send its own requests with its own credentials, and a session that is no longer used can be freed.
    """

    def __init__(self, policy: RetryPolicy | None) -> None:
        self.policy = policy
        #: Attributes of the instance that had replaced methods before ``attach``.  They would hide our methods.
        self.shadows: dict[str, Any] = {}
        #: Transport adapters, each with the urllib3 retries that it had before.
        self.adapters: list[tuple[Any, Any]] = []

    def policy_for(self, service: str | None) -> RetryPolicy:
        """Return the present policy for requests to ``service``."""
        return self.policy or policy_for(service)

    def silence_layers_below(self, session: Any, kwargs: dict[str, Any]) -> None:
        """Set the retries of keystoneauth and of urllib3 to zero, so that only one layer repeats each request.

        If the caller wants a status repeated that the policy does not repeat, keystoneauth still repeats it.

        :param kwargs: the arguments of the request, which are changed
        """
        theirs = kwargs.get("status_code_retries")
        kwargs["connect_retries"] = kwargs["status_code_retries"] = 0
        if theirs:
            ours = self.policy_for(None).retry_codes
            left = [each for each in kwargs.get("retriable_status_codes") or _BY_DEFAULT if each not in ours]
            if left:
                kwargs["status_code_retries"], kwargs["retriable_status_codes"] = theirs, left
        try:
            for adapter in session.session.adapters.values():
                if adapter.max_retries.total:
                    self._silence(adapter)
        except AttributeError:  # a transport that is not urllib3's
            for adapter in getattr(session.session, "adapters", _NO_ADAPTERS).values():
                self._silence(adapter)

    def _silence(self, adapter: Any) -> None:
        below: Any = getattr(adapter, "max_retries", None)
        if getattr(below, "total", 0):
            self.adapters.append((adapter, below))
            # The default of requests: no retries, and a read error is raised.
            adapter.max_retries = type(below)(0, read=False)
