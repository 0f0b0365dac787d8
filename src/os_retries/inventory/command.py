"""Print the resources of an operation, or remove its markers from them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import os_retries
from os_retries.inventory.listing import resources, take_off
from os_retries.operations.marks import START

if TYPE_CHECKING:
    from collections.abc import Collection

    from os_retries.inventory.listing import Found


_LENGTH = len(START) + 32  # a marker of a bulk request is longer


class UsageError(Exception):
    """Raised if the cloud cannot be used.  The message gives the reason."""


def _complain(text: str) -> None:
    sys.stderr.write(f"os-retries: {text}\n")


class Cloud:
    """A cloud, as openstacksdk finds it in clouds.yaml or in the environment, with retries.

    :param name: its name in clouds.yaml; None for the cloud that the environment names
    :raises UsageError: if there is no such cloud
    """

    def __init__(self, name: str | None) -> None:
        try:
            import openstack
        except ImportError:
            raise UsageError("this needs openstacksdk: pip install openstacksdk") from None
        try:
            self._connection = openstack.connect(cloud=name)
            os_retries.attach(self._connection, os_retries.RetryPolicy(retry_after=1, retry_backoff=2))
            self.project = self._connection.session.get_project_id()
        except Exception as error:
            raise UsageError(f"no connection to the cloud: {error}") from None
        self.problems = 0

    def adapter(self, service: str) -> Any:
        """Return the adapter for a service type.

        :raises EndpointNotFound: if the cloud does not have this service
        """
        from keystoneauth1.exceptions import EndpointNotFound
        from openstack.exceptions import SDKException

        adapter = getattr(self._connection, service.replace("-", "_"))
        try:
            adapter.get  # noqa: B018 - in place of a service that is not there the SDK has an object without methods
        except SDKException as error:
            raise EndpointNotFound(str(error)) from None
        return adapter

    def complain(self, text: str) -> None:
        """Report that a resource of the cloud could not be listed or changed."""
        self.problems += 1
        _complain(text)


def show(key: str, cloud: Cloud, *, as_json: bool) -> int:
    """Print the resources of an operation; return the exit status."""
    now = datetime.now(UTC)
    found = sorted(resources(cloud.adapter, key, cloud.complain, cloud.project), key=lambda each: -(each.age(now) or 0))
    if as_json:
        print(json.dumps([_as_json(each) for each in found], indent=2))  # noqa: T201
    elif found:
        rows = [("service", "kind", "id", "name", "age")]
        rows += [(each.kind.service, each.kind.name, each.id, each.name, _words(each.age(now))) for each in found]
        widths = [max(len(row[at]) for row in rows) for at in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            print("  ".join([*cells, row[4]]).rstrip())  # noqa: T201
    else:
        _complain(f"there is nothing of the operation {key!r} that can be listed")
    return 1 if cloud.problems else 0


def left_over(key: str, used: Collection[str], cloud: Cloud) -> list[str]:
    """Return a line for each resource with a marker of the operation that a run has not used.

    :param used: the markers of the run
    """
    now = datetime.now(UTC)
    return [
        f"{found.kind.service}: {found.kind.name} {found.id} {found.name}".rstrip() + f" ({_words(found.age(now))} old)"
        for found in resources(cloud.adapter, key, cloud.complain, cloud.project)
        if found.marker[:_LENGTH] not in used
    ]


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "service": found.kind.service,
        "kind": found.kind.name,
        "id": found.id,
        "name": found.name,
        "created": found.created and found.created.isoformat(),
        "marker": found.marker,
    }


def _words(seconds: float | None) -> str:
    """Return an age in words."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def forget(key: str, cloud: Cloud) -> int:
    """Remove the markers of an operation from its resources, which stay; return the exit status."""
    for found in list(resources(cloud.adapter, key, cloud.complain, cloud.project)):
        why = take_off(cloud.adapter(found.kind.service), found)
        if why:
            cloud.complain(f"{found.kind.service}: {found.kind.name} {found.id} keeps its marker: {why}")
        else:
            print(f"{found.kind.service}: {found.kind.name} {found.id}: the marker is removed")  # noqa: T201
    return 1 if cloud.problems else 0
