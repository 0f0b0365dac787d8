"""What the command line of `os-retries rewrite` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class UsageError(Exception):
    """The command line asks for something that cannot be; the message says what to do."""


@dataclass
class Options:
    """What the command line says."""

    paths: Sequence[str]
    mode: str = "diff"  # diff, write, check
    clients: Sequence[str] = ()
    wrapper: str = "os_retries:execute_with_retries"
    exclude: Sequence[str] = ()
    line_length: int = 79
    tests: bool = False
    creates: bool = True
    format: str = "text"  # text, json, sarif
