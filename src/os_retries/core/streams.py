"""Streams: arguments that can be read only once, such as files and iterators, and how a retry rewinds them."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class Stream:
    """An argument that can be read only once, and its position before the first attempt."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        try:
            # openstacksdk's segments of a file have seek() but no seekable().
            seekable = stream.seekable() if hasattr(stream, "seekable") else hasattr(stream, "seek")
            self.start = stream.tell() if seekable else None
        except Exception:  # closed, a pipe, or not a file at all: it cannot be read twice
            self.start = None

    def rewind(self) -> bool:
        """Go back to the position before the first attempt; return whether that was possible."""
        if self.start is None:
            return False
        try:
            self.stream.seek(self.start)
        except Exception:  # for example, closed by the first attempt
            return False
        return True


def is_stream(kind: type) -> bool:
    """Return whether objects of this type can be read only once."""
    # Only the type is looked at: a nova resource sends a request when it is asked for an attribute that it lacks.
    # The wrapper that NamedTemporaryFile returns has no read() in its class; it delegates every attribute to its file.
    wrapper = (kind.__module__, kind.__name__) == ("tempfile", "_TemporaryFileWrapper")
    return wrapper or hasattr(kind, "read") or hasattr(kind, "__next__")


# By type, how an argument of that type may contain streams; an empty string if it cannot.  Programs pass few types.
_shapes: dict[type, str] = {}


def _shape(kind: type) -> str:
    shape = _shapes.get(kind)
    if shape is None:
        if hasattr(
            kind, "__wrapped__"
        ):  # a proxy of wrapt, such as a result of glanceclient, has the attributes of its object
            shape = "proxy"
        elif issubclass(kind, dict):  # nova's files={"/path": file}
            shape = "mapping"
        elif issubclass(kind, list | tuple):
            shape = "sequence"
        else:
            shape = "stream" if is_stream(kind) else ""
        if len(_shapes) > 1000:  # a program that makes types dynamically must not leak them
            _shapes.clear()
        _shapes[kind] = shape
    return shape


def streams_among(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Stream, ...]:
    """Return the arguments that must be rewound before a retry, also those inside a partial, dict, list or tuple.

    Without a rewind, a retry would upload nothing from a file that the first attempt has read, and report success.
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
