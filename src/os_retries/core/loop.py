"""The loop that attempts a call until it succeeds, or until the policy allows no further attempt.

It is the only such loop.  Every program loads this module and every call passes through it, so it imports no policy, no
clock and no logging.  :mod:`os_retries.core.retries` handles a failure, and is loaded at the first one.

Calls may be nested: a wrapped method may send several requests of an attached session.  :mod:`os_retries.core.scope`
says how they share one allowance, and why attempts never multiply.
"""

from __future__ import annotations

import contextlib
import sys

from os_retries.core.scope import Scope, count, running
from os_retries.core.streams import streams_among
from os_retries.pacing.process import pacers

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from os_retries.core.protocols import Target
    from os_retries.core.retries import FailedCall
    from os_retries.core.streams import Stream


# Looked up once, because every call uses them.
_running_scope, _set_running_scope = running.get, running.set


def run_attempts(  # noqa: C901
    describe: Callable[[Callable[..., Any]], Target],
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    streams: Sequence[Stream] | None = None,
    begun: int | None = None,
) -> Any:
    """Call ``method`` until it succeeds, or until its policy allows no further attempt.

    :param describe: returns the target: the method's name, service and policy.  Called only after a failure, or while
        a pacer watches.
    :param streams: the streams to rewind before a retry; None for the streams among the arguments
    :param begun: the value of ``count.given_up`` before the first attempt, if the caller made that attempt itself
    :raises Exception: the method's own last exception, the same object
    :raises BaseException: an exception that is not an Exception, such as KeyboardInterrupt, without a repeat
    """
    scope = _running_scope()
    outermost = scope.finished
    if outermost:
        # The scope of a call that has ended stays in the context, marked as finished, until the next call replaces it.
        scope = Scope()
        _set_running_scope(scope)
    failed: FailedCall | None = None
    try:
        if streams is None:
            streams = streams_among(method, args, kwargs)
        handled = sys.exception()
        while True:
            since = count.given_up if begun is None else begun
            begun = None
            try:
                # Python copies kwargs for each call, even an empty one, which is a tenth of the cost of this loop.
                result = method(*args, **kwargs) if kwargs else method(*args)
            except Exception as error:
                if failed is None:
                    failed = _first_failure(describe, method, scope, streams, handled)
                retry = failed.after(error, since) if failed is not None else None
                if retry is None:
                    raise
            else:
                if pacers.watching:
                    pacers.note_answer(describe(method) if failed is None else failed.target, result)
                if failed is not None:
                    failed.succeeded()
                return result
            # Wait outside the except block.  Otherwise the next error would get this one as its context.
            assert failed is not None
            failed.wait(retry)
    finally:
        if outermost:
            scope.finished = True
        if failed is not None:
            failed.close()


def _first_failure(
    describe: Callable[[Callable[..., Any]], Target],
    method: Callable[..., Any],
    scope: Scope,
    streams: Sequence[Stream],
    handled: BaseException | None,
) -> FailedCall | None:
    """Load the module that handles failures and make the FailedCall.

    :returns: None if that is impossible, for example because no file can be opened
    """
    try:
        from os_retries.core.retries import FailedCall

        return FailedCall(scope, describe(method), streams, handled)
    except Exception:  # an error in os-retries must not hide the client's error
        with contextlib.suppress(Exception):
            import logging

            logging.getLogger("os_retries").exception("the call is not repeated, because its error could not be read")
        return None


def refuse_coroutine(result: Any) -> NoReturn:
    """Refuse the coroutine that an async function has returned.

    Its errors come when it is awaited, outside the loop, where nothing can be repeated.

    :raises TypeError: always
    """
    name = getattr(result, "__qualname__", "it")
    result.close()  # otherwise Python warns that the coroutine was never awaited
    raise TypeError(
        f"{name} is an async function, whose errors come only when it is awaited: pass a function that blocks; "
        f"in async code: await asyncio.to_thread(execute_with_retries, function)"
    )
