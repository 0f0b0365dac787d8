"""The public records of what happened to a call, which the log, the hooks and ``exception.os_retries`` carry."""

from os_retries.core.evidence import Attempt, Evidence, GiveUp, LookedUp, Retry, Wait
from os_retries.core.failure import Kind

__all__ = ["Attempt", "Evidence", "GiveUp", "Kind", "LookedUp", "Retry", "Wait"]
