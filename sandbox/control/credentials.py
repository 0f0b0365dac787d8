"""The credentials for clients: clouds.yaml, openrc files, and the environment that `env` prints."""

import os
import shlex

from .cloud import PASSWORD, REGION, Cloud, write
from .place import COMMAND

ACCOUNTS = "demo", "admin"  # each is a cloud of clouds.yaml, a user and a project


def auth(cloud: Cloud, account: str) -> dict[str, str]:
    """Return the arguments of keystoneauth's v3.Password."""
    return {
        "auth_url": cloud.auth_url,
        "username": account,
        "password": PASSWORD,
        "project_name": account,
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


def variables(cloud: Cloud, account: str) -> dict[str, str]:
    """Return the OS_* variables, for clients that do not read clouds.yaml (swift, heat)."""
    named = {f"OS_{name.upper()}": value for name, value in auth(cloud, account).items()}
    return named | {"OS_REGION_NAME": REGION, "OS_IDENTITY_API_VERSION": "3", "OS_AUTH_VERSION": "3"}


def save(cloud: Cloud) -> None:
    lines = [f"# Written by {COMMAND} up.", "clouds:"]
    for account in ACCOUNTS:
        lines += [f"  {account}:", f"    region_name: {REGION}", "    identity_api_version: 3", "    auth:"]
        lines += [f"      {name}: {value}" for name, value in auth(cloud, account).items()]
    write(cloud.clouds_yaml, "\n".join(lines) + "\n")
    write(cloud.openrc, openrc(cloud, "demo"))
    write(cloud.root / "openrc-admin", openrc(cloud, "admin"))


def openrc(cloud: Cloud, account: str) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables(cloud, account).items()]
    return "\n".join([f"# Written by {COMMAND} up.", "unset OS_CLOUD", *lines]) + "\n"


def environment(cloud: Cloud, account: str, *, plain: bool) -> str:
    """Return shell commands for `eval` that select a cloud of clouds.yaml, or with `plain` set all OS_* variables.

    They never do both, because OS_USERNAME would override the user of `openstack --os-cloud admin`.
    """
    named = {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml), "OS_CLOUD": account}
    wanted, unwanted = variables(cloud, account), named
    if not plain:
        wanted, unwanted = unwanted, wanted
    lines = [f"unset {' '.join(unwanted)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in wanted.items()]
    if any(name.lower() in ("http_proxy", "all_proxy") and value for name, value in os.environ.items()):
        # Otherwise clients would send the requests to the proxy.
        lines += [f'export {name}="127.0.0.1${{{name}:+,${name}}}"' for name in ("no_proxy", "NO_PROXY")]
    return "\n".join(lines)
