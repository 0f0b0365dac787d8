"""`[timeouts]`: oslo.config's options, and the policy that they say at this moment.

oslo.config is imported by the functions that need it and by nothing else: without ``configure`` the specification's
numbers hold and the library is not needed.
"""

from __future__ import annotations

import contextlib
import email.utils  # noqa: F401  for http.py, when a request has failed: see session.py
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from os_retries import pacing  # noqa: F401  likewise, for slots.py
from os_retries.http import RETRY_CODES
from os_retries.policy import RetryPolicy, provide
from os_retries.target import SERVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.evidence import Retry

GROUP = "timeouts"
#: Where Sahara has had retries_number and retry_after since it wrote its own loop.
_SAHARA_GROUP = "retries"
_SAHARA_OPTIONS = frozenset({"retries_number", "retry_after"})
#: oslo.config's places for a value; what comes later hides what comes before.
_LOCATIONS = ("opt_default", "set_default", "user", "environment", "command_line", "set_override")

log = logging.getLogger("os_retries")
_lock = threading.Lock()  # registering looks first and then acts


def configure(
    conf: Any,
    group: str = GROUP,
    *,
    sleep: Callable[[float], object] | None = None,
    on_retry: Callable[[Retry], object] | None = None,
) -> None:
    """Take the policy of ``execute_with_retries`` from ``conf`` from now on, read anew after every failure.

    So ``mutate_config_files()``, ``set_override()`` and a test's fixture hold from the next failure on.  A group
    ``[timeouts_<service type>]`` (``[timeouts_block_storage]``) overrides single options for one service.  Options that
    the application has registered already, in ``[timeouts]`` or in Sahara's old ``[retries]``, are used as they are.

    :param conf: an ``oslo_config.cfg.ConfigOpts``, such as ``cfg.CONF``; before or after its files were read
    :param group: the name of the group
    :param sleep: see :class:`RetryPolicy`
    :param on_retry: see :class:`RetryPolicy`
    :raises TypeError: if ``conf`` is no oslo.config object
    :raises ImportError: if oslo.config is not installed; if there is a ``pacing_url`` and redis-py is not
    :raises ValueError: for a value that ``conf`` holds already and that is out of its range
    """
    policy = ConfiguredPolicy(conf, group, sleep=sleep, on_retry=on_retry)
    policy.check_pacing()
    provide(policy)


def _renew_lock() -> None:
    """Begin anew in a child process: the lock may be held by a thread that is not here."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


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
    """The policy that an oslo.config object says now, for each service.

    :raises Exception: from the constructor, what oslo.config or RetryPolicy says of a bad value.  Later a bad value,
        brought by ``mutate_config_files()``, is logged, and the last good policy holds: a client's error is not to be
        replaced by one about the configuration.
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
            raise TypeError(f"an oslo.config ConfigOpts is needed, such as oslo_config.cfg.CONF, not {conf!r}")
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
        """Find out whether each ``pacing_url`` can be used here.

        :raises ImportError: if redis-py is not installed
        :raises ValueError: for what is no URL of a Redis
        """
        for url in {policy.pacing_url for policy in self._good.values() if policy.pacing and policy.pacing_url}:
            from os_retries.fleet import check  # noqa: PLC0415

            check(url)

    def __call__(self, service: str | None) -> RetryPolicy:
        """Return the policy for ``service`` (a service type, or None where it is not known)."""
        try:
            policy = self._read(service)
        except Exception as error:  # whatever oslo.config raises for a bad value
            if str(error) != self._complaint:  # once, and not for each call
                self._complaint = str(error)
                log.error("[%s] cannot be used as it is now, so the values before hold: %s", self._group, error)  # noqa: TRY400
            return self._good.get(service) or self._good[None]
        self._good[service] = policy
        return policy

    def attempt_timeout(self, service: str | None) -> float | None:
        """Return ``attempt_timeout`` for ``service``, in seconds: the one option that is needed before a failure."""
        try:
            own = None if service is None else self._conf[self._register(service)].attempt_timeout
            value: float | None = self._conf[self._group].attempt_timeout if own is None else own
        except Exception:  # a bad value: said when a policy is asked for
            value = (self._good.get(service) or self._good[None]).attempt_timeout
        return value

    def _read(self, service: str | None) -> RetryPolicy:
        values = {name: self._value(name) for name in _HELP}
        if service is not None:
            group = self._register(service)
            own = {name: self._conf[group][name] for name in _HELP}
            values |= {name: value for name, value in own.items() if value is not None}
        values["retry_codes"] = _numbers(values["retry_codes"])
        return RetryPolicy(**values, **self._hooks)

    def _value(self, name: str) -> Any:
        """Return one option, from Sahara's own registration of it if that is the more expressly set one."""
        group = self._group
        # Not tried with an except: where the group is there and the option is not, oslo.config warns, each time.
        if name in _SAHARA_OPTIONS and _SAHARA_GROUP in self._conf and name in self._conf[_SAHARA_GROUP]:
            ours, theirs = (self._expressly(name, group) for group in (group, _SAHARA_GROUP))
            if theirs > ours or ours == 0:
                group = _SAHARA_GROUP
        return self._conf[group][name]

    def _expressly(self, name: str, group: str) -> int:
        """Tell how expressly an option is set: 0 by its default, highest by ``set_override``."""
        location = self._conf.get_location(name, group)
        return 0 if location is None else _LOCATIONS.index(location.location.name)

    def _register(self, service: str | None) -> str:
        group = self._group if service is None else _service_group(self._group, service)
        if group in self._registered and group in self._conf:
            return group
        with _lock:  # oslo.config's own registration is not safe from two threads
            for option in _options(service):
                with contextlib.suppress(self._cfg.DuplicateOptError):  # then the application's own stands
                    self._conf.register_opt(option, group=group)
            self._registered.add(group)
        return group


