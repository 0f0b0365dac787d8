"""Markers that are derived from the key of an operation and from a request, instead of random ones."""

from __future__ import annotations

import hashlib
import json
from typing import Any

#: The beginning of all markers; 32 hexadecimal digits follow.
START = "os-retries-"
#: How many of the digits belong to the key.
_OF_KEY = 12


def prefix(key: str) -> str:
    """Return the digits with which all markers of an operation begin."""
    return hashlib.sha256(key.encode()).hexdigest()[:_OF_KEY]


def request_digest(**parts: Any) -> str:
    """Return the digest of a request in canonical form: equal requests have equal digests.

    :param parts: everything that distinguishes one request from another, as JSON
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def markers_of(key: str, done: set[tuple[str, int, int]]) -> set[str]:
    """Return the markers of the requests of a run that have succeeded.

    :param done: digest, ordinal and generation of each
    """
    return {derive(key, *each) for each in done}


def derive(key: str, digest: str, ordinal: int, generation: int = 0) -> str:
    """Return the marker of a request in an operation.

    It has the length and the form of a random marker, so that every field that accepts a random one accepts it too.

    :param digest: the digest of the request
    :param ordinal: the number of the request among equal ones, from 1
    :param generation: how many resources with earlier markers of this request have been deleted
    """
    text = f"{key}\n{digest}\n{ordinal}" + (f"\n{generation}" if generation else "")
    return START + prefix(key) + hashlib.sha256(text.encode()).hexdigest()[: 32 - _OF_KEY]
