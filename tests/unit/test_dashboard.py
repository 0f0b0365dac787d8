"""docs/grafana.json: every metric and label that it queries is exported, and its panels fit beside each other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from os_retries import Attempt, Evidence, GiveUp, Kind, LookedUp, Retry, observe
from os_retries.core import hooks
from os_retries.pacing.process import pacers
from os_retries.run.totals import GAUGES

BOARD = json.loads((Path(__file__).parents[2] / "docs" / "grafana.json").read_text())
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
QUERIES += [each["query"]["query"] for each in BOARD["templating"]["list"] if each["type"] == "query"]


@pytest.fixture(scope="module")
def exported():
    """What prometheus_client exports after one of every event: the labels of each metric."""
    registry = prometheus_client.CollectorRegistry()
    attempt = Attempt(1, 503, "req-1", 1.0, Kind.REFUSED, "")
    retry = Retry("GET /servers", "compute", attempt, 6, "retry_after")
    evidence = Evidence("GET /servers", "compute", (attempt,), GiveUp.ATTEMPTS)
    record = LookedUp("POST /servers", "compute", "found", ("id0",), "", 504)
    with observe.add(observe.named("prometheus", registry=registry)):
        hooks.tell("AttemptFailed", retry, attempt)
        hooks.tell("Retrying", retry, attempt, retry=retry, attempts=6, wait=1.0, source="retry_after")
        hooks.tell("Paced", retry, attempt, retry=retry, wait=1.0)
        hooks.tell("Waited", retry, attempt, seconds=1.0, source="retry_after")
        hooks.tell("CreateLookedUp", record, record, outcome="found", ids=("id0",), record=record)
        hooks.tell("Succeeded", retry, 2)
        hooks.tell("Answered", evidence, attempt, evidence=evidence)
        hooks.tell("GivenUp", evidence, attempt, evidence=evidence)
    pacers.forget()
    pacers.pacer_of("127.0.0.1:1 compute", None).note(pacers.clock(), 0, 20, 5.0)
    try:
        text = prometheus_client.generate_latest(registry).decode()
    finally:
        pacers.forget()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found | {f"os_retries_{name}": {"command"} for name in GAUGES}


def test_every_metric_that_a_panel_queries_is_exported_with_the_labels_that_it_uses(exported):
    assert len(QUERIES) > 15
    for query in QUERIES:
        names = set(re.findall(r"os_retries_\w+", query))
        assert names, query
        assert names <= exported.keys(), query
        used = set(re.findall(r"(\w+)(?==~?\")", query))
        for labels in re.findall(r"by \(([^)]*)\)", query):
            used |= {each.strip() for each in labels.split(",")}
        used |= set(re.findall(r"label_values\(\w+, (\w+)\)", query))
        (name,) = names
        assert used <= exported[name], query


def test_every_metric_is_in_a_panel(exported):
    assert {name for query in QUERIES for name in re.findall(r"os_retries_\w+", query)} == {
        name for name in exported if not name.endswith("_created")
    }


def test_a_legend_names_labels_that_the_query_keeps():
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = {
                each.strip() for labels in re.findall(r"by \(([^)]*)\)", target["expr"]) for each in labels.split(",")
            }
            assert shown <= kept, panel["title"]


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    taken = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
