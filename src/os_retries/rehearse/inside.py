"""Inject the faults of a rehearsal into a program.

``run/path/sitecustomize.py`` loads this module after the program has imported ``requests.sessions``.

Every client sends its requests through ``HTTPAdapter.send`` of requests, which is replaced here.  It is below
keystoneauth, the client, and every layer that retries.  Only OpenStack requests get faults: requests with a token, and
requests for a token.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from os_retries.faults.fault import Fault
    from os_retries.faults.plan import Faults
    from os_retries.faults.rules import Request

_LARGEST = 1 << 20  # the longest answer, in bytes, that is searched for ids


def loaded(_module: object) -> None:
    """Replace ``HTTPAdapter.send``."""
    from requests.adapters import HTTPAdapter

    original = HTTPAdapter.send

    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_openstack(request):
            return original(self, request, *args, **kwargs)
        return _rehearsal().send(functools.partial(original, self), request, args, kwargs)

    HTTPAdapter.send = send  # type: ignore[method-assign]


def _is_openstack(request: Any) -> bool:
    return "X-Auth-Token" in request.headers or str(request.url).partition("?")[0].endswith("/auth/tokens")


@functools.cache
def _rehearsal() -> Rehearsal:
    return Rehearsal(json.loads(os.environ["OSRETRIES_FAULTS"]))


class Rehearsal:
    """Injects the faults of this process, and records its requests.

    :param plan: the decoded value of ``OSRETRIES_FAULTS``, which :func:`plan` makes
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        from os_retries.faults.plan import Faults
        from os_retries.rehearse.grammar import Clause
        from os_retries.rehearse.rule import Counters, Together

        self._folder = plan["folder"]
        counters = Counters(self._folder)
        rule = Together([Clause(**each) for each in plan["clauses"]], plan["began"], counters)
        # Each process has its own random numbers.  Otherwise the first request of each command of a script would get
        # the same fault.
        seed = plan["seed"] * 1_000_003 + counters.next("process")
        self._faults: Faults = Faults(rule, seed=seed, tokens=plan["tokens"])

    def send(self, original: Callable[..., Any], request: Any, args: Any, kwargs: Any) -> Any:
        """Send a request, or inject its fault, and record it."""
        from os_retries.faults.adapter import FaultyAdapter

        inner, watched = _Inner(original), _Watched(self._faults)
        status: int | None = None
        try:
            response = FaultyAdapter(inner, watched).send(request, *args, **kwargs)  # type: ignore[arg-type]
            status = response.status_code
        finally:
            self._record(watched, inner, status)
        return response

    def _record(self, watched: _Watched, inner: _Inner, status: int | None) -> None:
        from os_retries.run.journal import append

        seen, fault = watched.seen, watched.fault
        if seen is None:
            return
        line = {
            "time": time.time(),
            "pid": os.getpid(),
            "program": os.path.basename(sys.argv[0]) if sys.argv else "",  # noqa: PTH119
            "service": seen.service,
            "verb": seen.verb,
            "path": seen.path,
            "fault": None if fault is None else str(fault),
            "processed": fault is None or fault.processed or fault.after is not None,
            "status": status,
            "made": inner.ids() if fault is not None and seen.verb == "POST" else [],
        }
        path = os.path.join(self._folder, "requests")  # noqa: PTH118
        append(path, json.dumps(line).encode() + b"\n", create=True)


class _Inner:
    """The real adapter, below the fault.  It keeps the answer of the service even if the program does not get it."""

    def __init__(self, send: Callable[..., Any]) -> None:
        self._send = send
        self._response: Any = None

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self._response = self._send(request, *args, **kwargs)
        return self._response

    def ids(self) -> list[str]:
        """Return the ids of the created resources that the answer contains."""
        response = self._response
        if response is None or not response.ok:
            return []
        try:
            content = response.content  # the adapter has already read it
            body = json.loads(content) if len(content) <= _LARGEST else None
        except (ValueError, RuntimeError):
            return []
        things = [body, *body.values()] if isinstance(body, dict) else []
        items = [item for each in things for item in (each if isinstance(each, list) else [each])]
        ids = [item.get("id") for item in items if isinstance(item, dict)]
        return [each for each in ids if isinstance(each, str)]


class _Watched:
    """Wraps the Faults of this process for one request, and remembers the decision."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.seen: Request | None = None
        self.fault: Fault | None = None

    @property
    def late(self) -> list[threading.Thread]:
        return self._faults.late

    def next_fault(self, prepared: Any) -> tuple[Request, Fault | None]:
        self.seen, self.fault = self._faults.next_fault(prepared)
        return self.seen, self.fault

    def done(self, request: Request, fault: Fault | None, response: Any) -> None:
        self._faults.done(request, fault, response)
        self._faults.record.clear()  # not needed here: the request is recorded in the file of the rehearsal


def plan(clauses: Any, *, seed: int, tokens: bool, folder: str, began: float) -> str:
    """Return the value of ``OSRETRIES_FAULTS`` for a run."""
    return json.dumps(
        {
            "clauses": [dataclasses.asdict(each) for each in clauses],
            "seed": seed,
            "tokens": tokens,
            "folder": folder,
            "began": began,
        }
    )
