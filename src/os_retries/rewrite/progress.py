"""The progress of a long run, on standard error."""

from __future__ import annotations

import time
from typing import TextIO

from os_retries.terminal.stream import can_erase, columns

_FIRST_NOTE, _NOTE_EVERY = 5.0, 10.0  # seconds until the first line of progress, and between two


class Progress:
    """Shows progress: on a terminal in one line that is overwritten, elsewhere as an occasional line."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = can_erase(stream)
        self.next = time.monotonic() + (0.5 if self.terminal else _FIRST_NOTE)
        self.shown = False

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done, if it is time for it."""
        now = time.monotonic()
        if now < self.next:
            return
        text = f"os-retries rewrite: {doing} {done}/{total}"
        if self.terminal:
            self.stream.write(f"\r\x1b[K{text[: columns(self.stream) - 1]}")
            self.next = now + 0.2
            self.shown = True
        else:
            self.stream.write(text + "\n")
            self.next = now + _NOTE_EVERY
        self.stream.flush()

    def clear(self) -> None:
        """Clear the line on the terminal, before something else is written."""
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.shown = False
