"""``[timeouts]``: the options of oslo.config, and the policy that they describe at this moment.

Only the functions that need oslo.config import it.  Without ``configure`` the specification's numbers hold, and the
library is not needed.
"""

from __future__ import annotations

import contextlib
import email.utils  # noqa: F401  for parse_date, when a request has failed: see os_retries.session
import logging
from typing import TYPE_CHECKING, Any

from os_retries import forks
from os_retries.options import BY_NAME, OPTIONS
from os_retries.pacing import local  # noqa: F401  likewise, for the pacers
from os_retries.policy import RetryPolicy, provide
from os_retries.service_types import SERVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.evidence import Retry
    from os_retries.options import Option

GROUP = "timeouts"
#: The group in which Sahara has these two options, since it wrote its own loop.
_SAHARA_GROUP = "retries"
_SAHARA_OPTIONS = frozenset({"retries_number", "retry_after"})
#: The places where oslo.config may have a value; a later one hides an earlier one.
_LOCATIONS = ("opt_default", "set_default", "user", "environment", "command_line", "set_override")

log = logging.getLogger("os_retries")
_lock = forks.Lock()  # registering looks first and then acts


def configure(
    conf: Any,
    group: str = GROUP,
    *,
    sleep: Callable[[float], object] | None = None,
    on_retry: Callable[[Retry], object] | None = None,
) -> None:
    """Take the policy from ``conf`` from now on.

    The options are read again after every failure, so ``mutate_config_files()``, ``set_override()`` and a test's
    fixture hold from the next failure on.  A group ``[timeouts_<service type>]``, such as ``[timeouts_block_storage]``,
    overrides single options for one service.  Options that the application has registered already, in ``[timeouts]`` or
    in Sahara's old ``[retries]``, are used as they are.

    :param conf: an ``oslo_config.cfg.ConfigOpts``, such as ``cfg.CONF``; before or after its files were read
    :param group: the name of the group
    :param sleep: see :class:`RetryPolicy`
    :param on_retry: see :class:`RetryPolicy`
    :raises TypeError: if ``conf`` is not an oslo.config object
    :raises ImportError: if oslo.config is not installed, or if there is a ``pacing_url`` and redis-py is not installed
    :raises ValueError: for a value of ``conf`` that is outside its range
    """
    policy = ConfiguredPolicy(conf, group, sleep=sleep, on_retry=on_retry)
    policy.check_pacing()
    provide(policy)


def list_opts() -> list[tuple[Any, list[Any]]]:
    """List the options for ``oslo-config-generator --namespace os_retries``: the group, then one for each service."""
    cfg = _oslo_config()
    main = cfg.OptGroup(GROUP, title="Retries of OpenStack client calls")
    return [(main, _options())] + [
        (
            cfg.OptGroup(_service_group(GROUP, service), title=f"Retries of calls to {service}"),
            _options(service),
        )
        for service in sorted(SERVICE_TYPES.values())
    ]


