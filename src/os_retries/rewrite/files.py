"""One file: read, parsed, and written as a whole or not at all."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import tempfile
import tokenize
import warnings
from io import BytesIO
from pathlib import Path

BOM = "\ufeff"
_NEWLINE = re.compile(r"\r\n|\r|\n")


class FileError(Exception):
    """A file that cannot be processed; the message says which one, and why."""


def read(real: str, shown: str) -> str:
    """Read a file's text, newlines as they are; raise FileError unless it is UTF-8."""
    try:
        data = Path(real).read_bytes()
    except OSError as error:
        raise FileError(f"{shown}: cannot be read ({error.strerror})") from None
    declared = ""
    with contextlib.suppress(SyntaxError):
        declared = tokenize.detect_encoding(BytesIO(data).readline)[0]
    if declared.startswith("utf-8") or data.isascii():
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise FileError(f"{shown}: is not UTF-8 (byte {error.start}); convert it first") from None
    raise FileError(f"{shown}: is not UTF-8{f' (it says {declared})' if declared else ''}; convert it first")


def split_lines(text: str) -> list[str]:
    """Split where Python ends a line (str.splitlines splits at form feeds and more, too)."""
    return _NEWLINE.split(text)


def parse(text: str, shown: str) -> ast.Module:
    """Parse a file's text; raise FileError where this Python cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.removeprefix(BOM))
    except SyntaxError as error:
        raise FileError(f"{shown}:{error.lineno or 1}: does not parse ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{shown}: does not parse ({str(error) or type(error).__name__})") from None


def write(shown: str, old: str, new: str) -> None:
    """Replace a file's text as a whole: a new file in the same folder takes its place, mode and owner.

    A symbolic link stays one: what it points to is replaced.
    """
    real = os.path.realpath(shown)
    try:
        status = Path(real).stat()
        if not status.st_mode & 0o222 or not os.access(real, os.W_OK):
            raise FileError(f"{shown}: is read-only, not changed")
        if read(real, shown) != old:
            raise FileError(f"{shown}: was changed by something else meanwhile, not changed; run again")
        handle, temporary = tempfile.mkstemp(prefix=".os-retries-", dir=Path(real).parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(new.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(status.st_mode & 0o7777)
            if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
                os.chown(temporary, status.st_uid, status.st_gid)
            Path(temporary).replace(real)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"{shown}: cannot be written, not changed ({error.strerror})") from None
