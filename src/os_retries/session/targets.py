"""The targets of the loop on a session: a request, or a method of the session that may ask for a token."""

from __future__ import annotations

import contextlib
import functools
import http
import json
import logging
import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from os_retries.core.answers import is_from_service
from os_retries.core.deadlines import let_through
from os_retries.core.exceptions import chain, get, read_failure
from os_retries.core.failure import RETRY_CODES, Failure, Kind
from os_retries.core.retries import pause
from os_retries.core.scope import current_scope
from os_retries.creates.answer import fill_in, set_content
from os_retries.creates.durable import not_covered
from os_retries.creates.recognize import Unprepared, creation_for
from os_retries.creates.requests import Around, longest_for
from os_retries.operations.scope import OperationError, current
from os_retries.policy import attempt_timeout_for
from os_retries.service_types import service_type
from os_retries.session.context import send_inside
from os_retries.session.failures import read_answer, read_connection, read_inside
from os_retries.session.repeatable import is_absolute, is_repeatable
from os_retries.session.second_answers import VERBS, Sent, read_second

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterable, Iterator

    from os_retries.core.evidence import Evidence
    from os_retries.core.protocols import Policy
    from os_retries.creates.creation import Creation
    from os_retries.operations.scope import Operation
    from os_retries.policy import RetryPolicy
    from os_retries.session.attachment import Attachment
    from os_retries.session.bodies import Body

log = logging.getLogger("os_retries")

# The paths of mistral that no other service has.
_OF_MISTRAL = re.compile(r"/v2/(executions|action_executions|workflows|workbooks|environments|cron_triggers)(/|$)")
# Modules whose ``get_access`` asks for a token while it holds the lock of its auth plugin.
_LOCKING = frozenset({"keystoneauth1.identity.base", "keystoneclient.auth.identity.base"})


