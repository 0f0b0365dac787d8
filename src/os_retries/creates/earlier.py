"""A create in an operation: an earlier run of the program may have sent it already.

So the create is looked up before its first attempt.  If an earlier run has made the resource, that resource is the
answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from os_retries.core import hooks
from os_retries.core.deadlines import let_through
from os_retries.core.evidence import LookedUp
from os_retries.creates.answer import make_response, without_chosen
from os_retries.creates.create import prepare
from os_retries.creates.creation import Creation
from os_retries.creates.engine import Keeper
from os_retries.creates.look_up import Finding
from os_retries.creates.markers import ClientId
from os_retries.creates.requests import write_body
from os_retries.creates.together import all_made, can_be_two, give_way
from os_retries.creates.unsent import NotRecorded, was_never_sent
from os_retries.operations.scope import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.failure import Failure
    from os_retries.creates.create import Create
    from os_retries.creates.markers import Item
    from os_retries.creates.requests import Around
    from os_retries.operations.scope import Claim
    from os_retries.policy import RetryPolicy

log = logging.getLogger("os_retries")

_GENERATIONS = 100  # deleted images of one request


class RepeatedCreation(Creation):
    """One create of an operation, over all its attempts, in this run and in earlier ones."""

    claim: Claim

    def __init__(self, create: Create, around: Around, policy: RetryPolicy, name: str, claim: Claim) -> None:
        super().__init__(create, around, policy, name)
        self.claim = claim
        self._done = False
        # Without a marker, a second equal request of this run gets the service's own answer, which is a conflict.
        self._looks_first = self._keeper.assumed = create.recipe.carrier is not None or claim.ordinal == 1

    def find_earlier(self) -> Any:
        """Look up the create before its first attempt, because an earlier run of the operation may have made it.

        :returns: the response of the create if an earlier run has made it; None if the create may be sent
        :raises OperationError: if the look-up is unclear
        """
        if not self._looks_first:
            return None
        self._looks_first = False
        try:
            if was_never_sent(self.create, self.claim, self.around, self._keeper.tools):
                return None
            finding, create = self._keeper.before_first(**self._limits())
            if finding.found:
                hits = [dict(hit) for hit in create.in_order(finding.hits)]
                if create is self.create:  # it was found by its description, which still has the marker
                    self._remove_markers(hits)
                return self._answer_earlier(finding, hits)
        except NotRecorded as why:
            raise OperationError(f"os-retries: {self._label} was not sent: {why}") from why.__cause__
        except Exception as error:
            if self.sleep_raised:
                raise
            let_through(error)
            raise OperationError(f"os-retries: {self._label} was not sent: it could not be looked up") from error
        if finding.absent:
            return None
        named = f" ({', '.join(finding.ids)})" if finding.ids else ""
        raise OperationError(
            f"os-retries: {self._label} was not sent: an earlier run of the operation {self.claim.operation.key!r} may "
            f"have made it, and the look-up is not clear: {finding.problem}{named}",
            finding.ids,
        )

    def _answer_earlier(self, finding: Finding, hits: list[Item]) -> Any:
        self._done = True
        response = make_response(self.create, hits, self._asking.response, self.around.microversion)
        without_chosen(self.create, response)
        self.claim.operation.count_found()
        record = LookedUp(self.name, self.around.service, "found earlier", finding.ids)
        words = "%s: an earlier run of the operation has made it: %s"
        log.info(words, self._label, ", ".join(finding.ids), extra={"os_retries": record})
        hooks.tell("CreateLookedUp", record, record, attempt=0, outcome=record.outcome, ids=record.ids, record=record)
        return response

    def renew(self, failure: Failure, kwargs: dict[str, Any]) -> bool:
        """Use the next marker if the present one is the id of a deleted image.

        glance does not show a deleted image, and refuses its id for a new image.

        :returns: whether the create may be sent again, with the next marker
        """
        carrier, claim = self.create.recipe.carrier, self.claim
        if failure.status != 409 or self.around.service != "image" or self._keeper.ambiguous:
            return False
        if not isinstance(carrier, ClientId) or claim.generation >= _GENERATIONS:
            return False
        claim.renew()
        recipe, groups = self.create.recipe, self.create.groups
        create = prepare(recipe, groups, self.create.asked[0], self.around.microversion, lambda: claim.marker)
        if create is None:
            return False
        self.create = create
        self._keeper = Keeper(create, self._keeper.tools)
        self._keeper.assumed = self._looks_first = True
        write_body(kwargs, create.body)
        return True

    def unmark(self, kwargs: dict[str, Any]) -> bool:
        """Put the caller's own body back, unless the operation is strict."""
        return not self.claim.operation.strict and super().unmark(kwargs)

    def note_unmarked(self) -> None:
        """Record that the create has succeeded without its marker."""
        self._done = True
        why = "the service has refused the marker"
        self.claim.operation.note_not_covered(self.around.service, self.name, why)

    def after_success(self, response: Any, policy: Callable[[], RetryPolicy]) -> Any:
        """Record that the create has succeeded; if another run has made the resource too, one of the two is removed."""
        self._done = True
        try:
            self._policy = policy()
            others = self._of_another_run(response)
        except OperationError:
            self._done = False
            raise
        except Exception as error:  # the create has succeeded, and the caller must get its response
            let_through(error)
            log.exception("%s succeeded, but the check for another run of the operation failed", self._label)
            others = None
        return super().after_success(response, policy) if others is None else others

    def _of_another_run(self, response: Any) -> Any:
        """Return the response with the resource of another run that stays instead of ours; None if ours stays."""
        if self._policy.single_writer:  # there is no other run
            return None
        made = self.create.made(response.json()) if response.content and can_be_two(self.create) else []
        if len(made) != 1 or "id" not in made[0]:
            return None
        tools, limits = self._keeper.tools, self._limits()
        theirs = give_way(
            made[0],
            self.create,
            self.around,
            look=lambda: all_made(self.create, tools, **limits),
            sleep=self._policy.sleep,
            who=self._label,
        )
        if theirs is None:
            return None
        hits = [dict(theirs)]
        if self.create.marker_of(theirs) is not None:  # the description of the resource still has the marker
            self._remove_markers(hits)
        return self._answer_earlier(Finding((theirs,)), hits)

    def _answer(self, finding: Finding, when: str = "") -> Any:
        self._done = True
        return super()._answer(finding, when)

    def close(self) -> None:
        """End the create, and its place in the operation."""
        super().close()
        self.claim.end(done=self._done)
