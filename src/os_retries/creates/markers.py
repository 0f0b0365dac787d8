"""Markers: which field of a request takes the marker, and how the resource shows it.

A marker is a text that no other request has.  A *carrier* describes the field that takes it.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

#: The key of a marker in metadata, and the name of its attribute in a service that keeps unknown attributes.
KEY = "os-retries"

Item = dict[str, Any]


def new_marker() -> str:
    """Return a new marker for a request and all its attempts.

    It has 43 characters, all of which every carrier accepts.
    """
    return f"{KEY}-{os.urandom(16).hex()}"


class Carrier:
    """A field of the request that takes a marker, and how the resource shows the marker."""

    #: The field that a PUT restores after the create has succeeded; None if the marker stays.
    taken_away: ClassVar[str | None] = None

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The fields that every resource has in a list, and that show its marker; None if there are none."""
        return None

    def put(self, item: Item, marker: str) -> Item | None:
        """Return a copy of ``item`` with the marker; None if the caller's own values leave no room for it."""
        raise NotImplementedError

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Return whether the resource ``found`` was made from the item ``sent``; None if ``found`` does not show it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Tag(Carrier):
    """A marker as one more entry of a list of strings.

    ``most``
        The longest list that the service accepts.
    """

    field: str = "tags"
    most: int = 50

    @property
    def fields(self) -> tuple[str, ...]:
        """The list of tags."""
        return (self.field,)

    def put(self, item: Item, marker: str) -> Item | None:
        """Append the marker to the caller's own tags."""
        tags = item.get(self.field)
        tags = [] if tags is None else tags
        if not isinstance(tags, list) or len(tags) >= self.most or not all(isinstance(tag, str) for tag in tags):
            return None
        return item | {self.field: [*tags, marker]}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for the marker among the tags."""
        tags = found.get(self.field)
        return marker in tags if isinstance(tags, list) else None


@dataclass(frozen=True)
class Metadata(Carrier):
    """A marker as the value of one more key of a mapping of strings."""

    field: str = "metadata"

    @property
    def fields(self) -> tuple[str, ...]:
        """The mapping."""
        return (self.field,)

    def put(self, item: Item, marker: str) -> Item | None:
        """Add our key to the caller's own metadata."""
        metadata = item.get(self.field)
        metadata = {} if metadata is None else metadata
        if not isinstance(metadata, dict) or KEY in metadata:
            return None
        return item | {self.field: metadata | {KEY: marker}}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for our key in the metadata."""
        metadata = found.get(self.field)
        return metadata.get(KEY) == marker if isinstance(metadata, dict) else None


@dataclass(frozen=True)
class Attribute(Carrier):
    """A marker as an attribute of its own, for a service that keeps unknown attributes."""

    field: str = KEY

    def put(self, item: Item, marker: str) -> Item | None:
        """Add the attribute."""
        return None if self.field in item else item | {self.field: marker}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for the attribute.  A resource without it was made by another request."""
        return bool(found.get(self.field) == marker)


@dataclass(frozen=True)
class Description(Carrier):
    """A marker as the description, if the caller sent none and the API has no less visible field.

    A description that repeats the name counts as none, because ``openstack security group create`` sends that.  After
    the create has succeeded, the marker is removed again.

    ``tags``
        The template of the path of a resource's tags, if it can have tags.  There the marker of an operation stays.
    """

    field: str = "description"
    tags: str = ""
    taken_away = "description"

    @property
    def fields(self) -> tuple[str, ...]:
        """The description, and the tags where the marker of an operation ends."""
        return (self.field, "tags")

    def put(self, item: Item, marker: str) -> Item | None:
        """Set the description if the caller sent none."""
        return item | {self.field: marker} if item.get(self.field) in (None, "", item.get("name")) else None

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Compare the description with the marker."""
        description = found.get(self.field, ...)
        return None if description is ... else bool(description == marker)


@dataclass(frozen=True)
class DescriptionEnd(Description):
    """A marker at the end of the caller's own description, if no other field can take it.

    After the create has succeeded, the caller's text is restored.
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
class AnyDescription(DescriptionEnd):
    """A marker as the description, or at the end of the caller's own.

    An operation uses it where the marker ends as a tag.  Other creates leave a description of the caller's alone.
    """

    def put(self, item: Item, marker: str) -> Item | None:
        """Set the description, or append the marker to it."""
        if item.get(self.field) in (None, "", item.get("name")):
            return item | {self.field: marker}
        return super().put(item, marker)


@dataclass(frozen=True)
class ClientId(Carrier):
    """An id that the client may choose: the marker's digits as a UUID, if the caller has chosen no id.

    An id that the caller has chosen proves nothing, because the resource may be older than the request.  Then the
    fields ``same`` of the recipe are compared.
    """

    field: str = "id"
    none: tuple[object, ...] = (None, "")

    def put(self, item: Item, marker: str) -> Item | None:
        """Set the id if the caller has chosen none."""
        return item | {self.field: self.chosen(marker)} if item.get(self.field) in self.none else item

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare the id; return None if the caller has chosen it."""
        if sent[self.field] != self.chosen(marker):
            return None
        return bool(found.get(self.field) == sent[self.field])

    def chosen(self, marker: str) -> str:
        """Return the marker as a UUID."""
        return str(uuid.UUID(hex=marker.removeprefix(f"{KEY}-")))
