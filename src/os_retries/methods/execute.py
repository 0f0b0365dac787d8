"""``execute_with_retries``: the function that the specification describes."""

from __future__ import annotations

from types import CoroutineType

from os_retries.core.loop import refuse_coroutine, run_attempts

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from os_retries.core.target import MethodTarget

    P = ParamSpec("P")
    R = TypeVar("R")


def execute_with_retries(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``method(*args, **kwargs)``, and call it again if it fails with a status that may be temporary.

    The statuses, the number of retries and the waits come from ``[timeouts]`` (see ``configure``).  The default
    statuses are 408, 413, 429, 500, 502, 503 and 504.  By default there are five retries, ten seconds apart, or after
    the Retry-After of the service.  Every call is repeated on these statuses, even a create, as the specification says
    (https://specs.openstack.org/openstack/sahara-specs/specs/liberty/clients-calls-retry.html).  All other errors are
    raised at once.

    :returns: what the method returned
    :raises TypeError: if ``method`` is an async function, whose errors come only when it is awaited
    :raises Exception: the method's own last exception, the same object.  If the call was given up, the exception has a
        note and an attribute ``os_retries`` (:class:`~os_retries.evidence.Evidence`).
    """
    result: R = run_attempts(_target, method, args, kwargs)
    if type(result) is CoroutineType:
        refuse_coroutine(result)
    return result


def _target(method: Callable[..., Any]) -> MethodTarget:
    # Imported here, so that a program in which nothing fails never loads these modules.
    from os_retries.core.target import MethodTarget
    from os_retries.policy import policy_for

    return MethodTarget(method, policy_for)
