"""In the program of ``os-retries check -- COMMAND``: record what os-retries does if the answer of a write is lost.

``run/path/sitecustomize.py`` calls ``begin`` if ``OSRETRIES_CHECK`` names a file for the records.  The sessions of the
program are attached, so the records contain the decisions of the attached sessions themselves.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.session.targets import RequestTarget

#: What happens to a write whose answer is lost.
LOOKED_UP, REPEATED, HANDED_OVER = "looked up", "repeated", "handed over"
_NO_RECIPE = "no recipe applies to it"


def begin() -> None:
    """Record every write of an attached session from now on."""
    from os_retries.core.deadlines import let_through
    from os_retries.session.targets import RequestTarget

    original = RequestTarget.begin_write

    @functools.wraps(original)
    def begin_write(self: RequestTarget, send: Callable[..., Any]) -> bool:
        is_create = original(self, send)
        try:
            if not self.path.endswith("/auth/tokens"):  # a token changes nothing
                _record(self)
        except Exception as error:  # an error in os-retries must not prevent the request
            let_through(error)
        return is_create

    RequestTarget.begin_write = begin_write  # type: ignore[assignment,method-assign]


def _record(target: RequestTarget) -> None:
    from os_retries.core.paths import template
    from os_retries.run.journal import append

    verdict, reason = _verdict(target)
    line = {
        "service": target.service(),
        "request": f"{target.verb} {template(target.path)}",
        "verdict": verdict,
        "reason": reason,
    }
    append(os.environ["OSRETRIES_CHECK"], json.dumps(line).encode() + b"\n", create=True)


def _verdict(target: RequestTarget) -> tuple[str, str]:
    """Return what happens to the write if its answer is lost, and the reason if it is handed over."""
    if target.creation is not None:
        recipe = target.creation.create.recipe
        if recipe.refused:
            return HANDED_OVER, recipe.refused
        return (REPEATED if recipe.harmless else LOOKED_UP), ""
    return (REPEATED, "") if target.may_be_repeated() else (HANDED_OVER, _NO_RECIPE)
