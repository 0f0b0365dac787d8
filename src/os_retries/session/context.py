"""The context mark: it shows that a request is made inside another request.

keystoneauth asks for tokens and discovery documents inside a request, and os_retries makes look-ups inside a create.
These inner requests must not be retried on their own: keystoneauth holds a lock while they run, and attempts would
multiply.  A context variable is set while the outer request runs.  It distinguishes inner requests from those of the
caller, and works for threads, greenlets and asyncio tasks alike.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Inside:
    """The outer request of this context.

    ``error``
        The error of the inner request that failed last.
    """

    error: Exception | None = None  # of the class, because nearly no request sets it


inside: ContextVar[Inside | None] = ContextVar("os_retries.session", default=None)


def by_position(original: Callable[..., Any], kwargs: Mapping[str, Any]) -> Any:
    """Call the session's own ``request`` with the URL and the verb by position, as keystoneauth's get() does.

    A replacement of ``request`` may have other names for these parameters, or read them from ``*args``.
    """
    if "url" not in kwargs or "method" not in kwargs:  # the session itself raises the error
        return original(**kwargs)
    rest = dict(kwargs)
    return original(rest.pop("url"), rest.pop("method"), **rest)


def send_inside(original: Callable[..., Any], /, **kwargs: Any) -> Any:
    """Send a request inside another one, which decides whether it is repeated."""
    token = inside.set(Inside())
    try:
        return by_position(original, kwargs)
    finally:
        inside.reset(token)
