"""`os-retries rehearse`: the language of its faults, what they do in a program, and what the report says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_retries import cli
from os_retries.faults.rules import Dice, Request
from os_retries.pages.chart import instants
from os_retries.rehearse import grammar, replay, report, results
from os_retries.rehearse.grammar import Clause, GrammarError, parse
from os_retries.rehearse.page import as_html, charts
from os_retries.rehearse.rule import Counters, Together

DICE = Dice(0.5, 0.0, 0.0, 0.0)


def request(verb="GET", path="/compute/v2.1/servers/detail", service="compute"):
    return Request(service, verb, path, path)


def together(clauses, tmp_path, began=None):
    return Together(clauses, time.time() if began is None else began, Counters(str(tmp_path)))


def fault(rule, seen, dice=DICE):
    rule.only(seen)
    return rule.fault(dice)


# The language


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("lost 5%", [Clause(kind="lost", rate=0.05)]),
        ("lost 5%, refused 10%", [Clause(kind="lost", rate=0.05), Clause(kind="refused", rate=0.1)]),
        ("refused 503 once", [Clause(kind="refused", status=503, times=1)]),
        ("reset 3 times of POST", [Clause(kind="reset", times=3, verb="POST")]),
        ("refused 429 1% retry-after 2s", [Clause(kind="refused", status=429, rate=0.01, retry_after=2.0)]),
        ("outage 30s at 1m", [Clause(kind="outage", begin=60.0, end=90.0)]),
        ("outage 30", [Clause(kind="outage", begin=0.0, end=30.0)]),
        ("late 5s once", [Clause(kind="late", seconds=5.0, times=1)]),
        (
            "cut 2.5% of block-storage GET /volumes/[^/]+$",
            [Clause(kind="cut", rate=0.025, service="block-storage", verb="GET", path="/volumes/[^/]+$")],
        ),
    ],
)
def test_each_clause_means_what_it_says(text, clauses):
    assert list(parse(text)) == clauses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no fault: write for example"),
        ("broken 5%", "unknown fault 'broken': must be refused, lost,"),
        ("lost", "write how many requests get it: 'lost 5%'"),
        ("lost 5% once", "write how many requests get it"),
        ("lost 5", "'5' is not understood: write 'lost 5%'"),
        ("lost 500%", "'500' is not a share"),
        ("lost nan%", "'nan' is not a share"),
        ("refused 200 5%", "200 is not the status of an error"),
        ("reset 503 5%", "'503' is not understood"),
        ("outage at 60s", "write how long the outage is"),
        ("outage 30s 5%", "write how long the outage is"),
        ("outage 30s at noon", "'noon' is not a time"),
        ("late once", "write after how many seconds"),
        ("lost 5% of compute network", "'network' is not understood: write 'of SERVICE VERB /PATH'"),
        ("lost 5% of /servers[", "is not a regular expression"),
        ("lost 60%, reset 50%", "the shares add up to 110%"),
        ("stall once retry-after 2s", "only refused and lost answers have a retry-after"),
    ],
)
def test_a_mistake_is_named_with_what_to_write_instead(text, words):
    with pytest.raises(GrammarError, match=re.escape(words)):
        parse(text)


@given(st.text(st.sampled_from("lost refused 5%,of/PT30sat.once 0-é\n"), max_size=40))
def test_any_other_text_is_a_mistake_and_no_crash(text):
    with contextlib.suppress(GrammarError):
        parse(text)


# The rule


def test_a_share_is_drawn_and_clauses_do_not_hide_each_other(tmp_path):
    rule = together(parse("lost 504 30%, refused 503 30%"), tmp_path)
    drawn = [fault(rule, request(), Dice(kind, 0.0, 0.0, 0.0)) for kind in (0.1, 0.29, 0.31, 0.59, 0.61)]
    assert [each and (each.status, each.processed) for each in drawn] == [
        (504, True),
        (504, True),
        (503, False),
        (503, False),
        None,
    ]


def test_only_the_requests_that_a_clause_names_meet_its_fault(tmp_path):
    rule = together(parse("refused 503 100% of compute POST /servers$"), tmp_path)
    assert fault(rule, request("POST", "/v2.1/servers"))
    assert not fault(rule, request("GET", "/v2.1/servers"))
    assert not fault(rule, request("POST", "/v2.1/servers/1/action"))
    assert not fault(rule, request("POST", "/v2.1/servers", "network"))


def test_once_is_once_in_all_processes_of_a_run(tmp_path):
    first, second = (together(parse("reset once, stall once of POST"), tmp_path) for _ in range(2))
    assert [str(fault(each, request())) for each in (first, second, first)] == ["reset", "None", "None"]
    assert str(fault(second, request("POST"))) == "stall"


def test_counters_give_each_number_once_to_many_threads(tmp_path):
    counters, got = Counters(str(tmp_path)), []
    threads = [threading.Thread(target=lambda: got.extend(counters.next("x") for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 401))


def test_an_outage_is_as_long_as_it_says(tmp_path):
    def met(passed):
        return fault(together(parse("outage 30s at 60s"), tmp_path, time.time() - passed), request()) is not None

    assert [met(passed) for passed in (0, 59, 61, 89, 91)] == [False, False, True, True, False]


# Record and replay


def log(**event):
    common = {"event": "retry", "service": "compute", "request": "GET /servers/7b", "status": 503, "failure": None}
    return json.dumps(common | {"kind": "maybe processed", "wait": 1.0, "source": "retry_after"} | event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, {"kind": "refused", "status": 503}),
        ({"source": "Retry-After", "wait": 7.0}, {"kind": "refused", "status": 503, "retry_after": 7.0}),
        ({"status": None, "failure": "connection reset"}, {"kind": "reset"}),
        ({"status": None, "failure": "connection refused", "kind": "not sent"}, {"kind": "unreachable"}),
        ({"status": None, "failure": "no answer in time"}, {"kind": "stall"}),
        ({"event": "look_up", "outcome": "found", "detail": "", "status": 504}, {"kind": "lost", "status": 504}),
        ({"event": "give_up", "reason": "no attempts left"}, {"kind": "refused", "status": 503}),
        (
            {
                "event": "give_up",
                "reason": "no slot became free within retry_max_wait, because the service is in trouble",
            },
            None,
        ),
        ({"event": "answered", "status": 404, "kind": "permanent"}, None),
        ({"event": "give_up", "kind": "permanent", "status": 413, "reason": "a repeat cannot help"}, None),
        ({"event": "paced"}, None),
        ({"event": "look_up", "outcome": "not there", "detail": ""}, None),
        ({"request": "put_object box/thing"}, None),
    ],
)
def test_each_failed_attempt_of_a_log_becomes_the_fault_that_it_met(event, expected):
    found = replay.clauses_of([log(**event)])
    if expected is None:
        assert found == ()
    else:
        (clause,) = found
        assert clause == Clause(**expected, service="compute", verb="GET", path="/servers/[^/]+(/[^/]+)*$", nth=1)


def test_a_replay_gives_the_faults_in_their_order_to_requests_of_the_same_kind(tmp_path):
    lines = [log(), log(request="POST /servers", status=500), log(request="GET /servers/c9", status=429), "not json"]
    rule = together(replay.clauses_of(lines), tmp_path)
    one, other = request("GET", "/compute/v2.1/servers/11"), request("POST", "/compute/v2.1/servers")
    assert [str(fault(rule, each)) for each in (one, other, one, one, other)] == ["503", "500", "429", "None", "None"]


# Programs


@pytest.fixture
def program(tmp_path):
    """A program that sends two requests through requests, as a client of OpenStack does, to a service of its own."""
    source = tmp_path / "program.py"
    source.write_text(
        "import http.server, json, sys, threading\n"
        "import requests\n"
        "class Service(http.server.BaseHTTPRequestHandler):\n"
        "    protocol_version = 'HTTP/1.1'\n"
        "    def do_GET(self):\n"
        "        body = json.dumps({'volume': {'id': 'v-1'}}).encode()\n"
        "        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "    do_POST = do_GET\n"
        "    def log_message(self, *_): pass\n"
        "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Service)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "url = 'http://127.0.0.1:%d' % server.server_port\n"
        "token = {'X-Auth-Token': 't'}\n"
        "print(requests.get(url + '/elsewhere').status_code)\n"
        "print(requests.post(url + '/v3/volumes', headers=token).status_code)\n"
        "print(requests.get(url + '/v3/volumes', headers=token).status_code)\n"
    )
    return source


def rehearse(*options, command):
    return subprocess.run(
        [sys.executable, "-m", "os_retries", "rehearse", *options, "--", *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_PROXY": "*"},
    )


def test_only_requests_of_openstack_meet_faults(program):
    done = rehearse("--faults", "refused 503 100%", "--json", command=[sys.executable, program])
    out, _, text = done.stdout.partition("{")
    assert out == "200\n503\n503\n" * 2
    found = json.loads("{" + text)
    assert (found["without"]["requests"], found["without"]["faults"]) == (2, 2)


def test_what_a_lost_create_has_made_is_left_behind_unless_the_program_asks_for_it(program):
    done = rehearse("--faults", "lost 504 once of POST", command=[sys.executable, program])
    assert "left behind without os-retries\n  ? POST /volumes: v-1" in done.stdout
    assert done.returncode == 1  # nothing is attached in this program, so it is left behind with os-retries too
    program.write_text(program.read_text() + "requests.get(url + '/v3/volumes/v-1', headers=token)\n")
    assert rehearse("--faults", "lost 504 once of POST", command=[sys.executable, program]).returncode == 0


def test_a_program_meets_the_faults_of_a_log(program, tmp_path):
    (tmp_path / "outage.json").write_text(log(service=None, request="POST /volumes", status=502) + "\n")
    done = rehearse("--replay", str(tmp_path / "outage.json"), command=[sys.executable, program])
    assert done.stdout.startswith("200\n502\n200\n" * 2)
    assert "faults: those of " in done.stdout
    assert "  POST /volumes: 502 (of 1 request)" in done.stdout


def test_the_same_seed_gives_the_same_faults_and_another_one_others(program):
    def faults(seed):
        done = rehearse(
            "--faults", "refused 50%", "--seed", seed, "--repeat", "2", "--json", command=[sys.executable, program]
        )
        return json.loads("{" + done.stdout.partition("{")[2])["without"]["calls"]

    first = faults("1")
    assert faults("1") == first
    assert any(faults(str(seed)) != first for seed in range(2, 5))


def test_the_exit_status_is_one_if_a_run_with_os_retries_fails(tmp_path):
    done = rehearse(command=["false"])
    assert done.returncode == 1
    assert "runs that succeeded           0 of 1          0 of 1" in done.stdout
    assert "No OpenStack request was seen" in done.stdout


def test_what_fails_without_os_retries_does_not_count(tmp_path):
    marker = tmp_path / "second"
    done = rehearse(command=["sh", "-c", f"test -e {marker} || {{ touch {marker}; exit 1; }}"])
    assert done.returncode == 0
    assert "0 of 1          1 of 1" in done.stdout


def test_a_command_that_is_not_found_is_127():
    assert rehearse(command=["/nowhere/at-all"]).returncode == 127


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--faults", "lost"], "os-retries rehearse: 'lost': write how many requests get it"),
        (["--replay", "/nowhere"], "--replay /nowhere: No such file or directory"),
        (["--replay", "/dev/null"], "--replay /dev/null: it has no failed request"),
        (["--repeat", "0"], "--repeat must be 1 or more"),
        (["--retries", "-1"], "--retries must be from 0"),
    ],
)
def test_a_mistake_in_the_options_ends_it_before_the_command_starts(options, words, capfd):
    with pytest.raises(SystemExit) as ended:
        cli.main(["rehearse", *options, "--", "sh", "-c", "echo started"])
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert "started" not in out
    assert words in err


# The report


def a_report():
    seen = {
        "service": "compute",
        "verb": "POST",
        "path": "/compute/v2.1/servers",
        "fault": "504 after processing",
        "status": 504,
        "made": ["id<0>"],
    }
    retry = {"event": "retry", "service": "compute", "request": "POST /servers", "wait": 2.0, "attempt": 1}
    found = {
        "event": "look_up",
        "service": "compute",
        "request": "POST /servers",
        "outcome": "found",
        "found": ["id<0>"],
    }
    plain = results.Run(False, 1, 1, 2.0, [seen], [])
    attached = results.Run(True, 1, 0, 3.0, [seen], [retry, found])
    command = ("openstack", "server create", "<b>")
    return report.Report(command, "lost 5%", 1, results.Way([plain]), results.Way([attached]))


def test_requests_and_events_of_the_same_call_are_counted_together():
    made = a_report()
    assert list(made.attached.calls) == [("compute", "POST /servers")]
    call = made.attached.calls["compute", "POST /servers"]
    assert (call.requests, call.failed, call.retries, call.found) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/compute/v2.1/servers/7b/action", "/servers/{id}/action"),
        ("/v2.0/networks", "/networks"),
        ("/volume/v3/0123/volumes", "/volumes"),
        ("/placement/resource_providers", "/resource_providers"),
        ("/identity/v3/auth/tokens", "/auth/tokens"),
        ("/v3", "/"),
        ("/", "/"),
    ],
)
def test_a_path_is_shown_from_behind_its_endpoint(path, shown):
    run = results.Run(
        True, 1, 0, 1.0, [{"service": "x", "verb": "GET", "path": path, "fault": None, "status": 200, "made": []}], []
    )
    assert list(results.Way([run]).calls) == [("x", f"GET {shown}")]


def test_the_text_says_what_each_call_has_met_and_what_came_of_it():
    """An error that was no fault, such as the 404 of a name that is looked for, is not in the list."""
    lines = report.as_text(a_report()).splitlines()
    assert "  compute POST /servers: 504 after processing (of 1 request, 1 retry, 1 found)" in lines
    lone = {"service": "compute", "verb": "GET", "path": "/servers/web", "fault": None, "status": 404, "made": []}
    way = results.Way([results.Run(False, 1, 0, 1.0, [lone], [])])
    assert "/servers/{id}" not in report.as_text(report.Report(("x",), "lost 5%", 1, way, way))


def test_on_a_terminal_the_headings_are_bold_and_the_outcome_is_green_or_red():
    def paint(text, style):
        return f"<{style}>{text}" if style else text

    good = a_report()
    bad = report.Report(good.command, good.faults, good.seed, good.without, good.without)
    painted = {
        made: [line for line in report.as_text(made, paint).splitlines() if line.startswith("<")]
        for made in (good, bad)
    }
    assert [line.partition(">")[0] for line in painted[good]] == ["<bold", "<green", "<bold", "<bold", "<bold"]
    assert painted[bad][1].startswith("<red>runs that succeeded")
    assert painted[good][-1] == "<bold>left behind without os-retries"


def test_what_a_look_up_has_found_is_not_left_behind():
    made = a_report()
    assert [each.id for each in made.without.left] == ["id<0>"]
    assert made.attached.left == []
    assert made.passed


def test_the_json_has_what_the_text_says():
    value = json.loads(report.as_json(a_report()))
    assert value["passed"] is True
    assert value["without"]["left_behind"] == [{"service": "compute", "request": "POST /servers", "id": "id<0>"}]
    assert (value["with"]["retries"], value["with"]["waited"], value["with"]["found"]) == (1, 2.0, 1)


def test_the_page_needs_nothing_else_and_escapes_what_a_service_has_sent():
    page = as_html(a_report())
    assert "<b>" not in page
    assert "id&lt;0&gt;" in page
    assert not re.search(r"<link|<img|src=|url\(", page)
    assert page.count("<table") == page.count("</table>") == 4


def test_the_charts_count_what_all_runs_have_sent_since_they_began():
    """What has no time, because a full disk has cut the line, is in no chart."""
    sent = {"service": "compute", "verb": "GET", "path": "/servers", "fault": None, "made": []}
    first = [sent | {"time": 1000.5, "status": 503}, sent | {"time": 1002.0, "status": 200}]
    second = [sent | {"time": 2002.0, "status": 200}, sent | {"status": None}]
    retry = {"event": "retry", "service": "compute", "request": "GET /servers", "wait": 1.0}
    retries = [retry | {"time": "1970-01-01T00:16:41.000Z"}, retry | {"time": "1970"}, retry]
    plain = results.Way([results.Run(False, 1, 1, 4.0, first, [], 1000.0)])
    attached = results.Way(
        [
            results.Run(True, 1, 0, 4.0, first, retries, 1000.0),
            results.Run(True, 2, 0, 3.0, second, [], 2000.0),
        ]
    )
    made = charts(report.Report(("x",), "outage", 1, plain, attached, ((1.0, 9.0), (60.0, 90.0))))
    at = [made.seconds.index(second) for second in (0.0, 0.5, 1.0, 2.0, 4.0)]
    requests, failed, retried = ([[curve[each] for each in at] for curve in chart.curves] for chart in made.charts)
    assert requests == [[0, 1, 1, 2, 2], [0, 1, 1, 3, 3]]
    assert failed == [[0, 1, 1, 1, 1], [0, 1, 1, 1, 1]]
    assert retried == [[0, 0, 0, 0, 0], [0, 0, 1, 1, 1]]
    assert made.trouble == [(1.0, 4.0)]


@given(st.floats(0.0, 1e6))
def test_a_chart_has_a_thousand_instants_at_most_and_goes_to_the_end(length):
    found = instants(length)
    assert 2 <= len(found) <= 1001
    assert found[0] == 0.0
    assert found[-1] >= length


def test_a_line_of_the_report_cannot_be_forged():
    made = report.Report(("a\nb\x1b[31m",), "lost 5%", 1, results.Way([]), results.Way([]))
    assert "\x1b" not in report.as_text(made)
    assert report.as_text(made).splitlines()[0].startswith("os-retries rehearse: 'a?b?[31m'")


def test_the_default_faults_are_valid():
    from os_retries.rehearse.arguments import DEFAULT

    assert len(parse(DEFAULT)) == 2
    assert grammar.KINDS


def test_a_program_that_is_not_rehearsed_is_not_touched():
    """The hook on requests is there only if there are faults."""
    text = (Path(report.__file__).parents[1] / "run/path/sitecustomize.py").read_text()
    assert 'if "OSRETRIES_FAULTS" in os.environ:\n    _HOOKED |= frozenset((_FAULTY,))' in text
