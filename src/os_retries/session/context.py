"""The mark of the request that runs in this context: a request that is made while it is set belongs to that one.

keystoneauth asks for tokens and discovery documents inside a request, and look-ups are made inside a create.  They must
not be retried on their own: keystoneauth holds a lock meanwhile, and attempts would multiply.  A context variable tells
them from requests of the caller's, in threads, greenlets and asyncio tasks alike.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Inside:
    """The request that runs in this context, as the requests made inside it see it."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: Exception | None = None


inside: ContextVar[Inside | None] = ContextVar("os_retries.session", default=None)


def send_inside(original: Callable[..., Any], /, **kwargs: Any) -> Any:
    """Send a request that belongs to another one; the other one decides whether it is repeated."""
    token = inside.set(Inside())
    try:
        return original(**kwargs)
    finally:
        inside.reset(token)
