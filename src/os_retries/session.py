"""The keystoneauth seam: every request of a Session, repeated where that is safe.

``keystoneauth1.session.Session.request`` is public, every keystoneauth client and openstacksdk go through it, and it
sees what the clients throw away: the headers, the verb, the body, and how a connection broke.  It also knows the verb,
so it is the careful way in: what may have been processed and is not idempotent is handed to the caller.
"""

from __future__ import annotations

import contextlib
import functools
import http
import inspect
import json
import logging
import os
import sys
import threading
import types
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# All that a request may need is imported here, and nothing later: a daemon can import nothing any more when it has
# dropped its rights, changed its root or used up its descriptors, or when its packages are being upgraded.
from os_retries import loop, pacing, slots  # noqa: F401  pacing is for slots, when a request has failed
from os_retries.bodies import body_of
from os_retries.call import Retries, disabled, raise_again
from os_retries.creates import sending
from os_retries.failures import read_answer, read_connection, read_inside
from os_retries.http import (
    RETRY_CODES,
    Failure,
    Kind,
    is_from_service,
    is_repeatable,
    kind_of,
)
from os_retries.interrupts import deadline_in, let_through
from os_retries.loop import Stream, run
from os_retries.policy import RetryPolicy, attempt_timeout_for, policy_for
from os_retries.reading import chain, get
from os_retries.second_answers import Sent, is_absolute, read_second
from os_retries.target import service_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from os_retries.bodies import Body
    from os_retries.creates.sending import Creation
    from os_retries.evidence import Evidence
    from os_retries.loop import Call

log = logging.getLogger("os_retries")

#: Methods of a Session that may ask for a token or a discovery document: their own requests are repeated by the
#: outermost of them, for keystoneauth holds a lock while they are made, and nobody must wait inside it.
_OWNERS = (
    "get_auth_headers",
    "get_token",
    "get_endpoint",
    "get_endpoint_data",
    "get_api_major_version",
    "get_all_version_data",
    "get_auth_connection_params",
    "get_user_id",
    "get_project_id",
)
# Of a request with a body, and of no GET that looks at what became of it.
_OF_A_BODY = frozenset({"json", "data", "files", "params", "stream", "raise_exc"})
_HEADERS_OF_A_BODY = frozenset({"content-type", "content-length", "accept", "if-match"})
_KEY = "_os_retries"  # in the Session's __dict__
_NO_ADAPTERS: Mapping[str, Any] = {}
_lock = threading.Lock()  # attaching and detaching look first and then act


def attach(to: Any, policy: RetryPolicy | None = None) -> Any:
    """Repeat every request of a session from now on, where that is safe; return ``to``.

    Attaching twice is attaching once, with the newer policy.

    :param to: a keystoneauth Session, or what carries one: an openstacksdk Connection, a client, an adapter
    :param policy: the policy; None means what ``configure`` was given, asked anew after every failure
    :raises TypeError: if no Session can be found, or more than one; if the policy is none
    """
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise TypeError(f"policy must be a RetryPolicy or None, not {policy!r}")
    session = session_of(to)
    with _lock:
        _put_in_place(session, policy)
    return to


def detach(to: Any) -> None:
    """Undo ``attach``: the session is exactly as it was.  Nothing happens to one that is not attached.

    :raises TypeError: if no Session can be found, or more than one
    """
    session = session_of(to)
    with _lock:
        _take_away(session)


def session_of(thing: Any) -> Any:
    """Find the one keystoneauth Session that ``thing`` is or carries.

    Looks into instance dictionaries alone: asking a client for an attribute may send a request.  An openstacksdk
    Connection is the exception: it makes its session when it is first asked for it, and sends nothing.

    :raises TypeError: if there is none, or more than one
    """
    from keystoneauth1.session import Session  # noqa: PLC0415

    level, seen = [thing], set[int]()
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


def _makes_its_session(thing: object) -> bool:
    """Whether this is a Connection of openstacksdk, of any release."""
    of_the_sdk = any(kind.__module__.partition(".")[0] == "openstack" for kind in type(thing).__mro__)
    return of_the_sdk and isinstance(getattr(type(thing), "session", None), property)


