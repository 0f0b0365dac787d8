"""What the services have in common: the class Service, and the options that all of them need."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from control.cloud import PASSWORD, REGION, Cloud
from control.place import VENV

SHARE = VENV / "etc"  # paste files and other configuration files that the wheels install
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
    """Starts the workers behind the API, in threads, and returns the API's WSGI application."""
    run: Callable[[Cloud, dict[int, int]], None] | None = None
    """Instead of `app`, for a service with a server of its own: called with {port: file descriptor of its socket}."""
    first_start: Callable[[Cloud], Iterable[tuple[object, ...]]] = lambda _: ()
    """Yields the commands of the virtual environment that create its database, to be run one after the other."""
    catalog: tuple[str, str] | None = None
    """Its service type, and the path of its endpoint in keystone's catalog."""
    health: str = "/"
    """A path that needs no token."""
    more_ports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """The other ports at which it listens, by name."""
    roles: tuple[str, ...] = ()
    """Roles that an ordinary user needs for it, if it is started on demand."""
    alone: bool = False
    """Its packages cannot be installed beside the others, so it has a virtual environment of its own."""
    fill: Callable[[Cloud, Any], None] | None = None
    """Creates what a user of it needs, if it is started on demand: called with an administrator's client."""
    addresses: tuple[tuple[str, str, str], ...] = ()
    """(database, table, column) of each column with URLs or paths of this sandbox, which are updated when it moves."""

    @property
    def venv(self) -> Path:
        """The virtual environment with its packages."""
        return VENV.with_name(f"{VENV.name}-{self.name}") if self.alone else VENV

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.port, **self.more_ports}


def auth(cloud: Cloud, user: str) -> dict[str, object]:
    """Return the options with which a service logs in to keystone."""
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
    """Return the options of [keystone_authtoken], with which keystonemiddleware checks the tokens of requests."""
    return auth(cloud, user) | {
        "www_authenticate_uri": cloud.auth_url,
        "service_token_roles": "service",
        "service_token_roles_required": True,
    }


def database(cloud: Cloud, name: str) -> dict[str, object]:
    return {
        # This timeout is for the commands that create the databases. The services use services/sqlite.py.
        "connection": f"sqlite:///{cloud.db}/{name}.db?timeout=60",
        "sqlite_synchronous": False,
    }


def base(cloud: Cloud, name: str, **default: object) -> dict[str, Options]:
    """Return the sections that most services share; `default` adds options to [DEFAULT]."""
    return {
        # Database rows contain the host; with a fixed one, a template can be used on any machine.
        # fake:// passes messages in memory, so the API and the workers share a process and need no message broker.
        "DEFAULT": {"host": "localhost", "transport_url": "fake:///", **default},
        "database": database(cloud, name),
        "keystone_authtoken": token_validation(cloud, name),
        "oslo_concurrency": {"lock_path": cloud.data / "lock" / name},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def render(sections: Mapping[str, Options]) -> str:
    """Return the text of an INI file."""
    blocks = (
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in options.items()), ""])
        for name, options in sections.items()
    )
    return "\n".join(blocks)
