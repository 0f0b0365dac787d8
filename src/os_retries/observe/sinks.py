"""``add``: pass each event to a sink, which is a function or the name of a sink of os-retries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from os_retries.core import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.events import Event

    Sink = Callable[[Event], object]

# By name: the module that makes the sink, and the package that it needs.
_MODULES = {
    "logging": ("os_retries.observe.to_logging", ""),
    "opentelemetry": ("os_retries.observe.to_opentelemetry", "opentelemetry"),
    "prometheus": ("os_retries.observe.to_prometheus", "prometheus_client"),
    "structlog": ("os_retries.observe.to_structlog", "structlog"),
}


_made: dict[str, Sink] = {}


class Added:
    """A sink that was added.  It is also a context manager, which removes the sink at its end."""

    def __init__(self, sink: Sink) -> None:
        self._sink: Sink | None = sink
        hooks.add(sink)

    def remove(self) -> None:
        """Pass no more events to the sink.  A second call does nothing."""
        sink, self._sink = self._sink, None
        if sink is not None:
            hooks.remove(sink)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def add(sink: Sink | str) -> Added:
    """Pass each event to ``sink`` from now on.

    The sink is called in the thread of the call, which continues when the sink has returned.  Exceptions of the sink do
    not reach the call; the first one is logged.  A sink that is added twice is called once for each event.

    :param sink: a function that takes an :class:`~os_retries.observe.Event`, or the name of a sink, as for
        :func:`named`
    :returns: an object with which the sink can be removed
    :raises TypeError: if ``sink`` is neither a function nor a text
    :raises ValueError: for an unknown name
    :raises ImportError: if the package that a named sink needs is not installed
    """
    if callable(sink):
        return Added(sink)
    if not isinstance(sink, str):
        raise TypeError(f"a sink is a function or one of {', '.join(sorted(_MODULES))}, not {sink!r}")
    if sink not in _made:
        _made[sink] = named(sink)
    return Added(_made[sink])


def check(name: str) -> None:
    """Check that there is a sink of that name.

    :raises ValueError: if there is none
    """
    if name not in _MODULES:
        raise ValueError(f"unknown sink {name!r}: must be {', '.join(sorted(_MODULES))}")


def named(name: str, **options: Any) -> Sink:
    """Return one of the sinks of this package.

    :param name: ``logging``, ``opentelemetry``, ``prometheus`` or ``structlog``
    :param options: ``logger`` for ``logging`` and ``structlog``, ``registry`` for ``prometheus``, ``meter_provider``
        for ``opentelemetry``; each has a default
    :raises ValueError: for an unknown name
    :raises ImportError: if the package that it needs is not installed
    """
    check(name)
    module, package = _MODULES[name]
    try:
        make = import_module(module).make
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(f"the sink {name} needs {package}: pip install 'os-retries[{name}]'") from error
    made: Sink = make(**options)
    return made
