"""The forms in which ``os-retries env`` prints variables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping

from os_retries.run.policies import UsageError

#: A function that yields the lines for some variables.
Form = Callable[[Mapping[str, str]], Iterator[str]]


def _shell(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield commands of a POSIX shell.  The entries that PYTHONPATH already has follow ours."""
    for name, value in variables.items():
        more = "${PYTHONPATH:+:$PYTHONPATH}" if name == "PYTHONPATH" else ""
        yield f"export {name}={shlex.quote(value)}{more}"


def _systemd(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a unit file, in which percent signs, backslashes and quotes have a meaning."""
    yield "[Service]"
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        yield f'Environment="{name}={_one_line(name, escaped)}"'


def _dotenv(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield plain lines.  They have no quotes, because Docker takes quotes as a part of the value."""
    for name, value in variables.items():
        yield f"{name}={_one_line(name, value)}"


def _one_line(name: str, value: str) -> str:
    if len(value.splitlines()) > 1:
        raise UsageError(f"{name} contains a newline, which this form cannot represent")
    return value


FORMS: Mapping[str, Form] = {"shell": _shell, "systemd": _systemd, "dotenv": _dotenv}
