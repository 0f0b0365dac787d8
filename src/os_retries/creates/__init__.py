"""Creates that never duplicate and never get lost: the table of all services, and the row for a request."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from os_retries.creates import block_storage, compute, elsewhere, identity, image, network, orchestration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from os_retries.creates.recipes import Recipe

TABLE: Mapping[str, tuple[Recipe, ...]] = {
    "compute": compute.ROWS,
    "identity": identity.ROWS,
    "block-storage": block_storage.ROWS,
    "network": network.ROWS,
    "image": image.ROWS,
    "orchestration": orchestration.ROWS,
    **elsewhere.ROWS,
}


def rows_for(
    service: str | None, verb: str, path: str, *, single_writer: bool = False
) -> list[tuple[Recipe, dict[str, str]]]:
    """Return the rows that speak of such a request, first come first, and what their paths' groups stand for.

    :param single_writer: with those that could take another writer's resource for one's own
    """
    if service not in TABLE:
        return []
    matches = ((row, pattern.fullmatch(path)) for row, pattern in _patterns(service, verb))
    return [
        (row, match.groupdict() | {"path": path})
        for row, match in matches
        if match and row.single_writer <= single_writer
    ]


@functools.cache
def _patterns(service: str, verb: str) -> list[tuple[Recipe, re.Pattern[str]]]:
    return [(row, re.compile(f"(?P<base>.*){row.path}")) for row in TABLE[service] if row.verb == verb]
