"""Look-ups: how to find out whether a create whose answer was lost took effect.

The functions that send a GET, wait and tell the time are arguments.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import parse_qsl, urlsplit

from os_retries.creates.create import Get, texts
from os_retries.creates.recipe import Content, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.creates.create import Create, Query
    from os_retries.creates.markers import Item
    from os_retries.creates.recipe import Look, Proof

_PAGES = 100  # pages of a list; if there are more, the service has ignored the filter, and the look-up is unclear
_FEW_PAGES = 5  # of a list that is read once, so that each create needs no look
_LONGEST_ID = 200  # characters of an id in the log
# The fields that may identify a resource; the first that it has is used.
_IDS = (
    *("order_ref", "container_ref", "secret_ref"),  # order_ref comes first, because an order also has a secret_ref
    *("id", "uuid", "name", "member_id", "namespace", "port_id", "volumeId", "request_id", "encryption_id"),
)


def name_of(item: Item) -> str:
    """Return the id of a resource, or another field that identifies it, as a short text of one line for the log."""
    text = str(next((item[name] for name in _IDS if name in item), "?"))
    return "".join(each if each.isprintable() else "?" for each in text[:_LONGEST_ID])


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a GET.

    ``status``, ``body``
        The status and the JSON of the response; None if there is none.
    ``what``
        What happened instead of a response.
    ``again``
        Whether a repeat of the GET may help.
    ``since``
        When the create was first sent, in seconds since the epoch by the service's clock; None if the response has no
        date.
    ``endless``
        Whether the service has more pages than a look-up reads.
    """

    status: int | None
    body: Any = None
    what: str = ""
    again: bool = False
    since: float | None = None
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one or more look-ups have shown.

    ``hits``
        The resources that the create has made.
    ``problem``
        Why the look-up is unclear; empty if it is clear.
    ``again``
        Whether a further look-up may help.
    ``failed``
        Whether the GET of a resource in full has failed, after the resource was found.
    """

    hits: tuple[Item, ...] = ()
    problem: str = ""
    again: bool = False
    failed: bool = False

    @property
    def found(self) -> bool:
        """Whether the look-up is clear and has found all resources of the create."""
        return bool(self.hits) and not self.problem

    @property
    def absent(self) -> bool:
        """Whether the look-up is clear and has found nothing."""
        return not self.hits and not self.problem

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the resources that were found."""
        return tuple(name_of(hit) for hit in self.hits)


@dataclass(slots=True)
class Tools:
    """The functions through which the engine does I/O.

    ``send``
        Sends a GET.
    ``wait``
        Waits that many seconds, and returns True if the program has ended the wait.
    ``clock``
        Returns the seconds since an arbitrary instant.
    """

    send: Callable[[Get], Reply]
    wait: Callable[[float], bool]
    clock: Callable[[], float]


def look(create: Create, send: Callable[[Get], Reply]) -> Finding:
    """Look up a create once.

    Every listed resource is compared here, because a service may ignore the filter.
    """
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
            return Finding(tuple(hits), "the service lists too many resources to search")
    if unclear and not hits:
        return Finding((), "the listed resources do not show which create made them", again=True)
    finding = _judged(create, hits)
    return _in_full(create, finding, send) if how.then is not None and finding.found else finding


def there_before(create: Create, send: Callable[[Get], Reply]) -> list[Item] | None:
    """Return the resources that exist before the create is sent; None if they cannot be listed.

    A GET that fails is repeated once, without a wait, because a wait would delay the create.
    """

    def twice(get: Get) -> Reply:
        reply = send(get)
        return send(get) if reply.again else reply

    known: list[Item] = []
    for reply in _pages(create, twice):
        items = _listed(create.look, reply)
        if items is None or reply.endless:
            return None
        known += items
    if create.look.list is None:  # the baseline is a time of that one resource, which is null before its first change
        return known
    return None if any(item.get(create.look.baseline or "") is None for item in known) else known


