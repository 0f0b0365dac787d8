"""The policies of ``os-retries run``, which are made from options and a configuration file, and passed on as text."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import TYPE_CHECKING, Any

from os_retries.options import OPTIONS
from os_retries.policy import RetryPolicy
from os_retries.run.defaults import INTERACTIVE, write
from os_retries.run.operations import UsageError as UsageError  # noqa: PLC0414 - for simulate, which raises it too

if TYPE_CHECKING:
    from collections.abc import Mapping

    from os_retries.config import ConfiguredPolicy

#: By field of RetryPolicy: the option on the command line.
FLAGS = {option.name: option.flag.flag for option in OPTIONS if option.flag is not None}


Policies = dict[str | None, RetryPolicy]


def sinks(config_file: str | None) -> tuple[str, ...]:
    """Return the names of the sinks that ``[timeouts] observe`` of a configuration file lists.

    :raises UsageError: for an unknown name
    """
    if config_file is None:
        return ()
    from os_retries.observe.sinks import check

    names = _configured(config_file).sinks()
    try:
        for name in names:
            check(name)
    except ValueError as error:
        raise UsageError(f"--config-file {config_file}: {error}") from None
    return names


def policies(options: Mapping[str, Any], config_file: str | None = None) -> Policies:
    """Return a policy for each service; the policy under None is for all other services.

    The numbers come from the file, or from the defaults of ``run``; the options override them.

    :param options: fields of RetryPolicy; None for an option that was not given
    :raises UsageError: for a value outside its range, or for a file that cannot be used
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("attempt_timeout") == math.inf:
        given["attempt_timeout"] = None
    for name, value in given.items():
        try:
            RetryPolicy(**{name: value})
        except (TypeError, ValueError) as error:
            raise UsageError(str(error).replace(name, FLAGS[name])) from None
    base = {None: RetryPolicy(**INTERACTIVE)} if config_file is None else _read(config_file)
    return {service: dataclasses.replace(policy, **given) for service, policy in base.items()}


def _read(path: str) -> Policies:
    """Read ``[timeouts]``, and ``[timeouts_<service>]`` for each service, as ``configure`` does."""
    from os_retries.service_types import SERVICE_TYPES

    configured = _configured(path)
    everywhere = configured(None)
    services = {service: configured(service) for service in SERVICE_TYPES.values()}
    return {None: everywhere} | {service: policy for service, policy in services.items() if policy != everywhere}


def _configured(path: str) -> ConfiguredPolicy:
    try:
        from oslo_config import cfg

        from os_retries.config import GROUP, ConfiguredPolicy
    except ImportError:
        raise UsageError("--config-file needs oslo.config beside os-retries: pip install 'os-retries[oslo]'") from None
    conf = cfg.ConfigOpts()
    try:
        conf([], project="os-retries", default_config_files=[path], default_config_dirs=[])
        configured = ConfiguredPolicy(conf)
        conf.set_default("pacing_url", INTERACTIVE["pacing_url"], group=GROUP)  # "process" switches it off
        with contextlib.suppress(ImportError):  # no redis-py here: the command's own environment may have it
            configured.check_pacing()
    except (cfg.Error, ValueError, TypeError, OSError) as error:
        raise UsageError(f"--config-file {path}: {' '.join(str(error).split())}") from None
    return configured


def write_policies(policies: Policies) -> str:
    """Return policies as text, for ``os_retries.run.child.read_policies``."""
    return write(
        {
            service or "": {option.name: getattr(policy, option.name) for option in OPTIONS}
            for service, policy in policies.items()
        }
    )
