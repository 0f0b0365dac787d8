"""Bodies of requests that are used up by sending them, and the retries of the layers below."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from glanceclient.common import http as glance
from urllib3.util import Retry

from os_retries import RetryPolicy
from os_retries.session.attachment import Attachment
from os_retries.session.bodies import Body, Files, GlanceChunks, body_of


@pytest.mark.parametrize("data", ["x", b"x", bytearray(b"x"), memoryview(b"x"), ["x"], ("x",), {"x": 1}, None])
def test_a_body_that_can_be_sent_any_number_of_times_is_none_of_ours(data):
    assert body_of({"data": data}) is None
    assert body_of({}) is None
    assert body_of({"data": data, "files": {}}) is None


def test_a_file_is_sent_again_from_where_it_stood():
    file = io.BytesIO(b"0123")
    file.read(1)
    body = body_of({"data": file})
    assert type(body) is Body
    assert body.argument == "data"
    assert body.fresh() is file
    file.read()
    assert body.rewind() is True
    assert file.read() == b"123"


def test_a_generator_cannot_be_sent_again():
    body = body_of({"data": (part for part in [b"x"])})
    assert body is not None
    assert body.rewind() is False


def given(kind: str, one: io.BytesIO, other: io.BytesIO) -> Any:
    pairs = [("a", one), ("b", ("name", other, "text/plain")), ("c", "text"), ("d", ("name", b"bytes"))]
    return {"mapping": dict(pairs), "pairs": pairs, "iterator": iter(pairs)}[kind]


@pytest.mark.parametrize("kind", ["mapping", "pairs", "iterator"])
def test_each_file_of_a_form_is_rewound_alone_or_in_a_tuple(kind):
    one, other = io.BytesIO(b"one"), io.BytesIO(b"other")
    body = body_of({"files": given(kind, one, other), "data": "x"})
    assert isinstance(body, Files)
    assert body.argument == "files"
    assert [name for name, _ in body.fresh()] == ["a", "b", "c", "d"]
    one.read(), other.read()
    assert body.rewind() is True
    assert (one.read(), other.read()) == (b"one", b"other")
    other.close()
    assert body.rewind() is False


def chunks_of(file: io.BytesIO) -> Any:
    return glance._BaseHTTPClient._chunk_body(file)


def test_glanceclients_generator_is_made_again_around_the_rewound_file():
    file = io.BytesIO(b"0123")
    chunks = chunks_of(file)
    body = body_of({"data": chunks})
    assert isinstance(body, GlanceChunks)
    assert body.fresh() is chunks
    assert b"".join(chunks) == b"0123"
    assert body.rewind() is True
    again = body.fresh()
    assert again is not chunks
    assert b"".join(again) == b"0123"


def test_another_generator_of_that_name_is_not_glanceclients():
    def _chunk_body(body):
        yield body.read()

    assert not GlanceChunks.are(_chunk_body(io.BytesIO()))
    finished = chunks_of(io.BytesIO())
    list(finished)
    assert not GlanceChunks.are(finished)
    assert not GlanceChunks.are(iter([]))


# -- the layers below


class Session:
    def __init__(self, **adapters: Any) -> None:
        self.session = requests.Session()
        self.session.adapters.update(adapters)


def silenced(policy: RetryPolicy | None = None, **kwargs: Any) -> dict[str, Any]:
    Attachment(policy or RetryPolicy()).silence_layers_below(Session(), kwargs)
    return kwargs


NONE = {"connect_retries": 0, "status_code_retries": 0}


def test_keystoneauth_repeats_nothing_by_itself():
    assert silenced() == NONE
    assert silenced(connect_retries=3, status_code_retries=None) == NONE
    assert silenced(status_code_retries=3) == NONE  # its default is 503, which is ours
    assert silenced(status_code_retries=3, retriable_status_codes=[503, 429]) == NONE | {
        "retriable_status_codes": [503, 429]
    }


def test_statuses_that_the_policy_does_not_repeat_stay_keystoneauths_if_the_caller_wants_them():
    left = silenced(status_code_retries=3, retriable_status_codes=[409, 503])
    assert left == {"connect_retries": 0, "status_code_retries": 3, "retriable_status_codes": [409]}
    left = silenced(RetryPolicy(retry_codes=[500]), status_code_retries=3)
    assert left == {"connect_retries": 0, "status_code_retries": 3, "retriable_status_codes": [503]}
    assert silenced(retriable_status_codes=[409])["status_code_retries"] == 0


def test_the_retries_of_urllib3_are_taken_out_once_and_remembered():
    session, attachment = Session(), Attachment(None)
    adapter = session.session.adapters["https://"]
    before = adapter.max_retries = Retry(7)
    for _ in range(2):
        attachment.silence_layers_below(session, {})
    assert attachment.adapters == [(adapter, before)]
    assert (adapter.max_retries.total, adapter.max_retries.read, type(adapter.max_retries)) == (0, False, Retry)


def test_a_transport_without_adapters_or_retries_has_none_to_take_out():
    attachment = Attachment(None)
    session = Session(**{"https://": object()})
    attachment.silence_layers_below(session, {})
    session.session = object()  # type: ignore[assignment]
    attachment.silence_layers_below(session, {})
    assert attachment.adapters == []
