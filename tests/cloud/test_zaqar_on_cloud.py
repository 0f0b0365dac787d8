"""What zaqar is asked for: nothing of it can be looked up, and a subscription can be sent again.

These tests run when zaqar is the service that is drawn.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from os_retries.evidence import Evidence, GiveUp

from .creates import EXTRAS
from .test_creates_on_cloud import AFTER, BEFORE, World, fresh, given_up
from .test_creates_on_cloud import pytestmark as marks_of_the_cloud
from .test_creates_on_extras import only_with, world

if TYPE_CHECKING:
    from os_retries.faults import Fault

__all__ = ["given_up", "world"]

pytestmark = marks_of_the_cloud

ASKED: dict[str, Any] = {
    "endpoint_filter": {"service_type": "messaging"},
    "headers": {"Client-ID": str(uuid.uuid4())},
}
OF_ZAQAR = replace(EXTRAS["aodh"]["session-alarm"], service="message")


@pytest.fixture
def queue(world: World, request: pytest.FixtureRequest) -> str:
    """Make a queue for a test."""
    only_with("zaqar", world, request)
    path = f"/v2/queues/{fresh()}"
    world.clean["demo"].session.put(path, json={}, **ASKED)
    return path


@pytest.mark.parametrize("way", [AFTER["504"], BEFORE["504"]], ids=["done", "not sent"])
def test_a_subscription_is_sent_again_and_there_is_one(world: World, queue: str, way: Fault) -> None:
    kind = replace(OF_ZAQAR, path="/subscriptions")
    clients, clean, _setting = world.clients["demo"], world.clean["demo"], world.plan(kind, [way])
    body = {"subscriber": "http://subscriber.example/", "ttl": 3600, "options": {}}
    made = clients.session.post(f"{queue}/subscriptions", json=body, **ASKED).json()
    assert world.sent(kind) == 2
    there = clean.session.get(f"{queue}/subscriptions", **ASKED).json()["subscriptions"]
    assert [each["id"] for each in there] == [made["subscription_id"]]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("messages", {"messages": [{"body": "hello", "ttl": 60}]}),
        ("claims", {"ttl": 60, "grace": 60}),
    ],
)
def test_a_message_and_a_claim_are_handed_over(
    world: World, queue: str, what: str, body: Any, given_up: list[Evidence]
) -> None:
    kind = replace(OF_ZAQAR, path=f"/{what}")
    world.plan(kind, [AFTER["504"]])
    with pytest.raises(Exception, match="504"):
        world.clients["demo"].session.post(f"{queue}/{what}", json=body, **ASKED)
    assert world.sent(kind) == 1
    assert given_up[-1].reason is GiveUp.NOT_REPEATABLE
