"""The request of a create, and the further requests around it, such as look-ups and the removal of a marker.

They are sent with the same session inside the create, and are not retried on their own.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from os_retries.core.deadlines import let_through
from os_retries.core.scope import current_scope
from os_retries.creates.recipe import parse_microversion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from os_retries.creates.recipe import Microversion

log = logging.getLogger("os_retries")

# Arguments and headers of the request itself that a look-up must not have.
_OF_THE_REQUEST = frozenset({"json", "data", "files", "params", "stream", "original_ip", "allow", "cookies"})
_HEADERS_OF_THE_REQUEST = frozenset({"content-type", "content-length", "accept", "if-match", "idempotency-key"})
#: The headers that carry a microversion.
MICROVERSION_HEADERS = (
    "openstack-api-version",
    "x-openstack-nova-api-version",
    "x-openstack-manila-api-version",
    "x-openstack-ironic-api-version",
)
# The name of a service in that header, if it is not the service type.
_NAME_IN_HEADER = {"block-storage": "volume"}

LONGEST = 60.0  # seconds that one look-up may take
LEAST = 5.0  # seconds that a look-up gets even if retry_max_wait is used up

# By session: whether an endpoint has an extension, and whether it keeps the extension's fields.
_extensions: MutableMapping[Any, dict[tuple[object, ...], bool]] = WeakKeyDictionary()
_kept: MutableMapping[Any, dict[tuple[object, ...], bool]] = WeakKeyDictionary()


def read_body(kwargs: Mapping[str, Any]) -> Any:
    """Return the request's JSON; None if the body is not JSON, or if the request also has files or a query."""
    if kwargs.get("files") or kwargs.get("params"):
        return None
    headers = {str(name).lower(): value for name, value in (kwargs.get("headers") or {}).items()}
    if "json" not in str(headers.get("content-type", "application/json")) or "content-length" in headers:
        return None
    as_json, data = kwargs.get("json"), kwargs.get("data")
    if as_json is not None:
        return as_json if data is None else None
    try:
        return json.loads(data) if isinstance(data, str | bytes) and data else None
    except ValueError:  # not JSON, so no recipe applies
        return None


def write_body(kwargs: dict[str, Any], body: Any) -> None:
    """Replace the JSON body of a request, in the same form: an object, a string or bytes.

    :param kwargs: the arguments of the request, which are changed
    """
    if kwargs.get("json") is not None:
        kwargs["json"] = body
    else:
        text = json.dumps(body)
        kwargs["data"] = text.encode() if isinstance(kwargs["data"], bytes) else text


def read_whole(response: Any, clock: Callable[[], float], longest: float = LONGEST) -> None:
    """Read the body of a response, and give up if it takes too long.

    The timeout of a request limits the time between two bytes.  A service that sends a byte now and then would hold the
    caller forever.

    :param clock: returns the seconds since an arbitrary instant
    :param longest: seconds after which it is given up
    :raises TimeoutError: if the body is not complete by then
    """
    if getattr(response, "_content", False) is not False:  # a log or a hook has read it
        return
    read1 = getattr(getattr(response, "raw", None), "read1", None)  # urllib3 has it from 2.2.2 on
    until, parts = clock() + longest, list[bytes]()
    while read1 is not None and (part := read1(1 << 16, decode_content=True)):
        if not isinstance(part, bytes):  # a mock
            return
        parts.append(part)
        if clock() > until:
            response.close()
            raise TimeoutError(f"the answer was not complete after {longest:g} s")
    if read1 is not None:
        response._content, response._content_consumed = b"".join(parts), True  # noqa: SLF001


def longest_for(max_wait: float) -> float:
    """Return the seconds that a look-up may take: what is left of ``retry_max_wait``, within limits.

    :param max_wait: the policy's ``retry_max_wait``
    """
    return min(LONGEST, max(LEAST, max_wait - current_scope().extra_waited))


def at_most(longest: float, timeout: Any) -> Any:
    """Return a timeout in the form in which the caller gave it, but of at most ``longest`` seconds.

    :param timeout: a number, or a pair of the timeouts for connecting and reading; anything else has no effect
    """
    if isinstance(timeout, tuple):
        return tuple(at_most(longest, each) for each in timeout)
    return min(longest, timeout) if isinstance(timeout, (int, float)) else longest


