"""Hooks that are called for retries, for calls that are given up, and for look-ups.

Only ``os_retries.testing`` and the programs below ``os-retries run`` set them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.core.evidence import Evidence, LookedUp, Retry

#: Called before each retry, instead of the sleep.
instead_of_sleep: Callable[[Retry], None] | None = None
#: Called for each call that is given up.
on_give_up: Callable[[Evidence], None] | None = None
#: Called for each create that is looked up.
on_look_up: Callable[[LookedUp], None] | None = None
