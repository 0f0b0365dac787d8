"""One create as the engine sees it: what is sent instead of the caller's body, and how its resource is recognized."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from os_retries.creates.markers import new_marker
from os_retries.creates.recipe import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Look, Microversion, Recipe, Value

_CLOCK = 2.0  # seconds allowed for clocks that differ between a service's hosts, and for times in whole seconds

Query = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Get:
    """A GET of a look-up.  A field that is None has the value of the create's own request.

    With a ``body`` it is not a GET but a POST without a token.  With ``raw`` the body of the reply is not JSON, and
    must not be logged.
    """

    path: str
    query: Query
    microversion: str | None = None
    service: str | None = None
    version: str | None = None
    body: Item | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """A create for which there is a recipe: what to send instead of the caller's body, and how to find its resource.

    ``body``
        The whole body to send.
    ``sent``
        The items of that body, with their markers.
    ``groups``
        The named groups of the recipe's path.
    ``bulk``
        Whether the body asks for a list of resources.
    ``low``, ``high``
        How many resources the request makes, at least and at most.
    """

    recipe: Recipe
    body: Any
    sent: list[Item]
    markers: list[str]
    #: The items as the caller wrote them.
    asked: list[Item]
    groups: Mapping[str, str]
    bulk: bool
    low: int
    high: int
    #: The resources that existed before the first attempt: the values of the field that ``look.baseline`` names.
    known: frozenset[object] = frozenset()
    #: For a request that removes something: the resources that matched before the first attempt.
    was: tuple[Item, ...] = ()
    #: Whether an earlier run of an operation may have sent it already.
    again: bool = False

    @property
    def look(self) -> Look:
        """How the recipe looks the create up."""
        assert self.recipe.look is not None
        return self.recipe.look

    def with_baseline(self, there: Iterable[Item]) -> Create:
        """Return a copy of the create that knows which resources existed before the first attempt."""
        there = list(there)
        if self.look.gone:
            return replace(self, was=tuple(item for item in there if self.is_ours(item)))
        return replace(self, known=frozenset(item.get(self.look.baseline or "") for item in there))

    def is_ours(self, found: Item, since: float | None = None) -> bool | None:
        """Return whether this create made the resource ``found``; None if it is not known.

        :param since: when the create was first sent, in seconds since the epoch by the service's clock
        """
        if self.look.baseline is not None and found.get(self.look.baseline) in self.known:
            return False
        if self.again and not self.look.gone and is_leaving(found):
            return False  # the program has deleted it in an earlier run, and now makes it again
        values = self.values()
        if any(str(found.get(name)) != text.format_map(values) for name, text in self.look.holds.items()):
            return False
        answers = [self.recipe.shows(found, *each) for each in zip(self.sent, self.markers, strict=True)]
        if True in answers:
            return True if self.look.born is None else _is_younger(found.get(self.look.born), since)
        return None if None in answers else False

    def in_order(self, hits: Iterable[Item]) -> list[Item]:
        """Return the resources of a bulk request in the order in which the request asked for them."""
        hits = list(hits)
        if not self.bulk:
            return hits
        pairs = list(zip(self.sent, self.markers, strict=True))
        return [hit for sent, marker in pairs for hit in hits if self.recipe.shows(hit, sent, marker)]

    def answer(self, hits: list[Item]) -> Any:
        """Return the body of the create's response.

        :param hits: the resources, in the order in which the request asked for them
        """
        if self.bulk:
            return {self.recipe.bulk: hits}
        item = self.recipe.view(self.sent, hits)
        return item if item is None or self.recipe.body is None or not self.recipe.wrapped else {self.recipe.body: item}

    def made(self, answer: Any) -> list[Item]:
        """Return the resources in the body of a create's response; an empty list if the body has another form."""
        item = answer
        if not self.recipe.wrapped:  # the response of this recipe has a form of its own
            return []
        if self.bulk or self.recipe.body is not None:
            item = answer.get(self.recipe.bulk if self.bulk else self.recipe.body) if isinstance(answer, dict) else None
        return [each for each in (item if isinstance(item, list) else [item]) if isinstance(each, dict)]

    def before(self, field: str, marker: object) -> object:
        """Return what the caller sent in a field that now shows the marker; an empty string if it sent nothing."""
        held = (
            asked.get(field) for asked, sent in zip(self.asked, self.sent, strict=True) if sent.get(field) == marker
        )
        return next(held, None) or ""

    def marker_of(self, item: Item) -> str | None:
        """Return the marker of this create that a resource shows; None if it shows none of them."""
        pairs = zip(self.sent, self.markers, strict=True)
        return next((marker for sent, marker in pairs if self.recipe.shows(item, sent, marker)), None)

    def member(self, item: Item) -> str:
        """Return the path of a resource."""
        return fill(self.recipe.member, texts(item), self.groups)

    def values(self) -> dict[str, str]:
        """Return the values for the templates of the recipe."""
        return {**texts(self.sent[0]), **self.groups, "marker": self.markers[0]}

    def get(self, path: str, query: Mapping[str, Value], **how: Any) -> Get:
        """Return a GET with the templates of its path and its query filled in."""
        values = self.values()
        pairs: Query = []
        for name, value in query.items():
            filled = value.format_map(values) if isinstance(value, str) else value(self.sent[0], self.markers)
            if filled is not None:
                pairs += [(name, each) for each in ([filled] if isinstance(filled, str) else filled)]
        return Get(fill(path, values, self.groups), pairs, **how)


