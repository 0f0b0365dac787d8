"""What the services have in common: the shape of a service, and the options that all of them need."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from control.cloud import PASSWORD, REGION, Cloud
from control.place import VENV

SHARE = VENV / "etc"  # paste files and the like, as the wheels bring them
Options = Mapping[str, object]
Files = dict[str, dict[str, Options]]  # file name -> section -> option -> value


@dataclasses.dataclass(frozen=True)
class Service:
    """One OpenStack service: its API and everything behind it, in one process."""

    name: str
    port: int
    """The usual port of its API; the sandbox adds 10000."""
    config: Callable[[Cloud], Files]
    """Its configuration files."""
    app: Callable[[Cloud], Any] | None = None
    """Starts what works behind the API, in threads, and returns the API's WSGI application."""
    run: Callable[[Cloud, dict[int, int]], None] | None = None
    """Instead of `app`, for a service that serves by itself: (cloud, {port: file descriptor of its open socket})."""
    first_start: Callable[[Cloud], Iterable[tuple[object, ...]]] = lambda _: ()
    """Yields the commands (of the virtual environment) that make its database, to be run one after the other."""
    catalog: tuple[str, str] | None = None
    """Its type and the path of its endpoint in keystone's catalog."""
    health: str = "/"
    """A path that it answers without a token."""
    more_ports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Other ports it listens at, by name."""
    addresses: tuple[tuple[str, str, str], ...] = ()
    """(database, table, column) of what holds URLs or paths of this sandbox, rewritten when it moves."""

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.port, **self.more_ports}


def auth(cloud: Cloud, user: str) -> dict[str, object]:
    """The options by which a service logs in to keystone."""
    return {
        "auth_type": "password",
        "auth_url": cloud.auth_url,
        "username": user,
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def token_validation(cloud: Cloud, user: str) -> dict[str, object]:
    """[keystone_authtoken]: how keystonemiddleware checks the tokens of requests."""
    return auth(cloud, user) | {
        "www_authenticate_uri": cloud.auth_url,
        "service_token_roles": "service",
        "service_token_roles_required": True,
    }


def database(cloud: Cloud, name: str) -> dict[str, object]:
    return {
        # serve.py does the rest (services/sqlite.py); this timeout is for the commands that make the databases.
        "connection": f"sqlite:///{cloud.db}/{name}.db?timeout=60",
        "sqlite_synchronous": False,
    }


def base(cloud: Cloud, name: str, **default: object) -> dict[str, Options]:
    """The sections that most services share; `default` adds to [DEFAULT]."""
    return {
        # The host is part of database rows; a fixed one lets a template be used on any machine.
        # fake:// passes messages in memory: API and workers share a process, and no broker is needed.
        "DEFAULT": {"host": "localhost", "transport_url": "fake:///", **default},
        "database": database(cloud, name),
        "keystone_authtoken": token_validation(cloud, name),
        "oslo_concurrency": {"lock_path": cloud.data / "lock" / name},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def render(sections: Mapping[str, Options]) -> str:
    """An INI file."""
    blocks = (
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in options.items()), ""])
        for name, options in sections.items()
    )
    return "\n".join(blocks)