def lists_nothing(create: Create, tools: Tools, start: str) -> bool | None:
    """Return whether the whole list that a look-up reads has no marker that begins like this; None if not known yet.

    It is false too if the list has many pages, is denied, or does not show the fields of a marker.
    """
    whole = replace(create, recipe=replace(create.recipe, look=replace(create.look, query={}, also=None)))
    fields = (create.recipe.carrier and create.recipe.carrier.fields) or ()
    for number, reply in enumerate(_pages(whole, tools.send), 1):
        items = _listed(whole.look, reply)
        if items is None:
            return None if reply.again else False
        if number > _FEW_PAGES or reply.endless:
            return False
        if not all(set(fields) <= set(item) and start not in json.dumps(item) for item in items):
            return False
    return True if _confirmed(create, tools).absent else None


def _pages(create: Create, send: Callable[[Get], Reply]) -> Iterator[Reply]:
    how = create.look
    get = create.get(how.path, how.query, microversion=how.microversion, service=how.service, version=how.version)
    for left in range(_PAGES - 1, -1, -1):
        reply = send(get)
        following = _next(reply.body, how.list) if isinstance(reply.body, dict) else None
        if following is None or following == get.query:
            yield _with_second_get(create, reply, send)
            return
        yield replace(reply, endless=not left)
        get = replace(get, query=following)


def _with_second_get(create: Create, reply: Reply, send: Callable[[Get], Reply]) -> Reply:
    """Return the reply, with the result of the look's second GET added if it has one."""
    how = create.look
    if how.also is None or reply.status != 200:
        return reply
    more = send(create.get(how.also, {}, microversion=how.microversion))
    both = isinstance(reply.body, dict) and isinstance(more.body, dict)
    return replace(reply, body=reply.body | more.body) if more.status == 200 and both else more


def _proved(create: Create, proof: Proof | Content, item: Item, send: Callable[[Get], Reply]) -> bool | None:
    if isinstance(proof, Content):
        reply = send(Get(fill(proof.path, {**create.values(), **proof.of(item)}, create.groups), [], raw=True))
        if reply.status != 200:
            return False if reply.status == 404 else None
        return bool(reply.body == proof.sent(create.sent[0]))
    reply = send(Get(fill(proof.path, create.values(), create.groups), [], body=proof.body(item, create.sent[0])))
    return True if reply.status == proof.yes else False if reply.status == proof.no else None


def _in_full(create: Create, finding: Finding, send: Callable[[Get], Reply]) -> Finding:
    """Return the finding with each resource in full, because a list shows less than the create's response."""
    how = create.look
    whole: list[Item] = []
    assert how.then is not None
    for hit in finding.hits:
        reply = send(Get(fill(how.then, texts(hit), create.groups), []))
        item = (
            reply.body.get(how.one or create.recipe.body)
            if reply.status == 200 and isinstance(reply.body, dict)
            else None
        )
        if not isinstance(item, dict):
            return Finding(finding.hits, _failed(reply), reply.again, failed=True)
        whole.append(item)
    return Finding(tuple(whole))


def _judged(create: Create, hits: list[Item]) -> Finding:
    if create.look.gone and create.look.list is not None:
        hits = [] if hits else list(create.was)
    if not hits:
        return Finding()
    if len(hits) > create.high:
        return Finding(tuple(hits), f"{len(hits)} exist, but {create.high} were asked for")
    if len(hits) < create.high and (create.bulk or len(hits) < create.low):
        return Finding(tuple(hits), f"{len(hits)} exist, but {create.high} were asked for", again=True)
    if create.bulk and any(
        sum(create.recipe.shows(hit, *each) is True for hit in hits) != 1
        for each in zip(create.sent, create.markers, strict=True)
    ):
        return Finding(tuple(hits), "some of them exist twice")
    return Finding(tuple(hits))


