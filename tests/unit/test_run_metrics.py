"""`os-retries run --metrics` and `--otlp`: what all programs below one run have met, counted once."""

from __future__ import annotations

import http.server
import json
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from os_retries import cli
from os_retries.observe.metrics import METRICS
from os_retries.run import journal, totals
from os_retries.run.totals import Totals, receiver

from .test_run import FAST, RUN, USES_STUB, python, run, stubs, with_stubs

__all__ = ["stubs"]  # a fixture


def samples(path):
    """The samples of a file by name and labels."""
    families = text_string_to_metric_families(path.read_text())
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def count(name="recovered", labels=("compute", "GET", "/servers"), by=1.0):
    return {"event": "count", "name": name, "labels": list(labels), "by": by}


def test_the_file_has_the_sums_over_all_programs_below_the_run(stubs, tmp_path):
    (stubs / "program.py").write_text(USES_STUB)
    command = f"{sys.executable} {stubs}/program.py && {sys.executable} {stubs}/program.py"
    done = run("sh", "-c", command, options=(*FAST, "--metrics", tmp_path / "sh.prom"), **with_stubs(stubs))
    assert "2 requests repeated (4 retries" in done.stderr
    found = samples(tmp_path / "sh.prom")
    call = (("command", "sh"), ("path", "/{id}"), ("service", "compute"), ("verb", "GET"))
    assert found["os_retries_recovered_total", call] == 2
    assert sum(value for (name, _), value in found.items() if name == "os_retries_retries_total") == 4
    assert found["os_retries_run_exit_status", (("command", "sh"),)] == 0
    assert [each.name for each in tmp_path.iterdir() if "prom" in each.name] == ["sh.prom"]


def test_the_status_of_the_command_is_kept_and_told(stubs, tmp_path):
    done = python("raise SystemExit(3)", "--metrics", tmp_path / "f.prom", "-q", **with_stubs(stubs))
    assert (done.returncode, done.stderr) == (3, "")
    (status,) = [value for (name, _), value in samples(tmp_path / "f.prom").items() if name.endswith("exit_status")]
    assert status == 3


def test_a_command_that_a_signal_ends_has_128_and_its_number(stubs, tmp_path):
    done = python("import os; os.kill(os.getpid(), 15)", "--metrics", tmp_path / "f.prom", **with_stubs(stubs))
    assert done.returncode == -15
    assert 143 in samples(tmp_path / "f.prom").values()


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path):
    (tmp_path / "f.prom").mkdir()
    with pytest.raises(OSError):
        totals.write(str(tmp_path / "f.prom"), "new")
    assert [each.name for each in tmp_path.iterdir()] == ["f.prom"]


def test_a_collector_never_finds_half_a_file(tmp_path):
    """The old file stays what it is for whoever has it open: the new one is another file."""
    path = tmp_path / "f.prom"
    path.write_text("old")
    with path.open() as reader:
        totals.write(str(path), "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_command_whose_name_is_no_utf_8_has_metrics_too(tmp_path):
    made = Totals("pr\udcffovision")
    made.end(0)
    totals.write(str(tmp_path / "f.prom"), made.text())
    assert 'command="pr?ovision"' in (tmp_path / "f.prom").read_text()


def test_the_file_can_be_read_by_the_collector(tmp_path):
    before = os.umask(0o022)
    try:
        totals.write(str(tmp_path / "f.prom"), "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f.prom").stat().st_mode) == 0o644


def test_every_counter_has_its_type_and_help_even_without_a_sample():
    made = Totals("/usr/bin/provision")
    made.end(0)
    names = {family.name: family.type for family in text_string_to_metric_families(made.text())}
    counters = {f"os_retries_{name}": "counter" for name, metric in METRICS.items() if metric.counts}
    assert names == counters | {f"os_retries_{name}": "gauge" for name in totals.GAUGES}


