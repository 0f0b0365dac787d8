"""nova: CREATES.md §1.1."""

from __future__ import annotations

import re
from typing import Any

from os_retries.creates.recipes import Blind, ClientId, Item, Look, Metadata, Recipe, Tag, password

# Schedulers' hints stand beside the server, under either name.
_HINTS = frozenset({"os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"})

# A cell that is down is left out of a filtered list without a word (T4); an unfiltered one, from 2.69, shows it.
_DOWN_CELL = Blind(
    path="{base}/servers",
    list="servers",
    microversion="2.69",
    where=lambda server: server.get("status") == "UNKNOWN",
    words="a cell of the compute service is down",
)


def _count(server: Item) -> tuple[int, int]:
    low = _number(server.get("min_count"), 1)
    return low, _number(server.get("max_count"), low)


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else default


def _created(sent: list[Item], found: list[Item]) -> Item:
    """Answer as nova's create does: much less than a GET, and the password.  Of several, nova names the first."""
    server, first = sent[0], _first(sent, found)
    answer = {
        "id": first["id"],
        "links": first.get("links", []),
        "OS-DCF:diskConfig": first.get("OS-DCF:diskConfig", "MANUAL"),
        "security_groups": server.get("security_groups") or [{"name": "default"}],
    }
    return answer | {"adminPass": server["adminPass"]}


def _first(sent: list[Item], found: list[Item]) -> Item:
    wanted = f"{sent[0].get('name')}-1"
    return next((each for each in found if each.get("name") == wanted), found[0])


def _location(server: Item, _found: list[Item]) -> dict[str, str]:
    links = [link["href"] for link in server["links"] if link.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


def _begins_like(server: Item, _markers: list[str]) -> str | None:
    """Nova takes a name for a regular expression of its database's: ask only for what means itself in all of them."""
    plain = re.match(r"[A-Za-z0-9_-]*", str(server.get("name", "")))
    return f"^{plain[0]}" if plain and plain[0] else None


def _keypair(_sent: list[Item], found: list[Item]) -> Item:
    """Answer as the create does: a GET shows more."""
    shown = "name", "type", "public_key", "fingerprint", "user_id"
    return {name: found[0][name] for name in shown if name in found[0]}


_SERVER: dict[str, Any] = {
    "path": r"/servers",
    "body": "server",
    "beside": _HINTS,
    "chosen": {"adminPass": password},
    "count": _count,
    "status": 202,
    "view": _created,
    "headers": _location,
}

ROWS = (
    Recipe(
        path=r"/servers",
        body="server",
        beside=_HINTS,
        given=("return_reservation_id",),
        refused="a reservation id is told only once",
    ),
    Recipe(
        **_SERVER,
        since=(2, 52),
        carrier=Tag(),
        look=Look(path="{base}/servers/detail", list="servers", query={"tags": "{marker}"}, blind=_DOWN_CELL),
    ),
    Recipe(
        **_SERVER,
        carrier=Metadata(),
        # There is no filter on metadata for members.
        look=Look(path="{base}/servers/detail", list="servers", query={"name": _begins_like}, blind=_DOWN_CELL),
    ),
    Recipe(
        path=r"/os-keypairs",
        body="keypair",
        given=("public_key",),
        not_given=("user_id",),
        look=Look(path="{base}/os-keypairs/{name}", one="keypair"),
        same=("public_key",),
        status=lambda microversion: 200 if microversion is None or microversion < (2, 2) else 201,
        view=_keypair,
        member="{path}/{name}",
    ),
    Recipe(
        path=r"/os-keypairs",
        body="keypair",
        not_given=("public_key",),
        refused="the private key is told only once",
    ),
    Recipe(
        path=r"/flavors",
        body="flavor",
        carrier=ClientId(none=(None, "", "auto")),
        look=Look(path="{base}/flavors/{id}", one="flavor"),
        same=("name", "ram", "vcpus", "disk"),
        status=200,
    ),
)
