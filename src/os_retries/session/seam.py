"""The seam: how an attached session gets our methods, and how it gets its own methods back.

``attach`` changes the class of one session object (its ``__class__``) to a subclass that has our ``request`` and our
versions of the methods that may ask for a token.  Nothing else changes.  Other sessions of the same class are not
touched, ``isinstance`` gives the same results, and patches of the original class continue to work, because our methods
look the original methods up at each call.  If an attribute of the session had replaced one of these methods, our method
calls that attribute instead of the original method.
"""

from __future__ import annotations

import copy
import functools
import types
from typing import TYPE_CHECKING, Any

from os_retries.core.switch import disabled
from os_retries.session.attachment import Attachment
from os_retries.session.context import by_position, inside
from os_retries.session.request import send_request
from os_retries.session.tokens import OWNERS, ask_owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.policy import RetryPolicy

_KEY = "_os_retries"  # in the Session's __dict__


def put_in_place(session: Any, policy: RetryPolicy | None) -> None:
    """Change the class of the session to the subclass with our methods, and store the policy in the session."""
    own, attachment, kind = vars(session), Attachment(policy), session.__class__
    if _KEY not in vars(kind):
        kind = _attached_class(kind)
    before = own.get(_KEY)
    if before is not None:  # the session is attached already, or is a copy of one that is; it gets a policy of its own
        attachment.shadows, attachment.adapters = dict(before.shadows), before.adapters
    else:
        attachment.shadows = {name: own.pop(name) for name in ("request", *OWNERS) if name in own}
    own[_KEY] = attachment
    session.__class__ = kind


def take_away(session: Any) -> None:
    """Restore the class, the attributes and the adapters of the session.

    If the program has since put a wrapper around one of our methods, the wrapper stays, and calls the session's own
    method.
    """
    own = vars(session)
    attachment = own.pop(_KEY, None)
    if attachment is None:
        return
    session.__class__ = vars(type(session)).get(_KEY, type(session))
    for name, shadow in attachment.shadows.items():
        own.setdefault(name, shadow)
    for adapter, max_retries in attachment.adapters:
        adapter.max_retries = max_retries
    attachment.adapters.clear()


@functools.lru_cache(maxsize=64)  # a program that makes classes dynamically must not leak them
def _attached_class(base: type) -> type:
    """Return the subclass with our methods for a class of sessions; all attached sessions of the class share it."""
    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    kind: type = type(base)(base.__name__, (base,), {**names, "__slots__": (), _KEY: base})
    for name, function in (("__copy__", _copy), ("__deepcopy__", _deepcopy), ("__reduce_ex__", _reduce)):
        type.__setattr__(kind, name, function)
    type.__setattr__(kind, "request", _request_of(kind))
    for name in OWNERS:
        if hasattr(base, name):  # older releases of keystoneauth lack some of them
            type.__setattr__(kind, name, _owner_of(kind, name))
    return kind


def _request_of(kind: type) -> Callable[..., Any]:
    """Return the method that takes the place of ``request``.

    Like those of :func:`_owner_of`, it looks the original method up at each call, because the program may replace and
    restore the original while sessions are attached.

    :param kind: the subclass with our methods
    """

    def request(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        attachment = self.__dict__.get(_KEY)
        if attachment is None:  # the program has kept this method, and the session has been detached
            return _bound(kind.__mro__[1], "request", self)(*args, **kwargs)
        original = super(kind, self).request  # type: ignore[arg-type]
        if attachment.shadows:
            original = attachment.shadows.get("request", original)
        if disabled() and inside.get() is None:
            return original(*args, **kwargs) if args else by_position(original, kwargs)
        return send_request(self, attachment, original, args, kwargs)

    return _named_as(kind, "request", request)


def _owner_of(kind: type, name: str) -> Callable[..., Any]:
    """Return the method that takes the place of a method that may ask for a token.

    :param kind: the subclass with our methods
    :param name: the name of the method
    """

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        attachment = self.__dict__.get(_KEY)
        if attachment is None:
            return _bound(kind.__mro__[1], name, self)(*args, **kwargs)
        original = getattr(super(kind, self), name)
        is_inside = inside.get() is not None
        if attachment.shadows:
            original = attachment.shadows.get(name, original)
        if is_inside or disabled():  # inside a request, three times in each
            return original(*args, **kwargs)
        return ask_owner(self, attachment, original, args, kwargs, name=name)

    return _named_as(kind, name, method)


def _named_as(kind: type, name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
    """Give one of our methods the name and the documentation of the original, and return it."""
    plain = getattr(kind.__mro__[1], name)
    if isinstance(plain, types.FunctionType):
        return functools.wraps(plain)(ours)
    ours.__name__, ours.__qualname__ = name, f"{kind.__qualname__}.{name}"  # a mock has no attributes to copy
    return ours


def _copy(self: Any) -> Any:
    """Copy an attached session: the copy is attached too."""
    return _attached_again(copy.copy, self)


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    """Copy an attached session and everything that it refers to: the copy is attached too."""
    return _attached_again(functools.partial(copy.deepcopy, memo=memo), self)


def _attached_again(make: Callable[[Any], Any], session: Any) -> Any:
    made = make(_plain(session))
    vars(made)[_KEY] = vars(session)[_KEY]
    made.__class__ = type(session)
    return made


def _plain(session: Any) -> Any:
    """Return an object of the session's original class with the session's attributes."""
    base = vars(type(session))[_KEY]
    plain = base.__new__(base)
    vars(plain).update({name: value for name, value in vars(session).items() if name != _KEY})
    return plain


def _reduce(self: Any, _protocol: Any) -> Any:
    """Pickle the session as if it were not attached: pickle cannot find the subclass by its name."""
    plain = _plain(self)
    vars(plain).update(vars(self)[_KEY].shadows)
    return plain.__reduce_ex__(1)  # with the newer protocols pickle would ask for an object of the subclass


def _bound(base: type, name: str, session: Any) -> Any:
    """Return the method ``name`` that ``session`` would have if its class were ``base``."""
    found = next(vars(kind)[name] for kind in base.__mro__ if name in vars(kind))
    return found.__get__(session, base) if hasattr(type(found), "__get__") else found