class Answered(Exception):  # noqa: N818
    """Carries a failed answer through the loop, if the caller wants a response, not an error (``raise_exc=False``)."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.response = response


class OwnerTarget:
    """A method of Session that sends nothing but requests for a token or a discovery document."""

    #: The error of the inner request that failed last.
    inside: Exception | None = None

    def __init__(self, session: Any, attachment: Attachment, name: str) -> None:
        self.session = session
        self.attachment = attachment
        self._name = name

    def name(self) -> str:
        """Return the name of the method for the log."""
        return f"Session.{self._name}"

    def service(self) -> str | None:
        """Return the service type identity, although another service may serve the discovery document."""
        return "identity"

    def endpoint(self, outcome: object) -> str | None:
        """Return the endpoint of an outcome: its host and the service type, because services may share a host."""
        inside = isinstance(outcome, BaseException) and any(part is self.inside for part in chain(outcome))
        return _endpoint(_url(outcome), "identity" if inside else self.service())

    def policy(self) -> RetryPolicy:
        """Return the present policy."""
        return self.attachment.policy_for(self.service())

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:
        """Classify the failure.  If an inner request has failed, the caller's own request was not sent."""
        inside = read_inside(error, self.inside, policy, handled)
        return inside or replace(read_failure(error, handled=handled), kind=Kind.PERMANENT)

    def add_evidence(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on the error, which is about to be raised."""
        _add_evidence(error, evidence)

    def repeated_by_client(self, status: int) -> bool:  # noqa: ARG002
        """Return False: the retries of the layers below are turned off."""
        return False

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Release keystoneauth's lock during a wait."""
        return _outside_the_lock()


class RequestTarget(OwnerTarget):
    """One request of a Session."""

    ambiguous = False
    creation: Creation | None = None
    begun: Creation | None = None  # as ``creation``, but kept when the create is sent again without its marker
    sleep_raised = False  # whether the program's sleep has raised an exception, which is then raised to the caller
    judged: tuple[Exception, Failure] | None = None  # an error, and the failure after its look-up

    def __init__(self, session: Any, attachment: Attachment, kwargs: dict[str, Any]) -> None:
        self.session = session
        self.attachment = attachment
        self.kwargs = kwargs
        self.verb = str(kwargs.get("method", "GET")).upper()
        #: Whether this request asks for a discovery document, as keystoneauth's discover module does.  That module
        #: always passes ``authenticated``: False, or None to let the session decide.
        self.is_discovery = (
            self.verb == "GET" and not kwargs.get("authenticated", True) and not kwargs.get("endpoint_filter")
        )

    @property
    def path(self) -> str:
        """The path of the caller's URL, without query, host and credentials.

        It begins with a slash, even if the caller omits the slash, as openstacksdk does.
        """
        return "/" + urlsplit(str(self.kwargs.get("url", ""))).path.lstrip("/")

    def name(self) -> str:
        """Return the verb and the path of the request for the log, which nothing in it can forge."""
        return f"{self.verb} " + "".join(each if each.isprintable() else "?" for each in self.path)

    def service(self) -> str | None:
        """Return the service type of the caller's endpoint filter, or that of a path which shows it; else None."""
        asked = (self.kwargs.get("endpoint_filter") or {}).get("service_type")
        if isinstance(asked, str):
            return service_type(asked)
        path = self.path
        if path.endswith("/auth/tokens"):
            return "identity"
        # octaviaclient and mistralclient name no service, but send whole URLs, whose paths no other service has.
        if "/lbaas/" in path:
            return "load-balancer"
        return "workflow" if _OF_MISTRAL.search(path) else None

    def set_timeout(self) -> None:
        """Set the policy's ``attempt_timeout`` if neither the caller nor the session has set a timeout."""
        if self.kwargs.get("timeout") is None and self.session.timeout is None:
            mine = self.attachment.policy
            timeout = attempt_timeout_for(self.service) if mine is None else mine.attempt_timeout
            if timeout is not None:
                self.kwargs["timeout"] = timeout

    def may_authenticate_again(self) -> bool:
        """Return whether keystoneauth would get a new token after a 401; if so, discard the old token."""
        auth = self.kwargs.get("auth")
        if not self.kwargs.get("allow_reauth", True) or self.kwargs.get("authenticated") is False:
            return False
        if auth is None and self.session.auth is None:
            return False
        return bool(self.session.invalidate(auth))

    def took_effect(self, response: Any, original: Callable[..., Any], stream: Body | None) -> bool:
        """Return whether the error in answer to a repeat shows that an earlier attempt has taken effect.

        If so, the response is changed into that of a success.
        """
        if response is None or not self.ambiguous or self.verb not in VERBS:
            return False
        if self.verb == "DELETE" and response.status_code == 404 and is_from_service(response.headers, response.json):
            _make(response, 204)
            return True
        try:
            sent = Sent(self.verb, str(self.kwargs.get("url")), self._json(), lambda: self._content(stream))
            answered = read_second(sent, response.status_code, lambda url: self._ask_patiently(original, url))
        except Exception as error:  # the GET has failed: the answer stays an error
            if self.sleep_raised:
                raise
            let_through(error)
            log.debug("%s answered %d to a repeat; the resource could not be read", self.name(), response.status_code)
            return False
        if answered is None:
            return False
        log.warning(
            "%s: %s answered %d to a repeat: an earlier attempt has taken effect",
            self.service() or "?",
            self.name(),
            response.status_code,
        )
        _make(response, answered.status, answered.body)
        return True

    def _json(self) -> Any:
        """Return the JSON of the body, even if the client has serialized it itself; None if the body is not JSON."""
        body, data = self.kwargs.get("json"), self.kwargs.get("data")
        if body is not None or not isinstance(data, str | bytes):
            return body
        with contextlib.suppress(ValueError):
            return json.loads(data)
        return None

    def _ask_patiently(self, original: Callable[..., Any], url: str) -> tuple[int, Any]:
        """Send a GET, and repeat it with the waits of the policy while it fails for a reason that may pass."""
        policy, number = self.policy(), 0
        while True:
            number += 1
            try:
                status, body = self._ask(original, url)
                if status not in policy.retry_codes:
                    return status, body
                problem: Exception | None = None
            except Exception as error:
                let_through(error)
                problem = error
            seconds = policy.own_wait(number)
            if number > policy.retries_number or current_scope().extra_waited + seconds > policy.retry_max_wait:
                raise problem or ValueError(f"answered {status}")
            if self._wait(seconds, policy):
                raise problem or ValueError("the program has ended the wait")

    def _wait(self, seconds: float, policy: RetryPolicy) -> bool:
        try:
            return pause(seconds, policy.sleep)
        except BaseException:
            self.sleep_raised = True
            raise

    def _ask(self, original: Callable[..., Any], url: str) -> tuple[int, Any]:
        """Send a GET with the same session inside this request; it is not repeated on its own.

        Its time counts against ``retry_max_wait``.
        """
        around = Around(self.session, self.service() or "", self.kwargs, functools.partial(send_inside, original))
        began = time.monotonic()
        try:
            response = around.request("GET", url, longest=longest_for(self.policy().retry_max_wait))
        finally:
            current_scope().extra_waited += time.monotonic() - began
        if response.status_code == 404 and not is_from_service(response.headers, response.json):
            raise ValueError("a gateway has answered instead of the service")
        return response.status_code, response.json() if response.status_code == 200 else None

    def _content(self, stream: Body | None) -> Iterable[bytes] | None:
        """Return the request's body from its start; None if it cannot be read again."""
        if stream is None:
            data = self.kwargs.get("data")
            return [data] if isinstance(data, bytes) else None
        if not stream.rewind():
            return None
        body = stream.fresh()
        return iter(functools.partial(body.read, 1 << 20), b"") if hasattr(body, "read") else body

    def begin_write(self, original: Callable[..., Any]) -> bool:
        """Prepare a request that changes something; return whether it is a create for which there is a recipe.

        The create gets a marker if its recipe has one.

        :raises OperationError: if a strict operation refuses the request
        """
        operation = current()
        is_create = self.verb in ("POST", "PUT", "PATCH") and self._begin_create(original, operation)
        if operation is not None:
            self._begin_in(operation)
        return is_create

    def _begin_in(self, operation: Operation) -> None:
        """Record that an earlier run of the operation may have sent this request, and count it if it is not covered."""
        self.ambiguous = True  # so the 404 of a DELETE, or a conflict of a PUT, may show that it has taken effect
        creation = self.creation
        if creation is not None and (creation.claim is not None or creation.create.recipe.harmless):
            return
        if creation is not None:
            why = not_covered(creation.create.recipe) or "it has no marker"
        elif self.may_be_repeated():
            return
        else:
            why = "there is no recipe for it"
        operation.note_not_covered(self.service(), self.name(), why)

    def _begin_create(self, original: Callable[..., Any], operation: Operation | None) -> bool:
        """Mark the request if there is a recipe for it; return whether there is one."""
        service = self.service()
        if service is None:
            return False
        send = functools.partial(send_inside, original)
        try:
            creation = creation_for(
                self.session, service, self.kwargs, send=send, policy=self.policy, operation=operation
            )
        except Unprepared as unprepared:
            raise unprepared.error from None
        except Exception as error:  # an error in os-retries must not prevent the request
            let_through(error)
            log.exception("a create could not be marked, and is sent unchanged")
            return False
        self.creation = self.begun = creation
        return creation is not None

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:
        """Classify the failure by everything that the session knows about it."""
        if self.judged is not None and self.judged[0] is error:
            return self.judged[1]
        if isinstance(error, OperationError):  # nothing was sent
            return Failure(None, what="not sent")
        failure = read_inside(error, self.inside, policy, handled)
        if failure is None:
            response = get(error, "response")
            if response is not None:
                failure = read_answer(response, policy, streaming=bool(self.kwargs.get("stream")))
            else:
                failure = read_connection(error, handled)
        repeatable = self.may_be_repeated()
        # The policy of an outer call may repeat a status that this policy does not.  If a repeat is not safe, the
        # failure gets the evidence too, so that the outer call does not repeat it.
        left_out = failure.kind is Kind.PERMANENT and failure.status in RETRY_CODES - {413, 429} and not repeatable
        if failure.kind is Kind.MAYBE_PROCESSED or left_out:
            self.ambiguous = True
            return replace(failure, kind=Kind.MAYBE_PROCESSED, repeatable=repeatable)
        return failure

    def may_be_repeated(self) -> bool:
        """Return whether a repeat does no harm, even if the first request has taken effect."""
        return is_repeatable(self.verb, self.path, self.service()) or self._is_absolute_patch()

    def _is_absolute_patch(self) -> bool:
        if self.verb != "PATCH":
            return False
        body = self.kwargs.get("json")
        return is_absolute(self.service(), self.kwargs.get("data") if body is None else body)


@contextlib.contextmanager
def _outside_the_lock() -> Iterator[None]:
    """Release the lock of an auth plugin if this thread holds it, and acquire it again at the end.

    ``auth.get_access(session)`` asks for a token while it holds a lock that the requests of all threads need.
    openstacksdk's ``current_user_id``, cinderclient and keystoneclient call it.  A thread that gets the lock during the
    wait asks for a token itself, as it would if this request had failed.  A lock does not tell which thread holds it,
    so the stack of this thread is searched for ``get_access``.
    """
    locks = []
    frame: types.FrameType | None = sys._getframe()  # noqa: SLF001
    while frame is not None:
        if frame.f_code.co_name == "get_access" and frame.f_globals.get("__name__") in _LOCKING:
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
    """Return the URL of a request, from its response, or from the exception if there is no response."""
    for part in chain(outcome) if isinstance(outcome, BaseException) else (outcome,):
        for owner in (get(part, "response"), part, get(part, "request")):
            url = get(owner, "url")
            if isinstance(url, str):
                return url
    return None


def _add_evidence(error: Exception, evidence: Evidence) -> None:
    owners: list[Any] = [error, getattr(error, "response", None)]
    for owner in owners:
        if owner is not None:
            with contextlib.suppress(Exception):  # an exception that refuses attributes is still the client's own
                owner.os_retries = evidence
    if not isinstance(error, Answered):
        with contextlib.suppress(Exception):
            error.add_note(str(evidence))


def _make(response: Any, status: int, body: Any = None) -> None:
    """Change the response of an error into that of a success."""
    response.status_code, response.reason = status, http.HTTPStatus(status).phrase
    if body is None:  # the content type stays that of the error
        set_content(response, b"")
    else:
        fill_in(response, body)
