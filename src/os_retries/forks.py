"""What a forked child process must reset: locks that another thread of the parent may hold, and shared state.

This module has the only handler for ``os.register_at_fork``.  Everything that needs a reset registers here.
"""

from __future__ import annotations

import os
import threading
from _weakrefset import WeakSet  # not from weakref, which takes longer to import

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Callable

_renewals: list[Callable[[], None]] = []


def in_child(renew: Callable[[], None]) -> Callable[[], None]:
    """Call ``renew`` in each child process, after the fork; usable as a decorator."""
    _renewals.append(renew)
    return renew


class Lock:
    """A reentrant lock that is free in a forked child process, even if a thread of the parent held it.

    It is reentrant, because a signal handler may call a service while the interrupted thread holds the lock.
    """

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def acquire(self, *, timeout: float = -1) -> bool:
        """Acquire the lock within ``timeout`` seconds (0: at once, -1: no limit); return whether it was acquired."""
        return self._lock.acquire(timeout > 0 or timeout == -1, timeout if timeout > 0 else -1)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def renew(self) -> None:
        """Free the lock in a child process."""
        self._lock = threading.RLock()


_locks: WeakSet[Lock] = WeakSet()


def _begin_anew() -> None:
    for lock in list(_locks):
        lock.renew()
    for renew in _renewals:
        renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
