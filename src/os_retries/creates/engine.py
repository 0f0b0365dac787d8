"""The engine: keeps one logical create from being done twice, or lost, over all its attempts.

Pure: how to send a GET, how to wait and what time it is are arguments, so that the rules can be tried on a model of a
service.  The rules:

* One marker for the request and all its re-sends.  What a look-up finds is compared here, whatever the filter did.
* "Not there" means "not yet" until the settle time is over.  One resource found, or as many as were asked for, is the
  answer.  More, or fewer, or a look-up that fails, prove nothing, and then nothing is sent again.
* Before each re-send there is one more look, and no re-send without it: an attempt may have landed meanwhile.  The same
  holds after any other failure that follows a lost answer.
* After a re-send that succeeded there is a look for what has landed later than the settle time: a late duplicate, which
  is
  reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from os_retries.creates.look_up import Finding, find_out, look

if TYPE_CHECKING:
    from os_retries.creates.create import Create
    from os_retries.creates.look_up import Tools
    from os_retries.creates.markers import Item


class Keeper:
    """Keeps one logical create from being done twice, or lost, over all its attempts."""

    def __init__(self, create: Create, tools: Tools) -> None:
        self.create = create
        self.tools = tools
        #: Whether an attempt may have been processed.
        self.ambiguous = False

    def after_ambiguous(self, *, settle: float, patience: float, allowance: float) -> tuple[Finding, float]:
        """Find out what became of an attempt that may have been processed; see :func:`find_out`."""
        self.ambiguous = True
        return find_out(self.create, self.tools, settle=settle, patience=patience, allowance=allowance)

    def before_send(self, *, patience: float, allowance: float) -> Finding | None:
        """Look before a re-send; None if it may go: no attempt may have been processed, or it is still not there.

        A look that fails is made again as :func:`find_out` does.  If it keeps failing nothing may go: after a 503 "not
        there" was true of one moment alone.
        """
        if not self.ambiguous:
            return None
        finding, _ = find_out(self.create, self.tools, settle=0.0, patience=patience, allowance=allowance)
        return None if finding.absent else finding

    def one_look(self) -> Finding | None:
        """Look once after a failure of another kind than a lost answer: a conflict may be one's own success.

        None if no attempt may have been processed, if nothing is there, and if the look fails: nothing follows of it.
        """
        if not self.ambiguous:
            return None
        finding = look(self.create, self.tools.send)
        return finding if finding.hits else None

    def after_success(self, made: list[Item]) -> tuple[str, ...]:
        """Return the ids of what has landed beside it after all, from an attempt that was taken for lost."""
        if not self.ambiguous:
            return ()
        found = look(self.create, self.tools.send).ids
        if len(found) <= self.create.high:
            return ()
        own = Finding(tuple(made)).ids
        # Of several servers nova's answer names the first: then it cannot be told which of them are too many.
        return tuple(each for each in found if each not in own) if len(own) == self.create.high else found
