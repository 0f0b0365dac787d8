"""The options of ``[timeouts]`` in oslo.config, and the policy that their present values describe.

oslo.config is imported only by the functions that need it.  Without ``configure`` the specification's numbers apply,
and oslo.config need not be installed.
"""

from __future__ import annotations

import contextlib
import email.utils  # noqa: F401  for parse_date, when a request has failed: see os_retries.session
import logging
from typing import TYPE_CHECKING, Any

from os_retries import forks
from os_retries.options import BY_NAME, OPTIONS, PROCESS_OPTIONS
from os_retries.pacing import local  # noqa: F401  likewise, for the pacers
from os_retries.policy import RetryPolicy, provide
from os_retries.service_types import SERVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.evidence import Retry
    from os_retries.observe import Added
    from os_retries.options import Option

GROUP = "timeouts"
#: The group in which Sahara's own retry loop has these two options.
_SAHARA_GROUP = "retries"
_SAHARA_OPTIONS = frozenset({"retries_number", "retry_after"})
#: The places from which oslo.config takes a value; a later one overrides an earlier one.
_LOCATIONS = ("opt_default", "set_default", "user", "environment", "command_line", "set_override")

log = logging.getLogger("os_retries")
_lock = forks.Lock()  # a registration first checks and then acts


def configure(
    conf: Any,
    group: str = GROUP,
    *,
    sleep: Callable[[float], object] | None = None,
    on_retry: Callable[[Retry], object] | None = None,
) -> None:
    """Take the policy from ``conf`` from now on.

    The options are read again after every failure, so changes by ``mutate_config_files()``, ``set_override()`` or a
    test's fixture apply from the next failure on.  A group ``[timeouts_<service type>]``, such as
    ``[timeouts_block_storage]``, overrides single options for one service.  Options that the application has already
    registered, in ``[timeouts]`` or in Sahara's old ``[retries]``, are used as they are.

    :param conf: an ``oslo_config.cfg.ConfigOpts``, such as ``cfg.CONF``, before or after its files are read
    :param group: the name of the group
    :param sleep: see :class:`RetryPolicy`
    :param on_retry: see :class:`RetryPolicy`
    :raises TypeError: if ``conf`` is not an oslo.config object
    :raises ImportError: if oslo.config is not installed, or the package that ``pacing_url`` or ``observe`` needs
    :raises ValueError: for a value of ``conf`` that is outside its range
    """
    policy = ConfiguredPolicy(conf, group, sleep=sleep, on_retry=on_retry)
    policy.check_pacing()
    _observe(policy.sinks())
    policy.observing = True
    provide(policy)


class _Observed:
    """The sinks that the configuration has added, and their names."""

    names: tuple[str, ...] = ()
    added: tuple[Added, ...] = ()


def _observe(names: tuple[str, ...]) -> None:
    """Add the sinks of these names, in the place of those that the configuration has added before.

    :raises ImportError: if a package is not installed
    :raises ValueError: for an unknown name
    """
    if names == _Observed.names:
        return
    from os_retries import observe

    added: list[Added] = []
    try:
        added.extend(observe.add(name) for name in names)
    except BaseException:
        for each in added:
            each.remove()
        raise
    with _lock:
        before, _Observed.names, _Observed.added = _Observed.added, names, tuple(added)
    for each in before:
        each.remove()


