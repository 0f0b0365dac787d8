"""The HTTP statuses that the specification repeats.

They are in a separate module, because the table of options imports nothing else from the core.
"""

from __future__ import annotations

#: The specification's "List of the errors, that can be retried".
RETRY_CODES = frozenset({408, 413, 429, 500, 502, 503, 504})
