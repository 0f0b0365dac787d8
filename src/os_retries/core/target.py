"""The name and the service type of a callable, derived from its class and its module alone.

No attribute of an unknown object is read, because a nova resource sends a request when it is asked for one.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from os_retries.core.exceptions import read_failure
from os_retries.core.failure import kind_of
from os_retries.service_types import SERVICE_TYPES, service_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from os_retries.core.evidence import Evidence
    from os_retries.core.failure import Failure
    from os_retries.core.protocols import Policy

log = logging.getLogger("os_retries")

# openstacksdk's own packages are named after the services, and so are the modules of its cloud layer.
_SDK_ALIASES = {
    "coe": "container-infrastructure-management",
    "baremetal_introspection": "baremetal-introspection",
}
_SDK_SERVICES = {service.replace("-", "_"): service for service in SERVICE_TYPES.values()} | _SDK_ALIASES


class MethodTarget:
    """The callable that was passed to ``execute_with_retries``."""

    def __init__(self, method: Callable[..., Any], policy_for: Callable[[str | None], Policy]) -> None:
        while isinstance(method, functools.partial):
            method = method.func
        self._method = method
        self._policy_for = policy_for

    def name(self) -> str:
        """Return the callable's name: ``ServerManager.list``, a function's qualified name, or the name of its type."""
        method = self._method
        if isinstance(method, types.MethodType):
            function = getattr(method, "__name__", type(method.__func__).__name__)  # a bound partial has no name
            return f"{_class_of(method).__name__}.{function}"
        if isinstance(method, types.FunctionType | types.BuiltinFunctionType | type):
            return method.__qualname__
        return type(method).__qualname__

    def service(self) -> str | None:
        """Return the service type of the callable's package; None if the package is not a known client."""
        if isinstance(self._method, types.MethodType):
            owner = self._method.__self__
            if type(owner).__module__ == "keystoneauth1.adapter":
                service = vars(owner).get("service_type")
                return service_type(service) if isinstance(service, str) else None
        return next((service for module in self._modules() if (service := _service_of(module))), None)

    def endpoint(self, outcome: object) -> str | None:  # noqa: ARG002
        """Return the name under which calls are paced together: the callable's package.

        A package that serves several services is followed by the service type.
        """
        package = next((module.partition(".")[0] for module in self._modules()), "")
        return f"{package} {self.service()}" if package in {"openstack", "keystoneauth1"} else package

    def policy(self) -> Policy:
        """Return the policy that holds now for the service."""
        return self._policy_for(self.service())

    def read(self, error: Exception, policy: Policy, handled: BaseException | None) -> Failure:
        """Read the failure from the client's exception.  The specification repeats a call whatever its HTTP verb is."""
        failure = read_failure(error, handled=handled)
        return replace(failure, kind=kind_of(failure.status, policy.retry_codes))

    def add_evidence(self, error: Exception, evidence: Evidence) -> None:
        """Leave the evidence on the client's exception, which is about to be raised."""
        try:
            error.os_retries = evidence  # type: ignore[attr-defined]
            error.add_note(str(evidence))
        except Exception:  # an exception that refuses attributes is still the client's own
            log.debug("the evidence could not be attached to %s", type(error).__name__)

    def repeated_by_client(self, status: int) -> bool:
        """Return whether swiftclient itself has already repeated the request after this status.

        The specification lets swiftclient repeat requests by itself.  Its Connection counts the attempts, and never
        repeats a 413 (swiftclient 4.11, ``Connection._retry``).
        """
        method = self._method
        if not isinstance(method, types.MethodType) or status == 413:
            return False
        owner = method.__self__
        if not any(
            (kind.__module__, kind.__name__) == ("swiftclient.client", "Connection") for kind in type(owner).__mro__
        ):
            return False
        attempts, retries = (vars(owner).get(name) for name in ("attempts", "retries"))
        return isinstance(attempts, int) and isinstance(retries, int) and attempts > retries > 0

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Return a context manager that does nothing: locks of the caller are left alone during a wait."""
        return contextlib.nullcontext()

    def _modules(self) -> Iterator[str]:
        """Yield the modules whose package may be the client: the callable's own, then those of its classes."""
        method: Any = self._method
        owner = type(method)
        if isinstance(method, types.MethodType):
            owner, method = _class_of(method), method.__func__
        if isinstance(method, types.FunctionType):
            yield method.__module__ or ""
        elif isinstance(method, type):
            owner = method
        # A Connection of openstacksdk inherits the cloud layers of all services, so they do not tell the service.
        yield from (kind.__module__ for kind in owner.__mro__ if not kind.__module__.startswith("openstack.cloud."))


def _class_of(method: types.MethodType) -> type:
    owner = method.__self__
    return owner if isinstance(owner, type) else type(owner)


def _service_of(module: str) -> str | None:
    package, _, rest = module.partition(".")
    if package == "openstack":
        names = rest.removeprefix("cloud.").split(".")
        return _SDK_SERVICES.get(names[0].removeprefix("_"))
    return SERVICE_TYPES.get(package)