def list_opts() -> list[tuple[Any, list[Any]]]:
    """Return the options for ``oslo-config-generator --namespace os_retries``.

    The first group is ``[timeouts]``.  One group for each service follows.
    """
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
    """The policy that an oslo.config object describes at present, for each service.

    If ``mutate_config_files()`` later loads an invalid value, the value is logged and the last valid policy stays in
    force, because a configuration error must not replace a client's error.

    :raises Exception: if a value is invalid at the start: the error of oslo.config or of RetryPolicy
    """

    #: Whether the sinks of events are those of ``observe``.
    observing = False

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
        :raises ValueError: for a text that is neither host nor the URL of a Redis
        """
        for url in {policy.pacing_url for policy in self._good.values() if policy.pacing}:
            if url is not None and url != "host":
                from os_retries.pacing.fleet import check

                check(url)

    def sinks(self) -> tuple[str, ...]:
        """Return the names of the sinks of events."""
        return tuple(self._conf[self._group].observe or ())

    def __call__(self, service: str | None) -> RetryPolicy:
        """Return the policy for ``service`` (a service type, or None if it is not known)."""
        try:
            if self.observing:
                _observe(self.sinks())  # before the first event: the files may have been read after ``configure``
            policy = self._read(service)
        except Exception as error:  # whatever oslo.config raises for an invalid value
            if str(error) != self._complaint:  # log it once, and not for each call
                self._complaint = str(error)
                log.error("[%s] has an invalid value; the previous values stay in force: %s", self._group, error)  # noqa: TRY400
            return self._good.get(service) or self._good[None]
        self._good[service] = policy
        return policy

    def attempt_timeout(self, service: str | None) -> float | None:
        """Return ``attempt_timeout`` for ``service``, in seconds, without reading the other options.

        It is needed before each request, and the other options only after a failure.
        """
        try:
            own = None if service is None else self._conf[self._register(service)].attempt_timeout
            value: float | None = self._conf[self._group].attempt_timeout if own is None else own
            option = BY_NAME["attempt_timeout"]
            if value is None or option.low <= value <= option.high:  # not "nan", which oslo.config takes for a number
                return value
        except Exception:  # an invalid value, which is logged when the policy is next read
            log.debug("attempt_timeout cannot be read", exc_info=True)
        return (self._good.get(service) or self._good[None]).attempt_timeout

    def _read(self, service: str | None) -> RetryPolicy:
        values = {name: self._value(name) for name in BY_NAME}
        if service is not None:
            group = self._register(service)
            own = {name: self._conf[group][name] for name in BY_NAME}
            values |= {name: value for name, value in own.items() if value is not None}
        values["retry_codes"] = _numbers(values["retry_codes"])
        return RetryPolicy(**values, **self._hooks)

    def _value(self, name: str) -> Any:
        """Return the value of an option, from Sahara's ``[retries]`` if the option was set more explicitly there."""
        group = self._group
        # Ask first and catch nothing: oslo.config logs a warning for each read of an option that a group lacks.
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
    """Return the options of ``[timeouts]``, or with ``service`` those of the service's own group.

    An option that is not set in the group of a service is inherited from ``[timeouts]``.
    """
    cfg = _oslo_config()
    return [
        cfg.Opt(
            option.name,
            type=_type(cfg.types, option),
            default=None if service else _plain(option.default),
            help=f"{option.help} For calls to {service}; as in [{GROUP}] if not set." if service else option.help,
            # The old name equals the new one, but without it the sample file would not show the deprecated group.
            deprecated_name=option.name if option.name in _SAHARA_OPTIONS and not service else None,
            deprecated_group=_SAHARA_GROUP if option.name in _SAHARA_OPTIONS and not service else None,
            mutable=True,
            secret=option.secret,
        )
        for option in (OPTIONS if service else OPTIONS + PROCESS_OPTIONS)
    ]


def _type(types: Any, option: Option) -> Any:
    if option.words:
        return types.List(item_type=types.String())
    if option.kind is list:
        return types.List(item_type=types.Integer(min=int(option.low), max=int(option.high)))
    if option.kind is bool:
        return types.Boolean()
    if option.kind is str:
        return types.String()
    return types.Integer(option.low, option.high) if option.kind is int else types.Float(option.low, option.high)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset | tuple) else value


def _numbers(statuses: Any) -> Any:
    """Convert statuses from strings to numbers: an application's own option may be a list of strings.

    RetryPolicy checks whatever cannot be converted.
    """
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
