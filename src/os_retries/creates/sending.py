"""Between a keystoneauth session and the engine: reads a create off a request, sends what the engine asks for, answers.

The look-ups are requests of the same session, made inside the create: nobody retries them on their own.
"""

from __future__ import annotations

import http
import json
import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from os_retries import call
from os_retries.call import pause
from os_retries.creates import rows_for
from os_retries.creates.engine import Finding, Get, Keeper, Reply, Tools, prepare, there_before
from os_retries.creates.recipes import Microversion, parse_microversion
from os_retries.evidence import LookedUp
from os_retries.http import RETRY_CODES, Failure, Kind, is_from_service, parse_date
from os_retries.interrupts import let_through
from os_retries.loop import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

    from os_retries.creates.engine import Create
    from os_retries.creates.recipes import Item
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")

# Of the create's own request, and of no look-up.
_OF_THE_CREATE = frozenset({"json", "data", "files", "params", "stream", "original_ip", "redirect", "allow", "cookies"})
_HEADERS_OF_THE_CREATE = frozenset({"content-type", "content-length", "accept", "idempotency-key"})
_MICROVERSION = "openstack-api-version"
_NOVA_MICROVERSION = "x-openstack-nova-api-version"
# How a service calls itself in the header.
_CALLED = {"block-storage": "volume"}
# Of a look-up's answer, what the create's would say otherwise.
_OF_THE_LOOKUP = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "etag"})

# By session: whether an endpoint has an extension, so that it is asked for once; whether it keeps what is sent by it.
_extensions: MutableMapping[Any, dict[tuple[object, ...], bool]] = WeakKeyDictionary()
_kept: MutableMapping[Any, dict[tuple[object, ...], bool]] = WeakKeyDictionary()


def begin(
    session: Any,
    service: str,
    kwargs: dict[str, Any],
    *,
    send: Callable[..., Any],
    policy: Callable[[], RetryPolicy],
) -> Creation | None:
    """Return what keeps this request from being done twice, if the table has a row for it, and put its marker in.

    ``kwargs`` is what is to be sent: its body is replaced by a marked copy.

    :param send: sends a request of the same session, inside this one
    """
    url, verb = str(kwargs.get("url", "")), str(kwargs["method"]).upper()
    path = url if "://" in url else "/" + url.lstrip("/")
    if not rows_for(service, verb, path, single_writer=True):
        return None
    now = policy()
    if not now.safe_creates:
        return None
    rows = rows_for(service, verb, path, single_writer=now.single_writer)
    try:
        body = _read_body(kwargs)
        if body is None:
            return None
        around = _Around(session, service, dict(kwargs), send)
        for row, groups in rows:
            if row.extension is not None and not around.has_extension(groups["base"], row.extension):
                continue
            if row.extension is not None and around.keeps(groups["base"], row.extension):
                assert row.look is not None
                row = replace(row, look=replace(row.look, blind=None))  # noqa: PLW2901
            create = prepare(row, groups, body, around.microversion)
            if create is None:
                continue
            creation = Creation(create, around, now, f"{verb} {groups['path'] if '://' not in url else _path(url)}")
            creation.mark(kwargs)
            return creation
    except Exception as error:  # a fault of ours must not keep the request from being sent
        let_through(error)
        log.exception("a create could not be read, and is sent as it is")
    return None


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[1].partition("/")[2]


def _read_body(kwargs: Mapping[str, Any]) -> Any:
    """Return the request's JSON; None where it is none, or where something stands beside it."""
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
    except ValueError:  # then it is no create that the table knows
        return None


def _write_body(kwargs: dict[str, Any], body: Any) -> None:
    if kwargs.get("json") is not None:
        kwargs["json"] = body
    else:
        text = json.dumps(body)
        kwargs["data"] = text.encode() if isinstance(kwargs["data"], bytes) else text


