"""Markers: where one goes in a request, and how the resource that was made of the request shows it.

A marker is a text that no other request has.  A *carrier* says which field of the request takes it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

#: The key of a marker in metadata, and the name of the attribute where a service keeps attributes that it does not
#: know.
KEY = "os-retries"

Item = dict[str, Any]


def new_marker() -> str:
    """Make the marker of one logical request, which keeps it over all its attempts.

    It has 43 characters that every carrier takes.
    """
    return f"{KEY}-{uuid.uuid4().hex}"


class Carrier:
    """Where a marker goes in the request, and how the resource that was made of the request shows it."""

    #: The field to be emptied by one PUT after the create has succeeded; None where the marker stays.
    taken_away: ClassVar[str | None] = None

    def put(self, item: Item, marker: str) -> Item | None:
        """Return a copy of ``item`` with the marker; None if the caller has left no room for it."""
        raise NotImplementedError

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Return whether ``found`` was made of ``sent``; None if ``found`` does not say."""
        raise NotImplementedError


@dataclass(frozen=True)
class Tag(Carrier):
    """One more entry of a list of texts."""

    field: str = "tags"
    most: int = 50

    def put(self, item: Item, marker: str) -> Item | None:
        """Append the marker to the caller's own."""
        tags = item.get(self.field)
        tags = [] if tags is None else tags
        if not isinstance(tags, list) or len(tags) >= self.most or not all(isinstance(tag, str) for tag in tags):
            return None
        return item | {self.field: [*tags, marker]}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look among the tags."""
        tags = found.get(self.field)
        return marker in tags if isinstance(tags, list) else None


@dataclass(frozen=True)
class Metadata(Carrier):
    """One more key of a mapping of texts."""

    field: str = "metadata"

    def put(self, item: Item, marker: str) -> Item | None:
        """Add our key to the caller's own."""
        metadata = item.get(self.field)
        metadata = {} if metadata is None else metadata
        if not isinstance(metadata, dict) or KEY in metadata:
            return None
        return item | {self.field: metadata | {KEY: marker}}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for our key."""
        metadata = found.get(self.field)
        return metadata.get(KEY) == marker if isinstance(metadata, dict) else None


@dataclass(frozen=True)
class Attribute(Carrier):
    """An attribute of its own, where the service keeps attributes that it does not know."""

    field: str = KEY

    def put(self, item: Item, marker: str) -> Item | None:
        """Add the attribute."""
        return None if self.field in item else item | {self.field: marker}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for the attribute; what others have made does not have it."""
        return bool(found.get(self.field) == marker)


@dataclass(frozen=True)
class Description(Carrier):
    """The description, where the caller sent none and the API has no place that people do not read.

    A description that repeats the name counts as none, because ``openstack security group create`` sends that.  After
    success the marker is removed again.
    """

    field: str = "description"
    taken_away = "description"

    def put(self, item: Item, marker: str) -> Item | None:
        """Use the description if it is empty."""
        return item | {self.field: marker} if item.get(self.field) in (None, "", item.get("name")) else None

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Compare the description."""
        description = found.get(self.field, ...)
        return None if description is ... else bool(description == marker)


@dataclass(frozen=True)
class DescriptionEnd(Description):
    """The end of a description of the caller's own, where nothing else can carry a marker.

    After success the caller's text is put back.
    """

    most: int = 255

    def put(self, item: Item, marker: str) -> Item | None:
        """Append the marker, if there is room for both."""
        text = item.get(self.field)
        if not isinstance(text, str) or not text or len(text) + 1 + len(marker) > self.most:
            return None
        return item | {self.field: f"{text} {marker}"}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the whole description."""
        del marker
        return super().shows(found, sent, str(sent[self.field]))


@dataclass(frozen=True)
class ClientId(Carrier):
    """An id that the client may choose: the digits of the marker, as a UUID, where the caller has chosen none.

    With an id of the caller's own the fields ``same`` of the recipe decide, for the resource may be an older one.
    """

    field: str = "id"
    none: tuple[object, ...] = (None, "")

    def put(self, item: Item, marker: str) -> Item | None:
        """Choose the id."""
        return item | {self.field: self.chosen(marker)} if item.get(self.field) in self.none else item

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the id; an id of the caller's own proves nothing."""
        if sent[self.field] != self.chosen(marker):
            return None
        return bool(found.get(self.field) == sent[self.field])

    def chosen(self, marker: str) -> str:
        """Return the marker as a UUID."""
        return str(uuid.UUID(hex=marker.removeprefix(f"{KEY}-")))
