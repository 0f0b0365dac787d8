"""Read, parse and write one file.  A write replaces the whole file or changes nothing."""

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
    """Raised for a file that cannot be processed.  The message names the file and the reason."""


def read(real: str, shown: str) -> str:
    """Return the text of a file, with its newlines unchanged.

    :raises FileError: if the file cannot be read or is not UTF-8
    """
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
    encoding = f" (its encoding declaration says {declared})" if declared else ""
    raise FileError(f"{shown}: is not UTF-8{encoding}; convert it first")


def split_lines(text: str) -> list[str]:
    """Split a text where Python ends a line.  str.splitlines also splits at form feeds and other characters."""
    return _NEWLINE.split(text)


def parse(text: str, shown: str) -> ast.Module:
    """Parse the text of a file.

    :raises FileError: if this version of Python cannot parse it
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.removeprefix(BOM))
    except SyntaxError as error:
        raise FileError(f"{shown}:{error.lineno or 1}: cannot be parsed ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{shown}: cannot be parsed ({str(error) or type(error).__name__})") from None


def write(shown: str, old: str, new: str) -> None:
    """Replace the whole text of a file.

    A new file is written in the same folder, gets the mode and the owner of the old file, and replaces it.  A symbolic
    link is kept: the file that it points to is replaced.
    """
    real = os.path.realpath(shown)
    try:
        stat = Path(real).stat()
        if not stat.st_mode & 0o222 or not os.access(real, os.W_OK):
            raise FileError(f"{shown}: is read-only; it was not changed")
        if read(real, shown) != old:
            raise FileError(f"{shown}: another program has changed it since it was read; not rewritten, run again")
        descriptor, temporary = tempfile.mkstemp(prefix=".os-retries-", dir=Path(real).parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(new.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(stat.st_mode & 0o7777)
            if hasattr(os, "chown") and (stat.st_uid, stat.st_gid) != (os.getuid(), os.getgid()):
                os.chown(temporary, stat.st_uid, stat.st_gid)
            Path(temporary).replace(real)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"{shown}: cannot be written; it was not changed ({error.strerror})") from None
