"""The metrics: their names, labels and help texts, and which of them an event changes.

Each sink for metrics, ``os-retries run --metrics`` and the dashboard use this table.  The labels are bounded: a path is
a template, a status is a number, everything else is one of a few words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from os_retries.core.evidence import GiveUp
from os_retries.service_types import SERVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.core.events import Event

PREFIX = "os_retries"


class Metric(NamedTuple):
    """One metric.

    ``counts``
        True for a counter, False for a gauge.
    ``labels``
        The names of its labels.
    ``unit``
        The unit, as OpenTelemetry writes it.
    """

    help: str
    labels: tuple[str, ...]
    counts: bool = True
    unit: str = "1"


class Change(NamedTuple):
    """What an event adds to one metric."""

    name: str
    labels: tuple[str, ...]
    by: float = 1.0


_CALL = ("service", "verb", "path")
METRICS = {
    "failed_attempts": Metric(
        "Attempts that failed, of calls that were repeated, looked up or given up.", (*_CALL, "status", "kind")
    ),
    "retries": Metric("Retries, by what decided their wait.", (*_CALL, "source")),
    "paced": Metric("Retries that had to wait for a slot, because the service was in trouble.", _CALL),
    "wait_seconds": Metric("Seconds waited before retries, by what decided the wait.", ("service", "source"), unit="s"),
    "look_ups": Metric("Creates that were looked up because their answer was lost, by outcome.", (*_CALL, "outcome")),
    "recovered": Metric("Calls that succeeded after at least one failed attempt.", _CALL),
    "answered": Metric("Calls that ended, after retries, with an error that is a proper answer.", (*_CALL, "status")),
    "given_up": Metric("Calls that were given up, by reason.", (*_CALL, "reason")),
    "calls_waiting": Metric("Calls that wait for their next attempt at present.", ("service",), counts=False),
    "slots_per_second": Metric(
        "Retries a second that a service in trouble gets from this process.", ("endpoint",), counts=False
    ),
}

#: The official service types, and the value of the label for all others.
_SERVICES = frozenset(SERVICE_TYPES.values()) | frozenset(
    {
        "accelerator",
        "alarm",
        "application-catalog",
        "application-deployment",
        "backup",
        "baremetal-introspection",
        "clustering",
        "event",
        "instance-ha",
        "message",
        "metering",
        "metric",
        "monitoring",
        "multi-region-network-automation",
        "nfv-orchestration",
        "operator-policy",
        "placement",
        "rca",
        "reservation",
        "resource-optimization",
        "search",
        "web",
    }
)
_OTHER = "other"
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
#: By member of GiveUp: the value of the label ``reason``.
REASONS = {each: each.name.lower() for each in GiveUp}


def changes(event: Event) -> Iterator[Change]:
    """Yield what an event adds to the metrics."""
    change = _CHANGES.get(event.name)
    if change is not None:
        yield from change(event)


def _service(event: Event) -> str:
    return "" if event.service is None else event.service if event.service in _SERVICES else _OTHER


def _call(event: Event) -> tuple[str, str, str]:
    """Return the service, the verb and the path of a call.  The name of a client's method takes the place of the path.

    In the name of a swiftclient call, the method is followed by the container and the object, which are left out.
    """
    if event.verb is None or event.path is None:
        return _service(event), "", event.method.partition(" ")[0]
    return _service(event), event.verb if event.verb in _VERBS else _OTHER, event.path


def _status(event: Event) -> str:
    return "" if event.status is None else str(event.status)


def _failed(event: Event) -> Iterator[Change]:
    yield Change("failed_attempts", (*_call(event), _status(event), str(event.kind)))


def _retry(event: Event) -> Iterator[Change]:
    yield Change("retries", (*_call(event), str(getattr(event, "source", ""))))
    yield Change("calls_waiting", (_service(event),))


def _paced(event: Event) -> Iterator[Change]:
    yield Change("paced", _call(event))
    yield Change("calls_waiting", (_service(event),))


def _waited(event: Event) -> Iterator[Change]:
    yield Change(
        "wait_seconds", (_service(event), str(getattr(event, "source", ""))), float(getattr(event, "seconds", 0.0))
    )
    yield Change("calls_waiting", (_service(event),), -1.0)


def _looked_up(event: Event) -> Iterator[Change]:
    outcome = str(getattr(event, "outcome", ""))
    if outcome != "looking":  # no outcome yet
        yield Change("look_ups", (*_call(event), outcome))


def _recovered(event: Event) -> Iterator[Change]:
    yield Change("recovered", _call(event))


def _answered(event: Event) -> Iterator[Change]:
    yield Change("answered", (*_call(event), _status(event)))


def _given_up(event: Event) -> Iterator[Change]:
    evidence: Any = getattr(event, "evidence", None)
    yield Change("given_up", (*_call(event), REASONS[evidence.reason]))


_CHANGES: dict[str, Callable[[Event], Iterator[Change]]] = {
    "attempt_failed": _failed,
    "retry": _retry,
    "paced": _paced,
    "waited": _waited,
    "look_up": _looked_up,
    "succeeded": _recovered,
    "answered": _answered,
    "give_up": _given_up,
}
