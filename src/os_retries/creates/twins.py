"""Equal creates in flight in this process, which a look-up without a marker cannot tell apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from os_retries import forks

if TYPE_CHECKING:
    from os_retries.creates.create import Create


class Member(Protocol):
    """A create that is in flight."""

    create: Create
    #: Set to True when an equal create was in flight at the same time.
    crowded: bool


class Twins:
    """The creates in flight, grouped by their path and their fields."""

    def __init__(self) -> None:
        self._lock = forks.Lock()
        self._groups: dict[str, set[Member]] = {}

    def add(self, member: Member) -> None:
        """Register a create, and set ``crowded`` on all equal creates in flight if there is more than one."""
        with self._lock:
            group = self._groups.setdefault(self._key(member), set())
            group.add(member)
            if len(group) > 1:
                for each in group:
                    each.crowded = True

    def remove(self, member: Member) -> None:
        """Remove a create that has ended."""
        with self._lock:
            key = self._key(member)
            group = self._groups.get(key, set())
            group.discard(member)
            if not group:
                self._groups.pop(key, None)

    def forget(self) -> None:
        """Forget all creates.  In a child process the creates of the parent are not in flight."""
        self._groups.clear()

    def _key(self, member: Member) -> str:
        return f"{member.create.groups['path']} {json.dumps(member.create.asked, sort_keys=True, default=str)}"


twins = Twins()
forks.in_child(twins.forget)
