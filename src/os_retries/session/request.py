"""One request of an attached session: it is sent, its failure is classified, and it is repeated if that is safe."""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from os_retries.core import hooks
from os_retries.core.deadlines import deadline_in
from os_retries.core.evidence import Attempt, Retry
from os_retries.core.exceptions import chain, get
from os_retries.core.loop import run_attempts
from os_retries.core.retries import raise_again
from os_retries.core.scope import count
from os_retries.pacing.process import pacers
from os_retries.session.bodies import body_of
from os_retries.session.context import Inside, by_position, inside
from os_retries.session.targets import Answered, RequestTarget
from os_retries.session.tokens import send_made_inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.failure import Failure
    from os_retries.creates.creation import Creation
    from os_retries.session.attachment import Attachment
    from os_retries.session.bodies import Body


_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def send_request(
    session: Any, attachment: Attachment, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Send a request in the place of ``Session.request``, and repeat it if it fails and a repeat is safe.

    :param original: the session's own ``request``
    :returns: the response
    """
    if len(args) == 2:
        kwargs["url"], kwargs["method"] = args
    elif args and not _name(session, args, kwargs):
        return original(*args, **kwargs)
    attachment.silence_layers_below(session, kwargs)
    if "params" in kwargs and hasattr(kwargs["params"], "__next__"):  # a repeat would be sent without the query
        kwargs["params"] = list(kwargs["params"])
    around = inside.get()
    target = RequestTarget(session, attachment, kwargs)
    target.set_timeout()
    if around is not None or target.is_discovery:
        return send_made_inside(original, target, around)
    stream = body_of(kwargs) if "data" in kwargs or "files" in kwargs else None
    begun = count.given_up
    attempt: Callable[[], Any]
    if target.verb in _WRITES and target.begin_write(original):
        attempt = functools.partial(_create, target, original)
    elif stream is None and not pacers.watching:
        # Nearly all requests succeed at once, and then need no loop.
        try:
            return _attempt(target, original, None)
        except Exception as error:
            attempt = _Repeated(error, target, original)
    else:
        attempt = functools.partial(_attempt, target, original, stream)
    return _send_in_loop(target, attempt, stream, begun)


def _name(session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Give the arguments that were passed by position their names; return whether all names are known.

    :param kwargs: the named arguments of the request, which are changed
    """
    names: tuple[str, ...] = ("url", "method", "json")
    if len(args) > len(names):  # few callers pass more by position
        names = _names_of_arguments(session.request)
        if len(args) > len(names):
            return False
    kwargs.update(zip(names, args, strict=False))
    return True


def _send_in_loop(target: RequestTarget, attempt: Callable[[], Any], stream: Body | None, begun: int) -> Any:
    """Send the request in the loop that repeats it.

    :param attempt: sends the request once
    :param begun: as for :func:`~os_retries.core.loop.run_attempts`
    """
    try:
        streams = () if stream is None else (stream,)
        return run_attempts(lambda _method: target, attempt, (), {}, streams=streams, begun=begun)
    except Answered as answered:
        return answered.response
    finally:
        if target.begun is not None:
            target.begun.close()


class _Repeated:
    """A request whose first attempt was made before the loop.  Its first call raises the error of that attempt."""

    def __init__(self, error: Exception, target: RequestTarget, original: Callable[..., Any]) -> None:
        self._errors = [error]
        self._target, self._original = target, original

    def __call__(self) -> Any:
        if self._errors:
            raise_again(self._errors)
        return _attempt(self._target, self._original, None)


def _names_of_arguments(original: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments that the session's own ``request`` takes by position."""
    parameters = inspect.signature(original).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD)


def _attempt(target: RequestTarget, original: Callable[..., Any], stream: Body | None) -> Any:
    """Send the request once.  A failed answer is raised as an exception, so that the loop sees it."""
    token = inside.set(Inside())
    try:
        response = by_position(original, target.kwargs) if stream is None else _send_body(target, original, stream)
    except Exception as error:
        this = inside.get()
        target.inside = this.error if this is not None else None
        response = get(error, "response")
        # A 404 on the token's request says nothing about the resource that was to be deleted.
        if any(part is target.inside for part in chain(error)) or not target.took_effect(response, original, stream):
            raise
    else:
        if _has_failed(response) and not target.took_effect(response, original, stream):
            raise Answered(response)
    finally:
        inside.reset(token)
    return response


def _has_failed(response: Any) -> bool:
    """Return whether an answer is an error.  A test's mock of a response may have any status, or none."""
    status = getattr(response, "status_code", None)
    return isinstance(status, int) and status >= 400


def _create(target: RequestTarget, original: Callable[..., Any]) -> Any:
    """Send a create that has a recipe, and look it up if its answer is lost."""
    creation, handled = target.creation, sys.exception()
    if creation is None:  # the service has refused the marker, and the create is sent without it
        return _attempt(target, original, None)
    response = _look_up_first(target, creation)
    if response is not None:
        return response
    try:
        response = _attempt(target, original, None)
        _ = response.content  # read a streamed answer too, to make sure that it is complete
    except Exception as error:
        if deadline_in(error) is not None:
            raise
        policy = target.policy()
        failure = target.read(error, policy, handled)
        if failure.status in (400, 403) and creation.unmark(target.kwargs):
            send = _create_unmarked
        else:
            response, failure = creation.after_failure(failure, policy)
            if response is not None:
                _tell_found(target, failure, creation.failed_attempts)
                return response
            if not creation.renew(failure, target.kwargs):
                target.judged = error, failure
                raise
            send = _create
    else:
        return creation.after_success(response, target.policy)
    target.judged = None
    return send(target, original)


def _look_up_first(target: RequestTarget, creation: Creation) -> Any:
    """Look up a create before it is sent, if it may have been sent before; return its response if it has been."""
    if target.judged is None:
        creation.before_first_send(target.kwargs)
        return creation.find_earlier()
    error, failure = target.judged
    response, failure = creation.before_send(failure, target.kwargs)
    if response is None and not failure.repeatable:  # the look-up was unclear, or found more than was asked for
        target.judged = error, replace(failure, held_back=True)
        raise_again([error])
    return response


def _create_unmarked(target: RequestTarget, original: Callable[..., Any]) -> Any:
    """Send a create whose marker the service has refused, without its marker."""
    creation, target.creation = target.creation, None
    response = _attempt(target, original, None)
    if creation is not None:
        creation.note_unmarked()
    return response


def _tell_found(target: RequestTarget, failure: Failure, number: int) -> None:
    """Report the failed attempt of a create that was then found to the sinks, because the loop does not see it."""
    if hooks.sinks:
        attempt = Attempt(number, failure.status, failure.request_id, None, failure.kind, failure.what)
        who = Retry(target.name(), target.service(), attempt, 0, "")
        hooks.tell("AttemptFailed", who, attempt)
        if number == 1:  # after an earlier failure the loop reports the success
            hooks.tell("Succeeded", who, number)


def _send_body(target: RequestTarget, original: Callable[..., Any], stream: Body) -> Any:
    """Send a request whose body can be read only once.

    After a 401 keystoneauth would get a new token and repeat the request with an empty body, because the body has been
    read already.  So this function repeats the request itself, after it has rewound the body.
    """
    kwargs = target.kwargs | {stream.argument: stream.fresh(), "allow_reauth": False}
    this = inside.get()
    error: Exception | None = None
    try:
        response = by_position(original, kwargs)
    except Exception as raised:
        if getattr(getattr(raised, "response", None), "status_code", None) != 401 or (this and this.error is raised):
            raise
        error, response = raised, raised.response  # type: ignore[attr-defined]
    if response.status_code == 401 and target.may_authenticate_again() and stream.rewind():
        return by_position(original, kwargs | {stream.argument: stream.fresh()})
    if error is not None:
        raise error
    return response
