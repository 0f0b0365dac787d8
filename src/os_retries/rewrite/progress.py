"""How far a long run is, on standard error."""

from __future__ import annotations

import time
from typing import TextIO

_FIRST_NOTE, _NOTE_EVERY = 5.0, 10.0  # seconds until the first line of progress, and between two


class Progress:
    """How far it is: on a terminal one line that is written over, elsewhere a line now and then on a long run."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.next = time.monotonic() + (0.5 if self.terminal else _FIRST_NOTE)
        self.shown = False

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Say that `done` of `total` are done, if it is time to."""
        now = time.monotonic()
        if now < self.next:
            return
        text = f"os-retries rewrite: {doing} {done}/{total}"
        if self.terminal:
            self.stream.write(f"\r\x1b[K{text}")
            self.next = now + 0.2
            self.shown = True
        else:
            self.stream.write(text + "\n")
            self.next = now + _NOTE_EVERY
        self.stream.flush()

    def clear(self) -> None:
        """Take the line off the terminal, for something else to be written there."""
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.shown = False
