"""What a row of the table says: how one kind of create can be told from every other, and found again.

Plain values and small functions, nothing is sent from here.  A row is a :class:`Recipe`; the files beside this one hold
the rows of each service, and :mod:`os_retries.creates.engine` follows them.
"""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

#: The key of a marker in metadata, and the name of the attribute where a service takes any.
KEY = "os-retries"

Item = dict[str, Any]
Microversion = tuple[int, int]
#: Asked for by name ("latest"): newer than any row asks for.
LATEST: Microversion = (999, 0)


def new_marker() -> str:
    """Make the marker of one logical request, kept over all its attempts: 43 characters that every carrier takes."""
    return f"{KEY}-{uuid.uuid4().hex}"


# -- carriers: where a marker goes, and how it is seen again -----------------------------------------------------------


class Carrier:
    """Where a marker goes in the request, and how the resource that was made of the request shows it."""

    #: The field to be emptied by one PUT after the create has succeeded; None where the marker stays.
    taken_away: ClassVar[str | None] = None

    def put(self, item: Item, marker: str) -> Item | None:
        """Make a copy of ``item`` with the marker; None if the caller has left no room for it."""
        raise NotImplementedError

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Whether ``found`` was made of ``sent``; None if ``found`` does not say."""
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
    """An attribute of its own, where the service keeps what it does not know."""

    field: str = KEY

    def put(self, item: Item, marker: str) -> Item | None:
        """Add the attribute."""
        return None if self.field in item else item | {self.field: marker}

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Look for it: what others have made lacks it."""
        return bool(found.get(self.field) == marker)


@dataclass(frozen=True)
class Description(Carrier):
    """The description, where the caller sent none and the API has no place that people do not read.

    One that says the name once more is none: `openstack security group create` sends that.
    Taken away again after success, as well as that goes.
    """

    field: str = "description"
    taken_away = "description"

    def put(self, item: Item, marker: str) -> Item | None:
        """Take the place if it is empty."""
        return item | {self.field: marker} if item.get(self.field) in (None, "", item.get("name")) else None

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:  # noqa: ARG002
        """Compare it."""
        description = found.get(self.field, ...)
        return None if description is ... else bool(description == marker)


@dataclass(frozen=True)
class ClientId(Carrier):
    """An id that the client may choose: the marker's own digits, as a UUID, where the caller has chosen none.

    With an id of the caller's own the fields ``same`` of the recipe decide: it may have been there before.
    """

    field: str = "id"
    none: tuple[object, ...] = (None, "")

    def put(self, item: Item, marker: str) -> Item | None:
        """Choose the id."""
        return item | {self.field: self.chosen(marker)} if item.get(self.field) in self.none else item

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Compare it; an id of the caller's own proves nothing."""
        if sent[self.field] != self.chosen(marker):
            return None
        return bool(found.get(self.field) == sent[self.field])

    def chosen(self, marker: str) -> str:
        """Write the marker as a UUID."""
        return str(uuid.UUID(hex=marker.removeprefix(f"{KEY}-")))


# -- looking up --------------------------------------------------------------------------------------------------------