def _listed(how: Look, reply: Reply) -> list[Item] | None:
    """Return the resources in a reply; None if the reply is not such a list or resource."""
    if reply.status != 200:
        return None
    items = reply.body
    if how.list != "":  # else the answer is the list itself
        if not isinstance(items, dict):
            return None
        if how.list is None:
            item = items if how.one is None else items.get(how.one)
            return [item] if isinstance(item, dict) else None
        items = items.get(how.list)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else None


def _failed(reply: Reply) -> str:
    return f"the look-up failed ({reply.status or reply.what})"


def _next(body: Any, collection: str | None) -> Query | None:
    """Return the query of the next page, in any of the forms that services use; None if there is no next page.

    Only the query of the link is used, because its host may be an internal one that the client cannot reach.
    """
    if collection is None:
        return None
    # manila lists snapshots, and links to more share_snapshots.
    named = (each for name, each in body.items() if name.endswith(f"{collection}_links"))
    links = next(named, body.get("links"))
    href = body.get("next")
    if isinstance(links, dict):
        href = links.get("next")
    elif isinstance(links, list):
        href = next((link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "next"), href)
    return parse_qsl(urlsplit(href).query, keep_blank_values=True) if isinstance(href, str) else None


class Limits(TypedDict):
    """The limits of a look-up, from the policy; see :func:`find_out`."""

    patience: float
    retries: int
    allowance: float


def find_out(
    create: Create, tools: Tools, *, settle: float, patience: float, retries: int, allowance: float
) -> tuple[Finding, float]:
    """Look up a create until the result is clear; return the result, and the seconds waited.

    The first look-up is made at once.  The waits between the look-ups are 1, 1, 2, 4, 8, ... seconds.  After a failing
    look-up they are shorter, if ``patience`` would otherwise end before that many ``retries``.

    :param settle: seconds during which a resource that is not found may still appear
    :param patience: seconds during which failing look-ups are repeated, counted from the first failure in a row; they
        are repeated until ``settle`` is over in any case
    :param retries: how often a failing look-up is repeated within ``patience`` at least
    :param allowance: seconds that everything may take, including the GETs; the result stays unclear if they are used up
    """
    begun, waited, pause = tools.clock(), 0.0, 1.0
    before: tuple[str, ...] = ()
    failing: float | None = None  # since when

    def passed() -> float:
        # The waits count even if the clock does not advance: with a sleep that a test has replaced, nothing must spin.
        return max(tools.clock() - begun, waited)

    while True:
        at = passed()
        finding = look(create, tools.send)
        if finding.absent and at >= settle:
            finding = _confirmed(create, tools)
        if finding.found and (len(finding.hits) == create.high or finding.ids == before):
            return finding, waited
        if not finding.failed and (not finding.problem or finding.hits):
            limit, failing = settle, None
        else:
            if failing is None:
                failing, pause = at, 1.0
            limit = max(settle, failing + patience)
        if (finding.problem and not finding.again) or at >= limit:  # if it is absent, this was confirmed
            return finding, waited
        before = finding.ids
        most = patience / retries if retries and limit > settle else limit
        pause, this = pause * 2 if waited else pause, max(0.0, min(pause, most, limit - passed()))
        if passed() + this > allowance:
            return Finding(finding.hits, finding.problem or _NO_TIME), waited
        if this and tools.wait(this):
            return Finding(finding.hits, _STOPPED), waited
        waited += this


_STOPPED = "the program has ended the wait"
_NO_TIME = "not found, but retry_max_wait is used up before the settle time is over"


def _confirmed(create: Create, tools: Tools) -> Finding:
    """Check that a service which lists nothing can see all its resources at present."""
    blind = create.look.blind
    if blind is None:
        return Finding()
    reply = tools.send(create.get(blind.path, blind.query, microversion=blind.microversion))
    if reply.status == 406:  # the service is older than this microversion, and cannot answer
        return Finding()
    items = reply.body.get(blind.list) if reply.status == 200 and isinstance(reply.body, dict) else None
    if not isinstance(items, list):
        return Finding((), _failed(reply), reply.again)
    return Finding((), blind.words) if any(blind.where(item, create.sent) for item in items) else Finding()
