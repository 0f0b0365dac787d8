"""The defaults of ``os-retries run``, taken from the table of options; creating a policy would take longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The options that have another default below ``run``, which is for interactive use.
INTERACTIVE: Mapping[str, Any] = {
    option.name: option.interactive for option in OPTIONS if option.interactive is not None
}


def write(policies: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the options of each service as text."""
    import json

    return json.dumps(policies, default=sorted)  # the statuses are a set
