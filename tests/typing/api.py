"""The types of the public API, as a caller's type checker sees them.

``make lint`` checks this file with mypy and basedpyright; it is never run.  Each ``type: ignore`` marks an error that
the checkers must find, because both report a ``type: ignore`` that is not needed.
"""

from collections.abc import Callable
from typing import Any, assert_type

from keystoneauth1.session import Session

import os_retries
from os_retries import (
    Attempt,
    Evidence,
    GiveUp,
    Kind,
    LookedUp,
    NotCovered,
    Operation,
    OperationError,
    Retry,
    RetryPolicy,
    attach,
    client_options,
    configure,
    detach,
    evidence,
    execute_with_retries,
    observe,
    operation,
)
from os_retries.faults import AtRandom, Entry, Fault, Faults, Request, Script, Symptom, only
from os_retries.testing import NoWaits


class Server:
    """What a client returns."""


class Client:
    """A client with typed methods."""

    def show(self, server_id: str, *, detailed: bool = False) -> Server:
        """Return a server."""
        raise NotImplementedError


def calls(client: Client, policy: RetryPolicy) -> None:
    """A call keeps the type of its result, and its arguments are those of the method."""
    assert_type(execute_with_retries(client.show, "id", detailed=True), Server)
    assert_type(policy.execute(client.show, "id"), Server)
    execute_with_retries(client.show)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    execute_with_retries(client.show, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    policy.execute(client.show, "id", detail=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    execute_with_retries("show")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]


def sessions(session: Session, client: Client, policy: RetryPolicy) -> None:
    """What is attached keeps its type."""
    assert_type(attach(session), Session)
    assert_type(attach(client, policy), Client)
    detach(session)
    attach(session, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def count(retry: Retry) -> None:
    """A hook, and the fields of what it is given."""
    assert_type(retry.method, str)
    assert_type(retry.service, str | None)
    assert_type(retry.attempt, Attempt)
    assert_type(retry.attempts, int)
    assert_type(retry.source, str)
    assert_type(retry.attempt.status, int | None)
    assert_type(retry.attempt.wait, float | None)
    assert_type(retry.attempt.kind, Kind)
    assert_type(retry.attempt.answer, str)
    retry.attempts = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def ends(end: Evidence, found: LookedUp) -> None:
    """The fields of the other records."""
    assert_type(end.attempts, tuple[Attempt, ...])
    assert_type(end.reason, GiveUp)
    assert_type(end.found, tuple[str, ...])
    assert_type(found.outcome, str)
    assert_type(found.ids, tuple[str, ...])
    assert_type(found.kind, Kind)
    same: type[evidence.Retry] = Retry
    assert_type(same, type[Retry])


def policies(conf: Any, sleep: Callable[[float], None]) -> None:
    """Policies and configuration."""
    assert_type(
        RetryPolicy(
            retries_number=1,
            retry_after=1,
            retry_codes=[503],
            attempt_timeout=None,
            pacing_url="redis://localhost",
            sleep=sleep,
            on_retry=count,
        ),
        RetryPolicy,
    )
    RetryPolicy(5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    RetryPolicy(retries="5")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    RetryPolicy(on_retry=sleep)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    configure(conf, "timeouts", sleep=sleep, on_retry=count)
    assert_type(client_options("swift", conf), dict[str, Any])
    assert_type(os_retries.__version__, str)


def seen() -> None:
    """Events and their sinks."""

    def sink(event: observe.Event) -> None:
        assert_type(event.status, int | None)
        if isinstance(event, observe.GivenUp):
            assert_type(event.evidence, Evidence)

    with observe.add(sink) as added:
        assert_type(added, observe.Added)
    observe.add("prometheus").remove()
    observe.add(observe.named("logging"))
    observe.add(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def operations() -> None:
    """An operation, which is entered with ``with``."""
    assert_type(operation("nightly", strict=True), Operation)
    with operation("nightly") as mine:
        assert_type(mine, Operation)
        assert_type(mine.key, str)
        assert_type(mine.found, int)
        assert_type(mine.not_covered["compute: POST /x"], int)
        assert_type(mine.join, Callable[[], None])
    assert_type(OperationError("text", ("id",)).found, tuple[str, ...])
    assert_type(NotCovered("text").found, tuple[str, ...])
    operation(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def recorded() -> None:
    """The recorder of users' tests."""
    with NoWaits() as recorder:
        assert_type(recorder, NoWaits)
        assert_type(recorder.retries, list[Retry])
        assert_type(recorder.given_up, list[Evidence])
        assert_type(recorder.attempts, list[Attempt])
        assert_type(recorder.waits, list[float])


def faults() -> None:
    """Faults, their rules and their record."""
    plan = Faults(
        AtRandom(refused=0.1, retry_after=(None, 2, "soon"), only=only(service="compute", verb=["GET", "HEAD"])),
        Script([Fault.refused(503, retry_after=2.5), None, Fault.late(1.0)], only=lambda request: request.token),
        seed=1,
        tokens=True,
    )
    assert_type(only(path="/servers"), Callable[[Request], bool])
    assert_type(plan.injected, list[Entry])
    for entry in plan.record:
        assert_type(entry.request, Request)
        assert_type(entry.fault, Fault | None)
        assert_type(entry.status, int | None)
        if entry.fault is not None:
            assert_type(entry.fault.symptom, Symptom)
    Faults(Fault.reset())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
