"""A create of a session: it is marked, sent, looked up if its answer is lost, and answered as by the service.

This module connects a keystoneauth session with the engine.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from os_retries.core import hooks
from os_retries.core.deadlines import let_through
from os_retries.core.evidence import LookedUp
from os_retries.core.failure import Failure, Kind
from os_retries.core.retries import pause
from os_retries.core.scope import current_scope
from os_retries.creates import asking
from os_retries.creates.answer import fill_in, make_response, remove_markers, with_items
from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Finding, Reply, Tools, there_before
from os_retries.creates.requests import write_body
from os_retries.creates.twins import twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from os_retries.creates.create import Create, Get
    from os_retries.creates.look_up import Limits
    from os_retries.creates.markers import Item
    from os_retries.creates.requests import Around
    from os_retries.operations.scope import Claim
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")


_NOTHING_SENT = Failure(None, kind=Kind.NOT_SENT)


class Creation:
    """One create of a session, over all its attempts."""

    #: The create's place in an operation; None if it has none.
    claim: Claim | None = None

    def __init__(self, create: Create, around: Around, policy: RetryPolicy, name: str) -> None:
        self.create = create
        self.around = around
        self.name = name
        #: Whether the program's sleep has raised an exception, which is then raised to the caller.
        self.sleep_raised = False
        self._policy = policy
        self._asking = asking.Asking(around, asking.clock)
        self._failure: Failure | None = None  # the last failure that led to a look-up
        self._told = False  # whether the present look-up has been logged
        #: The original create, while it is refused because the existing resources could not be listed.
        self._without: Create | None = None
        #: Whether the last of these lists failed for a reason that may pass.
        self._may_be_listed_later = False
        #: Whether an equal create was in flight in this process, so that a new resource may belong to either.
        self.crowded = False
        self.failed_attempts = 0
        self._keeper = Keeper(create, Tools(self._get, self._wait, asking.clock))

    def mark(self, kwargs: dict[str, Any]) -> None:
        """Put the marked body into the arguments of the request, if the recipe has a marker."""
        recipe = self.create.recipe
        if not recipe.refused and not recipe.harmless and self._note_what_is_there():
            write_body(kwargs, self.create.body)

    def _note_what_is_there(self) -> bool:
        """List the existing resources before the first attempt, if the recipe needs that; return whether it worked.

        If it did not, the create is sent unchanged, and is given up if its answer is lost.
        """
        if not self._has_baseline:
            return True
        try:
            twins.add(self)
            known = there_before(self.create, self._get_list)
        except BaseException:
            self.close()
            raise
        # The token shows this, and the request above has already got one.
        whose = None if known is None else self._whose(self.create.look.holds)
        if known is None or whose is None:
            self._without = self.create
            refused = replace(self.create.recipe, refused="the existing resources could not be listed")
            self.create = replace(self.create, recipe=refused)
            return False
        self.create = replace(self.create, groups={**self.create.groups, **whose}).with_baseline(known)
        self._keeper = Keeper(self.create, self._keeper.tools)
        return True

    def _get_list(self, get: Get) -> Reply:
        reply = self._get(get)
        self._may_be_listed_later = reply.again
        return reply

    def before_first_send(self, kwargs: dict[str, Any]) -> None:
        """List the existing resources again, with the waits of the policy, if that failed for a reason that may pass.

        Without the list a lost answer could not be looked up.  The create itself would most likely fail as well.
        """
        if self._without is not None and self._may_be_listed_later:
            self._failure, self._told = None, True  # no answer was lost, so there is nothing to tell
            self._guarded(functools.partial(self._list_again, kwargs), _NOTHING_SENT)

    def _list_again(self, kwargs: dict[str, Any], failure: Failure) -> tuple[Any, Failure]:
        policy, number = self._policy, 0
        while self._without is not None and self._may_be_listed_later and number < policy.retries_number:
            number += 1
            seconds = policy.own_wait(number)
            if current_scope().extra_waited + seconds > policy.retry_max_wait:
                break
            words = "%s is not sent yet, because the existing resources cannot be listed; the next try is in %g s"
            log.info(words, self._label, seconds)
            if self._wait(seconds):
                break
            self.create, self._without = self._without, None
            self.mark(kwargs)
        return None, failure

    def _whose(self, holds: Mapping[str, str]) -> dict[str, str] | None:
        """Return the user and the project, as far as the recipe compares them; None if one of them is not known."""
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

    def close(self) -> None:
        """End the create: equal creates that start later need not consider it."""
        if self._has_baseline:
            twins.remove(self)
        vars(self).pop("_keeper", None)  # it refers to this object, and both would stay until a garbage collection

    @property
    def _has_baseline(self) -> bool:
        look = self.create.recipe.look
        return look is not None and look.baseline is not None

    # -- called by the session, in the order of an attempt; creates of an operation override the first three

    def find_earlier(self) -> Any:
        """Return the response of the create if an earlier run of an operation has made it; None if it may be sent."""
        return None

    def renew(self, failure: Failure, kwargs: dict[str, Any]) -> bool:  # noqa: ARG002
        """Return whether the create may be sent again at once, with another marker."""
        return False

    def note_unmarked(self) -> None:
        """Record that the create has succeeded without its marker."""

    def unmark(self, kwargs: dict[str, Any]) -> bool:
        """Put the caller's own body back after the service has refused it; return whether the body was marked.

        The service may have refused the marker, because of a quota of metadata, a protected property or an unknown
        attribute.  A call that works without os_retries must work with it.
        """
        recipe = self.create.recipe
        if self._keeper.ambiguous or recipe.refused or recipe.harmless or not (recipe.carrier or recipe.chosen):
            return False
        log.info("%s was refused; it is sent again without the marker", self._label)
        kwargs.update(self.around.body())
        return True

    def before_send(self, failure: Failure, kwargs: dict[str, Any]) -> tuple[Any, Failure]:
        """Look up the create once more before it is sent again.

        If the existing resources could not be listed, and no attempt was processed, they are listed now.

        :param failure: the failure of the previous attempt
        :returns: as :meth:`after_failure`, for the previous attempt
        """
        if self._without is not None:
            self.create, self._without = self._without, None
            self.mark(kwargs)
        return self._guarded(self._before_repeat, failure)

    def after_failure(self, failure: Failure, policy: RetryPolicy) -> tuple[Any, Failure]:
        """Find out whether a failed attempt took effect.

        :returns: the response of the create if the attempt took effect, else None; and the failure, updated with what
            the look-up has shown
        """
        self._policy = policy
        self.failed_attempts += 1
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
        except Exception as error:  # an error in os-retries must not hide the client's own error
            if self.sleep_raised:
                raise
            let_through(error)
            log.exception("%s could not be looked up", self._label)
            return None, replace(failure, repeatable=False)

    def _sure(self, finding: Finding) -> Finding:
        """Return the finding, marked as unclear if an equal create in flight may have made the resource."""
        return (
            replace(finding, problem="this program creates an equal resource at the same time")
            if self.crowded
            else finding
        )

    def _limits(self) -> Limits:
        """Return how long and how often failing look-ups are repeated, and how long all look-ups together may take."""
        policy = self._policy
        retries = min(policy.retries_number, 100)
        return {
            "patience": sum(policy.own_wait(number + 1) for number in range(retries)),
            "retries": retries,
            "allowance": policy.retry_max_wait - current_scope().extra_waited,
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
            self._tell("not there", f"looked up for {waited:g} s and not found", detail=f"after {waited:g} s")
            return None, replace(failure, repeatable=_listed(failure, policy), note="looked up and not found")
        return None, self._unclear(failure, finding)

    def _before_repeat(self, failure: Failure) -> tuple[Any, Failure]:
        """Look up the create if an earlier attempt may have been processed; repeat look-ups that fail."""
        self._failure, self._told = failure, False
        return self._looked(failure, self._keeper.before_send(**self._limits()), "before the repeat")

    def _after_other(self, failure: Failure) -> tuple[Any, Failure]:
        """Look up the create once if an earlier attempt may have been processed."""
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
        """Report duplicates, and remove the marker from a field that people read; return the response.

        :param policy: returns the present policy
        """
        carrier, alias, base = self.create.recipe.carrier, self.create.recipe.extension, self.create.groups["base"]
        unshown = alias is not None and not self.around.keeps(base, alias)
        if not (self._keeper.ambiguous or unshown) and (carrier is None or carrier.taken_away is None):
            return response
        try:
            self._policy = policy()
            made = self.create.made(_read(response))
            if unshown and made:
                kept = all(self.create.is_ours(each) for each in made)
                self.around.has_shown(base, str(alias), kept=kept)
                if not kept:
                    log.warning("%s: the service advertises %s but does not keep the marker", self._label, alias)
            late = self._keeper.after_success(made)
            if late:
                self._late(made, late, self._policy)
            if self._remove_markers(made):
                fill_in(response, with_items(self.create, response.json(), made))
        except Exception as error:  # the create has succeeded, and the caller must get its response
            let_through(error)
            log.exception("%s succeeded, but the check for duplicates or the removal of the marker failed", self._label)
        return response

    # -- answering

    def _answer(self, finding: Finding, when: str = "") -> Any:
        hits = [dict(hit) for hit in self.create.in_order(finding.hits)]  # the order needs the markers
        self._remove_markers(hits)
        response = make_response(self.create, hits, self._asking.response, self.around.microversion)
        self._tell("found", "looked up and found, taken as the answer", finding.ids, when)
        return response

    def _remove_markers(self, items: list[Item]) -> bool:
        return remove_markers(self.create, items, self.around, who=self._label, sleep=self._policy.sleep)

    # -- the engine's tools

    def _get(self, get: Get) -> Reply:
        return self._asking.get(get, self._policy)

    def _wait(self, seconds: float) -> bool:
        if not self._told:
            self._told = True
            self._tell("looking", "looking up whether it took effect")
        try:
            return pause(seconds, self._policy.sleep)
        except BaseException:
            self.sleep_raised = True
            raise

    # -- log records

    @property
    def _label(self) -> str:
        return f"{self.around.service}: {self.name}"

    def _tell(self, outcome: str, words: str, ids: Iterable[str] = (), detail: str = "") -> None:
        failure = self._failure
        named_ones = tuple(each for each in ids if each != "?")  # a resource that was deleted has no id
        record = LookedUp(self.name, self.around.service, outcome, named_ones, detail)
        lost = "an answer was lost"
        if failure is not None:
            lost = f"answered {failure.status}" if failure.status else f"failed ({failure.what})"
            record = replace(
                record, status=failure.status, what=failure.what, request_id=failure.request_id, kind=failure.kind
            )
        named = f": {', '.join(record.ids)}" if record.ids else ""
        level = logging.INFO if outcome == "looking" else logging.WARNING
        log.log(level, "%s %s; %s%s", self._label, lost, words, named, extra={"os_retries": record})
        hooks.tell(
            "CreateLookedUp",
            record,
            record,
            attempt=self.failed_attempts,
            outcome=outcome,
            ids=record.ids,
            record=record,
        )

    def _unclear(self, failure: Failure, finding: Finding) -> Failure:
        self._tell("unclear", f"looked up without a result: {finding.problem}", finding.ids, finding.problem)
        named = f": {', '.join(finding.ids)}" if finding.ids else ""
        return replace(failure, repeatable=False, note=f"looked up: {finding.problem}{named}", found=finding.ids)

    def _late(self, made: list[Item], late: tuple[str, ...], policy: RetryPolicy) -> None:
        own = ", ".join(Finding(tuple(made)).ids)
        words = f"the repeat created {own}, but an earlier attempt has also taken effect"
        self._tell("late duplicate", words, late, f"beside {own}")
        if policy.reap_late_duplicates and len(made) == self.create.high and self.create.look.baseline is None:
            for each in late:
                status = self.around.request("DELETE", self.create.member({"id": each})).status_code
                log.warning("%s: late duplicate %s deleted (%s)", self._label, each, status)


def _read(response: Any) -> Any:
    """Return the JSON of a response; None if it has none.  Heat answers an update with a page of HTML."""
    try:
        return response.json()
    except ValueError:
        return None


def _listed(failure: Failure, policy: RetryPolicy) -> bool:
    """Return whether the policy repeats requests after such a failure at all."""
    return failure.status is None or failure.status in policy.retry_codes


def settle_time(failure: Failure, policy: RetryPolicy) -> float:
    """Return how long, in seconds, a resource that is not found may still appear (docs/design/creates.md, T2).

    After a 504 or a timeout the service may still be working on the request.  A 503 whose body is not recognized comes
    from a gateway, which most likely has not passed the request on, so one look-up is enough.
    """
    if failure.status == 503:
        return 0.0
    slow = failure.status in (408, 504) or failure.what in ("no answer in time", "connection failed")
    return policy.settle_time_after_timeout if slow else policy.settle_time
