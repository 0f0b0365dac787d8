"""The child process of ``os-retries check``: call each installed client while the service fails, and count.

It prints a JSON list, in the order of the table.  Nothing waits here: ``time.sleep`` returns at once, and so do the
waits of os-retries.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from os_retries import execute_with_retries, testing
from os_retries.check.clients import CASES
from os_retries.check.server import LOST, Server
from os_retries.core.exceptions import read_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.check.clients import Case

#: The attempts of a loop that a program has around a call; the number is that of the specification.
ATTEMPTS = 6
_RETRY_AFTER = 7


def main() -> None:
    """Measure all clients; the first argument says whether os-retries repeats."""
    attached = sys.argv[1:] == ["attached"]
    time.sleep = lambda _seconds: None  # before a client is imported that takes its own reference to it
    warnings.simplefilter("ignore")
    logging.disable()
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), testing.NoWaits():
        server = Server()
        found = [_measured(case, server, attached=attached) for case in CASES if _is_installed(case.distribution)]
    output.write(json.dumps(found))


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _measured(case: Case, server: Server, *, attached: bool) -> dict[str, Any]:
    try:
        return _measure(case, server, attached=attached)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _measure(case: Case, server: Server, *, attached: bool) -> dict[str, Any]:
    """Count the requests of one call for each failure, in a loop, and of one create whose answer is lost."""
    loop = _execute if attached else _loop
    calls = {failure: _requests(case, server, failure, _once) for failure in case.failures}
    worst = max(calls, key=calls.__getitem__)
    return {
        "calls": {"lost" if failure == LOST else str(failure): number for failure, number in calls.items()},
        "looped": _requests(case, server, worst, loop),
        **_create(case, server),
        "retry_after": _keeps_retry_after(case, server),
    }


def _requests(case: Case, server: Server, failure: int, how: Callable[[Callable[[], Any]], object]) -> int:
    call = case.read(_client(case, server))
    server.fail(failure, 1 if failure == 413 else None)  # cinderclient repeats a 413 only if it has a Retry-After
    how(call)
    if not server.failed:
        raise RuntimeError(f"it sends no request for this call: {_once(call)!r}")
    return len(server.failed)


def _create(case: Case, server: Server) -> dict[str, Any]:
    """Return the verb of one create whose answer is lost, and how often it was sent; look-ups do not count."""
    create = case.create(_client(case, server))
    server.fail(LOST)
    _once(create)
    sent = [verb for verb in server.failed if verb in ("POST", "PUT")]
    if not sent:
        raise RuntimeError("the create was not sent")
    return {"verb": sent[0], "creates": len(sent)}


def _keeps_retry_after(case: Case, server: Server) -> bool:
    """Return whether the exception of a 503 has the Retry-After of the answer."""
    call = case.read(_client(case, server))
    server.fail(503, _RETRY_AFTER)
    error = _once(call)
    return isinstance(error, Exception) and read_failure(error).retry_after == _RETRY_AFTER


def _client(case: Case, server: Server) -> Any:
    from keystoneauth1 import session
    from keystoneauth1.identity import v3
    from requests import Session

    auth = v3.Password(
        server.auth_url,
        username="check",
        password="check",  # noqa: S106
        user_domain_id="default",
        project_name="check",
        project_domain_id="default",
    )
    http = Session()
    http.trust_env = False  # no proxy and no .netrc
    return case.make(server, session.Session(auth=auth, session=http, timeout=10))


def _once(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


def _loop(call: Callable[[], Any]) -> None:
    """Make the call in a loop, as a program with its own retries does."""
    for _ in range(ATTEMPTS):
        if _once(call) is None:
            return


def _execute(call: Callable[[], Any]) -> None:
    _once(lambda: execute_with_retries(call))


if __name__ == "__main__":
    main()
