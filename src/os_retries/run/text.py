"""Text for terminals and logs."""

from __future__ import annotations


def printable(text: str) -> str:
    """Replace characters that would move a terminal's cursor or forge a line: a path may hold any character."""
    return "".join(each if each.isprintable() else "?" for each in text)


def fitting(text: str, encoding: str | None) -> str:
    """Return ``text`` in the characters that a stream of that encoding has."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return text.replace("·", "-").replace("\N{MULTIPLICATION SIGN}", "x").encode("ascii", "replace").decode()
    return text