def _type_name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _renew_lock() -> None:
    """Begin anew in a child process: the lock may be held by a thread that is not here."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Attachment:
    """What an attached session knows of it: the policy, and what was there before.

    It does not know the session: a copy of an attached session (``copy.copy``) is attached as well, shares this, and
    sends its own requests with its own credentials; and nothing keeps alive a session that nobody uses.
    """

    def __init__(self, policy: RetryPolicy | None) -> None:
        self.policy = policy
        #: Methods that somebody had shadowed by attributes of the instance, which would shadow ours.
        self.shadows: dict[str, Any] = {}
        #: Transport adapters, and the retries of urllib3 that they had.
        self.adapters: list[tuple[Any, Any]] = []

    def policy_for(self, service: str | None) -> RetryPolicy:
        """Return the policy that holds now for requests to ``service``."""
        return self.policy or policy_for(service)

    def silence_layers_below(self, session: Any, kwargs: dict[str, Any]) -> None:
        """Set keystoneauth's and urllib3's own retries to zero: each request has one owner."""
        kwargs["connect_retries"] = kwargs["status_code_retries"] = 0
        for adapter in getattr(session.session, "adapters", _NO_ADAPTERS).values():
            below: Any = getattr(adapter, "max_retries", None)
            if getattr(below, "total", 0):
                self.adapters.append((adapter, below))
                # requests' own default: no retries, and a read error is an error.
                adapter.max_retries = type(below)(0, read=False)


def _put_in_place(session: Any, policy: RetryPolicy | None) -> None:
    """Make the session one of a subclass of its class, whose methods are ours."""
    own, attachment, kind = vars(session), Attachment(policy), session.__class__
    if _KEY not in vars(kind):
        kind = _attached_class(kind)
    before = own.get(_KEY)
    if before is not None:  # attached already, or a copy of one that is: the policy is this session's alone
        attachment.shadows, attachment.adapters = dict(before.shadows), before.adapters
    else:
        attachment.shadows = {name: own.pop(name) for name in ("request", *_OWNERS) if name in own}
    own[_KEY] = attachment
    session.__class__ = kind


def _take_away(session: Any) -> None:
    """Restore what was there.  What somebody has put over ours since then stays, and passes everything on."""
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


@functools.lru_cache(maxsize=64)  # classes that are made on the fly are not kept alive for ever
def _attached_class(base: type) -> type:
    """Return a subclass of a Session's class, for all attached sessions of it."""
    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    kind: type = type(base)(base.__name__, (base,), {**names, "__slots__": (), _KEY: base})
    type.__setattr__(kind, "request", _method(kind, "request", _request))
    for name in _OWNERS:
        if hasattr(base, name):  # keystoneauth's older releases lack some
            type.__setattr__(kind, name, _method(kind, name, functools.partial(_owner, name=name)))
    return kind


