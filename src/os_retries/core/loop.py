"""The only loop: attempts until one succeeds, or until the policy says that there is no further one.

Every program loads this module and every call passes through it, so it knows no policy, no clock and no log.  What
follows a failure is in :mod:`os_retries.core.retries`, which is loaded when something fails for the first time.

Calls may be nested: a wrapped method may send several requests of an attached session.  :mod:`os_retries.core.scope`
says how they share one allowance, and why attempts never multiply.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from os_retries.core.scope import Scope, count, running
from os_retries.core.streams import streams_among
from os_retries.pacing.process import pacers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from os_retries.core.protocols import Target
    from os_retries.core.retries import FailedCall
    from os_retries.core.streams import Stream


def run_attempts(  # noqa: C901
    describe: Callable[[Callable[..., Any]], Target],
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    streams: Sequence[Stream] | None = None,
    begun: int | None = None,
) -> Any:
    """Call ``method`` until it succeeds, or until its policy says that there is no further attempt.

    :param describe: asked for the method's name, service and policy when it has failed, and not before
    :param streams: what is rewound before a retry; None: the streams among the arguments
    :param begun: what ``count.given_up`` was before the first attempt, where the caller has made that attempt
    :raises Exception: the method's own last exception, the same object
    :raises BaseException: at once, whatever is no Exception, such as KeyboardInterrupt and SystemExit
    """
    scope = running.get()
    outermost = scope.finished
    if outermost:
        # It stays in the context until the next call takes its place.  That it is finished is enough.
        scope = Scope()
        running.set(scope)
    failed: FailedCall | None = None
    try:
        if streams is None:
            streams = streams_among(method, args, kwargs)
        handled = sys.exception()
        while True:
            since = count.given_up if begun is None else begun
            begun = None
            try:
                # Python copies kwargs for each call, even when empty: that is a tenth of the cost of this loop.
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
                return result
            # Outside the except block, so that the next error does not get this one as its context.
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
    """Load what follows a failure; return None if that is impossible, for example when no file can be opened."""
    try:
        from os_retries.core.retries import FailedCall

        return FailedCall(scope, describe(method), streams, handled)
    except Exception:  # a fault of ours must not hide the client's own error
        with contextlib.suppress(Exception):
            import logging

            logging.getLogger("os_retries").exception("a failure could not be judged, and the call is not repeated")
        return None


def refuse_coroutine(result: Any) -> NoReturn:
    """Refuse what an async function returns: its errors come when it is awaited, where nothing can be repeated.

    :raises TypeError: always
    """
    name = getattr(result, "__qualname__", "it")
    result.close()  # or Python would warn that it was never awaited
    raise TypeError(
        f"{name} is an async function, and its errors come only when it is awaited: pass a function that blocks, "
        f"or run that one in a thread, as await asyncio.to_thread(execute_with_retries, method)"
    )