def _is_younger(made: object, since: float | None) -> bool | None:
    """Return whether a resource is younger than its request; None if it is not known.

    :param made: the time of creation that the service shows, in whole seconds
    :param since: when the request was first sent, in seconds since the epoch by the service's clock
    """
    if since is None or not isinstance(made, str):
        return None
    try:
        moment = datetime.fromisoformat(made)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() > since - _CLOCK


# The states of a resource that is being deleted, and the fields that hold it: nova, cinder, heat, octavia, designate.
_LEAVING = frozenset({"deleting", "deleted", "soft_deleted", "pending_delete", "delete_in_progress", "delete_complete"})
_STATES = ("status", "stack_status", "provisioning_status", "OS-EXT-STS:task_state")


def is_leaving(found: Item) -> bool:
    """Return whether a resource is deleted, or is being deleted."""
    return any(str(found.get(name)).lower() in _LEAVING for name in _STATES)


def texts(item: Item) -> dict[str, str]:
    """Return the fields that templates may use: strings and numbers."""
    return {name: str(value) for name, value in item.items() if isinstance(value, str | int)}


def prepare(
    recipe: Recipe,
    groups: Mapping[str, str],
    body: Any,
    microversion: Microversion | None,
    make_marker: Callable[[], str] | None = None,
) -> Create | None:
    """Return a create with a marked copy of the body, if the recipe applies to it.  The body itself is not changed.

    :param groups: the named groups of the recipe's path
    :param microversion: the microversion of the request; None if it has none
    :param make_marker: returns the marker of a request in an operation; None for a random marker
    :returns: None if the recipe does not apply
    """
    if recipe.since is not None and (microversion is None or microversion < recipe.since):
        return None
    items, bulk = _items(recipe, body)
    if not items or not all(_applies(recipe, item) for item in items):
        return None
    marker = new_marker() if make_marker is None else make_marker()
    markers = [f"{marker}-{number}" for number in range(len(items))] if bulk else [marker]
    sent: list[Item] = []
    for item, own in zip(items, markers, strict=True):
        marked = item if recipe.carrier is None else recipe.carrier.put(item, own)
        if marked is None:
            return None
        for name, make in recipe.chosen.items():
            if marked.get(name) is None:
                marked = marked | {name: make()}
        sent.append(dict(marked))
    member = recipe.bulk if bulk else recipe.body
    whole = sent[0] if member is None else body | {member: sent if bulk else sent[0]}
    low, high = (len(items), len(items)) if bulk else recipe.count(items[0])
    return Create(recipe, whole, sent, markers, items, groups, bulk, low, high, again=make_marker is not None)


def _items(recipe: Recipe, body: Any) -> tuple[list[Item], bool]:
    """Return the items that the body asks for, and whether it is a bulk request.

    The list is empty if the body has any key that the recipe does not know.
    """
    if not isinstance(body, dict):
        return [], False
    if recipe.body is None:
        return ([body] if recipe.key is None or set(body) == {recipe.key} else []), False
    if recipe.bulk is not None and set(body) == {recipe.bulk}:
        items = body[recipe.bulk]
        if not isinstance(items, list) or len(items) > 100 or not all(isinstance(item, dict) for item in items):
            return [], True  # the URL of a look-up for more than a hundred items would be too long
        return items, True
    item = body.get(recipe.body)
    if recipe.optional and item is None and recipe.body in body:
        item = {}
    if not isinstance(item, dict) or not set(body) <= {recipe.body} | recipe.beside:
        return [], False
    return [item], False


def _applies(recipe: Recipe, item: Item) -> bool:
    return all(item.get(name) not in _NOTHING for name in recipe.given) and all(
        item.get(name) in _NOTHING for name in recipe.not_given
    )


_NOTHING: tuple[object, ...] = (None, "", False, [])
