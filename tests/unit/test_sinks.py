"""The sinks: real prometheus_client, a real receiver of OTLP, structlog and logging."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import logging
import threading
import urllib.request

import prometheus_client
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from prometheus_client.parser import text_string_to_metric_families

from os_retries import RetryPolicy, observe
from os_retries.core.loop import run_attempts
from os_retries.core.target import MethodTarget
from os_retries.observe.fields import fields_of
from os_retries.pacing.process import pacers

from .conftest import HttpError, Scripted

POLICY = RetryPolicy(sleep=lambda _seconds: None, pacing=False)


class Request(MethodTarget):
    """A method with the name and the service of a request of an attached session."""

    shown = "GET /servers/7b/os-interface"

    def name(self):
        return self.shown

    def service(self):
        return "compute"


def request(*outcomes, name=Request.shown):
    """Run a call with these outcomes."""

    def target(method):
        made = Request(method, lambda _service: POLICY)
        made.shown = name
        return made

    with contextlib.suppress(HttpError):
        run_attempts(target, Scripted(*outcomes), (), {})


@pytest.fixture
def told():
    record = []
    with observe.add(record.append):
        yield record


class Metrics:
    """prometheus_client scraped over HTTP."""

    def __init__(self, registry):
        self._server, self._thread = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)

    def scrape(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._server.server_port}/metrics") as answer:
            return answer.read().decode()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def prometheus():
    registry = prometheus_client.CollectorRegistry()
    scraped = Metrics(registry)
    with observe.add(observe.named("prometheus", registry=registry)):
        yield scraped
    scraped.close()


def test_prometheus_shows_what_happened(prometheus):
    request(HttpError(503), HttpError(503), "result")
    request(*[HttpError(504)] * 6)
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(prometheus.scrape())
        for sample in family.samples
    }
    common = (("path", "/servers/{id}/os-interface"), ("service", "compute"), ("verb", "GET"))

    def value(name, **labels):
        return found[f"os_retries_{name}", tuple(sorted((*common, *labels.items())))]

    assert value("failed_attempts_total", status="503", kind="maybe processed") == 2
    assert value("failed_attempts_total", status="504", kind="maybe processed") == 6
    assert value("retries_total", source="retry_after") == 7
    assert value("recovered_total") == 1
    assert value("given_up_total", reason="attempts") == 1
    assert found["os_retries_calls_waiting", (("service", "compute"),)] == 0


def test_a_call_that_waits_is_counted_as_waiting_while_it_waits(prometheus):
    seen = []
    policy = RetryPolicy(sleep=lambda _seconds: seen.append(prometheus.scrape()), pacing=False)
    policy.execute(Scripted(HttpError(503), "result"))
    assert 'os_retries_calls_waiting{service=""} 1.0' in seen[0]
    assert 'os_retries_calls_waiting{service=""} 0.0' in prometheus.scrape()


def test_the_slots_of_a_service_in_trouble_are_shown_while_it_is_in_trouble(prometheus):
    pacers.forget()
    try:
        pacer = pacers.pacer_of("127.0.0.1:8774 compute", None)
        assert "os_retries_slots_per_second{" not in prometheus.scrape()
        pacer.note(pacers.clock(), 0, 20, 5.0)
        assert 'os_retries_slots_per_second{endpoint="127.0.0.1:8774 compute"} 10.0' in prometheus.scrape()
    finally:
        pacers.forget()


def test_the_same_registry_is_used_once():
    registry = prometheus_client.CollectorRegistry()
    assert observe.named("prometheus", registry=registry) is observe.named("prometheus", registry=registry)


class Receiver:
    """An OTLP receiver on loopback, which decodes what it gets."""

    KINDS = {"/v1/metrics": ExportMetricsServiceRequest, "/v1/traces": ExportTraceServiceRequest}

    def __init__(self):
        self.got = got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(Receiver.KINDS[self.path].FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def plain(attributes):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def test_metrics_reach_a_receiver_of_otlp(receiver):
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"), 1e9)
    provider = MeterProvider([reader])
    with observe.add(observe.named("opentelemetry", meter_provider=provider)):
        request(HttpError(503), "result")
        provider.force_flush()
    provider.shutdown()
    (scope,) = receiver.got[0].resource_metrics[0].scope_metrics
    points = {metric.name: (metric.unit, metric.sum.data_points[0]) for metric in scope.metrics}
    unit, failed = points["os_retries.failed_attempts"]
    assert (unit, failed.as_double or failed.as_int) == ("1", 1)
    assert plain(failed.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 503,
        "url.template": "/servers/{id}/os-interface",
        "os_retries.service": "compute",
        "os_retries.kind": "maybe processed",
    }
    assert points["os_retries.wait_seconds"][0] == "s"


def test_the_attempts_are_events_of_the_callers_span(receiver):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces")))
    with (
        observe.add(observe.named("opentelemetry", meter_provider=MeterProvider())),
        provider.get_tracer("test").start_as_current_span("provision"),
    ):
        request(HttpError(503), HttpError(500), "result")
    provider.shutdown()
    (span,) = receiver.got[0].resource_spans[0].scope_spans[0].spans
    assert span.name == "provision"
    assert [event.name for event in span.events] == [
        *["os_retries.attempt_failed", "os_retries.retry", "os_retries.waited"] * 2,
        "os_retries.succeeded",
    ]
    first, last = plain(span.events[0].attributes), plain(span.events[-1].attributes)
    assert "http.request.resend_count" not in first
    assert (first["http.response.status_code"], first["url.template"]) == (503, "/servers/{id}/os-interface")
    assert last["http.request.resend_count"] == 2


def test_without_a_recording_span_opentelemetry_gets_metrics_only():
    assert not trace.get_current_span().is_recording()
    with observe.add(observe.named("opentelemetry", meter_provider=MeterProvider())):
        request(HttpError(503), "result")


def test_structlog_gets_an_entry_with_the_fields_of_each_event():
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    with observe.add(observe.named("structlog", logger=logger)):
        request(*[HttpError(503)] * 6)
    entries = [json.loads(line) for line in out.getvalue().splitlines()]
    assert entries[1] == {
        "event": "retry",
        "level": "info",
        "service": "compute",
        "method": "GET /servers/7b/os-interface",
        "verb": "GET",
        "path": "/servers/{id}/os-interface",
        "attempt": 1,
        "status": 503,
        "kind": "maybe processed",
        "attempts": 6,
        "wait": 10.0,
        "source": "retry_after",
    }
    assert (entries[-1]["event"], entries[-1]["level"], entries[-1]["reason"]) == (
        "give_up",
        "warning",
        "no attempts left",
    )


def test_logging_gets_one_record_with_the_event_in_it(caplog):
    caplog.set_level(logging.INFO, "os_retries.events")
    with observe.add("logging"):
        request(HttpError(503), "result", name='GET /servers/a"\nforged')
    records = [record for record in caplog.records if record.name == "os_retries.events"]
    assert [record.os_retries.name for record in records] == ["attempt_failed", "retry", "waited", "succeeded"]
    assert "\n" not in records[0].message
    assert "status=503" in records[0].message


def test_the_fields_of_an_event_are_plain_values(told):
    request(*[HttpError(503)] * 6)
    for event in told:
        assert json.loads(json.dumps(fields_of(event))) == fields_of(event)
