"""The policies that a service's own configuration files describe, in ``[timeouts]`` (``--service-config``).

Nearly every service of OpenStack keeps its options in ``oslo_config.cfg.CONF``, and reads its files into it a moment
after its start.  Until then, and in a program that does not use it, the numbers of the environment apply.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from os_retries.config import ConfiguredPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.policy import RetryPolicy
    from os_retries.run.report import Reporter


log = logging.getLogger("os_retries")


class ServicesPolicy:
    """The policy of a service.  A change that the service reads at a SIGHUP applies from the next failure on.

    :param before: returns the policy that applies until the service has read its files
    """

    def __init__(self, before: Callable[[str | None], RetryPolicy], reporter: Reporter) -> None:
        self._before = before
        self._reporter = reporter
        self._configured: ConfiguredPolicy | None = None
        self._unusable = False

    def __call__(self, service: str | None) -> RetryPolicy:
        """Return the policy for ``service`` (a service type, or None if it is not known)."""
        configured = self._read()
        return self._before(service) if configured is None else configured(service)

    def attempt_timeout(self, service: str | None) -> float | None:
        """Return ``attempt_timeout`` for ``service``, in seconds, without reading the other options."""
        configured = self._read()
        return self._before(service).attempt_timeout if configured is None else configured.attempt_timeout(service)

    def _read(self) -> ConfiguredPolicy | None:
        """Return what the files describe; None if they have not been read yet, or cannot be used."""
        if self._configured is None and not self._unusable:
            conf = _read_configuration()
            if conf is not None:
                try:
                    self._configured = ConfiguredPolicy(
                        conf, sleep=self._reporter.sleep, on_retry=self._reporter.on_retry
                    )
                except Exception as error:  # an invalid configuration of os-retries must not stop the service
                    self._unusable = True
                    log.error("[timeouts] cannot be used; the numbers of the environment apply: %s", error)  # noqa: TRY400
        return self._configured


def _read_configuration() -> Any:
    """Return ``cfg.CONF`` if the program has read files into it; else None."""
    cfg = sys.modules.get("oslo_config.cfg")
    conf = getattr(cfg, "CONF", None)
    return conf if conf is not None and "config_file" in conf else None  # an option that reading them registers