#: What a query's value may be: a template, or a function of the request's item and the markers.
Value = str | Callable[[Item, list[str]], "str | list[str] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The GET that finds what a create has made.

    Templates take the groups of the recipe's path (``{base}``: whatever stands before it), ``{marker}``, and the
    texts of the request's own fields (``{name}``).
    """

    path: str
    #: The member of the answer that holds the list; None where the answer is the one thing, and a 404 says "not there".
    list: str | None = None
    #: The member of the answer that holds the one thing; None where the answer is the thing itself.  With ``then``, of
    #: its answer: None where that is the member of the request.
    one: str | None = None
    query: Mapping[str, Value] = field(default_factory=dict)
    #: A list shows less than the create's answer: the GET that shows one of those found, by ``{id}``.
    then: str | None = None
    #: The microversion to look with; None: that of the caller's request.
    microversion: str | None = None
    #: Whether a 404 is what was asked for, and not its absence.
    gone: bool = False
    #: Another service than the one that was asked to create.
    service: str | None = None
    #: Fields that must be what these templates say, whatever the filter did.
    holds: Mapping[str, str] = field(default_factory=dict)
    #: The field that tells when a thing was made, where no marker tells whose it is: what is older than the request is
    #: not its doing.
    born: str | None = None
    #: Which of its versions: what the catalog says may be that or the one above it.
    version: str | None = None
    #: Says in what case a list that lacks the thing is no proof of its absence; asked before anything is sent again.
    blind: Blind | None = None
    #: Asked where what is listed does not say whose it is.
    proof: Proof | None = None
    #: The field by which one that was there before is known again, where nothing else tells it from a new one: what is
    #: there is asked for before the create is sent, and where that cannot be told the create is refused.
    baseline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A GET that tells whether the service itself does not see everything at present."""

    path: str
    list: str
    query: Mapping[str, Value] = field(default_factory=dict)
    microversion: str | None = None
    #: Whether this entry says so; the second argument is what was sent.
    where: Callable[[Item, Sequence[Item]], bool]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A POST without a token, which the service answers with ``yes`` if what was found is ours, and ``no`` if not."""

    path: str
    #: Of what was found, and what was sent.
    body: Callable[[Item, Item], Item]
    yes: int = 201
    no: int = 401


# -- the row -----------------------------------------------------------------------------------------------------------


def _as_found(_sent: list[Item], found: list[Item]) -> Item:
    return found[0]


def _one(_item: Item) -> tuple[int, int]:
    return 1, 1


def _no_headers(_answer: Item, _found: list[Item]) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One row: a kind of create, how it is marked, found, compared and answered.

    A row applies when all of ``verb``, ``path``, ``body``, ``since``, ``given``, ``not_given`` and ``extension`` hold
    and its carrier has room; the first that applies is taken, and where none does the create is sent as it is and never
    repeated blindly.
    """

    # the request
    verb: str = "POST"
    #: The end of the request's path, a regular expression; its named groups are values for the templates.
    path: str
    #: The one member of the request's body; None where the body is the thing itself.
    body: str | None
    #: Where that is None: the one key that the thing has, whatever its value is.
    key: str | None = None
    #: Whether None in its place asks for the same as nothing in it.
    optional: bool = False
    #: Further members that may stand beside it.
    beside: frozenset[str] = frozenset()
    #: The same in a body that asks for several at once: the member that holds the list.
    bulk: str | None = None
    #: The lowest microversion that takes the marker.
    since: Microversion | None = None
    #: Fields of the item that must, and must not, be given.
    given: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    #: neutron: the alias of an extension that must be there, asked once per endpoint.
    extension: str | None = None
    #: Why a create of this kind cannot be made safe.  Such a row has nothing else.
    refused: str = ""
    #: Whether a second one does no more than the first, so that it needs no look.  Such a row has nothing else either.
    harmless: bool = False
    #: Whether it is taken only where the caller says that nobody else makes the like.
    single_writer: bool = False

    # the marker
    carrier: Carrier | None = None
    #: Fields that the answer tells only once, or that the service would choose: chosen here where absent.
    chosen: Mapping[str, Callable[[], object]] = field(default_factory=dict)

    # finding it again
    look: Look | None = None
    #: Fields that must be equal where no marker proves it: a natural key, and what makes a twin as good as one's own.
    same: tuple[str, ...] = ()
    #: Where equal fields cannot say it: whether what was found is what was sent for; None if it cannot be told.
    match: Callable[[Item, Item], bool | None] | None = None
    #: How many one request makes, at least and at most.
    count: Callable[[Item], tuple[int, int]] = _one
    #: Seconds, at least, during which "not there" means "not yet", where the service answers first and acts later.
    lag: float = 0.0
    #: Whether it may be sent again once it is surely not there.
    resend: bool = True

    # the answer
    status: int | Callable[[Microversion | None], int] = 201
    #: The answer's one item, made of what was sent and found; None where the answer has no body.
    view: Callable[[list[Item], list[Item]], Item | None] = _as_found
    #: Whether it stands under the same member in the answer as in the request; if not, it is the whole answer.
    wrapped: bool = True
    headers: Callable[[Item, list[Item]], dict[str, str]] = _no_headers
    #: Where one of them is, to take a marker away or a late duplicate back.
    member: str = "{path}/{id}"

    def shows(self, found: Item, sent: Item, marker: str) -> bool | None:
        """Whether ``found`` was made of ``sent``, or is as good; None if it cannot be told."""
        if self.match is not None:
            return self.match(found, sent)
        proof = None if self.carrier is None else self.carrier.shows(found, sent, marker)
        if proof is not None or not self.same:
            return proof
        return all(equal(found.get(name), sent[name]) for name in self.same if name in sent)


def fingerprint(*key: str) -> Callable[[Item, Item], bool | None]:
    """Make a comparison of all that was asked for, where there is no room for a marker.

    What is new, has the same ``key`` and is not equal in all may be ours as the service writes it, so that it cannot be
    told.
    """

    def match(found: Item, sent: Item) -> bool | None:
        if all(name in found and _same(found[name], value) for name, value in sent.items()):
            return True
        return None if all(_same(found.get(name), sent.get(name)) for name in key) else False

    return match


def members(
    shown: Callable[[Item], set[object]], asked: Callable[[Item], set[object]], *, there: bool
) -> Callable[[Item, Item], bool]:
    """Make a comparison of a change of members: all that were asked for are ``there``, or none of them is."""

    def match(found: Item, sent: Item) -> bool:
        have, wanted = shown(found), asked(sent)
        return bool(wanted) and (wanted <= have if there else not wanted & have)

    return match


def _same(found: object, sent: object) -> bool:
    return equal(found, sent) or (found in (None, "") and sent in (None, ""))


def equal(found: object, sent: object) -> bool:
    """Whether a service has kept what it was sent: clients send numbers as texts, services strip blanks."""
    return found == sent or str(found).strip() == str(sent).strip()


# -- small tools of the rows -------------------------------------------------------------------------------------------


def no_body(_sent: list[Item], _found: list[Item]) -> None:
    """Answer without a body."""


# Of the operating system, as secrets has it; a script that is called secrets.py may lie beside the program.
_random = random.SystemRandom()


def password() -> str:
    """Make a password as nova makes one: twelve letters and digits, some of each kind."""
    kinds = string.ascii_lowercase, string.ascii_uppercase, string.digits
    characters = [_random.choice(kind) for kind in kinds] + [_random.choice("".join(kinds)) for _ in range(9)]
    _random.shuffle(characters)
    return "".join(characters)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template of a path: what stands for one segment is quoted, the beginning is as it was."""
    quoted = {name: value if name in ("base", "path") else quote(value, safe="") for name, value in values.items()}
    return template.format_map(quoted)


def parse_microversion(text: object) -> Microversion | None:
    """Read "2.60" or "latest"."""
    if not isinstance(text, str):
        return None
    if text.endswith("latest"):
        return LATEST
    numbers = re.fullmatch(r"(\d+)\.(\d+)", text.strip())
    return (int(numbers[1]), int(numbers[2])) if numbers else None