class ConfiguredPolicy:
    """The policy that an oslo.config object describes now, for each service.

    A bad value that ``mutate_config_files()`` brings later is logged, and the last good policy holds, because an error
    about the configuration must not replace a client's error.

    :raises Exception: from the constructor, the error of oslo.config or of RetryPolicy about a bad value
    """

    def __init__(
        self,
        conf: Any,
        group: str = GROUP,
        *,
        sleep: Callable[[float], object] | None = None,
        on_retry: Callable[[Retry], object] | None = None,
    ) -> None:
        self._cfg = _oslo_config()
        if not isinstance(conf, self._cfg.ConfigOpts):
            raise TypeError(f"conf must be an oslo.config ConfigOpts, such as oslo_config.cfg.CONF, not {conf!r}")
        self._conf = conf
        self._group = group
        self._hooks: dict[str, Any] = {"sleep": sleep, "on_retry": on_retry}
        self._good: dict[str | None, RetryPolicy] = {}
        self._registered: set[str] = set()
        self._complaint = ""
        self._register(None)
        for service in (None, *SERVICE_TYPES.values()):
            self._good[service] = self._read(service)

    def check_pacing(self) -> None:
        """Check whether each ``pacing_url`` can be used here.

        :raises ImportError: if redis-py is not installed
        :raises ValueError: for a text that is not the URL of a Redis
        """
        for url in {policy.pacing_url for policy in self._good.values() if policy.pacing and policy.pacing_url}:
            from os_retries.pacing.fleet import check

            check(url)

    def __call__(self, service: str | None) -> RetryPolicy:
        """Return the policy for ``service`` (a service type, or None where it is not known)."""
        try:
            policy = self._read(service)
        except Exception as error:  # whatever oslo.config raises for a bad value
            if str(error) != self._complaint:  # once, and not for each call
                self._complaint = str(error)
                log.error("[%s] cannot be used as it is now; the previous values hold: %s", self._group, error)  # noqa: TRY400
            return self._good.get(service) or self._good[None]
        self._good[service] = policy
        return policy

    def attempt_timeout(self, service: str | None) -> float | None:
        """Return ``attempt_timeout`` for ``service``, in seconds; no other option is needed before a failure."""
        try:
            own = None if service is None else self._conf[self._register(service)].attempt_timeout
            value: float | None = self._conf[self._group].attempt_timeout if own is None else own
            option = BY_NAME["attempt_timeout"]
            if value is None or option.low <= value <= option.high:  # not "nan", which oslo.config takes for a number
                return value
        except Exception:  # a bad value, which is logged when a policy is asked for
            log.debug("attempt_timeout cannot be read", exc_info=True)
        return (self._good.get(service) or self._good[None]).attempt_timeout

    def _read(self, service: str | None) -> RetryPolicy:
        values = {name: self._value(name) for name in BY_NAME}
        if service is not None:
            group = self._register(service)
            own = {name: self._conf[group][name] for name in BY_NAME}
            values |= {name: value for name, value in own.items() if value is not None}
        values["retry_codes"] = _numbers(values["retry_codes"])
        values["pacing_url"] = values["pacing_url"] or None  # "pacing_url =" sets none
        return RetryPolicy(**values, **self._hooks)

    def _value(self, name: str) -> Any:
        """Return the value of an option; Sahara's own one if that was set more explicitly."""
        group = self._group
        # There is no try here, for oslo.config warns each time it is asked for an option that a group does not have.
        if name in _SAHARA_OPTIONS and _SAHARA_GROUP in self._conf and name in self._conf[_SAHARA_GROUP]:
            ours, theirs = (self._explicitly(name, group) for group in (group, _SAHARA_GROUP))
            if theirs > ours or ours == 0:
                group = _SAHARA_GROUP
        return self._conf[group][name]

    def _explicitly(self, name: str, group: str) -> int:
        """Return how explicitly an option is set: 0 for its default, the highest number for ``set_override``."""
        location = self._conf.get_location(name, group)
        return 0 if location is None else _LOCATIONS.index(location.location.name)

    def _register(self, service: str | None) -> str:
        group = self._group if service is None else _service_group(self._group, service)
        if group in self._registered and group in self._conf:
            return group
        with _lock:  # registering an option in oslo.config is not thread-safe
            for option in _options(service):
                with contextlib.suppress(self._cfg.DuplicateOptError):  # then the application's own option is used
                    self._conf.register_opt(option, group=group)
            self._registered.add(group)
        return group


def _options(service: str | None = None) -> list[Any]:
    """Make the options of the group; with ``service`` those of the service's own group, where unset means inherited."""
    cfg = _oslo_config()
    return [
        cfg.Opt(
            option.name,
            type=_type(cfg.types, option),
            default=None if service else _plain(option.default),
            help=f"{option.help} For calls to {service}; as in [{GROUP}] if not set." if service else option.help,
            # The name is that of the option itself, but without it the sample file would not show the alias.
            deprecated_name=option.name if option.name in _SAHARA_OPTIONS and not service else None,
            deprecated_group=_SAHARA_GROUP if option.name in _SAHARA_OPTIONS and not service else None,
            mutable=True,
            secret=option.secret,
        )
        for option in OPTIONS
    ]


def _type(types: Any, option: Option) -> Any:
    if option.kind is list:
        return types.List(item_type=types.Integer(min=int(option.low), max=int(option.high)))
    if option.kind is bool:
        return types.Boolean()
    if option.kind is str:
        return types.String()
    return types.Integer(option.low, option.high) if option.kind is int else types.Float(option.low, option.high)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _numbers(statuses: Any) -> Any:
    """Return the statuses of an application's own option, which may be a list of texts; RetryPolicy checks the rest."""
    if not isinstance(statuses, list | tuple):
        return statuses
    return [int(status) if isinstance(status, str) and status.strip().isdecimal() else status for status in statuses]


def _service_group(group: str, service: str) -> str:
    return f"{group}_{service.replace('-', '_')}"


def _oslo_config() -> Any:
    try:
        from oslo_config import cfg
    except ImportError as error:
        raise ImportError("[timeouts] needs oslo.config: pip install 'os-retries[oslo]'") from error
    return cfg
