"""One create, as the engine sees it: what is sent instead of the caller's body, and how its resource is recognised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from os_retries.creates.markers import new_marker
from os_retries.creates.recipe import fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Look, Microversion, Recipe, Value

_CLOCK = 2.0  # seconds by which the clocks of a service's hosts may differ, and which whole seconds take away

Query = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Get:
    """A GET to be sent: what is None is as it was for the create.  With a ``body`` it is a POST without a token."""

    path: str
    query: Query
    microversion: str | None = None
    service: str | None = None
    version: str | None = None
    body: Item | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """A create that a recipe knows: what to send instead of the caller's body, and how to find it."""

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
    #: What was there before it was first sent, by the look's ``baseline``.
    known: frozenset[object] = frozenset()
    #: What of that matched already, where the request takes it away.
    was: tuple[Item, ...] = ()

    @property
    def look(self) -> Look:
        """How it is looked up."""
        assert self.recipe.look is not None
        return self.recipe.look

    def knowing(self, there: Iterable[Item]) -> Create:
        """Return the create with what is there before it is first sent."""
        there = list(there)
        if self.look.gone:
            return replace(self, was=tuple(item for item in there if self.is_ours(item)))
        return replace(self, known=frozenset(item[self.look.baseline or ""] for item in there))

    def is_ours(self, found: Item, since: float | None = None) -> bool | None:
        """Whether this resource was made by this create; None if it cannot be told.

        :param since: when the create was first sent, by the service's clock
        """
        if self.look.baseline is not None and found.get(self.look.baseline) in self.known:
            return False
        values = self.values()
        if any(str(found.get(name)) != text.format_map(values) for name, text in self.look.holds.items()):
            return False
        answers = [self.recipe.shows(found, *each) for each in zip(self.sent, self.markers, strict=True)]
        if True in answers:
            return True if self.look.born is None else _is_younger(found.get(self.look.born), since)
        return None if None in answers else False

    def in_order(self, hits: Iterable[Item]) -> list[Item]:
        """Put what a bulk request has made into the order in which it was asked for."""
        hits = list(hits)
        if not self.bulk:
            return hits
        pairs = list(zip(self.sent, self.markers, strict=True))
        return [hit for sent, marker in pairs for hit in hits if self.recipe.shows(hit, sent, marker)]

    def answer(self, hits: list[Item]) -> Any:
        """Answer as the create would have; ``hits`` are in order."""
        if self.bulk:
            return {self.recipe.bulk: hits}
        item = self.recipe.view(self.sent, hits)
        return item if item is None or self.recipe.body is None or not self.recipe.wrapped else {self.recipe.body: item}

    def made(self, answer: Any) -> list[Item]:
        """Read the resources off the answer to a create; none if it is not as it should be."""
        item = answer
        if not self.recipe.wrapped:  # it is told in words of its own
            return []
        if self.bulk or self.recipe.body is not None:
            item = answer.get(self.recipe.bulk if self.bulk else self.recipe.body) if isinstance(answer, dict) else None
        return [each for each in (item if isinstance(item, list) else [item]) if isinstance(each, dict)]

    def before(self, field: str, marker: object) -> object:
        """Return what the caller wrote in a field that shows the marker now; an empty text where it wrote nothing."""
        held = (
            asked.get(field) for asked, sent in zip(self.asked, self.sent, strict=True) if sent.get(field) == marker
        )
        return next(held, None) or ""

    def member(self, item: Item) -> str:
        """Where one of the resources is."""
        return fill(self.recipe.member, {**texts(item), **self.groups})

    def values(self) -> dict[str, str]:
        """Return what the templates of the recipe stand for."""
        return {**texts(self.sent[0]), **self.groups, "marker": self.markers[0]}

    def get(self, path: str, query: Mapping[str, Value], **how: Any) -> Get:
        """Fill in a GET."""
        values = self.values()
        pairs: Query = []
        for name, value in query.items():
            filled = value.format_map(values) if isinstance(value, str) else value(self.sent[0], self.markers)
            if filled is not None:
                pairs += [(name, each) for each in ([filled] if isinstance(filled, str) else filled)]
        return Get(fill(path, values), pairs, **how)


def _is_younger(made: object, since: float | None) -> bool | None:
    """Compare two times of one clock; services tell it in whole seconds."""
    if since is None or not isinstance(made, str):
        return None
    try:
        moment = datetime.fromisoformat(made)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() > since - _CLOCK


def texts(item: Item) -> dict[str, str]:
    """Return the fields whose values can stand in a template."""
    return {name: str(value) for name, value in item.items() if isinstance(value, str | int)}


def prepare(recipe: Recipe, groups: Mapping[str, str], body: Any, microversion: Microversion | None) -> Create | None:
    """Mark a copy of a request's body if the recipe applies to it.  The body itself is not touched.

    :returns: None if the recipe does not apply
    """
    if recipe.since is not None and (microversion is None or microversion < recipe.since):
        return None
    items, bulk = _items(recipe, body)
    if not items or not all(_applies(recipe, item) for item in items):
        return None
    marker = new_marker()
    markers = [f"{marker}-{number}" for number in range(len(items))] if bulk else [marker]
    sent: list[Item] = []
    for item, own in zip(items, markers, strict=True):
        marked = item if recipe.carrier is None else recipe.carrier.put(item, own)
        if marked is None:
            return None
        absent = {name: make for name, make in recipe.chosen.items() if marked.get(name) is None}
        sent.append(marked | {name: make() for name, make in absent.items()})
    member = recipe.bulk if bulk else recipe.body
    whole = sent[0] if member is None else body | {member: sent if bulk else sent[0]}
    low, high = (len(items), len(items)) if bulk else recipe.count(items[0])
    return Create(recipe, whole, sent, markers, items, groups, bulk, low, high)


def _items(recipe: Recipe, body: Any) -> tuple[list[Item], bool]:
    """Return the items that the body asks for; none if the body has any key that the recipe does not know."""
    if not isinstance(body, dict):
        return [], False
    if recipe.body is None:
        return ([body] if recipe.key is None or set(body) == {recipe.key} else []), False
    if recipe.bulk is not None and set(body) == {recipe.bulk}:
        items = body[recipe.bulk]
        if not isinstance(items, list) or len(items) > 100 or not all(isinstance(item, dict) for item in items):
            return [], True  # a look-up of more than a hundred is longer than a URL may be
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


_NOTHING: tuple[object, ...] = (None, "", False)
