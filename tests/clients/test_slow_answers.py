"""A service that accepts a look-up and never answers does not hold the caller forever."""

from __future__ import annotations

import time

import pytest
import urllib3
from keystoneauth1.exceptions import Conflict, GatewayTimeout
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

import os_retries
from os_retries.creates import requests as own

from .cloud import balancer, refusal
from .server import Answer, Stall

NOVA = {"service_type": "compute"}
SERVER = {"server": {"name": "one", "imageRef": "i", "flavorRef": "f"}}
LONG = 3.0  # seconds: more than a request here may take
SLOW = Stall(then=Answer(404))


@pytest.fixture
def session(cloud, monkeypatch, naps):
    """An attached session without any timeout, and a policy that leaves its look-ups no time to spare."""
    monkeypatch.setattr(own, "LEAST", 0.3)
    session = Session(Token(cloud.url("nova"), "t"))
    return os_retries.attach(session, os_retries.RetryPolicy(retry_max_wait=0.0, retry_after=0.0))


def test_a_look_up_ends_when_retry_max_wait_is_used_up(cloud, session):
    cloud.plan(balancer(504), method="POST")
    cloud.always(SLOW, method="GET")
    began = time.monotonic()
    with pytest.raises(GatewayTimeout) as caught:
        session.post("/servers", json=SERVER, endpoint_filter=NOVA)
    assert time.monotonic() - began < LONG
    assert "the look-up failed" in caught.value.os_retries.detail
    assert (cloud.count(method="POST"), cloud.count(method="GET")) == (1, 1)


def test_a_look_at_a_second_answer_ends_too(cloud, session):
    cloud.plan(balancer(504), refusal("nova", 409), method="DELETE")
    cloud.always(SLOW, method="GET")
    began = time.monotonic()
    with pytest.raises(Conflict):
        session.delete("/servers/1", endpoint_filter=NOVA)
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, 2.0),  # the session's
        (9, 5.0),
        (0.5, 0.5),
        ((3.05, 27), (3.05, 5.0)),
        ((3.05, None), (3.05, 5.0)),
        (urllib3.Timeout(7), 5.0),
    ],
    ids=str,
)
def test_the_timeout_of_a_look_up_is_the_callers_own_in_any_form_up_to_the_limit(cloud, session, given, sent):
    session.timeout = 2.0
    asked = []
    around = own.Around(
        session,
        "compute",
        {"endpoint_filter": NOVA, "timeout": given},
        lambda **kwargs: asked.append(kwargs) or Empty(),
    )
    around.request("GET", "/servers/1", longest=5.0)
    assert asked[0]["timeout"] == sent


class Empty:
    """A response that was read already."""

    _content = b""
