"""What the output stream of a command can display: whether it can erase a line, its width, and colors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    Paint = Callable[[str, str], str]

_STYLES = {"bold": "1", "red": "31", "green": "32", "cyan": "36"}


def can_erase(stream: TextIO) -> bool:
    """Return whether the stream is a terminal on which a line can be erased and rewritten."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """Return the width in columns: COLUMNS if it is set, else the width of the terminal, else 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        found = 0
    return found or 80  # a terminal whose size was never set reports 0


def painter(stream: TextIO) -> Paint:
    """Return a function that applies a style of ``_STYLES`` to a text, or that returns the text unchanged.

    NO_COLOR and FORCE_COLOR work as described on no-color.org and force-color.org: an empty value counts as unset, and
    NO_COLOR overrides FORCE_COLOR.
    """
    forced = bool(os.environ.get("FORCE_COLOR")) or can_erase(stream)
    return _paint if forced and not os.environ.get("NO_COLOR") else plain


def plain(text: str, _style: str) -> str:
    """Return a text unchanged."""
    return text


def _paint(text: str, style: str) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text and style else text
