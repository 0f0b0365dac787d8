"""Find the resources of an operation on a cloud, and remove their markers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from os_retries.inventory.kinds import KINDS
from os_retries.operations.marks import START, prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.inventory.kinds import Kind

_CREATED = ("created_at", "created", "creation_time")
_IDS = ("id", "uuid")
_ADDRESSES = ("secret_ref", "order_ref", "container_ref")  # barbican shows these, which end with the id
_PAGES = 1000
# The fields that name the project of a resource: neutron, cinder, nova, heat, glance.
_OWNERS = ("project_id", "tenant_id", "project", "owner")


@dataclass(frozen=True, slots=True)
class Found:
    """A resource that carries a marker of the operation.

    ``field``
        The field that holds the marker.
    ``path``
        The path of the list in which it was found.
    ``created``
        When the resource was created, according to the service; None if the service does not tell.
    """

    kind: Kind
    path: str
    id: str
    name: str
    created: datetime | None
    marker: str
    field: str
    item: dict[str, Any]

    def age(self, now: datetime) -> float | None:
        """Return how old the resource is, in seconds; None if it is not known."""
        return None if self.created is None else (now - self.created).total_seconds()


def resources(
    adapter_of: Callable[[str], Any], key: str, complain: Callable[[str], object], project: str | None = None
) -> Iterator[Found]:
    """Yield the resources on a cloud that carry a marker of the operation.

    The same key in another project is another operation.  So resources of other projects are left out, even if an
    operator sees them.

    :param adapter_of: returns the adapter for a service type
    :param project: the id of the project; None for all projects
    :param complain: called with a text for each kind that could not be listed although the cloud has its service
    """
    from keystoneauth1 import exceptions

    for kind in KINDS:
        try:
            for found in _of_kind(adapter_of(kind.service), kind, key):
                if kind.service == "identity" or project is None or _owner(found.item) in (project, None):
                    yield found
        except exceptions.EndpointNotFound:  # the cloud does not have this service
            continue
        except (exceptions.ClientException, ValueError) as error:
            complain(f"{kind.service}: the list of each {kind.name} failed: {error}")


def _owner(item: dict[str, Any]) -> object:
    return next((item[each] for each in _OWNERS if item.get(each)), None)


def _of_kind(adapter: Any, kind: Kind, key: str) -> Iterator[Found]:
    """Yield the marked resources of one kind; nothing if the caller may not list them."""
    paths = [kind.path]
    if kind.parents is not None:
        where, name = kind.parents
        paths = [
            kind.path.format(parent=quote(str(each["id"]), safe="")) for each in _items(adapter, kind, where, name)
        ]
    for path in paths:
        for item in _items(adapter, kind, path, kind.list):
            found = _found(kind, path, item, key)
            if found is not None:
                yield found


def _items(adapter: Any, kind: Kind, path: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield what a list has on all its pages."""
    query = list(kind.query.items())
    for _ in range(_PAGES):
        response = adapter.get(path, params=query, microversion=kind.microversion, raise_exc=False)
        if response.status_code in (401, 403, 404, 406):  # 406: the service is older than this microversion
            return
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}")
        body = response.json()
        yield from body.get(name) or []
        following = _next(body, name)
        if following is None or following == query:
            return
        query = following


def _next(body: dict[str, Any], name: str) -> list[tuple[str, str]] | None:
    """Return the query of the next page; None if there is none."""
    links = body.get(f"{name}_links") or body.get("links")
    href = links.get("next") if isinstance(links, dict) else body.get("next")
    if isinstance(links, list):
        href = next((link.get("href") for link in links if link.get("rel") == "next"), href)
    return parse_qsl(urlsplit(href).query) if isinstance(href, str) else None


def _found(kind: Kind, path: str, item: dict[str, Any], key: str) -> Found | None:
    start = prefix(key)
    pattern = re.compile(rf"{START}{start}[0-9a-f]{{20}}(-\d+)?")
    for name in kind.off:
        value = item.get(name)
        if name in _IDS:
            digits = str(value).replace("-", "")
            marker = START + digits if digits.startswith(start) and len(digits) == 32 else None
        else:
            match = pattern.search(str(value))  # a list of tags, metadata, or a text
            marker = match and match[0]
        if marker:
            created = next((each for each in map(_time, map(item.get, _CREATED)) if each is not None), None)
            own_id = str(next((item[each] for each in (*_IDS, *_ADDRESSES) if each in item), "?")).rpartition("/")[2]
            shown = _printable(str(item.get("name") or item.get("stack_name") or ""))
            return Found(kind, path, own_id, shown, created, marker, name, item)
    return None


def _printable(text: str) -> str:
    """Return a name in one line and without escape sequences."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def take_off(adapter: Any, found: Found) -> str:
    """Remove the marker from a resource; return why that has failed, or an empty text."""
    off = found.kind.off[found.field]
    if isinstance(off, str):
        return off
    verb, path, body = off
    values = {"id": quote(found.id, safe=""), "marker": quote(found.marker, safe=""), "path": found.path}
    how: dict[str, Any] = {} if body is None else {"json": _filled(body, _rest(found))}
    if found.kind.headers:
        how["headers"] = dict(found.kind.headers)
    response = adapter.request(
        path.format(**values), verb, microversion=found.kind.microversion, raise_exc=False, **how
    )
    return "" if response.status_code < 300 or response.status_code == 404 else f"status {response.status_code}"


def _rest(found: Found) -> Any:
    """Return the rest of the field without the marker."""
    value = found.item[found.field]
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if each != found.marker}
    if isinstance(value, list):
        return [each for each in value if each != found.marker]
    return str(value).replace(found.marker, "").rstrip()


def _filled(body: Any, rest: Any) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, rest) for name, value in body.items()}
    return rest if body == "{rest}" else body
