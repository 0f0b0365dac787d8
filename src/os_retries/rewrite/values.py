"""What a value of a program may be: atoms, and the few things one can do with a set of them.

A value is a frozenset of atoms, each one thing that the value may be; the empty set means "nothing known yet".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from os_retries.rewrite import services

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ref(NamedTuple):
    """A module, function or class, of the program or not, by its dotted name."""

    name: str


class Inst(NamedTuple):
    """An instance of a class of the program."""

    cls: str


class Bound(NamedTuple):
    """A method of the program, bound to an instance of `cls`."""

    function: str
    cls: str


class Client(NamedTuple):
    """What stands at `path` under a client: () is the client itself, ("servers", "list") a method."""

    service: str
    path: tuple[str, ...] = ()


class Result(NamedTuple):
    """What a client's call returned (`shape` as in services.shape_of_result), or its attribute `name`."""

    service: str
    shape: str
    name: str = ""


class Many(NamedTuple):
    """A container of such values: list, dict, generator."""

    value: frozenset[object]


class Row(NamedTuple):
    """A tuple whose places are known apart."""

    values: tuple[frozenset[object], ...]


class Managed(NamedTuple):
    """A context manager that gives `value` to the `with` target."""

    value: frozenset[object]


class ContainerMethod(NamedTuple):
    """A method of a container of such values."""

    value: frozenset[object]
    name: str


class Partial(NamedTuple):
    """functools.partial over a value."""

    value: frozenset[object]
    wraps: bool


class Guess(NamedTuple):
    """A method of an unknown object that has the name of only one function in the program."""

    function: str


class Super(NamedTuple):
    """What super() returns in a method of `cls`."""

    cls: str


class Repeated(NamedTuple):
    """That a function is run inside a retry loop: `by` says which."""

    by: str


class Mark(NamedTuple):
    """An atom without parts."""

    name: str


UNKNOWN_ATOM = Mark("unknown")
NONE_ATOM = Mark("none")
STREAM_ATOM = Mark("stream")
TOO_MANY = Mark("too many")
DECORATED = Mark("the function that a decorator is given")
ITS_RESULT = Mark("what calling that function gives")
RETRIER_ATOM = Mark("a retry loop of a library")
COMPUTED_ATOM = Mark("imported by a name that is not in the code, or made by calling that")
UNKNOWN: frozenset[object] = frozenset({UNKNOWN_ATOM})
COMPUTED: frozenset[object] = frozenset({COMPUTED_ATOM, UNKNOWN_ATOM})
NONE: frozenset[object] = frozenset({NONE_ATOM})
STREAM: frozenset[object] = frozenset({STREAM_ATOM})
NOTHING: frozenset[object] = frozenset()

Value = frozenset[object]

DEPTH_LIMIT = 2  # of containers in containers
PATH_LIMIT = 4  # of names under a client
SIZE_LIMIT = 40  # atoms of one value: beyond, it is unknown


def below_client(service: str, path: tuple[str, ...], name: str) -> Client:
    """Return what `name` of a client, or of what stands at `path` under one, is."""
    if not path and name == "session":  # openstacksdk, keystoneclient and others have their keystoneauth session there
        return Client("keystoneauth")
    return Client(service, (*path, name))


def clients_in(value: Value) -> Value:
    """Return what is a client's in a value. Sessions are left out: too much else in a program is called that."""
    return frozenset(atom for atom in value if isinstance(atom, (Client, Result, Many)) and atom[0] != "keystoneauth")


def collapsed(value: Value) -> Value:
    """Make one container of several: what is in them is all that matters, and so the sets stay small."""
    boxes = [atom for atom in value if isinstance(atom, Many)]
    if len(boxes) < 2:
        return value
    inside = collapsed(NOTHING.union(*(box.value for box in boxes)))
    if len(inside) > SIZE_LIMIT or TOO_MANY in inside:
        inside = UNKNOWN | {TOO_MANY}  # and that it stays, or it would grow and be cut off for ever
    return value.difference(boxes) | {Many(inside)}


def result_of_call(service: str, path: tuple[str, ...]) -> Value:
    """Return what calling the method at `path` of a client gives."""
    shape = services.shape_of_result(service, path)
    if shape == "client":
        return frozenset({Client(service)})
    if shape == "many":
        return frozenset({Many(frozenset({Result(service, "one")}))})
    return UNKNOWN if shape == "data" else frozenset({Result(service, shape)})


def elements(value: Value) -> Value:
    """Return what iterating over the value gives."""
    out = NOTHING
    for atom in value:
        match atom:
            case Many(inner):
                out |= inner
            case Row(values):
                out |= NOTHING.union(*values)
            case Result(_, "other", ""):
                out |= {atom}
            case _:
                out |= NOTHING if atom in NONE else UNKNOWN
    return out


def item(value: Value, index: int | None) -> Value:
    """Return what stands at `index` of the value."""
    out = NOTHING
    for atom in value:
        if isinstance(atom, Row) and index is not None and -len(atom.values) <= index < len(atom.values):
            out |= atom.values[index]
        else:
            out |= elements(frozenset({atom}))
    return out


def unwrapped(value: Value) -> Iterator[object]:
    """Go through the atoms of a value, into what functools.partial holds."""
    for atom in value:
        if isinstance(atom, Partial) and not atom.wraps:
            yield from unwrapped(atom.value)
        else:
            yield atom


def interesting(value: Value) -> bool:
    """Say whether a value is worth following: is anything but unknown."""
    return bool(value - UNKNOWN - NONE)


def depth(value: Value) -> int:
    """Count the containers around the innermost atom."""
    deepest = 0
    for atom in value:
        if isinstance(atom, (Many, Managed, ContainerMethod, Partial)):
            deepest = max(deepest, 1 + depth(atom.value))
        elif isinstance(atom, Row):
            deepest = max(deepest, 1 + max(map(depth, atom.values), default=0))
    return deepest
