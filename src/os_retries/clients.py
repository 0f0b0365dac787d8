"""The call of the specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from os_retries.loop import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.target import MethodTarget

P = ParamSpec("P")
R = TypeVar("R")


def execute_with_retries(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``method(*args, **kwargs)``, and again if it fails with a status that may pass.

    The statuses, the number of retries and the waits are those of ``[timeouts]`` (see ``configure``): by default
    408, 413, 429, 500, 502, 503 and 504, five retries, ten seconds apart or as long as the service's Retry-After says.
    Every call is repeated on them, a create too: that is the specification.  All other errors go up at once.

    :returns: what the method returned, untouched
    :raises Exception: the method's own last one, the same object, with a note and an ``os_retries`` attribute
        (:class:`~os_retries.evidence.Evidence`) if it was given up
    """
    result: R = run(_target, method, args, kwargs)
    return result


def _target(method: Callable[..., Any]) -> MethodTarget:
    # Imported here: a program in which nothing fails never loads them.
    from os_retries.policy import policy_for  # noqa: PLC0415
    from os_retries.target import MethodTarget  # noqa: PLC0415

    return MethodTarget(method, policy_for)
