"""The stream of events: what each call reports, that sinks never disturb it, and that labels are bounded."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import os_retries
from os_retries import RetryPolicy, execute_with_retries, observe, operation
from os_retries.core import events, hooks, loop, paths
from os_retries.observe import metrics

from .conftest import HttpError, Scripted

POLICY = RetryPolicy(sleep=lambda _seconds: None, pacing=False)


@pytest.fixture
def told():
    record = []
    with observe.add(record.append):
        yield record


def names(told):
    return [event.name for event in told]


# What is reported


def test_a_call_that_succeeds_after_retries_reports_each_attempt_each_wait_and_its_success(told):
    POLICY.execute(Scripted(HttpError(503), HttpError(500), "result"))
    assert names(told) == [*["attempt_failed", "retry", "waited"] * 2, "succeeded"]
    assert [event.attempt for event in told] == [1, 1, 1, 2, 2, 2, 3]
    assert [event.status for event in told] == [503, 503, 503, 500, 500, 500, None]
    assert told[1].wait == 10.0
    assert told[-1].waited == 20.0


def test_a_call_that_is_given_up_says_why_and_does_not_succeed(told):
    error = HttpError(503)
    with contextlib.suppress(HttpError):
        dataclasses.replace(POLICY, retries_number=1).execute(Scripted(error, error))
    assert names(told) == ["attempt_failed", "retry", "waited", "attempt_failed", "give_up"]
    assert told[-1].evidence is error.os_retries


def test_an_error_that_answers_a_call_after_retries_is_not_given_up(told):
    with contextlib.suppress(HttpError):
        POLICY.execute(Scripted(HttpError(503), HttpError(404)))
    assert names(told) == ["attempt_failed", "retry", "waited", "attempt_failed", "answered"]


@pytest.mark.parametrize("end", ["result", HttpError(404), ValueError("a bug")])
def test_a_call_that_ends_with_its_first_attempt_reports_nothing(end, told):
    with contextlib.suppress(HttpError, ValueError):
        POLICY.execute(Scripted(end))
    assert told == []


def test_a_wait_that_is_interrupted_is_over(told):
    def interrupted(_seconds):
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        RetryPolicy(sleep=interrupted, pacing=False).execute(Scripted(HttpError(503), "result"))
    assert names(told) == ["attempt_failed", "retry", "waited"]


def test_the_events_carry_the_operation_of_their_context(told):
    with operation("nightly"):
        POLICY.execute(Scripted(HttpError(503), "result"))
    assert {event.operation for event in told} == {"nightly"}


def test_events_cannot_be_changed_and_each_field_is_documented(told):
    POLICY.execute(Scripted(HttpError(503), "result"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        told[0].status = 200
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    assert len(kinds) == 9
    for kind in kinds:
        assert not hasattr(kind, "__dict__") or "__dict__" not in kind.__slots__
        described = kind.__doc__ + events.Event.__doc__
        assert [each.name for each in dataclasses.fields(kind) if f"``{each.name}``" not in described] == []


def test_the_success_path_does_not_read_the_sinks():
    """A call that succeeds at once pays nothing for them."""
    tree = ast.parse(inspect.getsource(loop))
    assert "hooks" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_execute_with_retries_reports_the_name_of_the_method(told, recorded):
    execute_with_retries(Scripted(HttpError(503), "result"))
    assert (told[0].method, told[0].verb, told[0].path) == ("Scripted", None, None)


# What a sink cannot do


def test_a_sink_that_raises_does_not_hide_the_result_and_is_logged_once(caplog):
    def broken(_event):
        raise RuntimeError("a broken sink")

    told = []
    with observe.add(broken), observe.add(told.append):
        assert POLICY.execute(Scripted(HttpError(503), HttpError(503), "result")) == "result"
    assert len(told) == 7
    assert [record.message for record in caplog.records].count(
        "a sink raised an error, and its next ones are not logged; the call continues"
    ) == 1


def test_a_sink_that_raises_does_not_hide_the_error(caplog):
    error = HttpError(503)
    with observe.add(lambda event: 1 / 0), pytest.raises(HttpError) as raised:
        dataclasses.replace(POLICY, retries_number=0).execute(Scripted(error))
    assert raised.value is error


def test_a_bug_in_the_events_does_not_hide_the_result(told, monkeypatch, caplog):
    monkeypatch.setattr(paths, "verb_and_template", lambda _method: 1 / 0)
    monkeypatch.setattr(hooks, "_have_failed", set())
    assert POLICY.execute(Scripted(HttpError(503), "result")) == "result"
    assert told == []
    assert "an event could not be reported" in caplog.text


def test_a_sink_is_told_nothing_after_it_was_removed():
    told = []
    added = observe.add(told.append)
    added.remove()
    added.remove()
    POLICY.execute(Scripted(HttpError(503), "result"))
    assert told == []


def test_a_sink_that_was_added_twice_is_told_once_until_it_was_removed_twice():
    told = []
    first, second = observe.add(told.append), observe.add(told.append)
    POLICY.execute(Scripted(HttpError(503), "result"))
    first.remove()
    POLICY.execute(Scripted(HttpError(503), "result"))
    second.remove()
    POLICY.execute(Scripted(HttpError(503), "result"))
    assert len(told) == 8


def test_without_a_sink_no_event_is_made():
    """The module of the events is not even loaded."""
    code = (
        "import sys, os_retries\n"
        "class E(Exception): http_status = 503\n"
        "def f():\n raise E\n"
        "try: os_retries.RetryPolicy(retry_after=0, pacing=False).execute(f)\n"
        "except E: pass\n"
        "print('os_retries.core.events' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_not_a_sink_is_refused():
    with pytest.raises(TypeError, match="a sink is a function or one of logging, opentelemetry, prometheus, structlog"):
        observe.add(7)
    with pytest.raises(ValueError, match="unknown sink 'statsd': must be logging, opentelemetry"):
        observe.add("statsd")


def test_a_sink_whose_package_is_missing_names_the_extra():
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import os_retries.observe\n"
        "try: os_retries.observe.add('prometheus')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "the sink prometheus needs prometheus_client: pip install 'os-retries[prometheus]'"


# The template of a path

UUID = "0f5e0c4e-9b7b-4b0e-8a3c-2f5d0b6f9a11"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/servers/detail", "/servers/detail"),
        (f"/v2.1/servers/{UUID}/action", "/v2.1/servers/{id}/action"),
        ("/os-keypairs/alice", "/os-keypairs/{id}"),
        ("/v1/AUTH_0123/box/folder/thing", "/v1/{id}"),
        (f"/stacks/web/{UUID}/resources/db", "/stacks/{id}/resources/{id}"),
        (f"/v3/{UUID}/volumes?name=x", "/v3/{id}/volumes"),
        ("/", "/"),
        ("/v2024", "/{id}"),
    ],
)
def test_a_template_has_the_words_of_an_api_and_no_ids_or_names(path, template):
    assert paths.template(path) == template


_SEGMENT = st.one_of(
    st.text(st.characters(exclude_characters="/?\n"), max_size=12),
    st.uuids().map(str),
    st.sampled_from(sorted(paths._WORDS)),
)


@given(st.lists(_SEGMENT, max_size=20))
def test_a_template_is_made_of_words_versions_and_ids_alone_whatever_the_path(segments):
    """So its labels are bounded: nothing of a path that is not a word of an API appears in it."""
    made = paths.template("/" + "/".join(segments))
    parts = made.split("/")[1:]
    assert len(parts) <= 9
    assert all(each in paths._WORDS or each in ("{id}", "...", "") or paths._VERSION.fullmatch(each) for each in parts)


@given(
    service=st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["compute", "network"])),
    verb=st.from_regex(r"[A-Z]{1,9}", fullmatch=True),
    segments=st.lists(_SEGMENT, max_size=6),
    status=st.one_of(st.none(), st.integers(100, 599)),
    what=st.text(max_size=20),
)
def test_no_label_of_a_metric_holds_what_a_caller_or_a_service_may_choose(service, verb, segments, status, what):
    """Whatever a request and its failure are, each label is a template, a number, or one of a few words."""
    told = []
    attempt = os_retries.Attempt(1, status, "req-1", 1.0, os_retries.Kind.REFUSED, what)
    path = "/" + "/".join(segments)
    retry = os_retries.Retry(f"{verb} {path}", service, attempt, 6, "retry_after")
    with observe.add(told.append):
        hooks.tell("AttemptFailed", retry, attempt)
        hooks.tell("Retrying", retry, attempt, retry=retry, attempts=6, wait=1.0, source="retry_after")
        hooks.tell("Succeeded", retry, 2)
    bounded = {"", "other", "refused", "retry_after", paths.template(path), str(status)}
    bounded |= metrics._SERVICES | metrics._VERBS
    for event in told:
        for change in metrics.changes(event):
            assert set(change.labels) <= bounded
            assert len(change.labels) == len(metrics.METRICS[change.name].labels)


def test_each_event_changes_a_metric():
    kinds = {kind.name for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    assert kinds - {""} == set(metrics._CHANGES)
