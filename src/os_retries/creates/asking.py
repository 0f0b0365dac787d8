"""The requests of the look-ups of one create, and what their responses show."""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, Any

from os_retries.core.answers import is_from_service, parse_date
from os_retries.core.deadlines import let_through
from os_retries.core.scope import current_scope
from os_retries.creates.look_up import Reply
from os_retries.creates.requests import longest_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.creates.create import Get
    from os_retries.creates.requests import Around
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")


def clock() -> float:
    """Return the seconds since an arbitrary instant, including the time during which the machine was suspended."""
    # time.monotonic stops while Linux is suspended.  A resource would then seem older than its request.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Asking:
    """Sends the GETs of a create's look-ups.

    ``response``
        The response of the last look-up.
    """

    def __init__(self, around: Around, now: Callable[[], float]) -> None:
        self.response: Any = None
        self._around = around
        self._now = now
        self._begun = now()

    def get(self, get: Get, policy: RetryPolicy) -> Reply:
        """Send a GET.  Its time counts against ``retry_max_wait``."""
        began = self._now()
        try:
            return self._ask(get, policy)
        finally:
            current_scope().extra_waited += self._now() - began

    def _ask(self, get: Get, policy: RetryPolicy) -> Reply:
        try:
            response = self._send(get, longest_for(policy.retry_max_wait))
            status = response.status_code
            if get.raw and status == 200:
                return Reply(200, response.content)
            if status == 404 and not is_from_service(response.headers, response.json):
                return Reply(None, what="404 from a gateway, not from the service", again=True)
            if status in (200, 404):  # after a delete, 404 may be the expected answer
                self.response = response
            if status != 200:
                return Reply(status, again=status in policy.retry_codes)
            return Reply(status, response.json(), since=self._since(response))
        except Exception as error:
            let_through(error)
            log.debug("a look-up failed", exc_info=True)
            return Reply(None, what=type(error).__name__, again=True)

    def _send(self, get: Get, longest: float) -> Any:
        ask = functools.partial(self._around.request, longest=longest)
        if get.body is not None:  # the body holds a secret, which must not be logged
            return ask("POST", get.path, json=get.body, authenticated=False, log=False)
        if get.raw:
            return ask("GET", get.path, accept="*/*", log=False)
        return ask(
            "GET",
            get.path,
            params=get.query,
            service=get.service,
            version=get.version,
            microversion=get.microversion,
        )

    def _since(self, response: Any) -> float | None:
        """Return when the create was first sent, in seconds since the epoch by the service's clock; None if unknown."""
        now = parse_date(response.headers.get("Date", ""))
        return None if now is None else now - (self._now() - self._begun)
