"""Request bodies that can be read only once, and how they are rewound to be sent again."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from os_retries.core.streams import Stream, is_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

# Bodies that can be sent any number of times.
_WHOLE = (str, bytes, bytearray, memoryview, list, tuple, dict, type(None))


def body_of(kwargs: Mapping[str, Any]) -> Body | None:
    """Return the body of a request if it can be read only once; None if it can be sent any number of times."""
    if kwargs.get("files"):
        return Files(kwargs["files"])
    data = kwargs.get("data")
    if isinstance(data, _WHOLE):
        return None
    return GlanceChunks(data) if GlanceChunks.are(data) else Body(data)


class Body(Stream):
    """A request's body that can be read only once."""

    #: The argument of Session.request that carries the body.
    argument = "data"

    def fresh(self) -> Any:
        """Return the value to send for the next attempt."""
        return self.stream


class Files(Body):
    """The ``files`` argument of requests: names and files, in a mapping or in pairs, each file alone or in a tuple."""

    argument = "files"

    def __init__(self, files: Any) -> None:
        # A list of our own, because ``files`` may be an iterator, which can be read only once.
        self.stream = list(files.items() if hasattr(files, "items") else files)
        values = [value for _name, value in self.stream]
        parts = [part for value in values for part in (value if isinstance(value, tuple | list) else [value])]
        self._streams = [Stream(part) for part in parts if is_stream(type(part))]

    def rewind(self) -> bool:
        """Rewind every file; return whether that was possible."""
        return all(stream.rewind() for stream in self._streams)


class GlanceChunks(Body):
    """The generator in which glanceclient wraps the caller's file.

    glanceclient passes ``_BaseHTTPClient._chunk_body(file)``.  A generator cannot be rewound, but its file can.  So the
    file is rewound, and each attempt gets a new generator around it.
    """

    @staticmethod
    def are(data: Any) -> bool:
        """Return whether ``data`` is that generator, not yet started."""
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
        """Return glanceclient's own generator for the first attempt, and a new one for each later attempt."""
        chunks, self._first = self._first, None
        return chunks if chunks is not None else self._make(self.stream)