def test_a_name_that_could_forge_a_line_is_escaped():
    made = Totals('a"b\\c\nforged 1')
    made.end(0)
    (family,) = [each for each in text_string_to_metric_families(made.text()) if each.name.endswith("exit_status")]
    assert family.samples[0].labels == {"command": 'a"b\\c\nforged 1'}


@pytest.mark.parametrize(
    "line",
    [
        count(name="unheard_of"),
        count(name="calls_waiting", labels=["compute"]),
        count(labels=["compute"]),
        count(labels=["compute", 7, "/"]),
        count(by=-1),
        count(by=float("inf")),
        count(by="1"),
    ],
)
def test_what_is_no_count_is_not_counted(line, tmp_path):
    """Any program of the same user can write to the journal."""
    (tmp_path / "journal").write_text(json.dumps(line) + "\n" + json.dumps(count()) + "\n")
    made = Totals("x")
    with (tmp_path / "journal").open("rb") as file:
        for each in journal.read(file):
            made.add(each)
    made.end(0)
    values = [line for line in made.text().splitlines() if not line.startswith(("#", "os_retries_run"))]
    assert values == ['os_retries_recovered_total{command="x",service="compute",verb="GET",path="/servers"} 1.0']
    (scope,) = made.otlp()["resourceMetrics"][0]["scopeMetrics"]
    assert [each["name"] for each in scope["metrics"] if "sum" in each] == ["os_retries.recovered"]


class Receiver:
    """A receiver of OTLP in JSON, which decodes what it gets as the protocol says."""

    def __init__(self, status=200):
        self.got, self.headers = [], []
        us = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                us.headers.append((self.path, dict(self.headers)))
                us.got.append(json_format.Parse(body, ExportMetricsServiceRequest()))
                self.send_response(status)
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
def collector(request):
    made = Receiver(getattr(request, "param", 200))
    yield made
    made.close()


def test_the_same_sums_reach_a_receiver_of_otlp(stubs, collector):
    done = python(USES_STUB, *FAST, "--otlp", collector.url, **with_stubs(stubs, NO_PROXY="*"))
    assert done.returncode == 0
    assert "delivered" not in done.stderr
    ((path, headers),) = collector.headers
    assert (path, headers["Content-Type"]) == ("/v1/metrics", "application/json")
    (resource,) = collector.got[0].resource_metrics
    assert {each.key: each.value.string_value for each in resource.resource.attributes} == {
        "service.name": "os-retries",
        "process.executable.name": Path(sys.executable).name,
    }
    metrics = {each.name: each for each in resource.scope_metrics[0].metrics}
    (retries,) = metrics["os_retries.retries"].sum.data_points
    assert retries.as_double == 2
    assert 0 < retries.start_time_unix_nano <= retries.time_unix_nano
    assert metrics["os_retries.retries"].sum.is_monotonic
    assert {each.key: each.value.string_value for each in retries.attributes}["http.request.method"] == "GET"
    (failed,) = metrics["os_retries.failed_attempts"].sum.data_points
    assert {each.key: each.value.int_value for each in failed.attributes}["http.response.status_code"] == 503
    assert metrics["os_retries.run_exit_status"].gauge.data_points[0].as_double == 0


@pytest.mark.parametrize("collector", [503], indirect=True)
def test_a_receiver_that_fails_changes_nothing_but_a_line(stubs, collector):
    done = python(USES_STUB, *FAST, "--otlp", collector.url, **with_stubs(stubs, NO_PROXY="*"))
    assert done.returncode == 0
    assert "the metrics could not be delivered: --otlp http://127.0.0.1:" in done.stderr


