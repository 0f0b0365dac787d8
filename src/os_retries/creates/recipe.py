"""A recipe: how one kind of create is told from every other, marked, and found again.

Plain values and small functions.  Nothing is sent from here.  The package ``recipes`` holds the recipes of each
service, and :mod:`os_retries.creates.engine` follows them.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from os_retries.creates.markers import Item

if TYPE_CHECKING:
    from os_retries.creates.markers import Carrier

Microversion = tuple[int, int]
#: The microversion "latest": newer than any recipe asks for.
LATEST: Microversion = (999, 0)


# -- looking up --------------------------------------------------------------------------------------------------------

#: What a query's value may be: a template, or a function of the request's item and the markers.
Value = str | Callable[[Item, list[str]], "str | list[str] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The GET that finds what a create has made.

    Templates may use the groups of the recipe's path (``{base}`` is whatever precedes it), ``{marker}``, and the texts
    of the request's own fields, such as ``{name}``.
    """

    path: str
    #: The member of the answer that holds the list; None where the answer is a single resource, and a 404 says that it
    #: is not there.
    list: str | None = None
    #: The member of the answer that holds the single resource; None where the answer is the resource itself.  With
    #: ``then`` it is the member of that GET's answer; None where it has the name of the request's member.
    one: str | None = None
    query: Mapping[str, Value] = field(default_factory=dict)
    #: Where a list shows less than the create's answer: the GET that shows one of those found, by ``{id}``.
    then: str | None = None
    #: The microversion of the look-up; None for that of the caller's request.
    microversion: str | None = None
    #: Whether the request takes something away.  Then a 404 shows that it has taken effect.  With a list and a
    #: ``baseline``, what matched before the request was sent is the answer when nothing matches any longer.
    gone: bool = False
    #: A second GET, where one does not show enough: the members of both answers are compared as one resource.
    also: str | None = None
    #: The service type to ask, where it is not the service of the create.
    service: str | None = None
    #: Fields that must have these values (templates), whatever the filter of the list did.
    holds: Mapping[str, str] = field(default_factory=dict)
    #: The field with the time of creation, where no marker tells whose a resource is.  A resource that is older than
    #: the request was not made by it.
    born: str | None = None
    #: The version of that service's API.
    version: str | None = None
    #: When a list without the resource does not prove its absence; asked before anything is sent again.
    blind: Blind | None = None
    #: Asked where a listed resource does not say whose it is.
    proof: Proof | None = None
    #: The field that identifies resources that were there before the create, where nothing else tells them from a new
    #: one. They are listed before the create is sent.  If that fails, a lost answer is handed to the caller.
    baseline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A GET that tells whether the service itself cannot see all resources at present."""

    path: str
    list: str
    query: Mapping[str, Value] = field(default_factory=dict)
    microversion: str | None = None
    #: Returns whether a listed entry says so; the second argument is what was sent.
    where: Callable[[Item, Sequence[Item]], bool]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A POST without a token, to which the service answers ``yes`` if the found resource is ours, and ``no`` if not."""

    path: str
    #: Makes the body of what was found and what was sent.
    body: Callable[[Item, Item], Item]
    yes: int = 201
    no: int = 401


# -- the recipe --------------------------------------------------------------------------------------------------------


def _as_found(_sent: list[Item], found: list[Item]) -> Item:
    return found[0]


def _one(_item: Item) -> tuple[int, int]:
    return 1, 1


