"""The values of a program, as the analysis sees them: sets of atoms, and the operations on such sets.

A value is a frozenset of atoms, each one thing that the value may be; the empty set means "nothing known yet".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from os_retries.rewrite import services

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ref(NamedTuple):
    """A module, function or class with its dotted name, inside the program or outside."""

    name: str


class Inst(NamedTuple):
    """An instance of a class of the program."""

    cls: str


class Bound(NamedTuple):
    """A method of the program, bound to an instance of `cls`."""

    function: str
    cls: str


class Client(NamedTuple):
    """A client, or an object below it: the path () is the client, and ("servers", "list") is nova.servers.list."""

    service: str
    path: tuple[str, ...] = ()


class Result(NamedTuple):
    """The result of a client's call (`shape` as in services.shape_of_result), or attribute `name` of the result."""

    service: str
    shape: str
    name: str = ""


class Many(NamedTuple):
    """A container whose elements have this value: a list, a dict, a generator."""

    value: frozenset[object]


class Row(NamedTuple):
    """A tuple, with the value of each element."""

    values: tuple[frozenset[object], ...]


class Managed(NamedTuple):
    """A context manager that gives `value` to the `with` target."""

    value: frozenset[object]


class ContainerMethod(NamedTuple):
    """A method of a container whose elements have this value."""

    value: frozenset[object]
    name: str


class Partial(NamedTuple):
    """A functools.partial of a value; `wraps` if it is a partial of the retry function."""

    value: frozenset[object]
    wraps: bool


class Guess(NamedTuple):
    """A method of an unknown object: the one function in the program that has its name."""

    function: str


class Super(NamedTuple):
    """What super() returns in a method of `cls`."""

    cls: str


class Repeated(NamedTuple):
    """The fact that a function runs inside the retry loop `by`."""

    by: str


class Mark(NamedTuple):
    """An atom without fields."""

    name: str


UNKNOWN_ATOM = Mark("unknown")
NONE_ATOM = Mark("none")
STREAM_ATOM = Mark("stream")
TOO_MANY = Mark("too many")
DECORATED = Mark("the function that is passed to a decorator")
ITS_RESULT = Mark("the result of the function that is passed to a decorator")
RETRIER_ATOM = Mark("a retry loop of a library")
COMPUTED_ATOM = Mark("an object that is imported by a computed name, or the result of calling it")
UNKNOWN: frozenset[object] = frozenset({UNKNOWN_ATOM})
COMPUTED: frozenset[object] = frozenset({COMPUTED_ATOM, UNKNOWN_ATOM})
NONE: frozenset[object] = frozenset({NONE_ATOM})
STREAM: frozenset[object] = frozenset({STREAM_ATOM})
NOTHING: frozenset[object] = frozenset()

Value = frozenset[object]

DEPTH_LIMIT = 2  # levels of containers inside containers
PATH_LIMIT = 4  # names in the path below a client
SIZE_LIMIT = 40  # atoms of one value; a larger value is unknown


def below_client(service: str, path: tuple[str, ...], name: str) -> Client:
    """Return attribute `name` of a client, or of what `path` reaches from it."""
    if not path and name == "session":  # the keystoneauth session of openstacksdk, keystoneclient and others
        return Client("keystoneauth")
    return Client(service, (*path, name))


def clients_in(value: Value) -> Value:
    """Return the atoms that belong to clients. Sessions are excluded: many other things are called session."""
    return frozenset(atom for atom in value if isinstance(atom, (Client, Result, Many)) and atom[0] != "keystoneauth")


def collapsed(value: Value) -> Value:
    """Merge several containers into one. Only their elements matter, and the sets stay small."""
    boxes = [atom for atom in value if isinstance(atom, Many)]
    if len(boxes) < 2:
        return value
    inside = collapsed(NOTHING.union(*(box.value for box in boxes)))
    if len(inside) > SIZE_LIMIT or TOO_MANY in inside:
        inside = UNKNOWN | {TOO_MANY}  # a mark that stays: otherwise the set would grow and be cut forever
    return value.difference(boxes) | {Many(inside)}


def result_of_call(service: str, path: tuple[str, ...]) -> Value:
    """Return the result of calling the method at `path` of a client."""
    shape = services.shape_of_result(service, path)
    if shape == "client":
        return frozenset({Client(service)})
    if shape == "many":
        return frozenset({Many(frozenset({Result(service, "one")}))})
    return UNKNOWN if shape == "data" else frozenset({Result(service, shape)})


def elements(value: Value) -> Value:
    """Return the elements of the value, as a loop gets them."""
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
    """Return the element at `index`."""
    out = NOTHING
    for atom in value:
        if isinstance(atom, Row) and index is not None and -len(atom.values) <= index < len(atom.values):
            out |= atom.values[index]
        else:
            out |= elements(frozenset({atom}))
    return out


def unwrapped(value: Value) -> Iterator[object]:
    """Yield the atoms of a value; instead of a partial, the atoms of its function."""
    for atom in value:
        if isinstance(atom, Partial) and not atom.wraps:
            yield from unwrapped(atom.value)
        else:
            yield atom


def interesting(value: Value) -> bool:
    """Return whether anything is known about a value."""
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
