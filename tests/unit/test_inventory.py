"""`os-retries operation`: what is found on a cloud by the markers of a key, and how a marker is taken off."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from keystoneauth1.exceptions import ConnectFailure, EndpointNotFound

import os_retries
from os_retries.creates.durable import how_covered, in_operation
from os_retries.creates.recipes import TABLE
from os_retries.inventory import command
from os_retries.inventory.kinds import KINDS
from os_retries.inventory.listing import resources, take_off
from os_retries.operations.marks import derive, request_digest

MARKER = derive("nightly", request_digest(a=1), 1)
OTHER = derive("yesterday", request_digest(a=1), 1)
UUID = re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", MARKER.removeprefix("os-retries-"))


class Response:
    def __init__(self, status=200, body=None):
        self.status_code, self._body = status, body

    def json(self):
        return self._body


class Service:
    """The adapter of one service: answers by path, and what was sent."""

    def __init__(self, answers):
        self.answers, self.sent = answers, []

    def get(self, path, **how):
        answer = self.answers.get(path, Response(200, {}))
        answer = answer.pop(0) if isinstance(answer, list) else answer
        self.sent.append(("GET", path, how))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def request(self, path, verb, **how):
        self.sent.append((verb, path, how))
        return self.answers.get((verb, path), Response(200, {}))


def cloud(**services):
    """A cloud that has these services and no others."""

    def adapter(service):
        found = services.get(service.replace("-", "_"))
        if found is None:
            raise EndpointNotFound
        return found

    return adapter


def found(complaints=None, **services):
    complain = pytest.fail if complaints is None else complaints.append
    return list(resources(cloud(**services), "nightly", complain))


def test_what_carries_a_marker_of_the_key_is_found_whatever_carries_it():
    compute = Service(
        {
            "/servers/detail": Response(
                200,
                {
                    "servers": [
                        {"id": "1", "name": "tagged", "tags": ["x", MARKER], "created": "2026-01-01T00:00:00Z"},
                        {"id": "2", "name": "old", "metadata": {"os-retries": MARKER}},
                        {"id": "3", "tags": [OTHER], "metadata": {"os-retries": OTHER}},
                        {"id": "4", "name": MARKER},
                    ]
                },
            )
        }
    )
    image = Service({"/images": Response(200, {"images": [{"id": UUID, "name": "i\x1b[2J"}, {"id": "x"}]})})
    network = Service(
        {"/networks": Response(200, {"networks": [{"id": "n", "description": f"mine {MARKER}", "tags": []}]})}
    )
    all_found = found(compute=compute, image=image, network=network)
    assert [(each.kind.name, each.id, each.name, each.field) for each in all_found] == [
        ("server", "1", "tagged", "tags"),
        ("server", "2", "old", "metadata"),
        ("network", "n", "", "description"),
        ("image", UUID, "i?[2J", "id"),
    ]
    assert {each.marker for each in all_found} == {MARKER}
    assert all_found[0].age(datetime(2026, 1, 1, 1, tzinfo=UTC)) == 3600
    assert all_found[1].age(datetime(2026, 1, 1, 1, tzinfo=UTC)) is None


def test_every_page_is_read():
    first = {"volumes": [], "volumes_links": [{"rel": "next", "href": "http://elsewhere/volumes?marker=1"}]}
    last = {"volumes": [{"id": "v", "metadata": {"os-retries": MARKER}}]}
    service = Service({"/volumes/detail": [Response(200, first), Response(200, last)]})
    assert [each.id for each in found(block_storage=service)] == ["v"]
    assert service.sent[1][2]["params"] == [("marker", "1")]


def test_what_the_user_may_not_list_is_left_out_and_what_fails_is_told():
    complaints = []
    service = Service(
        {
            "/users": Response(403),
            "/groups": Response(503),
            "/projects": ConnectFailure("gone"),
            "/roles": Response(200, {"roles": [{"id": "r", "os_retries": MARKER}]}),
        }
    )
    assert [each.id for each in found(complaints, identity=service)] == ["r"]
    assert complaints == [
        "identity: the list of each group failed: status 503",
        "identity: the list of each project failed: gone",
    ]


@pytest.mark.parametrize(
    ("service", "path", "member", "item", "sent"),
    [
        ("compute", "/servers/detail", "servers", {"tags": [MARKER]}, ("DELETE", f"/servers/i/tags/{MARKER}", None)),
        (
            "compute",
            "/servers/detail",
            "servers",
            {"metadata": {"os-retries": MARKER}},
            ("DELETE", "/servers/i/metadata/os-retries", None),
        ),
        (
            "network",
            "/qos/policies",
            "policies",
            {"description": f"mine {MARKER}"},
            ("PUT", "/qos/policies/i", {"policy": {"description": "mine"}}),
        ),
        (
            "network",
            "/security-groups",
            "security_groups",
            {"description": MARKER},
            ("PUT", "/security-groups/i", {"security_group": {"description": ""}}),
        ),
        ("network", "/qos/policies", "policies", {"tags": [MARKER]}, ("DELETE", f"/policies/i/tags/{MARKER}", None)),
        (
            "block_storage",
            "/backups/detail",
            "backups",
            {"metadata": {"a": "b", "os-retries": MARKER}},
            ("PUT", "/backups/i", {"backup": {"metadata": {"a": "b"}}}),
        ),
        (
            "load_balancer",
            "/lbaas/pools",
            "pools",
            {"tags": ["mine", MARKER]},
            ("PUT", "/lbaas/pools/i", {"pool": {"tags": ["mine"]}}),
        ),
        ("identity", "/users", "users", {"os_retries": MARKER}, ("PATCH", "/users/i", {"user": {"os_retries": None}})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_marker_is_taken_off_where_it_is(service, path, member, item, sent):
    adapter = Service({path: Response(200, {member: [{"id": "i"} | item]})})
    (resource,) = found(**{service: adapter})
    assert take_off(adapter, resource) == ""
    verb, where, how = adapter.sent[-1]
    assert (verb, where, how.get("json")) == sent


def test_a_resource_below_another_one_is_found_in_each_and_its_marker_is_taken_off_there():
    pools = {"pools": [{"id": "p"}, {"id": "q"}]}
    member = {"members": [{"id": "m", "name": "x", "tags": [MARKER]}]}
    adapter = Service({"/lbaas/pools": Response(200, pools), "/lbaas/pools/q/members": Response(200, member)})
    (resource,) = found(load_balancer=adapter)
    assert (resource.kind.name, resource.id) == ("member", "m")
    assert take_off(adapter, resource) == ""
    assert adapter.sent[-1][:2] == ("PUT", "/lbaas/pools/q/members/m")


def test_a_resource_of_barbican_is_named_by_the_end_of_its_address():
    orders = {"orders": [{"order_ref": "http://b/v1/orders/o", "meta": {"name": MARKER}}]}
    adapter = Service({"/orders": Response(200, orders)})
    (resource,) = found(key_manager=adapter)
    assert (resource.id, resource.marker) == ("o", MARKER)
    assert "does not change" in take_off(adapter, resource)


def test_a_service_that_is_too_old_for_a_kind_has_none_of_it():
    service = Service({"/deploy_templates": Response(406), "/nodes": Response(200, {"nodes": [{"uuid": UUID}]})})
    assert [each.id for each in found(baremetal=service)] == [UUID]


@pytest.mark.parametrize("path", ["/images", "/stacks"])
def test_a_marker_that_cannot_be_taken_off_stays_and_the_reason_is_told(path):
    service = "image" if path == "/images" else "orchestration"
    item = {"id": UUID} if path == "/images" else {"id": "s", "tags": [MARKER]}
    adapter = Service({path: Response(200, {path.strip("/"): [item]})})
    (resource,) = found(**{service: adapter})
    assert take_off(adapter, resource)
    assert len([each for each in adapter.sent if each[0] != "GET"]) == 0


def test_without_openstacksdk_it_says_what_is_missing():
    """The interpreter has no site-packages."""
    source = str(Path(os_retries.__file__).parents[1])
    program = f"import sys; sys.path.append({source!r}); from os_retries.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, "operation", "show", "nightly"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "os-retries operation: this needs openstacksdk: pip install openstacksdk\n",
    )


class FakeCloud:
    def __init__(self, **services):
        self.adapter, self.problems, self.project = cloud(**services), 0, "mine"

    def complain(self, _text):
        self.problems += 1


def test_it_is_printed_the_oldest_first_and_as_json(capsys):
    volumes = [
        {"id": "new", "name": "b", "metadata": {"os-retries": MARKER}, "created_at": "2026-01-02T00:00:00.000000"},
        {"id": "old", "name": "a", "metadata": {"os-retries": MARKER}, "created_at": "2026-01-01T00:00:00.000000"},
    ]
    service = Service({"/volumes/detail": Response(200, {"volumes": volumes})})
    assert command.show("nightly", FakeCloud(block_storage=service), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["service", "kind", "id", "name"],
        ["block-storage", "volume", "old", "a"],
        ["block-storage", "volume", "new", "b"],
    ]
    assert command.show("nightly", FakeCloud(block_storage=service), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "service": "block-storage",
        "kind": "volume",
        "id": "old",
        "name": "a",
        "created": "2026-01-01T00:00:00+00:00",
        "marker": MARKER,
    }


def test_what_belongs_to_another_project_is_of_another_operation(capsys):
    """An operator sees the networks of all projects."""
    networks = [{"id": each, "tags": [MARKER], "project_id": each} for each in ("mine", "theirs")]
    service = Service({"/networks": Response(200, {"networks": networks})})
    command.show("nightly", FakeCloud(network=service), as_json=True)
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ["mine"]


def test_what_a_run_has_used_is_not_left_over():
    volumes = [{"id": each, "metadata": {"os-retries": each}} for each in (MARKER, derive("nightly", "x", 2))]
    service = Service({"/volumes/detail": Response(200, {"volumes": volumes})})
    (line,) = command.left_over("nightly", {MARKER}, FakeCloud(block_storage=service))
    assert volumes[1]["id"] in line


def test_a_list_that_failed_or_a_marker_that_stays_is_an_exit_status_of_1():
    broken = Service({"/volumes/detail": Response(500)})
    assert command.show("nightly", FakeCloud(block_storage=broken), as_json=False) == 1
    image = Service({"/images": Response(200, {"images": [{"id": UUID}]})})
    assert command.forget("nightly", FakeCloud(image=image)) == 1


#: Requests with a marker whose resources are not listed: each has a list of its own below another resource.
NOT_LISTED = {"interfaceAttachment"}
#: Services whose resources are not listed yet; docs/operations.md says so.
SERVICES_NOT_LISTED = {"shared-file-system", "workflow"}


def test_every_recipe_with_a_marker_has_a_kind_here():
    kinds = {(kind.service, kind.path.removesuffix("/detail").replace("{parent}", "[^/]+")) for kind in KINDS}
    missing = {
        (service, recipe.path, recipe.body)
        for service, recipes in TABLE.items()
        for recipe in recipes
        if how_covered(in_operation(recipe)) in ("marker", "tag")
        and (service, recipe.path.removesuffix("/?")) not in kinds
        and recipe.body not in NOT_LISTED
        and service not in SERVICES_NOT_LISTED
    }
    # The image of a server is listed as an image.
    assert {each for each in missing if each[2] != "createImage"} == set()
