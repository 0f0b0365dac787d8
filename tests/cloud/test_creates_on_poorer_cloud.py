"""Creates on a cloud that lacks the features which our look-ups prefer: the look-ups find the resources all the same.

These tests have a file of their own, so that the features are restored after the last test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .creates import KINDS
from .test_creates_on_cloud import AFTER, BEFORE, World, fresh, one_and_the_callers

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def poorer(cloud: Any) -> Iterator[World]:
    """A cloud whose neutron keeps no tags of ports, and whose cinder has no filters."""
    cloud.run("up", "--without", "tag-ports,resource-filters")
    yield World(cloud)
    cloud.run("up")


@pytest.mark.parametrize("way", ["after", "before"])
@pytest.mark.parametrize("name", ["neutron-port", "neutron-ports-bulk", "cinder-volume"])
def test_where_the_cloud_has_no_place_for_a_tag_and_no_filter(poorer: World, name: str, way: str) -> None:
    kind = KINDS[name]
    clients, _clean, setting = poorer.ready(kind)
    wanted = fresh()
    poorer.plan(kind, [(AFTER if way == "after" else BEFORE)["504"]])
    made = kind.create(clients, setting, wanted)
    assert poorer.sent(kind) == (1 if way == "after" else 2)
    one_and_the_callers(poorer, kind, wanted, made)
