"""Answers to look-ups are read as a whole, and not forever."""

from __future__ import annotations

import gzip
import io
from typing import Any
from unittest import mock

import pytest
import requests
import urllib3

from os_retries.creates.requests import LONGEST, read_whole


class Dripping(io.RawIOBase):
    """A body of which each read gives one byte, after ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.now += 10.0
        buffer[:1] = b" "
        return 1

    def read1(self, _amount: int = -1) -> bytes:
        return self.read(1) or b""


def response_of(body: Any, **headers: str) -> requests.Response:
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(body=body, headers=headers, status=200, preload_content=False)
    response.status_code = 200
    return response


def test_an_answer_that_drips_is_given_up_after_a_minute() -> None:
    dripping = Dripping()
    response = response_of(dripping)
    with pytest.raises(TimeoutError, match="not complete after 60 s"):
        read_whole(response, lambda: dripping.now)
    assert LONGEST < dripping.now <= LONGEST + 20
    assert response.raw.closed


@pytest.mark.parametrize("encoded", [False, True])
def test_an_answer_that_comes_whole_is_that_of_requests(encoded: bool) -> None:
    body = b'{"servers": [' + b'{"id": "1"},' * 20_000 + b"{}]}"
    content, headers = (gzip.compress(body), {"Content-Encoding": "gzip"}) if encoded else (body, {})
    response = response_of(io.BytesIO(content), **headers)
    read_whole(response, lambda: 0.0)
    assert response.content == body
    assert len(response.json()["servers"]) == 20_001


def test_an_answer_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError):
        read_whole(response_of(io.BytesIO(b"[]"), **{"Content-Length": "9"}), lambda: 0.0)


def test_an_answer_that_a_log_or_a_hook_has_read_already_is_kept() -> None:
    response = response_of(io.BytesIO(b"[1]"))
    assert response.content == b"[1]"
    read_whole(response, lambda: 0.0)
    assert response.json() == [1]


def test_a_mock_of_a_response_is_left_as_it_is() -> None:
    response = mock.MagicMock(content=b"{}")
    read_whole(response, lambda: 0.0)
    assert response.content == b"{}"
    bare = mock.Mock(spec=["content"], content=b"{}")
    read_whole(bare, lambda: 0.0)
    assert bare.content == b"{}"
