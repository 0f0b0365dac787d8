"""The options ``--metrics`` and ``--otlp`` of ``os-retries run``: where the metrics of the whole run go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from os_retries.run.policies import UsageError
from os_retries.run.processes import say
from os_retries.run.totals import Receiver, Totals, receiver, send, write

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metrics:
    """Collects the counts of all programs of one run, and delivers them as metrics at the end.

    :param command: the name of the command
    :param file: the file of ``--metrics``; None without that option
    :param otlp: the address of ``--otlp``; None without that option, empty for the address in the environment
    :raises UsageError: if the file cannot be written, or if the address is invalid
    """

    def __init__(self, command: str, file: str | None, otlp: str | None, *, quiet: bool = False) -> None:
        self._totals = Totals(command)
        self._file = None if file is None else _checked(file)
        self._to: Receiver | None = None
        self._quiet = quiet
        if otlp is not None:
            try:
                self._to = receiver(otlp, os.environ)
            except ValueError as error:
                raise UsageError(f"--otlp: {error}") from None

    def add(self, count: Mapping[str, Any]) -> None:
        """Add one count of a program."""
        self._totals.add(count)

    def deliver(self, status: int) -> None:
        """Write the file and send the metrics; report what has failed.

        :param status: the exit status of the command; minus the number of the signal that ended it
        """
        self._totals.end(status)
        if self._file is not None:
            try:
                write(self._file, self._totals.text())
            except OSError as error:
                self._say(f"--metrics {self._file}: {error.strerror or error}")
        if self._to is not None:
            try:
                send(self._to, self._totals.otlp())
            except Exception as error:  # whatever urllib raises
                self._say(f"--otlp {self._to.url}: {error}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            say(f"os-retries: the metrics could not be delivered: {text}")


def _checked(path: str) -> str:
    """Return the absolute path of a file after a check that it can be written; the file itself is not changed."""
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    if os.path.isdir(path):  # noqa: PTH112
        raise UsageError(f"--metrics {path}: this is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--metrics {path}: nothing can be written into {folder}")
    return os.path.abspath(path)  # noqa: PTH100