@pytest.mark.parametrize(
    ("endpoint", "environ", "url", "headers"),
    [
        ("", {}, "http://localhost:4318/v1/metrics", {}),
        ("http://otel:4318/", {}, "http://otel:4318/v1/metrics", {}),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "http://a:1/v1/metrics", {}),
        ("", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a:1/x"}, "http://a:1/x", {}),
        ("http://b", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a:1/x"}, "http://b/v1/metrics", {}),
        (
            "",
            {"OTEL_EXPORTER_OTLP_HEADERS": "a=1, b = 2=3"},
            "http://localhost:4318/v1/metrics",
            {"a": "1", "b": "2=3"},
        ),
    ],
)
def test_the_receiver_is_the_one_of_the_option_or_of_the_environment(endpoint, environ, url, headers):
    assert receiver(endpoint, environ) == (url, headers)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metrics", "/nowhere/f.prom"], "--metrics /nowhere/f.prom: nothing can be written into /nowhere"),
        (["--metrics", "/"], "--metrics /: this is a folder"),
        (["--otlp", "otel:4317"], "--otlp: the address of a receiver of OTLP over HTTP must begin with http://"),
    ],
)
def test_a_destination_that_cannot_be_used_is_refused_before_the_command_starts(options, words, capfd):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *options, "--", "sh", "-c", "echo started"])
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err


def test_the_sinks_of_a_configuration_file_are_added_in_each_program(stubs, tmp_path):
    (tmp_path / "nova.conf").write_text("[timeouts]\nobserve = logging\nretry_after = 0.001\n")
    source = f"import logging; logging.basicConfig(level=20, filename='{tmp_path}/log')\n" + USES_STUB
    done = python(source, "--timeout", "9", "--config-file", tmp_path / "nova.conf", **with_stubs(stubs))
    assert done.returncode == 0
    assert 'INFO:os_retries.events:retry service="compute" method="GET /thing"' in (tmp_path / "log").read_text()


def test_an_unknown_sink_in_a_configuration_file_is_refused(tmp_path, capsys):
    (tmp_path / "nova.conf").write_text("[timeouts]\nobserve = statsd\n")
    with pytest.raises(SystemExit):
        cli.main(["run", "--config-file", str(tmp_path / "nova.conf"), "--", "true"])
    assert "unknown sink 'statsd'" in capsys.readouterr().err


def test_a_sink_that_the_programs_environment_lacks_is_told_and_the_program_goes_on(stubs, tmp_path):
    (tmp_path / "nova.conf").write_text("[timeouts]\nobserve = structlog\nretry_after = 0.001\n")
    source = "import sys; sys.modules['structlog'] = None\n" + USES_STUB
    done = python(source, "--timeout", "9", "--config-file", tmp_path / "nova.conf", **with_stubs(stubs))
    assert done.returncode == 0
    assert "the sink structlog needs structlog" in done.stderr
    assert "1 request repeated" in done.stderr


def test_without_these_options_nothing_is_counted(stubs, tmp_path):
    source = "import sys\n" + USES_STUB + "\nprint('os_retries.run.counting' in sys.modules)"
    done = python(source, *FAST, **with_stubs(stubs))
    assert done.stdout.endswith("False\n")


def test_an_inner_run_without_metrics_counts_nothing_for_the_outer_one(stubs, tmp_path):
    """As with the summary: what is below the inner run is the inner run's."""
    inner = [*RUN, *FAST, "--", sys.executable, "-c", USES_STUB]
    done = run(*inner, options=(*FAST, "--metrics", tmp_path / "f.prom"), **with_stubs(stubs))
    assert done.returncode == 0
    assert [name for name, _ in samples(tmp_path / "f.prom")] == [f"os_retries_{name}" for name in totals.GAUGES]


def test_the_children_need_no_package_for_it(stubs, tmp_path):
    """prometheus_client and OpenTelemetry are for programs that use them themselves."""
    source = USES_STUB + "\nimport sys; print({'prometheus_client', 'opentelemetry'} & set(sys.modules))"
    done = python(source, *FAST, "--metrics", tmp_path / "f.prom", **with_stubs(stubs))
    assert done.stdout.endswith("set()\n")