def _method(kind: type, name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
    """Make the method that stands before the one of the session's own class.

    That one is looked up at each call: somebody may replace it, and put it back, while sessions are attached.
    """
    is_owner = name in _OWNERS

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        attachment = self.__dict__.get(_KEY)
        if attachment is None:  # somebody has kept this method, and the session has been detached
            return _bound(kind.__mro__[1], name, self)(*args, **kwargs)
        original = getattr(super(kind, self), name)
        inside = _inside.get() is not None
        if inside and is_owner and not attachment.shadows:  # three times in each request
            return original(*args, **kwargs)
        if attachment.shadows:
            original = attachment.shadows.get(name, original)
        if not is_owner:
            original = functools.partial(_by_position, original)
        if not inside and disabled():
            return original(*args, **kwargs)
        return ours(self, attachment, original, args, kwargs)

    plain = getattr(kind.__mro__[1], name)
    if isinstance(plain, types.FunctionType):
        return functools.wraps(plain)(method)
    method.__name__, method.__qualname__ = name, f"{kind.__qualname__}.{name}"  # of a mock's attributes it takes none
    return method


def _bound(base: type, name: str, session: Any) -> Any:
    """Return a method of ``base`` as ``session``, an instance of it, has it by its class."""
    found = next(vars(kind)[name] for kind in base.__mro__ if name in vars(kind))
    return found.__get__(session, base) if hasattr(type(found), "__get__") else found


class _Answered(Exception):  # noqa: N818
    """Carries a failed answer through the loop, for callers that want the response itself (``raise_exc=False``)."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.response = response


class _Inside:
    """The request that runs now in this context, as the requests made inside it see it."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: Exception | None = None


_inside: ContextVar[_Inside | None] = ContextVar("os_retries.session", default=None)


def _request(
    session: Any, attachment: Attachment, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Stand in for ``Session.request``."""
    names: tuple[str, ...] = ("url", "method", "json")
    if len(args) > len(names):  # hardly anybody does
        names = _names_of_arguments(session.request)
        if len(args) > len(names):
            return original(*args, **kwargs)
    kwargs.update(zip(names, args, strict=False))
    attachment.silence_layers_below(session, kwargs)
    if hasattr(kwargs.get("params"), "__next__"):  # an iterator: a repeat would ask without the query
        kwargs["params"] = list(kwargs["params"])
    inside = _inside.get()
    target = RequestTarget(session, attachment, kwargs)
    target.set_timeout()
    if inside is not None or target.is_discovery:
        return _made_inside(original, target, inside)
    stream = body_of(kwargs)
    begun = loop.given_up
    attempt: Callable[[], Any]
    if target.verb in ("POST", "PUT") and target.begin_create(original):
        attempt = functools.partial(_create, target, original)
    elif stream is None and not slots.watching:
        # What succeeds at once, as nearly all does, needs no loop around it.
        try:
            return _attempt(target, original, None)
        except Exception as error:
            attempt = _Repeated(error, target, original)
    else:
        attempt = functools.partial(_attempt, target, original, stream)
    try:
        return run(lambda _method: target, attempt, (), {}, streams=() if stream is None else (stream,), begun=begun)
    except _Answered as answered:
        return answered.response
    finally:
        if target.begun is not None:
            target.begun.over()


class _Repeated:
    """A request whose first attempt has failed already: for the loop that failure is its first attempt."""

    def __init__(self, error: Exception, target: RequestTarget, original: Callable[..., Any]) -> None:
        self._errors = [error]
        self._target, self._original = target, original

    def __call__(self) -> Any:
        if self._errors:
            raise_again(self._errors)
        return _attempt(self._target, self._original, None)


def _names_of_arguments(original: Callable[..., Any]) -> tuple[str, ...]:
    """Name the arguments that the session's own ``request`` takes by position."""
    parameters = inspect.signature(original).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD)


def _by_position(original: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Give the URL and the verb by position, as keystoneauth's get() does.

    Others may have other names for them, or read them off the positional arguments.
    """
    if args or not ("url" in kwargs and "method" in kwargs):  # as it came; the error is the session's own
        return original(*args, **kwargs)
    return original(kwargs.pop("url"), kwargs.pop("method"), **kwargs)


def _attempt(target: RequestTarget, original: Callable[..., Any], stream: Body | None) -> Any:
    """Send the request once.  A failed answer leaves as an exception, so that the loop sees it."""
    token = _inside.set(_Inside())
    try:
        response = original(**target.kwargs) if stream is None else _send_body(target, original, stream)
    except Exception as error:
        inside = _inside.get()
        target.inside = inside.error if inside is not None else None
        response = get(error, "response")
        # A 404 on the token's request says nothing of the thing that was to be deleted.
        if any(part is target.inside for part in chain(error)) or not target.had_worked(response, original, stream):
            raise
    else:
        if _has_failed(response) and not target.had_worked(response, original, stream):
            raise _Answered(response)
    finally:
        _inside.reset(token)
    return response


def _has_failed(response: Any) -> bool:
    """Whether an answer is an error.  What a test has put in the place of a response may have any status, or none."""
    status = getattr(response, "status_code", None)
    return isinstance(status, int) and status >= 400


def _create(target: RequestTarget, original: Callable[..., Any]) -> Any:
    """Send a create that the table of creates knows: what becomes of a lost answer is found out here."""
    creation, handled = target.creation, sys.exception()
    if creation is None:  # it goes without its marker
        return _attempt(target, original, None)
    if target.judged is not None:
        error, failure = target.judged
        response, failure = creation.before_send(failure, target.kwargs)
        if response is not None:
            return response
        if not failure.repeatable:  # that cannot be told, or more has landed than was asked for
            target.judged = error, replace(failure, held_back=True)
            raise_again([error])
    try:
        response = _attempt(target, original, None)
        _ = response.content  # of a streamed answer too: whether it came whole decides
    except Exception as error:
        if deadline_in(error) is not None:
            raise
        policy = target.policy()
        failure = target.read(error, policy, handled)
        unmarked = failure.status in (400, 403) and creation.unmark(target.kwargs)
        if not unmarked:
            response, failure = creation.after_failure(failure, policy)
            if response is None:
                target.judged = error, failure
                raise
            return response
    else:
        return creation.after_success(response, target.policy)
    target.creation = target.judged = None
    return _attempt(target, original, None)


def _send_inside(original: Callable[..., Any], /, **kwargs: Any) -> Any:
    """Send a request that belongs to another one, which repeats it or not."""
    token = _inside.set(_Inside())
    try:
        return original(**kwargs)
    finally:
        _inside.reset(token)


def _send_body(target: RequestTarget, original: Callable[..., Any], stream: Body) -> Any:
    """Send a request with a body that is used up by sending it.

    After a 401 keystoneauth sends it again with a new token, and what is left of the body: nothing.  So that is done
    here, with the body rewound.
    """
    kwargs = target.kwargs | {stream.argument: stream.fresh(), "allow_reauth": False}
    inside = _inside.get()
    error: Exception | None = None
    try:
        response = original(**kwargs)
    except Exception as raised:
        if getattr(getattr(raised, "response", None), "status_code", None) != 401 or (
            inside and inside.error is raised
        ):
            raise
        error, response = raised, raised.response  # type: ignore[attr-defined]
    if response.status_code == 401 and target.may_authenticate_again() and stream.rewind():
        return original(**kwargs | {stream.argument: stream.fresh()})
    if error is not None:
        raise error
    return response


def _made_inside(original: Callable[..., Any], target: RequestTarget, inside: _Inside | None) -> Any:
    """Make a token's or discovery's request: not repeated on its own, for whoever asked for it waits outside the lock.

    A discovery document that fails is asked for once more at once; clients know how to do without.
    """
    quick_repeats = 1 if target.is_discovery else 0
    while True:
        try:
            response = original(**target.kwargs)
        except Exception as error:
            transient = (
                deadline_in(error) is None and target.read(error, target.policy(), None).kind is not Kind.PERMANENT
            )
            if not (transient and quick_repeats):
                if inside is not None:
                    inside.error = error
                raise
        else:
            policy = target.policy()
            transient = kind_of(response.status_code, policy.retry_codes) is not Kind.PERMANENT
            if not (transient and quick_repeats):
                return response
        quick_repeats -= 1


def _owner(
    session: Any,
    attachment: Attachment,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: str,
) -> Any:
    """Stand in for a method of Session that may ask for a token or a discovery document."""
    if _inside.get() is not None:
        return original(*args, **kwargs)
    target = OwnerTarget(session, attachment, name)

    def attempt() -> Any:
        token = _inside.set(_Inside())
        try:
            return original(*args, **kwargs)
        except Exception:
            inside = _inside.get()
            target.inside = inside.error if inside is not None else None
            raise
        finally:
            _inside.reset(token)

    return run(lambda _method: target, attempt, (), {}, streams=())


class OwnerTarget:
    """A method of the Session that needs a token or a discovery document, and nothing else."""

    #: The error of the request made inside that failed last.  A class attribute: a request that succeeds pays nothing.
    inside: Exception | None = None

    def __init__(self, session: Any, attachment: Attachment, name: str) -> None:
        self.session = session
        self.attachment = attachment
        self._name = name

    def begin(self, call: Call, streams: Sequence[Stream], handled: BaseException | None) -> Retries:
        """Begin to repeat it."""
        return Retries(call, self, streams, handled)

    def name(self) -> str:
        """Name the method, for people."""
        return f"Session.{self._name}"

    def service(self) -> str | None:
        """Whatever the endpoint is for, it is the identity service or a discovery document that failed."""
        return "identity"

    def endpoint(self, outcome: object) -> str | None:
        """Name the endpoint that an outcome comes from: its host, and the service, for many may share one host."""
        inside = isinstance(outcome, BaseException) and any(part is self.inside for part in chain(outcome))
        return _endpoint(_url(outcome), "identity" if inside else self.service())

    def policy(self) -> RetryPolicy:
        """Return the policy that holds now."""
        return self.attachment.policy_for(self.service())

    def read(self, error: Exception, policy: RetryPolicy, handled: BaseException | None) -> Failure:
        """Class the failure: what failed inside was not sent, as far as the caller's request is concerned."""
        return read_inside(error, self.inside, policy, handled) or Failure(None)

    def leave(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on the error, which is about to go up."""
        _leave(error, evidence)

    def repeated_by_client(self, status: int) -> bool:  # noqa: ARG002
        """Nothing below us repeats anything."""
        return False

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Wait outside keystoneauth's lock."""
        return _outside_the_lock()


class RequestTarget(OwnerTarget):
    """One request of a Session: what the loop wants to know of it."""

    ambiguous = False
    creation: Creation | None = None
    begun: Creation | None = None  # the same, also after it has been sent without its marker
    judged: tuple[Exception, Failure] | None = None  # what the look-up has made of a failure

    def __init__(self, session: Any, attachment: Attachment, kwargs: dict[str, Any]) -> None:
        self.session = session
        self.attachment = attachment
        self.kwargs = kwargs
        self.verb = str(kwargs.get("method", "GET")).upper()

    @property
    def path(self) -> str:
        """The path of the URL that the caller gave: no query, no host, no credentials.

        It begins with a slash, which openstacksdk leaves out and which the rows of http.py begin with.
        """
        return "/" + urlsplit(str(self.kwargs.get("url", ""))).path.lstrip("/")

    @property
    def is_discovery(self) -> bool:
        """Whether this asks for an unauthenticated discovery document (keystoneauth's discover module says False)."""
        return self.verb == "GET" and self.kwargs.get("authenticated") is False

    def name(self) -> str:
        """Name the request, for people."""
        return f"{self.verb} {self.path}"

    def service(self) -> str | None:
        """Name the service type that the caller's endpoint filter asks for."""
        asked = (self.kwargs.get("endpoint_filter") or {}).get("service_type")
        if isinstance(asked, str):
            return service_type(asked)
        return "identity" if self.path.endswith("/auth/tokens") else None

    def set_timeout(self) -> None:
        """Bound an attempt whose caller set no timeout, if the policy says how."""
        if self.kwargs.get("timeout") is None and self.session.timeout is None:
            mine = self.attachment.policy
            timeout = attempt_timeout_for(self.service) if mine is None else mine.attempt_timeout
            if timeout is not None:
                self.kwargs["timeout"] = timeout

    def may_authenticate_again(self) -> bool:
        """Whether a 401 leads to a new token, as keystoneauth has it; if so, the old one is thrown away."""
        auth = self.kwargs.get("auth")
        if not self.kwargs.get("allow_reauth", True) or self.kwargs.get("authenticated") is False:
            return False
        if auth is None and self.session.auth is None:
            return False
        return bool(self.session.invalidate(auth))

    def had_worked(self, response: Any, original: Callable[..., Any], stream: Body | None) -> bool:
        """Whether this error, the answer to a repeat, says that an attempt before it took effect.

        If so, the response is made the answer of success.
        """
        if response is None or not self.ambiguous or self.verb not in ("PUT", "DELETE"):
            return False
        if self.verb == "DELETE" and response.status_code == 404 and is_from_service(response.headers, response.json):
            _make(response, 204)
            return True
        try:
            sent = Sent(self.verb, str(self.kwargs.get("url")), self._json(), lambda: self._content(stream))
            answered = read_second(sent, response.status_code, lambda url: self._ask(original, url))
        except Exception as error:  # the look has failed: the error stands
            let_through(error)
            log.debug("%s answered %d to a repeat, and could not be looked at", self.name(), response.status_code)
            return False
        if answered is None:
            return False
        log.warning(
            "%s: %s answered %d to a repeat: an attempt before it has taken effect",
            self.service() or "?",
            self.name(),
            response.status_code,
        )
        _make(response, answered.status, answered.body)
        return True

    def _json(self) -> Any:
        """Return the body, which neutronclient and others write themselves; None if it is no JSON."""
        body, data = self.kwargs.get("json"), self.kwargs.get("data")
        if body is not None or not isinstance(data, str | bytes):
            return body
        with contextlib.suppress(ValueError):
            return json.loads(data)
        return None

    def _ask(self, original: Callable[..., Any], url: str) -> tuple[int, Any]:
        """Send a GET of the same session inside this request, which is not repeated on its own."""
        kwargs = {name: value for name, value in self.kwargs.items() if name not in _OF_A_BODY}
        headers = kwargs.get("headers") or {}
        kwargs["headers"] = {name: headers[name] for name in headers if str(name).lower() not in _HEADERS_OF_A_BODY}
        response = original(**kwargs | {"url": url, "method": "GET", "raise_exc": False})
        if response.status_code == 404 and not is_from_service(response.headers, response.json):
            raise ValueError("a gateway has answered, and not the service")
        return response.status_code, response.json() if response.status_code == 200 else None

    def _content(self, stream: Body | None) -> Iterable[bytes] | None:
        """Read the request's body once more, from where it began; None if that cannot be done."""
        if stream is None:
            data = self.kwargs.get("data")
            return [data] if isinstance(data, bytes) else None
        if not stream.rewind():
            return None
        body = stream.fresh()
        return iter(functools.partial(body.read, 1 << 20), b"") if hasattr(body, "read") else body

    def begin_create(self, original: Callable[..., Any]) -> bool:
        """Mark the request if the table of creates has a row for it; whether it has."""
        service = self.service()
        if service is None:
            return False
        send = functools.partial(_send_inside, original)
        try:
            creation = sending.begin(self.session, service, self.kwargs, send=send, policy=self.policy)
        except Exception as error:  # a fault of ours must not keep the request from being sent
            let_through(error)
            log.exception("a create could not be prepared, and is sent as it is")
            return False
        self.creation = self.begun = creation
        return creation is not None

    def read(self, error: Exception, policy: RetryPolicy, handled: BaseException | None) -> Failure:
        """Class the failure, with the evidence that only the session has."""
        if self.judged is not None and self.judged[0] is error:
            return self.judged[1]
        failure = read_inside(error, self.inside, policy, handled)
        if failure is None:
            response = get(error, "response")
            if response is not None:
                failure = read_answer(response, policy, streaming=bool(self.kwargs.get("stream")))
            else:
                failure = read_connection(error, handled)
        repeatable = is_repeatable(self.verb, self.path, self.service()) or self._is_absolute_patch()
        # Of a status that this policy does not repeat an outer call's may: what it must not repeat is marked as well.
        left_out = failure.kind is Kind.PERMANENT and failure.status in RETRY_CODES - {413, 429} and not repeatable
        if failure.kind is Kind.MAYBE_PROCESSED or left_out:
            self.ambiguous = True
            return replace(failure, kind=Kind.MAYBE_PROCESSED, repeatable=repeatable)
        return failure

    def _is_absolute_patch(self) -> bool:
        if self.verb != "PATCH":
            return False
        body = self.kwargs.get("json")
        return is_absolute(self.service(), self.kwargs.get("data") if body is None else body)


@contextlib.contextmanager
def _outside_the_lock() -> Iterator[None]:
    """Let go of the lock of an auth plugin that this thread holds, and take it again in the end.

    ``auth.get_access(session)`` (openstacksdk's ``current_user_id``, cinderclient, keystoneclient) asks for a token
    inside the lock that every request of all threads needs.  Who is let in meanwhile asks for a token of its own, as
    it would if we had failed.  A lock does not say who holds it; the function that has taken it, on this thread's
    stack, does.
    """
    locks = []
    frame: types.FrameType | None = sys._getframe()  # noqa: SLF001
    while frame is not None:
        if frame.f_code.co_name == "get_access" and frame.f_globals.get("__name__") == "keystoneauth1.identity.base":
            locks.append(frame.f_locals["self"]._lock)  # noqa: SLF001
        frame = frame.f_back
    for lock in locks:
        lock.release()
    try:
        yield
    finally:
        for lock in reversed(locks):
            lock.acquire()


def _endpoint(url: object, service: str | None) -> str | None:
    if not isinstance(url, str):
        return service
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{host} {service or parts.path.lstrip('/').partition('/')[0]}"


def _url(outcome: object) -> object:
    """Return the URL that was asked, off a response, or off what is known of a request without one."""
    for part in chain(outcome) if isinstance(outcome, BaseException) else (outcome,):
        for owner in (get(part, "response"), part, get(part, "request")):
            url = get(owner, "url")
            if isinstance(url, str):
                return url
    return None


def _leave(error: Exception, evidence: Evidence) -> None:
    owners: list[Any] = [error, getattr(error, "response", None)]
    for owner in owners:
        if owner is not None:
            with contextlib.suppress(Exception):  # an exception that refuses attributes is still the client's own
                owner.os_retries = evidence
    if not isinstance(error, _Answered):
        with contextlib.suppress(Exception):
            error.add_note(str(evidence))


def _make(response: Any, status: int, body: Any = None) -> None:
    """Make the answer of a success of an error that says that it was one."""
    response.status_code, response.reason = status, http.HTTPStatus(status).phrase
    response._content = b"" if body is None else json.dumps(body).encode()  # noqa: SLF001
    response._content_consumed = True  # noqa: SLF001
    response.headers["Content-Length"] = str(len(response._content))  # noqa: SLF001
    if body is not None:
        response.encoding = "utf-8"
        response.headers["Content-Type"] = "application/json"
