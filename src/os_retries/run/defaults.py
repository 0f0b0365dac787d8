"""The defaults of ``os-retries run``, made of the table of options alone: no policy is made, which takes longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The options whose default below ``run``, which is for interactive use, is another one.
INTERACTIVE: Mapping[str, Any] = {
    option.name: option.interactive for option in OPTIONS if option.interactive is not None
}


def write(policies: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the options of each service as text."""
    import json

    return json.dumps(policies, default=sorted)  # the statuses are a set
