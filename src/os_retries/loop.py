"""The only loop: attempts until one succeeds, or until its policy says that there is no further one.

It is what every program loads and every call passes through, so it knows no policy, no clock and no log: what follows
a failure is :mod:`os_retries.call`'s, which is loaded when something fails for the first time.

The calls inside a call share its allowance of extra waiting, and what an inner one has given up no outer one repeats:
attempts never multiply.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

from os_retries import slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from os_retries.call import Retries, Target


class Call:
    """The outermost call that runs now in this context.  Class attributes: a call that succeeds pays nothing."""

    #: Seconds waited beyond the waits of the configuration, by this call and the calls in it.
    extra_waited = 0.0
    #: A finished call owns nothing: a context may outlive it, in a thread or a task that was started inside.
    finished = False
    #: The ordinal and the status of what was given up last inside this call, and the ordinal of the last request that
    #: a repeat could do twice.
    given_up: tuple[int, int | None] = (0, None)
    not_repeatable = 0


_nobody = Call()
_nobody.finished = True
_current: ContextVar[Call] = ContextVar("os_retries.loop", default=_nobody)

#: How many calls this process has given up.  A mark on an exception is fresh, that is made during the attempt which
#: just failed, when its ordinal is higher than this number was at the start; in whichever thread it was made.
given_up = 0


def run(  # noqa: C901  the one loop
    describe: Callable[[Callable[..., Any]], Target],
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    streams: Sequence[Stream] | None = None,
    begun: int | None = None,
) -> Any:
    """Call ``method`` until it succeeds or its policy says that there is no further attempt.

    ``describe`` is asked for the method's name, service and policy once it has failed, and not before.  ``streams``
    are rewound before a retry; without them they are looked for among the arguments.  ``begun`` is what
    :data:`given_up` was before the first attempt, where that was made before.

    Raises the method's own last exception, the same object.  KeyboardInterrupt, SystemExit, GeneratorExit and
    whatever else is no Exception pass through.
    """
    call = _current.get()
    outermost = call.finished
    if outermost:
        # It stays in the context until the next call takes its place: that it is finished says all.
        call = Call()
        _current.set(call)
    retries: Retries | None = None
    try:
        if streams is None:
            streams = _streams(method, args, kwargs)
        handled = sys.exception()
        while True:
            since = given_up if begun is None else begun
            begun = None
            try:
                # Python copies kwargs for the call, even empty ones: a tenth of all that we cost.
                result = method(*args, **kwargs) if kwargs else method(*args)
            except Exception as error:
                if retries is None:
                    retries = _begin(describe, method, call, streams, handled)
                wait = retries.after(error, since) if retries is not None else None
                if wait is None:
                    raise
            else:
                if slots.watching:
                    slots.take_note(describe(method) if retries is None else retries.target, result)
                return result
            # Outside the except block: the next error must not have this one as its context.
            assert retries is not None  # who is to wait has begun
            retries.wait(wait)
    finally:
        if outermost:
            call.finished = True
        if retries is not None:
            retries.over()


def _begin(
    describe: Callable[[Callable[..., Any]], Target],
    method: Callable[..., Any],
    call: Call,
    streams: Sequence[Stream],
    handled: BaseException | None,
) -> Retries | None:
    """Load what follows a failure, and begin it; None where that fails, as it does when no file can be opened."""
    try:
        return describe(method).begin(call, streams, handled)
    except Exception:  # a fault of ours must not hide the client's own error
        with contextlib.suppress(Exception):
            import logging  # noqa: PLC0415

            logging.getLogger("os_retries").exception("a failure could not be judged, and the call is not repeated")
        return None


def current() -> Call:
    """Return the outermost call that runs now in this context."""
    return _current.get()


class Stream:
    """An argument that is used up by reading it, and where it stood before the first attempt."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        try:
            # openstacksdk's segments of a file can be rewound and do not say so.
            seekable = stream.seekable() if hasattr(stream, "seekable") else hasattr(stream, "seek")
            self.start = stream.tell() if seekable else None
        except Exception:  # closed, a pipe, or no file after all: it cannot be read twice
            self.start = None

    def rewind(self) -> bool:
        """Go back to the start; whether that was possible."""
        if self.start is None:
            return False
        try:
            self.stream.seek(self.start)
        except Exception:  # closed meanwhile
            return False
        return True


def is_stream(kind: type) -> bool:
    """Whether objects of this type are used up by reading them."""
    # By the type: asking a nova resource for an attribute that it has not sends a request.
    # NamedTemporaryFile's wrapper passes everything on to its file and has no read of its own.
    wrapper = (kind.__module__, kind.__name__) == ("tempfile", "_TemporaryFileWrapper")
    return wrapper or hasattr(kind, "read") or hasattr(kind, "__next__")


# What may be in an argument of a type that is used up by reading it: empty for most types, and types are few.
_shapes: dict[type, str] = {}


def _shape(kind: type) -> str:
    shape = _shapes.get(kind)
    if shape is None:
        if hasattr(kind, "__wrapped__"):  # glanceclient's results: wrapt's proxy can do whatever any object can
            shape = "proxy"
        elif issubclass(kind, dict):  # nova's files={"/path": file}
            shape = "mapping"
        elif issubclass(kind, list | tuple):
            shape = "sequence"
        else:
            shape = "stream" if is_stream(kind) else ""
        if len(_shapes) > 1000:  # types that are made on the fly are not kept alive for ever
            _shapes.clear()
        _shapes[kind] = shape
    return shape


def _streams(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Stream, ...]:
    """Find the arguments that must be rewound before they are sent again, also inside a partial, dict, list or tuple.

    A second attempt with a file that the first has read would upload nothing and report success.
    """
    values = (*args, *kwargs.values()) if kwargs else args
    if type(method) is partial:
        values = (*values, *method.args, *method.keywords.values())
    found: tuple[Stream, ...] = ()
    for value in values:
        if _shapes.get(type(value), "not seen yet"):
            found += tuple(Stream(each) for each in _inside(value) if _shape(type(each)) == "stream")
    return found


def _inside(value: Any) -> Iterable[Any]:
    shape = _shape(type(value))
    if shape == "proxy":
        return (value.__wrapped__,)
    if shape == "mapping":
        return dict.values(value)
    return value if shape == "sequence" else (value,)
