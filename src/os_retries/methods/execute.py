"""``execute_with_retries``: the call of the specification."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from os_retries.core.loop import refuse_coroutine, run_attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.target import MethodTarget

P = ParamSpec("P")
R = TypeVar("R")


def execute_with_retries(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``method(*args, **kwargs)``, and call it again if it fails with a status that may pass.

    The statuses, the number of retries and the waits are those of ``[timeouts]`` (see ``configure``).  By default the
    statuses are 408, 413, 429, 500, 502, 503 and 504, and there are five retries, ten seconds apart or as long as the
    Retry-After of the service says.  Every call is repeated on these statuses, a create too: that is the specification
    (https://specs.openstack.org/openstack/sahara-specs/specs/liberty/clients-calls-retry.html).  All other errors go up
    at once.

    :returns: what the method returned
    :raises TypeError: if ``method`` is an async function, whose errors come only when it is awaited
    :raises Exception: the method's own last exception, the same object; if the call was given up it has a note and an
        attribute ``os_retries`` (:class:`~os_retries.evidence.Evidence`)
    """
    result: R = run_attempts(_target, method, args, kwargs)
    if type(result) is CoroutineType:
        refuse_coroutine(result)
    return result


def _target(method: Callable[..., Any]) -> MethodTarget:
    # A program in which nothing fails never loads these.
    from os_retries.core.target import MethodTarget
    from os_retries.policy import policy_for

    return MethodTarget(method, policy_for)