class _Around:
    """The request that a create is, and further requests like it: same endpoint, same token, same timeout."""

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
        **more: Any,
    ) -> Any:
        """Send it, and return the response whatever its status is.

        :param service: another service's type, at its API's ``version``
        :raises Exception: if there is none
        """
        kwargs = {name: value for name, value in self._kwargs.items() if name not in _OF_THE_CREATE}
        headers = {
            name: value
            for name, value in (self._kwargs.get("headers") or {}).items()
            if str(name).lower() not in _HEADERS_OF_THE_CREATE
        }
        if service is not None or microversion is not None:
            dropped = {_MICROVERSION, _NOVA_MICROVERSION}
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
            headers["OpenStack-API-Version"] = f"{_CALLED.get(at, at)} {microversion}"
            if at == "compute":
                headers["X-OpenStack-Nova-API-Version"] = microversion
        headers["Accept"] = "application/json"
        kwargs |= {"url": url, "method": verb, "headers": headers, "raise_exc": False}
        return self._send(**kwargs, **more)

    def whose(self, what: str) -> object:
        """Return the id of the ``user`` or the ``project`` for whom it is sent; None where that cannot be told."""
        ask = self.session.get_user_id if what == "user" else self.session.get_project_id
        try:
            return ask(self._kwargs.get("auth"))
        except Exception as error:
            let_through(error)
            log.debug("the %s could not be asked for: %s", what, error)
            return None

    def body(self) -> dict[str, Any]:
        """Return the body as the caller has written it."""
        return {name: self._kwargs[name] for name in ("json", "data") if name in self._kwargs}

    def has_extension(self, base: str, alias: str) -> bool:
        """Whether the endpoint has an extension; asked once, and taken for absent while that cannot be told."""
        known, key = _extensions.setdefault(self.session, {}), self._key(base, alias)
        if key not in known:
            try:
                status = self.request("GET", f"{base}/extensions/{alias}").status_code
            except Exception as error:
                let_through(error)
                log.debug("extension %s could not be asked for: %s", alias, error)
                return False
            if status not in (200, 404):
                return False
            known[key] = status == 200
        return known[key]

    def keeps(self, base: str, alias: str) -> bool:
        """Whether the endpoint has shown that it keeps what is sent by this extension."""
        return _kept.get(self.session, {}).get(self._key(base, alias), False)

    def has_shown(self, base: str, alias: str, *, kept: bool) -> None:
        """Remember what a success has shown; an extension that says it is there and is not is none (CREATES.md T3)."""
        key = self._key(base, alias)
        _kept.setdefault(self.session, {})[key] = kept
        if not kept:
            _extensions.setdefault(self.session, {})[key] = False

    def _key(self, base: str, alias: str) -> tuple[object, ...]:
        given = self._kwargs.get("endpoint_filter") or {}
        return (base, alias, self._kwargs.get("endpoint_override"), *(str(each) for each in sorted(given.items())))


def _microversion(kwargs: Mapping[str, Any]) -> Microversion | None:
    """Return the microversion that the caller asks for; None where it asks for none."""
    given = kwargs.get("microversion")
    if given is not None:
        return parse_microversion(given)
    headers = {str(name).lower(): str(value) for name, value in (kwargs.get("headers") or {}).items()}
    words = headers.get(_MICROVERSION, headers.get(_NOVA_MICROVERSION, "")).split()
    return parse_microversion(words[-1]) if words else None


