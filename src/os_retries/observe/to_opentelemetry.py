"""The sink for OpenTelemetry: the table of ``metrics``, and events on the span in which the call is made.

If OpenTelemetry has a name for an attribute, that name is used: ``http.request.method``, ``url.template``,
``http.response.status_code``, ``http.request.resend_count``.  The attempts are events on the caller's span.  Each
request may also have its own span, which the instrumentation of requests makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.metrics import Observation

from os_retries.observe.fields import attributes_of, fields_of
from os_retries.observe.metrics import METRICS, PREFIX, changes
from os_retries.pacing.process import pacers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.core.events import Event

_SLOTS = "slots_per_second"


def make(*, meter_provider: Any = None) -> Callable[[Event], None]:
    """Return the sink.

    :param meter_provider: None for the global one
    """
    meter = metrics.get_meter("os_retries", meter_provider=meter_provider)
    adders: dict[str, Callable[..., None]] = {}
    for name, metric in METRICS.items():
        how = {"unit": metric.unit, "description": metric.help}
        if name == _SLOTS:
            meter.create_observable_gauge(f"{PREFIX}.{name}", callbacks=[_slots], **how)
        elif metric.counts:
            adders[name] = meter.create_counter(f"{PREFIX}.{name}", **how).add
        else:
            adders[name] = meter.create_up_down_counter(f"{PREFIX}.{name}", **how).add

    def sink(event: Event) -> None:
        for change in changes(event):
            labels = zip(METRICS[change.name].labels, change.labels, strict=True)
            adders[change.name](change.by, attributes_of({name: value for name, value in labels if value}))
        span = trace.get_current_span()
        if span.is_recording():
            fields = fields_of(event)
            span.add_event(f"{PREFIX}.{event.name}", attributes_of(fields))

    return sink


def _slots(_options: object) -> Iterator[Observation]:
    for endpoint, rate in pacers.slots().items():
        yield Observation(rate, {f"{PREFIX}.endpoint": endpoint})
