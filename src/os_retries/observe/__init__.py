"""Sinks for the events of calls that fail: metrics, traces and logs.

``add`` passes each event to a function.  The other modules are the sinks that a name installs; each imports its library
only when it is installed.  Nothing here may change a call, and a call that succeeds at once reports no event.
"""

from os_retries.core.events import (
    Answered,
    AttemptFailed,
    CreateLookedUp,
    Event,
    GivenUp,
    Paced,
    Retrying,
    Succeeded,
    Waited,
)
from os_retries.observe.sinks import Added, add, named

__all__ = [
    "Added",
    "Answered",
    "AttemptFailed",
    "CreateLookedUp",
    "Event",
    "GivenUp",
    "Paced",
    "Retrying",
    "Succeeded",
    "Waited",
    "add",
    "named",
]
