"""Prepare each client in a program below ``os-retries run``, as soon as it has been imported.

``path/sitecustomize.py`` calls ``loaded`` with the client's module.  A session class gets an ``__init__`` that attaches
each new session.  If a client retries by itself, its own retries are switched off, because they would multiply the
attempts.  The loop of swiftclient stays, and asks the policy (``swift``).  The policies and the destinations of the
reports are in the environment, where ``command`` has put them.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from typing import TYPE_CHECKING, Any

from os_retries.core import hooks
from os_retries.core.switch import disabled
from os_retries.operations import scope
from os_retries.policy import RetryPolicy, provide
from os_retries.run import swift
from os_retries.run.defaults import INTERACTIVE
from os_retries.run.report import Complaints, Elsewhere, Reporter
from os_retries.session import attach
from os_retries.session.seam import put_in_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@functools.cache
def set_up() -> Reporter:
    """Read the policies and the destinations of reports from the environment, once, and set the hooks."""
    reporter = Reporter(os.environ)
    policies = read_policies(os.environ["OSRETRIES_POLICY"], reporter)
    provider: Callable[[str | None], RetryPolicy] = lambda service: policies.get(service) or policies[None]  # noqa: E731
    if os.environ.get("OSRETRIES_SERVICE_CONFIG"):
        from os_retries.run.service_config import ServicesPolicy

        provider = ServicesPolicy(provider, reporter)
    provide(provider)
    hooks.add(reporter.on_event)
    scope.on_not_covered = reporter.on_not_covered
    _observe(reporter)
    Elsewhere.install()
    logging.getLogger("os_retries.fleet").addHandler(Complaints(reporter))
    return reporter


def _observe(reporter: Reporter) -> None:
    """Add the sinks that `run` wants: the one that counts for its metrics, and those of ``[timeouts] observe``."""
    journal = os.environ.get("OSRETRIES_JOURNAL")
    if journal and os.environ.get("OSRETRIES_COUNT"):
        from os_retries.run.counting import counting

        hooks.add(counting(journal))
    for name in filter(None, os.environ.get("OSRETRIES_OBSERVE", "").split(",")):
        from os_retries import observe

        try:
            observe.add(name)
        except ImportError as error:  # the program's environment does not have the package of the sink
            reporter.complain(str(error))


def read_policies(text: str, reporter: Reporter) -> Mapping[str | None, RetryPolicy]:
    """Return the policies in a text that ``write_policies`` has written; an empty object stands for the defaults."""
    by_service = json.loads(text) or {"": INTERACTIVE}
    return {service or None: RetryPolicy(**values, sleep=reporter.sleep) for service, values in by_service.items()}


def loaded(module: Any) -> None:
    """Prepare a client's module, which has just been executed."""
    if not disabled():
        set_up()
        _HOOKS[module.__name__](module)


def _after_init(kind: type, then: Callable[[Any], object]) -> None:
    """Call ``then`` with every new instance of ``kind`` and of its subclasses."""
    original = kind.__init__  # type: ignore[misc]

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        try:
            then(self)
        except Exception as error:  # an error in os-retries must not stop the program
            set_up().complain(f"a {kind.__name__} runs without retries: {type(error).__name__}: {error}")

    kind.__init__ = __init__  # type: ignore[misc]


def _sessions(module: Any) -> None:
    _after_init(module.Session, attach)


def _keystoneclients_sessions(module: Any) -> None:
    """Attach the sessions of keystoneclient's own class, which is older than keystoneauth's and has the same methods.

    swiftclient and old programs still use it to get their tokens.
    """
    plain = module.Session.request

    @functools.wraps(plain)
    def request(self: Any, *args: Any, status_code_retries: int = 0, **kwargs: Any) -> Any:  # noqa: ARG001
        # An attached session passes this argument as 0.  The class does not accept it, and has no such retries.
        return plain(self, *args, **kwargs)

    module.Session.request = request
    _after_init(module.Session, lambda session: put_in_place(session, None))


def _swift(module: Any) -> None:
    swift.obey(module, set_up())
    _after_init(module.Connection, swift.configure)


def _ironic(module: Any) -> None:
    # ironicclient's loop makes five attempts after the failures that os-retries repeats (503, lost connections, the 409
    # of a locked node), and after every other 409.
    module._RETRY_EXCEPTIONS = ()  # noqa: SLF001


def _without_retries(name: str) -> Callable[[Any], None]:
    def no_retries(client: Any) -> None:
        client.retries = 0

    return lambda module: _after_init(getattr(module, name), no_retries)


_HOOKS: dict[str, Callable[[Any], None]] = {
    "keystoneauth1.session": _sessions,
    "keystoneclient.session": _keystoneclients_sessions,
    "swiftclient.client": _swift,
    "ironicclient.common.http": _ironic,
    # The loops of these clients would multiply the attempts if the program switched them on.
    "cinderclient.client": _without_retries("SessionClient"),
    "manilaclient.common.httpclient": _without_retries("SessionClient"),
    "neutronclient.v2_0.client": _without_retries("ClientBase"),
}
