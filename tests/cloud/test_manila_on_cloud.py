"""What manila is asked for beside its creates: each answer is lost once, and the request is lost once.

Its creates are in test_creates_on_extras.py.  These tests run when manila is the service that is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from .creates import EXTRAS
from .creates.shared_file_system import NEWEST, OLDER, Share, a_network, a_share, a_type, address, get, remove
from .test_creates_on_cloud import AFTER, BEFORE, World, fresh
from .test_creates_on_cloud import pytestmark as marks_of_the_cloud
from .test_creates_on_extras import only_with, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.faults import Fault

__all__ = ["world"]

pytestmark = marks_of_the_cloud

WAYS = pytest.mark.parametrize(("way", "sent"), [(AFTER["504"], 1), (BEFORE["504"], 2)], ids=["done", "not sent"])
AGAIN = pytest.mark.parametrize("way", [AFTER["504"], BEFORE["504"]], ids=["done", "not sent"])


@pytest.fixture
def manila(world: World, request: pytest.FixtureRequest) -> World:
    return only_with("manila", world, request)


@pytest.fixture
def share(manila: World) -> Share:
    """Make a share for a test."""
    return a_share(manila.clean["demo"])


def asked(
    world: World,
    way: Fault,
    path: str,
    request: Callable[[Any], Any],
    *,
    account: str = "demo",
    later: bool = False,
) -> tuple[Any, int]:
    """Send a request that meets a fault; return its answer, and how often it was sent."""
    kind = replace(EXTRAS["manila"]["manila-share"], path=path, account=account, later=later)
    world.ready(kind)
    world.plan(kind, [way])
    answer = request(world.clients[account])
    return answer, world.sent(kind)


@WAYS
def test_a_size_is_told_by_the_share(manila: World, share: Share, way: Fault, sent: int) -> None:
    def size() -> int:
        return int(get(share.clients, f"/shares/{share.id}")["share"]["size"])

    change = "/shares/[^/]+/action"
    for number in (2, 1):
        verb = "extend" if number == 2 else "shrink"
        _, how_often = asked(
            manila,
            way,
            change,
            lambda clients, verb=verb, to=number: getattr(clients.manila(NEWEST).shares, verb)(share.id, to),
            later=True,
        )
        assert (verb, how_often) == (verb, sent)
        share.clients.until(lambda to=number: (size(), share.alone()) == (to, share.id))
    remove(share.clients, f"/shares/{share.id}")


@WAYS
def test_a_rule_that_is_taken_away_is_gone_or_going(manila: World, share: Share, way: Fault, sent: int) -> None:
    rule = share.clients.manila(NEWEST).shares.allow(share.id, "ip", "10.0.0.9", "rw")["id"]
    answer, how_often = asked(
        manila, way, "/shares/[^/]+/action", lambda clients: clients.manila(NEWEST).shares.deny(share.id, rule)
    )
    assert (answer[0].status_code, how_often) == (202, sent)
    rules = get(share.clients, f"/share-access-rules?share_id={share.id}")["access_list"]
    assert [each["state"] for each in rules if each["state"] not in ("queued_to_deny", "denying")] == []


@WAYS
def test_a_share_goes_into_the_bin_once(manila: World, share: Share, way: Fault, sent: int) -> None:
    path = "/shares/[^/]+/action"
    _, how_often = asked(manila, way, path, lambda clients: clients.manila(NEWEST).shares.soft_delete(share.id))
    assert how_often == sent
    _, how_often = asked(manila, way, path, lambda clients: clients.manila(NEWEST).shares.restore(share.id))
    assert how_often == 2
    assert get(share.clients, f"/shares/{share.id}")["share"]["is_soft_deleted"] is False
    remove(share.clients, f"/shares/{share.id}")


@WAYS
def test_a_security_service_is_in_a_share_network_or_not(manila: World, way: Fault, sent: int) -> None:
    clean = manila.clean["demo"]
    network, service = a_network(clean), clean.manila(NEWEST).security_services.create("ldap", name=fresh()).id
    for verb, there in (("add", [service]), ("remove", [])):
        _, how_often = asked(
            manila,
            way,
            "/share-networks/[^/]+/action",
            lambda clients, verb=verb: getattr(clients.manila(NEWEST).share_networks, f"{verb}_security_service")(
                network, service
            ),
        )
        assert (verb, how_often) == (verb, sent)
        found = get(clean, f"/security-services?share_network_id={network}")["security_services"]
        assert [each["id"] for each in found] == there


@WAYS
def test_a_projects_access_to_a_type_is_told_by_the_list(manila: World, way: Fault, sent: int) -> None:
    clean = manila.clean["admin"]
    of_shares = clean.manila(NEWEST).share_types.create(
        fresh(), spec_driver_handles_share_servers=False, is_public=False
    )
    of_groups = clean.manila(NEWEST).share_group_types.create(fresh(), [a_type(clean)], is_public=False)
    for name, made in (("share_type_access", of_shares), ("share_group_type_access", of_groups)):
        for verb in ("add", "remove"):
            _, how_often = asked(
                manila,
                way,
                "/action",
                lambda clients, name=name, verb=verb, made=made: getattr(
                    getattr(clients.manila(NEWEST), name), f"{verb}_project_access"
                )(made.id, "0123456789abcdef0123456789abcdef"),
                account="admin",
            )
            assert (name, verb, how_often) == (name, verb, sent)
            there = getattr(clean.manila(NEWEST), name).list(made, search_opts=None)
            assert len(there) == (verb == "add")


@WAYS
def test_a_promoted_replica_is_active_or_on_its_way(manila: World, share: Share, way: Fault, sent: int) -> None:
    clean = share.clients.manila(NEWEST)
    made = clean.share_replicas.create(share.id)

    def replica(field: str) -> Any:
        return get(share.clients, f"/share-replicas/{made.id}")["share_replica"][field]

    share.clients.until(lambda: (replica("status"), replica("replica_state")) == ("available", "in_sync"))
    _, how_often = asked(
        manila,
        way,
        "/share-replicas/[^/]+/action",
        lambda clients: clients.manila(NEWEST).share_replicas.promote(made.id),
    )
    assert how_often == sent
    share.clients.until(lambda: replica("replica_state") == "active")


@WAYS
def test_access_to_a_snapshot_is_told_by_its_list(manila: World, way: Fault, sent: int) -> None:
    admin, clean = manila.clean["admin"], manila.clean["demo"]
    mountable = {"snapshot_support": True, "mount_snapshot_support": True}
    its_type = admin.manila(NEWEST).share_types.create(
        fresh(), spec_driver_handles_share_servers=False, extra_specs=mountable
    )
    share = clean.manila(NEWEST).shares.create("NFS", 1, name=fresh(), share_type=its_type.id)
    clean.until(lambda: get(clean, f"/shares/{share.id}")["share"]["status"] == "available")
    snapshot = clean.manila(NEWEST).share_snapshots.create(share.id, name=fresh())
    clean.until(lambda: get(clean, f"/snapshots/{snapshot.id}")["snapshot"]["status"] == "available")
    path, to = "/snapshots/[^/]+/action", address(fresh())
    rule, how_often = asked(
        manila, way, path, lambda clients: clients.manila(NEWEST).share_snapshots.allow(snapshot.id, "ip", to)
    )
    assert (rule["access_to"], how_often) == (to, sent)
    _, how_often = asked(
        manila, way, path, lambda clients: clients.manila(NEWEST).share_snapshots.deny(snapshot.id, rule["id"])
    )
    assert how_often == sent


@AGAIN
def test_metadata_and_specs_are_sent_again(manila: World, share: Share, way: Fault) -> None:
    _, how_often = asked(
        manila, way, "/metadata", lambda clients: clients.manila(NEWEST).shares.set_metadata(share.id, {"a": "b"})
    )
    assert how_often == 2
    assert get(share.clients, f"/shares/{share.id}")["share"]["metadata"]["a"] == "b"


def test_a_share_that_is_being_deleted_already_has_been_deleted(manila: World, share: Share) -> None:
    """The service answers 403 to the repeat while the first one is at work, and 404 when it is over."""
    kind = replace(EXTRAS["manila"]["manila-share"], verb="DELETE", path="/shares/[^/]+")
    clients, _clean, _setting = manila.ready(kind)
    manila.plan(kind, [AFTER["504"]])
    clients.manila(NEWEST).shares.delete(share.id)
    assert manila.sent(kind) == 2


def test_what_has_no_room_for_a_marker_is_handed_over(manila: World, share: Share) -> None:
    for path, request in (
        ("/snapshots", lambda clients: clients.manila(OLDER).share_snapshots.create(share.id)),
        ("/share-networks", lambda clients: clients.manila(NEWEST).share_networks.create(description="mine")),
        ("/share-transfers", lambda clients: clients.manila(NEWEST).transfers.create(share.id)),
    ):
        with pytest.raises(Exception, match="504"):
            asked(manila, AFTER["504"], path, request)
