"""``os-retries run``: start a program with every OpenStack client attached, wait for it, and print a summary.

The program gets two things through its environment.  A folder comes first on PYTHONPATH, and the ``sitecustomize`` in
it loads os_retries.  The variables ``OSRETRIES_*`` hold the policies and the destinations of the reports.  The names of
the variables do not begin with ``OS_``, because openstacksdk takes any such variable for a part of the description of a
cloud, and prefers that cloud to the one in clouds.yaml.
"""

from __future__ import annotations

import contextlib
import os
import signal

from os_retries.core.switch import disabled
from os_retries.run import journal, operations
from os_retries.run.processes import cannot_run, die_of, replace_by, say, wait_for

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from os_retries.run.metrics import Metrics
    from os_retries.run.summary import Summary

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")  # noqa: PTH100, PTH118, PTH120

#: The variables that the programs get in addition to the policies.
_OURS = (
    *("OSRETRIES_JOURNAL", "OSRETRIES_LOG_JSON", "OSRETRIES_QUIET", "OSRETRIES_COUNT", "OSRETRIES_OBSERVE"),
    "OSRETRIES_SERVICE_CONFIG",
)
#: The policies of a program that gets the defaults.  The program knows them, so this process need not load the options.
DEFAULTS = "{}"

_UNREACHED = (
    "os-retries: no Python program below this command reported in, so nothing was retried. Out of reach are Python "
    "with -I, -E or -S, sudo, containers, other hosts, and programs that set their own PYTHONPATH."
)
_TOO_OLD = "os-retries: this command runs Python {}, and os-retries needs 3.11 or newer: nothing was retried."
_UNUSED = "os-retries: this command used neither keystoneauth nor swiftclient, so there was nothing to retry."


def run_with_defaults(command: Sequence[str]) -> int:
    """Run ``command`` like ``run_command``, with the default of each option."""
    try:
        return run_command(command, DEFAULTS)
    except operations.UsageError as error:
        say(f"os-retries run: {error}")
        return 2


def run_command(
    command: Sequence[str],
    policies: str,
    *,
    quiet: bool = False,
    log_json: str | None = None,
    service_config: bool = False,
    observe: Sequence[str] = (),
    metrics: Metrics | None = None,
    operation: str | None = None,
    strict: bool = False,
    state: str | None = None,
) -> int:
    """Run ``command`` with retries, and return its exit status; 127 or 126 if it cannot be run.

    Signals are passed on to the command, and a signal that ends the command ends this process too.  With ``quiet``, and
    without ``metrics`` and ``operation``, the command takes the place of this process, and the function does not
    return.

    :param policies: a text made by ``policies.write_policies``, or ``DEFAULTS``
    :param service_config: whether the command is a service whose own configuration has the numbers
    :param observe: the names of the sinks that each program gets
    :param metrics: the destinations of the metrics of the whole run
    :param operation: the key of the operation that the command belongs to
    :param strict: whether the operation refuses writes that a later run could not recognize
    :param state: the file with the note of the operation
    :raises UsageError: if ``log_json`` cannot be written, or if the operation is not possible
    """
    environ = dict(os.environ)
    if not command[0]:  # exec fails in different ways for an empty name, depending on the system
        return cannot_run(command, FileNotFoundError())
    given, operation = operation is not None, operations.key_of(operation, environ)
    if disabled():
        # Pass it on under the name that openstacksdk does not take for a part of a cloud's description.
        environ.pop("OS_RETRIES_DISABLED", None)
        environ["OSRETRIES_DISABLED"] = "1"
        return replace_by(command, environ)
    prepare(
        environ,
        policies,
        quiet=quiet,
        log_json=log_json,
        service_config=service_config,
        observe=observe,
        counting=metrics is not None,
    )
    if quiet and metrics is None and operation is None:
        return replace_by(command, environ)
    begun = None if operation is None else operations.Begun(operation, strict=strict, state=state, given=given)
    return _run_and_wait(command, environ, begun, quiet=quiet, metrics=metrics)


def _run_and_wait(
    command: Sequence[str],
    environ: dict[str, str],
    operation: operations.Begun | None,
    *,
    quiet: bool,
    metrics: Metrics | None,
) -> int:
    """Run the command as a child process with the files that its programs share, and report at the end."""
    with contextlib.ExitStack() as stack:
        if operation is not None:
            operations.begin(stack, environ, operation, quiet=quiet)
        path = _make_journal(stack, quiet=quiet) if not quiet or metrics is not None else None
        if path is not None:
            environ["OSRETRIES_JOURNAL"] = path
        try:
            status = wait_for(command, environ)
        except OSError as error:
            return cannot_run(command, error)
        if path is not None:
            _sum_up(path, quiet=quiet, metrics=metrics)
        if metrics is not None:
            metrics.deliver(status)
        if operation is not None and operation.given and not quiet and status == 0:
            operations.tell_left_over(operation.key, environ[operations.ORDINALS])
    return status if status >= 0 else die_of(signal.Signals(-status))


