"""Request bodies that are used up by sending them, and how they are sent again from where they started."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from os_retries.core.streams import Stream, is_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

# Bodies that can be sent any number of times.
_WHOLE = (str, bytes, bytearray, memoryview, list, tuple, dict, type(None))


def body_of(kwargs: Mapping[str, Any]) -> Body | None:
    """Return the body if it is used up by sending it; None if it is not."""
    if kwargs.get("files"):
        return Files(kwargs["files"])
    data = kwargs.get("data")
    if isinstance(data, _WHOLE):
        return None
    return GlanceChunks(data) if GlanceChunks.are(data) else Body(data)


class Body(Stream):
    """A request's body that is used up by sending it."""

    #: The argument of Session.request that carries it.
    argument = "data"

    def fresh(self) -> Any:
        """Return what to send."""
        return self.stream


class Files(Body):
    """The ``files`` argument of requests: names and files, in a mapping or in pairs, each file alone or in a tuple."""

    argument = "files"

    def __init__(self, files: Any) -> None:
        # A list of our own, because an iterator is used up by looking at it.
        self.stream = list(files.items() if hasattr(files, "items") else files)
        values = [value for _name, value in self.stream]
        parts = [part for value in values for part in (value if isinstance(value, tuple | list) else [value])]
        self._streams = [Stream(part) for part in parts if is_stream(type(part))]

    def rewind(self) -> bool:
        """Go back to the start of every file, and return whether that was possible."""
        return all(stream.rewind() for stream in self._streams)


class GlanceChunks(Body):
    """glanceclient's generator around the caller's file, which is made again for each attempt around the rewound file.

    glanceclient passes ``_BaseHTTPClient._chunk_body(file)``.  A generator cannot be rewound, but its file can.
    """

    @staticmethod
    def are(data: Any) -> bool:
        """Return whether ``data`` is that generator, before its first step."""
        frame = getattr(data, "gi_frame", None)
        return (
            isinstance(data, types.GeneratorType)
            and frame is not None
            and data.gi_code.co_name == "_chunk_body"
            and frame.f_globals.get("__name__") == "glanceclient.common.http"
            and "body" in frame.f_locals
        )

    def __init__(self, chunks: types.GeneratorType[bytes, None, None]) -> None:
        frame: Any = chunks.gi_frame
        super().__init__(frame.f_locals["body"])
        self._first: Any = chunks
        self._make = types.FunctionType(chunks.gi_code, frame.f_globals)

    def fresh(self) -> Any:
        """Return the generator, or after the first attempt a new one."""
        chunks, self._first = self._first, None
        return chunks if chunks is not None else self._make(self.stream)