class _Together:
    """Creates of this process that would be taken for each other, while they are on their way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ways: dict[str, set[Creation]] = {}

    def enter(self, creation: Creation) -> None:
        """Begin one; of those that are on their way with it none can be told by being like what was asked for."""
        with self._lock:
            way = self._ways.setdefault(self._key(creation), set())
            way.add(creation)
            if len(way) > 1:
                for each in way:
                    each.crowded = True

    def leave(self, creation: Creation) -> None:
        """End it."""
        with self._lock:
            way = self._ways.get(self._key(creation), set())
            way.discard(creation)
            if not way:
                self._ways.pop(self._key(creation), None)

    def _key(self, creation: Creation) -> str:
        return f"{creation.create.groups['path']} {json.dumps(creation.create.asked, sort_keys=True)}"


together = _Together()


def _forget() -> None:
    """Begin anew in a child process: the parent's creates are not on their way here."""
    global together  # noqa: PLW0603
    together = _Together()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Creation:
    """One create of a session."""

    def __init__(self, create: Create, around: _Around, policy: RetryPolicy, name: str) -> None:
        self.create = create
        self.around = around
        self.name = name
        #: Whether a wait was ended by whoever waits: that goes up.
        self.woken = False
        self._policy = policy
        self._reply: Any = None  # the response of the last look-up
        self._begun = time.monotonic()
        self._failure: Failure | None = None  # the last one that was looked into
        self._told = False  # that the present look-up takes its time
        #: The create as it was before it was refused for want of what there was before.
        self._without: Create | None = None
        #: Whether another one like it was on its way in this process, where nothing but being new tells whose it is.
        self.crowded = False
        self._keeper = Keeper(create, Tools(self._get, self._wait, time.monotonic))

    def mark(self, kwargs: dict[str, Any]) -> None:
        """Put the marked body into what is to be sent, where there is one."""
        recipe = self.create.recipe
        if not recipe.refused and not recipe.harmless and self._note_what_is_there():
            _write_body(kwargs, self.create.body)

    def _note_what_is_there(self) -> bool:
        """Ask for what is there before the first attempt, where the row needs that; whether it has what it needs.

        Without that the create goes as it is, and a lost answer is handed to the caller.
        """
        if not self._has_baseline:
            return True
        try:
            together.enter(self)
            known = there_before(self.create, self._get)
        except BaseException:
            self.over()
            raise
        # Told by the token, which the request before has got.
        whose = None if known is None else self._whose(self.create.look.holds)
        if known is None or whose is None:
            self._without = self.create
            refused = replace(self.create.recipe, refused="what there was before could not be asked for")
            self.create = replace(self.create, recipe=refused)
            return False
        self.create = replace(self.create, known=known, groups={**self.create.groups, **whose})
        self._keeper = Keeper(self.create, self._keeper.tools)
        return True

    def _whose(self, holds: Mapping[str, str]) -> dict[str, str] | None:
        """Return the user and the project that the row compares; None where one of them cannot be told."""
        sent = self.create.sent[0]
        given = {"project": sent.get("project_id") or sent.get("tenant_id")}
        whose: dict[str, str] = {}
        for name in ("user", "project"):
            if f"{{{name}}}" in holds.values():
                value = given.get(name) or self.around.whose(name)
                if not isinstance(value, str):
                    return None
                whose[name] = value
        return whose

    def over(self) -> None:
        """Let go: the call is over."""
        if self._has_baseline:
            together.leave(self)

    @property
    def _has_baseline(self) -> bool:
        look = self.create.recipe.look
        return look is not None and look.baseline is not None

    # -- what session.py asks, in the order of an attempt

    def unmark(self, kwargs: dict[str, Any]) -> bool:
        """Put the caller's own body back after a refusal, which may be for the marker's sake; whether it was marked.

        A quota of metadata, a protected property, an attribute that this service does not know: a call that works
        without us must work with us.
        """
        recipe = self.create.recipe
        if self._keeper.ambiguous or recipe.refused or recipe.harmless or not (recipe.carrier or recipe.chosen):
            return False
        log.info("%s is refused; sent once more without the marker", self._who)
        kwargs.update(self.around.body())
        return True

    def before_send(self, failure: Failure, kwargs: dict[str, Any]) -> tuple[Any, Failure]:
        """Look once more before a re-send; return what :meth:`after_failure` does, for the attempt before.

        Where it was not known what there was before, and nothing has been processed yet, that is asked for again.
        """
        if self._without is not None:
            self.create, self._without = self._without, None
            self.mark(kwargs)
        return self._guarded(self._before_repeat, failure)

    def after_failure(self, failure: Failure, policy: RetryPolicy) -> tuple[Any, Failure]:
        """Find out what became of an attempt; return the response if it took effect, and how to read the failure."""
        self._policy = policy
        if self.create.recipe.refused:
            lost = failure.kind is Kind.MAYBE_PROCESSED
            return None, replace(failure, note=self.create.recipe.refused) if lost else failure
        if self.create.recipe.harmless:
            return None, replace(failure, repeatable=failure.repeatable or _listed(failure, policy))
        return self._guarded(
            self._after_ambiguous if failure.kind is Kind.MAYBE_PROCESSED else self._after_other, failure
        )

    def _guarded(self, find_out: Callable[[Failure], tuple[Any, Failure]], failure: Failure) -> tuple[Any, Failure]:
        try:
            return find_out(failure)
        except Exception as error:  # a fault of ours must not hide the client's own error
            if self.woken:
                raise
            let_through(error)
            log.exception("%s could not be looked up", self._who)
            return None, replace(failure, repeatable=False)

    def _sure(self, finding: Finding) -> Finding:
        """Doubt what was found, or not, while another one like it was on its way."""
        return (
            replace(finding, problem="this program makes another one like it at the same time")
            if self.crowded
            else finding
        )

    def _limits(self) -> dict[str, float]:
        """Return how long look-ups that fail are made again, and how long there may be waited in all."""
        policy = self._policy
        return {
            "patience": sum(policy.own_wait(number + 1) for number in range(min(policy.retries_number, 100))),
            "allowance": policy.retry_max_wait - current().extra_waited,
        }

    def _after_ambiguous(self, failure: Failure) -> tuple[Any, Failure]:
        policy = self._policy
        self._failure, self._told = failure, False
        settle = max(settle_time(failure, policy), self.create.recipe.lag)
        finding, waited = self._keeper.after_ambiguous(settle=settle, **self._limits())
        finding = self._sure(finding)
        if finding.found:
            return self._answer(finding), failure
        if finding.absent:
            self._tell("not there", f"looked up for {waited:g} s and it is not there", detail=f"after {waited:g} s")
            repeatable = self.create.recipe.resend and _listed(failure, policy)
            return None, replace(failure, repeatable=repeatable, note="looked up, and it is not there")
        return None, self._unclear(failure, finding)

    def _before_repeat(self, failure: Failure) -> tuple[Any, Failure]:
        """Look once more, if an attempt before may have been processed, until a look succeeds."""
        self._failure, self._told = failure, False
        return self._looked(failure, self._keeper.before_send(**self._limits()), "before the repeat")

    def _after_other(self, failure: Failure) -> tuple[Any, Failure]:
        """Look once, if an attempt before may have been processed."""
        self._failure = failure
        return self._looked(failure, self._keeper.one_look())

    def _looked(self, failure: Failure, finding: Finding | None, when: str = "") -> tuple[Any, Failure]:
        if self._keeper.ambiguous and self.crowded:
            finding = self._sure(finding or Finding())
        if finding is None:
            return None, failure
        if finding.found:
            return self._answer(finding, when), failure
        return None, self._unclear(failure, finding)

    def after_success(self, response: Any, policy: Callable[[], RetryPolicy]) -> Any:
        """Report what has landed twice, and take the marker away where people would read it."""
        carrier, alias, base = self.create.recipe.carrier, self.create.recipe.extension, self.create.groups["base"]
        unshown = alias is not None and not self.around.keeps(base, alias)
        if not (self._keeper.ambiguous or unshown) and (carrier is None or carrier.taken_away is None):
            return response
        try:
            self._policy = policy()
            made = self.create.made(response.json()) if response.content else []
            if unshown and made:
                kept = all(self.create.is_ours(each) for each in made)
                self.around.has_shown(base, str(alias), kept=kept)
                if not kept:
                    log.warning("%s: the service says that it has %s, and does not keep the marker", self._who, alias)
            late = self._keeper.after_success(made)
            if late:
                self._late(made, late, self._policy)
            if self._taken_away(made):
                _fill(response, self._with(response.json(), made))
        except Exception as error:  # it has succeeded: that is what the caller is to know
            let_through(error)
            log.exception("%s: what became of it could not be looked after", self._who)
        return response

    # -- answering

    def _answer(self, finding: Finding, when: str = "") -> Any:
        """Answer as the create would have."""
        import requests  # noqa: PLC0415  who has a session has it

        create = self.create
        hits = [dict(hit) for hit in create.in_order(finding.hits)]  # by their markers, while they have them
        self._taken_away(hits)
        item = create.answer(hits)
        made = create.made(item)
        status = create.recipe.status
        response = requests.Response()
        response.status_code = status if isinstance(status, int) else status(self.around.microversion)
        response.reason = http.HTTPStatus(response.status_code).phrase
        response.headers.update(self._headers())
        response.headers.update(create.recipe.headers(made[0] if made else {}, hits))
        response.request, response.url = self._reply.request, self._reply.url
        _fill(response, item)
        self._tell("found", "looked up and found, taken as the answer", finding.ids, when)
        return response

    def _headers(self) -> dict[str, str]:
        """Return the headers of the look-up's answer, as far as they would be the create's too."""
        headers = {name: value for name, value in self._reply.headers.items() if name.lower() not in _OF_THE_LOOKUP}
        if self.create.look.microversion is not None or self.create.look.service is not None:
            headers = {
                name: value
                for name, value in headers.items()
                if name.lower() not in (_MICROVERSION, _NOVA_MICROVERSION)
            }
        return headers

    def _taken_away(self, items: list[Item]) -> bool:
        """Put back what the field held that carried the marker, as well as that goes; whether any item has changed."""
        create = self.create
        carrier, key = create.recipe.carrier, create.recipe.body
        if carrier is None or carrier.taken_away is None:
            return False
        changed = False
        for item in items:
            body = {carrier.taken_away: create.before(carrier.taken_away, item.get(carrier.taken_away))}
            try:
                for again in (True, True, False):
                    response = self.around.request(
                        "PUT", create.member(item), json=body if key is None else {key: body}
                    )
                    if not again or response.status_code not in RETRY_CODES:
                        break
                    pause(1.0, self._policy.sleep)
                response.raise_for_status()
                now = response.json()
                item.update(now if key is None else now[key])
                changed = True
            except Exception as error:
                let_through(error)
                log.warning(
                    "%s: the marker stays in the %s of %s (%s)", self._who, carrier.taken_away, item.get("id"), error
                )
        return changed

    def _with(self, answer: Any, items: list[Item]) -> Any:
        recipe = self.create.recipe
        if self.create.bulk:
            return answer | {recipe.bulk: items}
        return items[0] if recipe.body is None else answer | {recipe.body: items[0]}

    # -- the engine's tools

    def _get(self, get: Get) -> Reply:
        try:
            if get.body is not None:  # a secret is in it: not to be logged
                response = self.around.request("POST", get.path, json=get.body, authenticated=False, log=False)
            else:
                response = self.around.request(
                    "GET",
                    get.path,
                    params=get.query,
                    service=get.service,
                    version=get.version,
                    microversion=get.microversion,
                )
            status = response.status_code
            if status == 404 and not is_from_service(response.headers, response.json):
                return Reply(None, what="404, and not the service's own", again=True)
            if status in (200, 404):  # that it is gone may be the answer
                self._reply = response
            if status != 200:
                return Reply(status, again=status in self._policy.retry_codes)
            return Reply(status, response.json(), since=self._since(response))
        except Exception as error:
            let_through(error)
            log.debug("a look-up failed", exc_info=True)
            return Reply(None, what=type(error).__name__, again=True)

    def _since(self, response: Any) -> float | None:
        """Tell when the create was first sent, by the clock of whoever answers now."""
        now = parse_date(response.headers.get("Date", ""))
        return None if now is None else now - (time.monotonic() - self._begun)

    def _wait(self, seconds: float) -> None:
        if not self._told:
            self._told = True
            self._tell("looking", "looking up what became of it")
        try:
            pause(seconds, self._policy.sleep)
        except BaseException:
            self.woken = True
            raise

    # -- telling

    @property
    def _who(self) -> str:
        return f"{self.around.service}: {self.name}"

    def _tell(self, outcome: str, words: str, ids: Iterable[str] = (), detail: str = "") -> None:
        failure = self._failure
        named_ones = tuple(each for each in ids if each != "?")  # what is gone, or a list of theirs, has no name
        record = LookedUp(self.name, self.around.service, outcome, named_ones, detail)
        lost = "an answer was lost"
        if failure is not None:
            lost = f"answered {failure.status}" if failure.status else f"failed ({failure.what})"
            record = replace(
                record, status=failure.status, what=failure.what, request_id=failure.request_id, kind=failure.kind
            )
        named = f": {', '.join(record.ids)}" if record.ids else ""
        level = logging.INFO if outcome == "looking" else logging.WARNING
        log.log(level, "%s %s; %s%s", self._who, lost, words, named, extra={"os_retries": record})
        if call.on_look_up is not None:
            call.on_look_up(record)

    def _unclear(self, failure: Failure, finding: Finding) -> Failure:
        self._tell("unclear", f"looked up without a result: {finding.problem}", finding.ids, finding.problem)
        named = f": {', '.join(finding.ids)}" if finding.ids else ""
        return replace(failure, repeatable=False, note=f"looked up: {finding.problem}{named}", found=finding.ids)

    def _late(self, made: list[Item], late: tuple[str, ...], policy: RetryPolicy) -> None:
        own = ", ".join(Finding(tuple(made)).ids)
        words = f"the repeat made {own}, and an earlier attempt has landed late beside it"
        self._tell("late duplicate", words, late, f"beside {own}")
        if policy.reap_late_duplicates and len(made) == self.create.high and self.create.look.baseline is None:
            for each in late:
                status = self.around.request("DELETE", self.create.member({"id": each})).status_code
                log.warning("%s: late duplicate %s deleted (%s)", self._who, each, status)


def _listed(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether the policy repeats after such a failure at all."""
    return failure.status is None or failure.status in policy.retry_codes


def settle_time(failure: Failure, policy: RetryPolicy) -> float:
    """Return how long, in seconds, "not there" means "not yet" after this failure (CREATES.md T2).

    A 504 or a timeout says that nobody waits any more, not that nobody works on it.  A 503 whose body is not recognised
    comes from something in front of the service that has most likely not passed it on: one look.
    """
    if failure.status == 503:
        return 0.0
    slow = failure.status in (408, 504) or failure.what in ("no answer in time", "connection failed")
    return policy.settle_time_after_timeout if slow else policy.settle_time


def _fill(response: Any, body: Any) -> None:
    """Give a response a JSON body, or none, read already."""
    response._content = b"" if body is None else json.dumps(body).encode()  # noqa: SLF001
    response._content_consumed = True  # noqa: SLF001
    response.encoding = "utf-8"
    response.headers["Content-Type"] = "application/json"
    response.headers["Content-Length"] = str(len(response._content))  # noqa: SLF001