def prepare(
    environ: dict[str, str], policies: str, *, quiet: bool = False, counting: bool = False, **more: Any
) -> None:
    """Set the variables that the programs need, and remove those of an ``os-retries run`` around this one.

    :param counting: whether the programs count for the metrics
    :param more: further parameters of ``variables``
    :raises UsageError: if ``log_json`` cannot be written
    """
    made = variables(policies, quiet=quiet, **more) | {"PYTHONPATH": _python_path(environ.get("PYTHONPATH", ""))}
    _tell_run_around_us(environ)
    for name in _OURS:
        environ.pop(name, None)
    environ |= made
    if counting:
        environ["OSRETRIES_COUNT"] = "1"


def variables(
    policies: str,
    *,
    quiet: bool,
    log_json: str | None = None,
    service_config: bool = False,
    observe: Sequence[str] = (),
) -> dict[str, str]:
    """Return the variables that attach a program's clients.  PYTHONPATH contains only our folder.

    :raises UsageError: if ``log_json`` cannot be written
    """
    made = {"PYTHONPATH": _PATH, "OSRETRIES_POLICY": policies}
    if log_json is not None:
        made["OSRETRIES_LOG_JSON"] = _writable(log_json)
    if observe:
        made["OSRETRIES_OBSERVE"] = ",".join(observe)
    flags = {"OSRETRIES_SERVICE_CONFIG": service_config, "OSRETRIES_QUIET": quiet}
    return made | {name: "1" for name, is_set in flags.items() if is_set}


def _make_journal(stack: contextlib.ExitStack, *, quiet: bool) -> str | None:
    """Create the file that the programs report to; return None if that fails, so that the command runs without it."""
    try:
        return stack.enter_context(journal.journal(os.environ))
    except OSError as error:
        if not quiet:
            say(f"os-retries: there will be no summary: {error.strerror or error}")
        return None


def _tell_run_around_us(environ: Mapping[str, str]) -> None:
    """Tell the ``os-retries run`` around this one, if there is one, that this one prints the summary."""
    if "OSRETRIES_JOURNAL" in environ:
        journal.append(environ["OSRETRIES_JOURNAL"], b"inside -\n")


def _python_path(before: str) -> str:
    """Return the PYTHONPATH with our folder first, and without empty entries, which mean the current directory."""
    entries = [entry for entry in before.split(os.pathsep) if entry != _PATH] if before else []
    return os.pathsep.join([_PATH, *entries])


def _writable(path: str) -> str:
    """Return the absolute path of a file after a check that it can be appended to; create the file if needed."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666))
    except OSError as error:
        raise operations.UsageError(f"--log-json {path}: {error.strerror}") from None
    return os.path.abspath(path)  # noqa: PTH100


def _sum_up(path: str, *, quiet: bool = False, metrics: Metrics | None = None) -> None:
    """Print the summary of the programs, or why nothing could be retried; pass their counts to ``metrics``."""
    met: Summary | None = None
    words, versions = set[str](), set[str]()
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            for each in journal.read(file):
                if isinstance(each, list):
                    words.add(each[0])
                    versions.add(each[1])
                    continue
                if each["event"] == "count":
                    if metrics is not None:
                        metrics.add(each)
                    continue
                if met is None:  # most runs have nothing to sum up, and need not load the module
                    from os_retries.run import summary

                    met = summary.Summary()
                met.add(each)
    except (OSError, ImportError) as error:
        # The journal was removed, or os-retries was upgraded or removed during the run.
        why = error.strerror if isinstance(error, OSError) else "os-retries itself can no longer be read"
        if not quiet:
            say(f"os-retries: there is no summary: {why}")
        return
    if not quiet:
        _say_sum(met, words, versions)


def _say_sum(met: Summary | None, words: Collection[str], versions: Collection[str]) -> None:
    if met is not None:
        say(met.text())
    elif not {"attached", "failed", "inside"}.intersection(words):
        if "in" in words:
            say(_UNUSED)
        elif "old" in words:
            say(_TOO_OLD.format(", ".join(sorted(versions))))
        else:
            say(_UNREACHED)
