"""The sink for Prometheus: the table of ``metrics`` as metrics of prometheus_client."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import prometheus_client
from prometheus_client.core import GaugeMetricFamily

from os_retries.observe.metrics import METRICS, PREFIX, changes
from os_retries.pacing.process import pacers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.core.events import Event

_SLOTS = "slots_per_second"


def make(*, registry: Any = None) -> Callable[[Event], None]:
    """Return the sink.

    :param registry: the registry of the metrics; None for prometheus_client's own registry
    """
    return _sink_of(prometheus_client.REGISTRY if registry is None else registry)


@functools.cache  # a registry accepts each name only once
def _sink_of(registry: Any) -> Callable[[Event], None]:
    metrics: dict[str, Any] = {}
    for name, metric in METRICS.items():
        if name == _SLOTS:
            registry.register(_Slots())
        elif metric.counts:
            metrics[name] = prometheus_client.Counter(f"{PREFIX}_{name}", metric.help, metric.labels, registry=registry)
        else:
            metrics[name] = prometheus_client.Gauge(
                f"{PREFIX}_{name}", metric.help, metric.labels, registry=registry, multiprocess_mode="livesum"
            )

    def sink(event: Event) -> None:
        for change in changes(event):
            metrics[change.name].labels(*change.labels).inc(change.by)

    return sink


class _Slots:
    """Reads the slots of this process's pacers when the metrics are collected."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric without values, so that nothing is read when it is registered."""
        metric = METRICS[_SLOTS]
        yield GaugeMetricFamily(f"{PREFIX}_{_SLOTS}", metric.help, labels=metric.labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric with its present values."""
        for family in self.describe():
            for endpoint, rate in pacers.slots().items():
                family.add_metric([endpoint], rate)
            yield family
