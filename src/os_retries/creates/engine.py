"""The engine: the rules that prevent a create from being made twice or lost, over all its attempts.

The functions that send a GET, wait and tell the time are arguments, so that the rules can be tested on a model of a
service.  The rules:

* The request and all its repeats have the same marker.  What a look-up finds is compared here, because a service may
  ignore the filter of the look-up.
* A resource that is not found may still appear until the settle time is over.  If a look-up finds one resource, or as
  many as were asked for, they are the answer.  If it finds more or fewer, or if it fails, it proves nothing, and the
  create is not sent again.
* The create is looked up again before each repeat, because an attempt may have taken effect since.  The same applies
  after any other failure that follows a lost answer.
* The create is looked up after a repeat that succeeded.  A resource that has appeared after the settle time is a late
  duplicate, and is reported.
* In an operation an earlier run may have sent the create.  So it is looked up before its first attempt too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from os_retries.creates.durable import by_tag
from os_retries.creates.look_up import Finding, find_out, look, name_of

if TYPE_CHECKING:
    from os_retries.creates.create import Create
    from os_retries.creates.look_up import Limits, Tools
    from os_retries.creates.markers import Item


class Keeper:
    """Prevents one create from being made twice or lost, over all its attempts."""

    def __init__(self, create: Create, tools: Tools) -> None:
        self.create = create
        self.tools = tools
        #: Whether an attempt may have been processed.
        self.ambiguous = False
        #: Whether an earlier run of an operation, or another one that runs now, may have sent the create.
        self.assumed = False

    def after_ambiguous(self, *, settle: float, **limits: Unpack[Limits]) -> tuple[Finding, float]:
        """Find out whether an attempt that may have been processed took effect; see :func:`find_out`."""
        self.ambiguous = True
        return find_out(self.create, self.tools, settle=settle, **limits)

    def before_first(self, **limits: Unpack[Limits]) -> tuple[Finding, Create]:
        """Look up the resource that an earlier run of an operation may have made.  A look-up that fails is repeated.

        The marker becomes a tag before it is removed from the description.  So the description is looked up first.  A
        resource that is found there was left by a run that was killed.  Another run may have made a second one at the
        same time, so the tags are looked up in any case.

        :returns: the finding, and the create as it was looked up
        """
        finding, _ = find_out(self.create, self.tools, settle=0.0, **limits)
        tagged = by_tag(self.create)
        if tagged is None or finding.problem:
            return finding, self.create
        further, _ = find_out(tagged, self.tools, settle=0.0, **limits)
        if finding.absent:
            return further, self.create if further.absent else tagged
        others = tuple(hit for hit in further.hits if name_of(hit) not in finding.ids)
        if others:
            both = finding.hits + others
            return Finding(both, f"{len(both)} exist, but {self.create.high} were asked for"), self.create
        return (Finding(finding.hits, further.problem) if further.problem else finding), self.create

    def before_send(self, **limits: Unpack[Limits]) -> Finding | None:
        """Look up the create before a repeat.

        A look-up that fails is repeated, as by :func:`find_out`.  If it keeps failing, the create must not be sent
        again, because the last successful look-up shows only that nothing was there at that time.

        :returns: None if the create may be sent again: no attempt may have been processed, or nothing is there
        """
        if not self.ambiguous:
            return None
        finding, _ = find_out(self.create, self.tools, settle=0.0, **limits)
        return None if finding.absent else finding

    def one_look(self) -> Finding | None:
        """Look up the create once after any other failure, such as a conflict that an earlier attempt may have caused.

        :returns: None if no attempt may have been processed, if nothing is there, or if the look-up fails
        """
        if not (self.ambiguous or self.assumed):
            return None
        finding = look(self.create, self.tools.send)
        return finding if finding.hits else None

    def after_success(self, made: list[Item]) -> tuple[str, ...]:
        """Return the ids of late duplicates: resources of earlier attempts that have appeared after all.

        :param made: the resources in the response of the attempt that succeeded
        """
        if not self.ambiguous:
            return ()
        found = look(self.create, self.tools.send).ids
        if len(found) <= self.create.high:
            return ()
        own = Finding(tuple(made)).ids
        # If a request creates several servers, nova's response names only the first.  Then all of them are returned.
        return tuple(each for each in found if each not in own) if len(own) == self.create.high else found
