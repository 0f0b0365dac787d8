"""The options of `os-retries rewrite`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class UsageError(Exception):
    """A mistake on the command line; the message says what to write."""


@dataclass
class Options:
    """The options, as on the command line."""

    paths: Sequence[str]
    mode: str = "diff"  # diff, write, check
    clients: Sequence[str] = ()
    wrapper: str = "os_retries:execute_with_retries"
    exclude: Sequence[str] = ()
    line_length: int = 79
    tests: bool = False
    creates: bool = True
    format: str = "text"  # text, json, sarif