def _no_headers(_answer: Item, _found: list[Item]) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One kind of create: how it is marked, found, compared and answered.

    A recipe applies when all of ``verb``, ``path``, ``body``, ``since``, ``given``, ``not_given`` and ``extension``
    hold, and its carrier has room.  The first recipe that applies is used.  Where none applies, the create is sent as
    it is and never repeated blindly.
    """

    # the request
    verb: str = "POST"
    #: The end of the request's path, as a regular expression.  Its named groups are values for the templates.
    path: str
    #: The one member of the request's body; None where the body is the resource itself.
    body: str | None
    #: Where ``body`` is None: the one key that the body has, whatever its value is.
    key: str | None = None
    #: Whether null as the value of that member means the same as an empty object.
    optional: bool = False
    #: Further members that may stand beside it.
    beside: frozenset[str] = frozenset()
    #: In a body that asks for several resources at once: the member that holds the list.
    bulk: str | None = None
    #: The lowest microversion that takes the marker.
    since: Microversion | None = None
    #: Fields of the item that must be given, and fields that must not.
    given: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    #: neutron: the alias of an extension that the endpoint must have; asked once for each endpoint.
    extension: str | None = None
    #: Why a create of this kind cannot be made safe.  Such a recipe has no other fields below.
    refused: str = ""
    #: Whether a second request does no more than the first, so that no look-up is needed.  Such a recipe has no other
    #: fields below.
    harmless: bool = False
    #: Whether it is used only with ``single_writer``: no other client creates resources of this kind in the project.
    single_writer: bool = False

    # the marker
    carrier: Carrier | None = None
    #: Fields that the service would choose, or that its answer shows only once.  They are chosen here where they are
    #: absent.
    chosen: Mapping[str, Callable[[], object]] = field(default_factory=dict)

    # finding it again
    look: Look | None = None
    #: Fields that must be equal where no marker proves whose a resource is: a natural key, and what makes an equal
    #: resource as good as one's own.
    same: tuple[str, ...] = ()
    #: Where equal fields are not enough: returns whether what was found is what was asked for; None if it cannot be
    #: told.
    match: Callable[[Item, Item], bool | None] | None = None
    #: How many resources one request makes, at least and at most.
    count: Callable[[Item], tuple[int, int]] = _one
    #: Seconds during which "not there" means "not yet", at least; for a service that answers first and acts later.
    lag: float = 0.0

    # the answer
    status: int | Callable[[Microversion | None], int] = 201
    #: Makes the item of the answer, of what was sent and found; None where the answer has no body.
    view: Callable[[list[Item], list[Item]], Item | None] = _as_found
    #: Whether the item has the same member in the answer as in the request; if not, it is the whole answer.
    wrapped: bool = True
    headers: Callable[[Item, list[Item]], dict[str, str]] = _no_headers
    #: The path of one resource, to remove a marker or to delete a late duplicate.
    member: str = "{path}/{id}"

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Return whether ``found`` was made of ``sent``, or is as good; None if it cannot be told."""
        if self.match is not None:
            return self.match(found, sent)
        proof = None if self.carrier is None else self.carrier.shows(found, sent, marker)
        if proof is not None or not self.same:
            return proof
        return all(equal(found.get(name), sent[name]) for name in self.same if name in sent)


def fingerprint(*key: str) -> Callable[[Item, Item], bool | None]:
    """Make a comparison of all fields that were asked for, where there is no room for a marker.

    A new resource with the same ``key`` whose other fields differ may be ours, as the service has rewritten it.  Then
    it cannot be told.
    """

    def match(found: Item, sent: Item) -> bool | None:
        if all(name in found and _same(found[name], value) for name, value in sent.items()):
            return True
        return None if all(_same(found.get(name), sent.get(name)) for name in key) else False

    return match


def members(
    shown: Callable[[Item], set[object]], asked: Callable[[Item], set[object]], *, there: bool
) -> Callable[[Item, Item], bool]:
    """Make a comparison for a change of members: either all that were asked for are ``there``, or none of them is."""

    def match(found: Item, sent: Item) -> bool:
        have, wanted = shown(found), asked(sent)
        return bool(wanted) and (wanted <= have if there else not wanted & have)

    return match


def _same(found: object, sent: object) -> bool:
    return equal(found, sent) or (found in (None, "") and sent in (None, ""))


def equal(found: object, sent: object) -> bool:
    """Return whether a service has kept what it was sent.  Clients send numbers as texts, and services strip blanks."""
    return found == sent or str(found).strip() == str(sent).strip()


# -- small tools of the recipes ----------------------------------------------------------------------------------------


def no_body(_sent: list[Item], _found: list[Item]) -> None:
    """Return no body."""


# As the module secrets does it.  A script of the user's that is called secrets.py would hide that module.
_random = random.SystemRandom()


def password() -> str:
    """Make a password as nova makes one: twelve letters and digits, some of each kind."""
    kinds = string.ascii_lowercase, string.ascii_uppercase, string.digits
    characters = [_random.choice(kind) for kind in kinds] + [_random.choice("".join(kinds)) for _ in range(9)]
    _random.shuffle(characters)
    return "".join(characters)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill in the template of a path.  Each value is quoted as one segment; ``base`` and ``path`` stay as they are."""
    quoted = {name: value if name in ("base", "path") else quote(value, safe="") for name, value in values.items()}
    return template.format_map(quoted)


def parse_microversion(text: object) -> Microversion | None:
    """Return the microversion that a text such as "2.60" or "latest" names; None for any other text."""
    if not isinstance(text, str):
        return None
    if text.endswith("latest"):
        return LATEST
    numbers = re.fullmatch(r"(\d+)\.(\d+)", text.strip())
    return (int(numbers[1]), int(numbers[2])) if numbers else None
