"""Recipes: how one kind of create is recognized, marked and looked up.

This module holds plain values and small functions, and sends nothing.  The package ``recipes`` has the recipes of each
service, and :mod:`os_retries.creates.engine` follows them.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from os_retries.creates.markers import Item

if TYPE_CHECKING:
    from os_retries.creates.markers import Carrier

Microversion = tuple[int, int]
#: The microversion "latest", which is newer than any that a recipe asks for.
LATEST: Microversion = (999, 0)


# -- looking up --------------------------------------------------------------------------------------------------------

#: The value of a query parameter: a template, or a function of the request's item and the markers.
Value = str | Callable[[Item, list[str]], "str | list[str] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The GET that looks a create up.

    Templates may use the groups of the recipe's path (``{base}`` is the part in front of it), ``{marker}``, and the
    fields of the request, such as ``{name}``.
    """

    path: str
    #: The member of the answer that holds the list; an empty text if the answer is the list itself.  None if the answer
    #: is a single resource; then a 404 shows that the resource does not exist.
    list: str | None = None
    #: The member of the answer that holds the single resource; None if the answer is the resource itself.  If there is
    #: a ``then``, this describes the answer of that GET, and None means the same member as in the request.
    one: str | None = None
    query: Mapping[str, Value] = field(default_factory=dict)
    #: The path of a GET for one resource, by its ``{id}``, if a list shows less than the create's answer.  It has the
    #: microversion of the caller's request.
    then: str | None = None
    #: The microversion of the look-up; None for the microversion of the caller's request.
    microversion: str | None = None
    #: Whether the request removes something.  Then a 404 shows that it has taken effect.  With a list and a
    #: ``baseline``, it has taken effect if no resource matches any longer; the create's response is then made from the
    #: resources that matched before.
    gone: bool = False
    #: The path of a second GET, if one GET does not show enough.  Both answers are compared as one resource.
    also: str | None = None
    #: The service type to ask, if it is not the service of the create.
    service: str | None = None
    #: Fields that must have these values (templates).  They are compared here, because a service may ignore a filter.
    holds: Mapping[str, str] = field(default_factory=dict)
    #: The field with the time of creation, if no marker identifies the resource.  A resource that is older than the
    #: request was not made by it.
    born: str | None = None
    #: The version of the API of ``service``.
    version: str | None = None
    #: A check that the service can see all resources at present.  It is made before a create is sent again.
    blind: Blind | None = None
    #: A check for a listed resource that does not show which create made it.
    proof: Proof | Content | None = None
    #: The field that distinguishes older resources from a new one, if no other field does.  If the answer is a single
    #: resource, it is the field with the time of its last change, which distinguishes an earlier change from this one.
    #: The look-up is then made before the create is sent, too.  If that fails, the create is given up when its answer
    #: is lost.
    baseline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A GET that shows whether the service is at present unable to see all its resources."""

    path: str
    list: str
    query: Mapping[str, Value] = field(default_factory=dict)
    microversion: str | None = None
    #: Returns whether a listed entry shows that; the second argument is what was sent.
    where: Callable[[Item, Sequence[Item]], bool]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A POST without a token that tests a resource: the status ``yes`` shows that it is ours, ``no`` that it is not."""

    path: str
    #: Returns the body of the POST, given the resource that was found and the item that was sent.
    body: Callable[[Item, Item], Item]
    yes: int = 201
    no: int = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A GET of what a resource holds: the resource is ours if it holds what was sent.  A 404 shows that it is not."""

    #: Returns the values for the template of the path, given the resource that was found.
    of: Callable[[Item], Mapping[str, str]]
    path: str
    #: Returns the content that was sent, as the service would return it.
    sent: Callable[[Item], bytes | None]


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

    A recipe applies if ``verb``, ``path``, ``body``, ``since``, ``given``, ``not_given`` and ``extension`` all match,
    and its carrier has room for a marker.  The first recipe that applies is used.  If none applies, the create is sent
    unchanged, and it is not repeated if its answer is lost.
    """

    # the request
    verb: str = "POST"
    #: The end of the request's path, as a regular expression.  Its named groups are values for the templates.
    path: str
    #: The only member of the request's body; None if the body is the resource itself.
    body: str | None
    #: If ``body`` is None: the only key of the body, with any value.
    key: str | None = None
    #: Whether a null value of the member ``body`` means the same as an empty object.
    optional: bool = False
    #: Further members that the body may have.
    beside: frozenset[str] = frozenset()
    #: The member that holds the list in a body that asks for several resources at once.
    bulk: str | None = None
    #: The lowest microversion that accepts the marker.
    since: Microversion | None = None
    #: Fields of the item that must be given, and fields that must not.
    given: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    #: The alias of a neutron extension that the endpoint must have.  Each endpoint is asked once.
    extension: str | None = None
    #: Why a create of this kind cannot be made safe.  Such a recipe sets none of the fields below.
    refused: str = ""
    #: Whether a repeat does no harm, so that no look-up is needed.  Such a recipe sets none of the fields below.
    harmless: bool = False
    #: Whether the recipe is used only with ``single_writer``.
    single_writer: bool = False

    # the marker
    carrier: Carrier | None = None
    #: Fields that the service would choose, or that only the lost answer would show.  If the caller has not set them,
    #: they are chosen here.
    chosen: Mapping[str, Callable[[], object]] = field(default_factory=dict)

    # the look-up
    look: Look | None = None
    #: Fields that must be equal if no marker identifies the resource: a natural key, and the fields without which an
    #: equal resource would not serve the caller as well as its own.
    same: tuple[str, ...] = ()
    #: If equal fields are not enough: returns whether the resource that was found is what was asked for; None if that
    #: is not known.
    match: Callable[[Item, Item], bool | None] | None = None
    #: How many resources one request makes, at least and at most.
    count: Callable[[Item], tuple[int, int]] = _one
    #: The least settle time in seconds, for a service that answers first and acts later.
    lag: float = 0.0

    # the answer
    status: int | Callable[[Microversion | None], int] = 201
    #: Returns the item of the answer, given what was sent and what was found; None if the answer has no body.
    view: Callable[[list[Item], list[Item]], Item | None] = _as_found
    #: Whether the answer holds the item in the same member as the request; if not, the item is the whole answer.
    wrapped: bool = True
    headers: Callable[[Item, list[Item]], dict[str, str]] = _no_headers
    #: The path of one resource, by which a marker is removed or a late duplicate is deleted.
    member: str = "{path}/{id}"

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Return whether ``found`` was made from ``sent``, or is as good as what was asked for; None if not known."""
        if self.match is not None:
            return self.match(found, sent)
        proof = None if self.carrier is None else self.carrier.shows(found, sent, marker)
        if proof is not None or not self.same:
            return proof
        return all(equal(found.get(name), sent[name]) for name in self.same if name in sent)


def fingerprint(*key: str) -> Callable[[Item, Item], bool | None]:
    """Return a comparison of all fields that were asked for, for a request without room for a marker.

    The comparison returns None for a new resource with the same ``key`` whose other fields differ, because the service
    may have changed the fields of our resource.
    """

    def match(found: Item, sent: Item) -> bool | None:
        if all(name in found and _same(found[name], value) for name, value in sent.items()):
            return True
        return None if all(_same(found.get(name), sent.get(name)) for name in key) else False

    return match


def same_name(found: Item, sent: Item) -> bool | None:
    """Compare the name, which is unique, and all other fields of the request; None if only the name is equal."""
    if found.get("name") != sent.get("name"):
        return False
    return True if all(equal(found.get(name), value) for name, value in sent.items()) else None


def at_its_name(collection: str, match: Callable[[Item, Item], bool | None], **more: Any) -> Recipe:
    """Return the recipe of a resource with a unique name, which the service also shows at its name.

    :param match: compares the resource with the request, as ``Recipe.match``
    :param more: further fields of the recipe
    """
    look = Look(path=f"{{base}}/{collection}/{{name}}", born="created_at")
    return Recipe(path=f"/{collection}", body=None, given=("name",), match=match, look=look, **more)


def members(
    shown: Callable[[Item], set[object]], asked: Callable[[Item], set[object]], *, there: bool
) -> Callable[[Item, Item], bool]:
    """Return a comparison for a change of members.

    :param shown: returns the members that the resource has
    :param asked: returns the members in the request
    :param there: True if the request adds members, so that all must be present; False if it removes them
    """

    def match(found: Item, sent: Item) -> bool:
        have, wanted = shown(found), asked(sent)
        return bool(wanted) and (wanted <= have if there else not wanted & have)

    return match


def _same(found: object, sent: object) -> bool:
    return equal(found, sent) or (found in (None, "") and sent in (None, ""))


def equal(found: object, sent: object) -> bool:
    """Return whether two values are equal, apart from numbers sent as strings and from blanks that services strip."""
    return found == sent or str(found).strip() == str(sent).strip()


# -- helpers of the recipes --------------------------------------------------------------------------------------------


def no_body(_sent: list[Item], _found: list[Item]) -> None:
    """Return no body."""


_CHARACTERS = (string.ascii_letters + string.digits).encode()
# The character of each byte.  With the last bytes, which are left out, some characters would be more frequent.
_BY_BYTE = (_CHARACTERS * (256 // len(_CHARACTERS))).ljust(256)
_LEFT_OUT = bytes(range(256 - 256 % len(_CHARACTERS), 256))


def password() -> str:
    """Return a random password as nova makes them: twelve letters and digits, at least one of each kind.

    The module secrets is not imported, because a user's script named secrets.py would hide it.  It would also ask the
    kernel for each character.
    """
    while True:
        made = os.urandom(20).translate(_BY_BYTE, _LEFT_OUT)[:12].decode()
        if len(made) == 12 and not made.isalpha() and made.lower() != made != made.upper():
            return made


def fill(template: str, fields: Mapping[str, str], groups: Mapping[str, str]) -> str:
    """Fill in the template of a path.

    :param fields: fields of a resource.  Each value is quoted as one segment.
    :param groups: groups of the path of the request, which are parts of a URL already
    """
    return template.format_map({name: quote(value, safe="") for name, value in fields.items()} | dict(groups))


def parse_microversion(text: object) -> Microversion | None:
    """Return the microversion that a text such as "2.60" or "latest" names; None for any other text."""
    if not isinstance(text, str):
        return None
    if text.endswith("latest"):
        return LATEST
    numbers = re.fullmatch(r"(\d+)\.(\d+)", text.strip())
    return (int(numbers[1]), int(numbers[2])) if numbers else None
