"""barbican; the facts are in docs/design/creates.md#key-manager."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from os_retries.creates.markers import Carrier, Item
from os_retries.creates.recipe import Content, Look, Recipe, equal


@dataclass(frozen=True)
class _Name(Carrier):
    """A marker as the name of a resource for which the caller has sent no name.

    barbican has no other field for a marker.  A name cannot be changed later, so the marker stays where people read it.
    Therefore this carrier is used only for resources whose contents do not tell them apart.
    """

    def put(self, item: Item, marker: str) -> Item | None:
        """Set the name, unless the caller has sent one."""
        return item | {"name": marker} if item.get("name") in (None, "") else None

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Compare the name."""
        return bool(found.get("name") == marker)


@dataclass(frozen=True)
class _NameOfKey(_Name):
    """A marker as the name in the ``meta`` of an order for which the caller has sent no name.

    Another key of ``meta`` would not do: barbican keeps unknown keys, but barbicanclient cannot read such an order.
    """

    def put(self, item: Item, marker: str) -> Item | None:
        """Set the name in ``meta``, unless the caller has sent one."""
        meta = item.get("meta")
        named = super().put(meta, marker) if isinstance(meta, dict) else None
        return None if named is None else item | {"meta": named}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the name in ``meta``."""
        meta = found.get("meta")
        return super().shows(meta, sent, marker) if isinstance(meta, dict) else None


def _answer(kind: str) -> dict[str, Any]:
    """Return the recipe's fields for the response: the address of the resource in the body and in ``Location``."""
    name = f"{kind}_ref"
    return {
        "view": lambda _sent, found: {name: found[0][name]},
        "headers": lambda answer, _found: {"Location": answer[name]},
    }


def _named(item: Item, _markers: list[str]) -> str | None:
    """Return the name to filter by; None if it has a character that barbican would decode twice."""
    name = str(item.get("name") or "")
    return name if name and not set(name) & set("+%") else None


# -- secrets -----------------------------------------------------------------------------------------------------------


def _moment(text: object) -> object:
    """Return a time without its time zone, as barbican shows it; the value itself if it is not a time."""
    try:
        moment = datetime.fromisoformat(str(text).strip())
    except ValueError:
        return text
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _is_like(found: Item, sent: Item) -> bool:
    """Compare all that barbican shows of a secret."""
    return (
        all(equal(found.get(name), sent.get(name)) for name in ("name", "algorithm", "bit_length", "mode"))
        and equal(found.get("secret_type"), sent.get("secret_type") or "opaque")
        and _moment(found.get("expiration")) == _moment(sent.get("expiration") or None)
    )


def _may_be_it(found: Item, sent: Item) -> bool | None:
    """Return None for a secret like the one that was sent: only its payload shows whether it is that one."""
    return None if _is_like(found, sent) else False


def _is_without_payload(found: Item, sent: Item) -> bool:
    return _is_like(found, sent) and not found.get("content_types")


def _payload(item: Item) -> bytes | None:
    """Return the payload as barbican returns it."""
    payload = str(item["payload"])
    if not item.get("payload_content_encoding"):
        return payload.strip().encode()
    try:
        return base64.b64decode(payload)
    except binascii.Error:
        return None


def _id(found: Item) -> dict[str, str]:
    return {"id": str(found["secret_ref"]).rpartition("/")[2]}


def _one_more(collection: str, **more: Any) -> Look:
    """Return the look-up of a new resource of the same user, with a baseline."""
    ref = f"{collection[:-1]}_ref"
    query = {"limit": "100"} | ({} if collection == "orders" else {"name": _named})
    return Look(
        path="{base}/" + collection, list=collection, query=query, baseline=ref, holds={"creator_id": "{user}"}, **more
    )


# barbicanclient ends the path with a slash.  Only the create's response shows a transport key.
_SECRET: dict[str, Any] = {
    "path": "/secrets/?",
    "body": None,
    "not_given": ("transport_key_needed", "transport_key_id"),
}


# -- orders and containers ---------------------------------------------------------------------------------------------


def _is_order(found: Item, sent: Item) -> bool:
    """Compare the type and the fields of the key that is asked for."""
    shown, meta = found.get("meta") or {}, sent.get("meta") or {}
    same = all(equal(shown.get(name), value) for name, value in meta.items() if name != "expiration")
    return same and found.get("type") == sent.get("type") and shown.get("expiration") == meta.get("expiration")


def _references(item: Item) -> set[object]:
    return {(each.get("name"), each.get("secret_ref")) for each in item.get("secret_refs") or []}


def _is_container(found: Item, sent: Item) -> bool | None:
    """Compare the secrets.  Two containers without secrets cannot be told apart: None."""
    same = all(equal(found.get(name), sent.get(name)) for name in ("name", "type"))
    if not same or _references(found) != _references(sent):
        return False
    return True if _references(sent) else None


_ALIKE = "two of them cannot be told apart, and the request has no room for a marker"

RECIPES = (
    Recipe(
        **_SECRET,
        given=("payload",),
        match=_may_be_it,
        look=_one_more("secrets", proof=Content(path="{base}/secrets/{id}/payload", of=_id, sent=_payload)),
        **_answer("secret"),
    ),
    Recipe(
        **_SECRET,
        carrier=_Name(),
        look=Look(path="{base}/secrets", list="secrets", query={"name": "{marker}"}),
        **_answer("secret"),
    ),
    Recipe(
        **_SECRET,
        single_writer=True,
        match=_is_without_payload,
        look=_one_more("secrets"),
        **_answer("secret"),
    ),
    Recipe(path=r"/secrets/?", body=None, refused=_ALIKE),
    Recipe(
        path=r"/orders/?",
        body=None,
        carrier=_NameOfKey(),
        look=Look(path="{base}/orders", list="orders", query={"meta": "{marker}", "limit": "100"}),
        status=202,
        **_answer("order"),
    ),
    Recipe(
        path=r"/orders/?",
        body=None,
        single_writer=True,
        match=_is_order,
        look=_one_more("orders"),
        status=202,
        **_answer("order"),
    ),
    Recipe(path=r"/orders/?", body=None, refused=_ALIKE),
    Recipe(
        path=r"/containers/?",
        body=None,
        given=("secret_refs",),
        match=_is_container,
        look=_one_more("containers"),
        **_answer("container"),
    ),
    Recipe(
        path=r"/containers/?",
        body=None,
        carrier=_Name(),
        look=Look(path="{base}/containers", list="containers", query={"name": "{marker}"}),
        **_answer("container"),
    ),
    Recipe(path=r"/containers/?", body=None, refused=_ALIKE),
    # barbican keeps only one consumer with the same values.
    Recipe(path=r"/(secrets|containers)/[^/]+/consumers/?", body=None, harmless=True),
    Recipe(
        path=r"/secrets/(?P<secret>[^/]+)/metadata/?",
        body=None,
        key=None,
        look=Look(path="{base}/secrets/{secret}/metadata/{key}"),
        same=("key", "value"),
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to barbican has been tested yet"),
)
