"""One logical create: marked once, looked up after every answer that was lost, sent again only when surely not there.

Pure: how to ask, to wait and to tell the time are arguments, so the rules can be tried against a model of a service.

* One marker for the request and all its re-sends; what is found is compared here, whatever the filter did.
* Nothing found is "not yet" until the settle time is over.  One found (or as many as were asked for) is the answer.
  More, or fewer, or a look-up that fails, prove nothing: then nothing is sent again.
* Before a re-send one more look, and none without it; after any failure that follows a lost answer too: it may have
  landed meanwhile.
* After a re-send that succeeded, a look for what landed later than the settle time: a duplicate, to be reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from os_retries.creates.recipes import fill, new_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from os_retries.creates.recipes import Item, Look, Microversion, Proof, Recipe, Value

_PAGES = 100  # of a list whose filter was ignored: then it cannot be told
_CLOCK = 2.0  # seconds that the clocks of a service's several hosts may differ, and that whole seconds take away
# What a thing is called, first come first.
_IDS = "id", "name", "member_id", "namespace", "port_id", "volumeId", "request_id", "encryption_id"

Query = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a GET: ``status`` None and ``body`` None where nothing came; ``again`` if asking again may help.

    ``since`` is when the create was first sent, by the service's own clock, in seconds since the epoch; None where the
    answer does not tell the time.  ``endless``: it is the last page that is asked for, and the service has more.
    """

    status: int | None
    body: Any = None
    what: str = ""
    again: bool = False
    since: float | None = None
    endless: bool = False


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
class Finding:
    """What one look, or a settle time full of them, has shown.

    ``hits`` are resources of ours; ``problem`` says why they prove nothing.  Neither: surely not there.
    """

    hits: tuple[Item, ...] = ()
    problem: str = ""
    again: bool = False

    @property
    def found(self) -> bool:
        """Whether the create has taken effect, as it was asked for."""
        return bool(self.hits) and not self.problem

    @property
    def absent(self) -> bool:
        """Whether nothing is there."""
        return not self.hits and not self.problem

    @property
    def ids(self) -> tuple[str, ...]:
        """What was found."""
        return tuple(str(next((hit[name] for name in _IDS if name in hit), "?")) for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Create:
    """A create that a row of the table knows: what to send instead of the caller's body, and how to find it."""

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

    @property
    def look(self) -> Look:
        """How it is looked up."""
        assert self.recipe.look is not None
        return self.recipe.look

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
        """Return what a field held where the marker has taken its place; nothing where it held none."""
        held = (item.get(field) for item, own in zip(self.asked, self.markers, strict=True) if own == marker)
        return next(held, None) or ""

    def member(self, item: Item) -> str:
        """Where one of the resources is."""
        return fill(self.recipe.member, {**_texts(item), **self.groups})

    def values(self) -> dict[str, str]:
        """Return what the templates of the row stand for."""
        return {**_texts(self.sent[0]), **self.groups, "marker": self.markers[0]}

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


def _texts(item: Item) -> dict[str, str]:
    return {name: str(value) for name, value in item.items() if isinstance(value, str | int)}


def prepare(recipe: Recipe, groups: Mapping[str, str], body: Any, microversion: Microversion | None) -> Create | None:
    """Mark a copy of a request's body, if the row is made for it; the body itself is not touched.

    None if anything about it is not as the row knows it: then it is no business of this row.
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
    """Return the items that the body asks for, none if it is not to the last key what the row knows."""
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


# -- looking up --------------------------------------------------------------------------------------------------------


def look(create: Create, send: Callable[[Get], Reply]) -> Finding:
    """Look once: every page, compared here, whatever the service has made of the filter."""
    how = create.look
    hits: list[Item] = []
    unclear = False
    for reply in _pages(create, send):
        if how.list is None and reply.status == 404:
            return Finding(({},)) if how.gone else Finding()
        items = _listed(how, reply)
        if items is None:
            return Finding((), _failed(reply), reply.again or reply.status == 200)
        for item in items:
            ours = create.is_ours(item, reply.since)
            if ours is None and how.proof is not None:
                ours = _proved(create, how.proof, item, send)
            unclear = unclear or ours is None
            if ours:
                hits.append(item)
        if reply.endless:
            return Finding(tuple(hits), "the service lists too many to look through")
    if unclear and not hits:
        return Finding((), "what the service lists does not say whose it is", again=True)
    finding = _judged(create, hits)
    return _in_full(create, finding, send) if how.then is not None and finding.found else finding


def there_before(create: Create, send: Callable[[Get], Reply]) -> frozenset[object] | None:
    """Return what there is before the create is sent, by the look's ``baseline``; None if that cannot be told.

    A GET that fails is made once more, at once: a wait here would hold the create up.
    """

    def twice(get: Get) -> Reply:
        reply = send(get)
        return send(get) if reply.again else reply

    known: set[object] = set()
    for reply in _pages(create, twice):
        items = _listed(create.look, reply)
        if items is None or reply.endless:
            return None
        known |= {item.get(create.look.baseline or "") for item in items}
    return None if None in known else frozenset(known)


def _pages(create: Create, send: Callable[[Get], Reply]) -> Iterator[Reply]:
    how = create.look
    get = create.get(how.path, how.query, microversion=how.microversion, service=how.service, version=how.version)
    for left in range(_PAGES - 1, -1, -1):
        reply = send(get)
        following = _next(reply.body, how.list) if isinstance(reply.body, dict) else None
        if following is None or following == get.query:
            yield reply
            return
        yield replace(reply, endless=not left)
        get = replace(get, query=following)


def _proved(create: Create, proof: Proof, item: Item, send: Callable[[Get], Reply]) -> bool | None:
    reply = send(Get(fill(proof.path, create.values()), [], body=proof.body(item, create.sent[0])))
    return True if reply.status == proof.yes else False if reply.status == proof.no else None


def _in_full(create: Create, finding: Finding, send: Callable[[Get], Reply]) -> Finding:
    """Ask for each of those found, where a list shows less than the create's answer."""
    how = create.look
    whole: list[Item] = []
    assert how.then is not None
    for hit in finding.hits:
        reply = send(Get(fill(how.then, {**_texts(hit), **create.groups}), [], how.microversion))
        item = (
            reply.body.get(how.one or create.recipe.body)
            if reply.status == 200 and isinstance(reply.body, dict)
            else None
        )
        if not isinstance(item, dict):
            return Finding(finding.hits, _failed(reply), reply.again)
        whole.append(item)
    return Finding(tuple(whole))


def _judged(create: Create, hits: list[Item]) -> Finding:
    if not hits:
        return Finding()
    if len(hits) > create.high:
        return Finding(tuple(hits), f"{len(hits)} are there, and {create.high} were asked for")
    if len(hits) < create.high and (create.bulk or len(hits) < create.low):
        return Finding(tuple(hits), f"{len(hits)} are there, and {create.high} were asked for", again=True)
    if create.bulk and any(
        sum(create.recipe.shows(hit, *each) is True for hit in hits) != 1
        for each in zip(create.sent, create.markers, strict=True)
    ):
        return Finding(tuple(hits), "some are there twice")
    return Finding(tuple(hits))


def _listed(how: Look, reply: Reply) -> list[Item] | None:
    """Return what the answer lists; None if it lists nothing because it is no such answer."""
    if reply.status != 200 or not isinstance(reply.body, dict):
        return None
    if how.list is None:
        item = reply.body if how.one is None else reply.body.get(how.one)
        return [item] if isinstance(item, dict) else None
    items = reply.body.get(how.list)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else None


def _failed(reply: Reply) -> str:
    return f"the look-up failed ({reply.status or reply.what})"


def _next(body: Any, collection: str | None) -> Query | None:
    """Return the query of the next page, in any of the services' ways to say it.

    The address in front of it is the service's own idea of itself, and may not be the one by which it is reached.
    """
    if collection is None:
        return None
    links = body.get(f"{collection}_links", body.get("links"))
    href = body.get("next")
    if isinstance(links, dict):
        href = links.get("next")
    elif isinstance(links, list):
        href = next((link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "next"), href)
    return parse_qsl(urlsplit(href).query, keep_blank_values=True) if isinstance(href, str) else None


@dataclass(slots=True)
class Tools:
    """How the engine reaches the world: a GET, a pause in seconds, the time in seconds from any beginning."""

    send: Callable[[Get], Reply]
    wait: Callable[[float], object]
    clock: Callable[[], float]


def find_out(
    create: Create, tools: Tools, *, settle: float, patience: float, allowance: float
) -> tuple[Finding, float]:
    """Look at 0, 1, 2, 4, 8, ... seconds until it is clear; return what was found, and the seconds waited.

    :param settle: seconds during which "not there" means "not yet"
    :param patience: seconds during which look-ups that fail are made again, from the first that fails after one that
        did not; and not less than ``settle`` from the beginning
    :param allowance: seconds that may be waited altogether; without them it stays unclear
    """
    begun, waited, pause = tools.clock(), 0.0, 1.0
    before: tuple[str, ...] = ()
    failing: float | None = None  # since when

    def passed() -> float:
        # By the waits as well as by the clock: where a test has taken the waiting out of sleep, nothing must spin.
        return max(tools.clock() - begun, waited)

    while True:
        at = passed()
        finding = look(create, tools.send)
        if finding.absent and at >= settle:
            finding = _confirmed(create, tools)
        if finding.found and (len(finding.hits) == create.high or finding.ids == before):
            return finding, waited
        if not finding.problem or finding.hits:
            limit, failing = settle, None
        else:
            if failing is None:
                failing, pause = at, 1.0
            limit = max(settle, failing + patience)
        if (finding.problem and not finding.again) or at >= limit:  # absent too: that was confirmed
            return finding, waited
        before = finding.ids
        pause, this = pause * 2 if waited else pause, max(0.0, min(pause, limit - passed()))
        if waited + this > allowance:
            return Finding(finding.hits, finding.problem or _NO_TIME), waited
        if this:
            tools.wait(this)
        waited += this


_NO_TIME = "not there yet, and retry_max_wait leaves no time to wait until that is sure"


def _confirmed(create: Create, tools: Tools) -> Finding:
    """Make sure that a service which lists nothing sees everything."""
    blind = create.look.blind
    if blind is None:
        return Finding()
    reply = tools.send(create.get(blind.path, blind.query, microversion=blind.microversion))
    if reply.status == 406:  # older than that microversion: it cannot say, and never could
        return Finding()
    items = reply.body.get(blind.list) if reply.status == 200 and isinstance(reply.body, dict) else None
    if not isinstance(items, list):
        return Finding((), _failed(reply), reply.again)
    return Finding((), blind.words) if any(blind.where(item, create.sent) for item in items) else Finding()


# -- the whole of it ---------------------------------------------------------------------------------------------------


class Keeper:
    """Keeps one logical create from being done twice, or lost, over all its attempts."""

    def __init__(self, create: Create, tools: Tools) -> None:
        self.create = create
        self.tools = tools
        #: Whether an attempt may have been processed.
        self.ambiguous = False

    def after_ambiguous(self, *, settle: float, patience: float, allowance: float) -> tuple[Finding, float]:
        """Find out what became of an attempt that may have been processed; see :func:`find_out`."""
        self.ambiguous = True
        return find_out(self.create, self.tools, settle=settle, patience=patience, allowance=allowance)

    def before_send(self, *, patience: float, allowance: float) -> Finding | None:
        """Look before a re-send; None if it may go: no attempt may have been processed, or it is still not there.

        A look that fails is made again as :func:`find_out` does.  If it keeps failing nothing may go: after a 503 "not
        there" was true of one moment alone.
        """
        if not self.ambiguous:
            return None
        finding, _ = find_out(self.create, self.tools, settle=0.0, patience=patience, allowance=allowance)
        return None if finding.absent else finding

    def one_look(self) -> Finding | None:
        """Look once after a failure of another kind than a lost answer: a conflict may be one's own success.

        None if no attempt may have been processed, if nothing is there, and if the look fails: nothing follows of it.
        """
        if not self.ambiguous:
            return None
        finding = look(self.create, self.tools.send)
        return finding if finding.hits else None

    def after_success(self, made: list[Item]) -> tuple[str, ...]:
        """Return the ids of what has landed beside it after all, from an attempt that was taken for lost."""
        if not self.ambiguous:
            return ()
        found = look(self.create, self.tools.send).ids
        if len(found) <= self.create.high:
            return ()
        own = Finding(tuple(made)).ids
        # Of several servers nova's answer names the first: then it cannot be told which of them are too many.
        return tuple(each for each in found if each not in own) if len(own) == self.create.high else found
