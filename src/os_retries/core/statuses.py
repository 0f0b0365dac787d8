"""The statuses of the specification, in a module of their own, because the table of options needs nothing else."""

from __future__ import annotations

#: "List of the errors, that can be retried".
RETRY_CODES = frozenset({408, 413, 429, 500, 502, 503, 504})
