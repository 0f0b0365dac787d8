"""``attach`` and ``detach``: find the session that an object carries, and replace or restore its methods."""

from __future__ import annotations

import types
from typing import Any, TypeVar

from os_retries import forks
from os_retries.policy import RetryPolicy
from os_retries.session.seam import put_in_place, take_away

T = TypeVar("T")

_lock = forks.Lock()  # attach and detach first check and then act


def attach(to: T, policy: RetryPolicy | None = None) -> T:
    """Repeat every failed request of a session from now on, if a repeat is safe.

    A session that is already attached stays attached and gets the new policy.

    :param to: a keystoneauth Session, or an object that carries one: an openstacksdk Connection, a client, an adapter
    :param policy: the policy; None for the one set by ``configure``, which is read again after every failure
    :returns: ``to``
    :raises TypeError: if ``to`` carries no Session or more than one, or if ``policy`` is not a RetryPolicy
    """
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise TypeError(f"policy must be a RetryPolicy or None, not {policy!r}")
    session = session_of(to)
    with _lock:
        put_in_place(session, policy)
    return to


def detach(to: object) -> None:
    """Undo ``attach``: restore the session to what it was before.  Do nothing if it is not attached.

    :param to: the object that was attached, or any other that carries the same session
    :raises TypeError: if ``to`` carries no Session or more than one
    """
    session = session_of(to)
    with _lock:
        take_away(session)


def session_of(thing: object) -> Any:
    """Find the one keystoneauth Session that ``thing`` is or carries.

    Only instance dictionaries are searched, because reading an attribute of a client may send a request.  The exception
    is an openstacksdk Connection, which makes its session when ``session`` is first read; that sends no request.

    :raises TypeError: if there is none, or more than one
    """
    from keystoneauth1.session import Session

    level: list[Any] = [thing]
    seen = set[int]()
    for _ in range(4):
        level = [each.session if _makes_its_session(each) else each for each in level]
        found = {id(each): each for each in level if isinstance(each, Session)}
        if len(found) > 1:
            raise TypeError(f"{_type_name(thing)} carries {len(found)} keystoneauth Sessions: attach to each of them")
        if found:
            return found.popitem()[1]
        seen |= {id(each) for each in level}
        level = [
            value
            for each in level
            for value in getattr(each, "__dict__", {}).values()
            if id(value) not in seen and not isinstance(value, type | types.ModuleType)
        ]
    raise TypeError(
        f"no keystoneauth Session in {_type_name(thing)}: attach() takes a keystoneauth1 Session, an openstacksdk "
        "Connection, or a client or adapter built on one"
    )


def _makes_its_session(thing: Any) -> bool:
    """Return whether ``thing`` is a Connection of any release of openstacksdk."""
    of_the_sdk = any(kind.__module__.partition(".")[0] == "openstack" for kind in type(thing).__mro__)
    return of_the_sdk and isinstance(getattr(type(thing), "session", None), property)


def _type_name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