class Around:
    """Sends further requests around a create: to the same endpoint, with the same token and timeout."""

    def __init__(self, session: Any, service: str, kwargs: dict[str, Any], send: Callable[..., Any]) -> None:
        self.session = session
        self.service = service
        self.microversion = _microversion(kwargs)
        self._kwargs = kwargs
        self._send = send

    def request(
        self,
        verb: str,
        url: str,
        *,
        service: str | None = None,
        version: str | None = None,
        microversion: str | None = None,
        accept: str = "application/json",
        longest: float = LONGEST,
        **more: Any,
    ) -> Any:
        """Send a request, and return the response with any status.

        The caller's own timeout holds too, but it limits only the time between two bytes.

        :param service: the type of another service to ask; None for the service of the create
        :param version: the version of that service's API
        :param microversion: the microversion to ask for; None for the microversion of the create
        :param accept: the media type to ask for
        :param longest: seconds until the whole answer must be there.  A service that sends its headers a byte at a time
            is not noticed until they are complete.
        :raises Exception: if there is no response
        """
        kwargs = {name: value for name, value in self._kwargs.items() if name not in _OF_THE_REQUEST}
        headers = {
            name: value
            for name, value in (self._kwargs.get("headers") or {}).items()
            if str(name).lower() not in _HEADERS_OF_THE_REQUEST
        }
        if service is not None or microversion is not None:
            dropped = set(MICROVERSION_HEADERS)
            headers = {name: value for name, value in headers.items() if str(name).lower() not in dropped}
            kwargs.pop("microversion", None)
            kwargs.pop("microversion_service_type", None)
        if service is not None:
            kwargs.pop("endpoint_override", None)
            kept = {"interface", "region_name"}
            given = kwargs.get("endpoint_filter") or {}
            kwargs["endpoint_filter"] = {name: given[name] for name in kept if name in given} | {
                "service_type": service,
                "version": version,
            }
        if microversion is not None:
            at = service or self.service
            headers["OpenStack-API-Version"] = f"{_NAME_IN_HEADER.get(at, at)} {microversion}"
            if at == "compute":
                headers["X-OpenStack-Nova-API-Version"] = microversion
        headers["Accept"] = accept
        kwargs |= {"url": url, "method": verb, "headers": headers, "raise_exc": False, "stream": True}
        given = kwargs.get("timeout")
        kwargs["timeout"] = at_most(longest, getattr(self.session, "timeout", None) if given is None else given)
        until = time.monotonic() + longest
        response = self._send(**kwargs, **more)
        read_whole(response, time.monotonic, max(LEAST, until - time.monotonic()))
        return response

    def project(self) -> str | None:
        """Return the id of the project that sends the create; None if the token is for no project.

        :raises Exception: if it is not known
        """
        project = self.session.get_project_id(self._kwargs.get("auth"))
        return project if project is None else str(project)

    @property
    def region(self) -> str | None:
        """The region that the caller asks for; None if it asks for none."""
        region = (self._kwargs.get("endpoint_filter") or {}).get("region_name")
        return region if region is None else str(region)

    def whose(self, what: str) -> object:
        """Return the id of the ``user`` or the ``project`` that sends the create; None if it is not known."""
        ask = self.session.get_user_id if what == "user" else self.session.get_project_id
        try:
            return ask(self._kwargs.get("auth"))
        except Exception as error:
            let_through(error)
            log.debug("the id of the %s is not known: %s", what, error)
            return None

    def body(self) -> dict[str, Any]:
        """Return the arguments of the request that hold the caller's own body."""
        return {name: self._kwargs[name] for name in ("json", "data") if name in self._kwargs}

    def has_extension(self, base: str, alias: str) -> bool:
        """Return whether the endpoint has an extension.

        The endpoint is asked once.  If it does not answer, the extension counts as absent, and the endpoint is asked
        again the next time.
        """
        known, key = _extensions.setdefault(self.session, {}), self._key(base, alias)
        if key not in known:
            try:
                status = self.request("GET", f"{base}/extensions/{alias}").status_code
            except Exception as error:
                let_through(error)
                log.debug("the endpoint does not tell whether it has the extension %s: %s", alias, error)
                return False
            if status not in (200, 404):
                return False
            known[key] = status == 200
        return known[key]

    def keeps(self, base: str, alias: str) -> bool:
        """Return whether an earlier create has shown that the endpoint keeps the fields of this extension."""
        return _kept.get(self.session, {}).get(self._key(base, alias), False)

    def has_shown(self, base: str, alias: str, *, kept: bool) -> None:
        """Remember whether the service has kept the fields of an extension in a create that succeeded.

        An extension that is advertised but has no effect counts as absent (docs/design/creates.md, T3).
        """
        key = self._key(base, alias)
        _kept.setdefault(self.session, {})[key] = kept
        if not kept:
            _extensions.setdefault(self.session, {})[key] = False

    def _key(self, base: str, alias: str) -> tuple[object, ...]:
        given = self._kwargs.get("endpoint_filter") or {}
        return (base, alias, self._kwargs.get("endpoint_override"), *(str(each) for each in sorted(given.items())))


def _microversion(kwargs: Mapping[str, Any]) -> Microversion | None:
    """Return the microversion that the caller asks for; None if it asks for none."""
    given = kwargs.get("microversion")
    if given is not None:
        return parse_microversion(given)
    headers = {str(name).lower(): str(value) for name, value in (kwargs.get("headers") or {}).items()}
    words = next((headers[name] for name in MICROVERSION_HEADERS if name in headers), "").split()
    return parse_microversion(words[-1]) if words else None
