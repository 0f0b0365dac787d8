"""The metrics of all programs below one ``os-retries run``, for the textfile collector of Prometheus and for OTLP."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from os_retries.observe.fields import attributes_of
from os_retries.observe.metrics import METRICS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT = 10.0  # seconds for the receiver of OTLP
_DEFAULT_ENDPOINT = "http://localhost:4318"
_CUMULATIVE = 2  # AGGREGATION_TEMPORALITY_CUMULATIVE

#: The gauges of a run, in addition to the counters of ``observe``.
GAUGES = {
    "run_exit_status": ("Exit status of the command; 128 and the number of the signal that ended it.", "1"),
    "run_seconds": ("Seconds that the command took.", "s"),
    "run_end_time_seconds": ("When the command ended, in seconds since the epoch.", "s"),
}


class Totals:
    """The sums of the counters of one run.

    :param command: the name of the command, a label of every metric: the files of two commands must not hold the same
        series
    """

    def __init__(self, command: str) -> None:
        self._command = os.path.basename(command)  # noqa: PTH119
        self._begun = time.time()
        self._sums = collections.defaultdict[tuple[str, tuple[str, ...]], float](float)
        self._gauges: dict[str, float] = {}

    def add(self, count: Mapping[str, Any]) -> None:
        """Add one line of a journal to the sums; ignore it if it names an unknown metric."""
        metric = METRICS.get(count["name"])
        labels = tuple(count["labels"])
        if metric is not None and metric.counts and len(labels) == len(metric.labels):
            self._sums[count["name"], labels] += count["by"]

    def end(self, status: int) -> None:
        """Record that the command has ended.

        :param status: the exit status of the command; minus the number of the signal that ended it
        """
        now = time.time()
        self._gauges = {
            "run_exit_status": status if status >= 0 else 128 - status,
            "run_seconds": now - self._begun,
            "run_end_time_seconds": now,
        }

    def text(self) -> str:
        """Return all metrics in the text format of Prometheus."""
        return "".join(line + "\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, metric in METRICS.items():
            if metric.counts:
                yield from _head(f"{PREFIX}_{name}_total", "counter", metric.help)
                for (_, labels), value in sorted(item for item in self._sums.items() if item[0][0] == name):
                    pairs = zip(("command", *metric.labels), (self._command, *labels), strict=True)
                    yield _sample(f"{PREFIX}_{name}_total", dict(pairs), value)
        for name, value in self._gauges.items():
            yield from _head(f"{PREFIX}_{name}", "gauge", GAUGES[name][0])
            yield _sample(f"{PREFIX}_{name}", {"command": self._command}, value)

    def otlp(self) -> dict[str, Any]:
        """Return all metrics as the JSON of an OTLP request."""
        service = os.environ.get("OTEL_SERVICE_NAME", "os-retries")
        resource = {"service.name": service, "process.executable.name": self._command}
        scope = {"scope": {"name": PREFIX}, "metrics": list(self._otlp_metrics())}
        return {"resourceMetrics": [{"resource": {"attributes": _otlp(resource)}, "scopeMetrics": [scope]}]}

    def _otlp_metrics(self) -> Iterator[dict[str, Any]]:
        begun, now = (str(int(seconds * 1e9)) for seconds in (self._begun, self._gauges["run_end_time_seconds"]))
        for name, metric in METRICS.items():
            points = [
                {
                    "attributes": _otlp(
                        attributes_of({key: value for key, value in zip(metric.labels, labels, strict=True) if value})
                    ),
                    "startTimeUnixNano": begun,
                    "timeUnixNano": now,
                    "asDouble": value,
                }
                for (of, labels), value in sorted(self._sums.items())
                if of == name
            ]
            if points:
                sums = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": points}
                yield _named(name, metric.help, metric.unit) | {"sum": sums}
        for name, value in self._gauges.items():
            gauge = {"dataPoints": [{"timeUnixNano": now, "asDouble": value}]}
            yield _named(name, *GAUGES[name]) | {"gauge": gauge}


def write(path: str, text: str) -> None:
    """Replace a file in one step, so that a collector never reads an incomplete file.

    :raises OSError: if it cannot be written
    """
    draft = f"{path}.{os.getpid()}.tmp"  # not *.prom, which the collector reads
    try:
        with open(draft, "w", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            file.write(text)
        os.replace(draft, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        raise


class Receiver(NamedTuple):
    """A receiver of OTLP: the URL for metrics, and the headers to send."""

    url: str
    headers: dict[str, str]


def receiver(endpoint: str, environ: Mapping[str, str]) -> Receiver:
    """Return the receiver that an address or the environment variables of OpenTelemetry name.

    :param endpoint: the address of the receiver, without a path; empty for the address in the environment
    :raises ValueError: if the address does not begin with http:// or https://
    """
    base = endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT_ENDPOINT
    url = f"{base.rstrip('/')}/v1/metrics"
    if not endpoint:
        url = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or url
    if not url.startswith(("http://", "https://")):
        raise ValueError("the address of a receiver of OTLP over HTTP must begin with http:// or https://")
    pairs = (each.partition("=") for each in environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",") if "=" in each)
    return Receiver(url, {name.strip(): value.strip() for name, _, value in pairs})


def send(to: Receiver, request: dict[str, Any]) -> None:
    """Send metrics.

    :raises OSError: if that fails
    """
    import urllib.request

    headers = to.headers | {"Content-Type": "application/json"}
    asked = urllib.request.Request(to.url, json.dumps(request).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(asked, timeout=_TIMEOUT) as answer:  # noqa: S310
        answer.read()


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _named(name: str, text: str, unit: str) -> dict[str, Any]:
    return {"name": f"{PREFIX}.{name}", "description": text, "unit": unit}


def _otlp(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]