_HELP = {
    "retries_number": "Number of times to repeat a failed call before giving up; the first attempt is not counted.",
    "retry_after": "Seconds between the attempts, unless the service asks for another wait by its Retry-After.",
    "retry_codes": "HTTP statuses after which a call is repeated.",
    "retry_backoff": "Factor by which the wait grows with each retry; 1.0 keeps it constant.",
    "retry_jitter": "Share of the wait (0 to 1) that is drawn at random on top of it.",
    "retry_max_wait": "Seconds that one call may wait beyond its own waits, because a service asks for longer ones by "
    "its Retry-After, is in trouble and its retries are paced, or because a create is looked up; a call that a "
    "Retry-After would make wait longer fails at once, one that is paced when the time is over.",
    "attempt_timeout": "Seconds that a request of an attached session may hear nothing when its caller set no timeout; "
    "not set, "
    "a service that accepts a request and never answers is waited for without end.",
    "pacing": "Whether the retries of all calls to a service in trouble go out one after the other, as fast as it "
    "recovers.",
    "pacing_url": "URL of the Redis through which all processes share one queue of retries, such as "
    "redis://host:6379/0, rediss://user:password@host or unix:///path; needs os-retries[fleet]. Not set, each process "
    "has its own.",
    "safe_creates": "Whether an attached session marks creates (a tag, a metadata key or the like named os-retries), "
    "looks up what became of one whose answer was lost, and repeats it when it is surely not there.",
    "settle_time": "Seconds during which a create that is not found may still appear, after a lost connection, a 500, "
    "a 502 or an answer cut off.",
    "settle_time_after_timeout": "The same after a 504, a 408 and a request that was not answered in time.",
    "reap_late_duplicates": "Whether a duplicate that appeared later than that is deleted when it is seen, and not "
    "just reported.",
    "single_writer": "Whether nobody else makes the like in this project, so that a create without room for a marker "
    "is found by being new and equal in all that was asked for; with another writer it could be another one's.",
}


def _options(service: str | None = None) -> list[Any]:
    cfg = _oslo_config()
    types = cfg.types
    defaults = RetryPolicy()
    kinds = {
        "retries_number": types.Integer(min=0, max=10_000),
        "retry_after": types.Float(min=0, max=86_400),
        "retry_codes": types.List(item_type=types.Integer(min=400, max=599)),
        "retry_backoff": types.Float(min=1, max=100),
        "retry_jitter": types.Float(min=0, max=1),
        "retry_max_wait": types.Float(min=0, max=1e9),
        "attempt_timeout": types.Float(min=0.001, max=1e9),
        "safe_creates": types.Boolean(),
        "settle_time": types.Float(min=0, max=86_400),
        "settle_time_after_timeout": types.Float(min=0, max=86_400),
        "reap_late_duplicates": types.Boolean(),
        "single_writer": types.Boolean(),
        "pacing": types.Boolean(),
        "pacing_url": types.String(),
    }
    return [
        cfg.Opt(
            name,
            type=kind,
            # Unset in a service's group means: as in the main one.
            default=None if service else sorted(RETRY_CODES) if name == "retry_codes" else getattr(defaults, name),
            help=f"{_HELP[name]} For calls to {service}; as in [{GROUP}] if not set." if service else _HELP[name],
            # The name says the same again, but without it the sample file would not show the alias.
            deprecated_name=name if name in _SAHARA_OPTIONS and not service else None,
            deprecated_group=_SAHARA_GROUP if name in _SAHARA_OPTIONS and not service else None,
            mutable=True,
            secret=name == "pacing_url",  # it may have a password in it
        )
        for name, kind in kinds.items()
    ]


def _numbers(statuses: Any) -> Any:
    """Read the statuses of an application's own option, which may be a list of text; RetryPolicy judges the rest."""
    if not isinstance(statuses, list | tuple):
        return statuses
    return [int(status) if isinstance(status, str) and status.strip().isdecimal() else status for status in statuses]


def _service_group(group: str, service: str) -> str:
    return f"{group}_{service.replace('-', '_')}"


def _oslo_config() -> Any:
    try:
        from oslo_config import cfg  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("[timeouts] needs oslo.config: pip install 'os-retries[oslo]'") from error
    return cfg
