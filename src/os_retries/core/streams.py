"""Arguments that are used up by reading them, such as files and iterators, and how they are rewound for a retry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class Stream:
    """An argument that is used up by reading it, and its position before the first attempt."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        try:
            # openstacksdk's segments of a file can be rewound and do not say so.
            seekable = stream.seekable() if hasattr(stream, "seekable") else hasattr(stream, "seek")
            self.start = stream.tell() if seekable else None
        except Exception:  # closed, a pipe, or not a file at all: it cannot be read twice
            self.start = None

    def rewind(self) -> bool:
        """Go back to the start, and return whether that was possible."""
        if self.start is None:
            return False
        try:
            self.stream.seek(self.start)
        except Exception:  # closed meanwhile
            return False
        return True


def is_stream(kind: type) -> bool:
    """Whether objects of this type are used up by reading them."""
    # By the type alone: a nova resource sends a request when it is asked for an attribute that it does not have.
    # The wrapper that NamedTemporaryFile returns has no read of its own; it passes everything on to its file.
    wrapper = (kind.__module__, kind.__name__) == ("tempfile", "_TemporaryFileWrapper")
    return wrapper or hasattr(kind, "read") or hasattr(kind, "__next__")


# By type: how an argument of it may hold streams.  Empty for most types.  A program has few types of arguments.
_shapes: dict[type, str] = {}


def _shape(kind: type) -> str:
    shape = _shapes.get(kind)
    if shape is None:
        if hasattr(
            kind, "__wrapped__"
        ):  # a proxy of wrapt, as glanceclient's results are, has the attributes of its object
            shape = "proxy"
        elif issubclass(kind, dict):  # nova's files={"/path": file}
            shape = "mapping"
        elif issubclass(kind, list | tuple):
            shape = "sequence"
        else:
            shape = "stream" if is_stream(kind) else ""
        if len(_shapes) > 1000:  # do not keep types alive that a program makes as it goes
            _shapes.clear()
        _shapes[kind] = shape
    return shape


def streams_among(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Stream, ...]:
    """Find the arguments that must be rewound before they are sent again, also inside a partial, dict, list or tuple.

    A second attempt with a file that the first one has read would upload nothing and report success.
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
