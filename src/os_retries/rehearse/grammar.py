"""The language of ``--faults``: ``lost 5%, refused 503 10% of compute POST, outage 30s at 60s``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("refused", "lost", "unreachable", "reset", "stall", "cut", "late", "outage")
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_WITH_STATUS = frozenset({"refused", "lost", "late", "outage"})
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, None: 1}
_LONGEST = 86400.0


class GrammarError(ValueError):
    """Raised for a mistake in the text of ``--faults``.  The message names the clause and says what is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause: which requests get which fault, and how many of them.

    ``kind``
        One of ``KINDS``.
    ``rate``
        The share of the requests, from 0 to 1; None if ``times`` or ``begin`` says which requests get the fault.
    ``times``
        The number of the first requests of the whole run that get the fault; None if ``rate`` or ``begin`` is given.
    ``begin``, ``end``
        For an outage: the seconds from the start of the run until the outage begins and ends.
    ``status``
        The status of the answer; None for a random one.
    ``retry_after``
        The Retry-After of the answer, in seconds; None for no such header.
    ``seconds``
        For ``late``: the seconds after which the service gets the request.
    ``nth``
        For a replayed fault: the number of the request that gets it among the matching requests of the run, from 1.
    ``service``, ``verb``, ``path``
        A filter for the requests: the service type, the verb, and a regular expression that is searched for in the
        path; None for all.
    """

    kind: str
    rate: float | None = None
    times: int | None = None
    begin: float | None = None
    end: float | None = None
    status: int | None = None
    retry_after: float | None = None
    seconds: float | None = None
    service: str | None = None
    verb: str | None = None
    path: str | None = None
    nth: int | None = None


def parse(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a text.

    :raises GrammarError: if the text is invalid
    """
    parts = [part for part in (each.strip() for each in text.split(",")) if part]
    if not parts:
        raise GrammarError("there is no fault: write for example 'lost 5%, refused 10%'")
    clauses = tuple(_clause(part) for part in parts)
    total = sum(clause.rate or 0.0 for clause in clauses)
    if total > 1 + 1e-9:
        raise GrammarError(f"the shares add up to {total:.0%}, but must add up to 100% at most")
    return clauses


def _clause(text: str) -> Clause:
    head, _, tail = text.partition(" of ")
    kind, *words = head.split()
    if kind not in KINDS:
        raise GrammarError(f"{text!r}: unknown fault {kind!r}: must be {', '.join(KINDS)}")
    found: dict[str, Any] = {"kind": kind}
    iterator = iter(words)
    for word in iterator:
        found |= _amount(text, kind, word, iterator)
    _check(text, found)
    return Clause(**found, **_filter(text, tail))


def _amount(text: str, kind: str, word: str, rest: Iterator[str]) -> dict[str, Any]:  # noqa: PLR0911
    """Read one word of a clause, and the words that belong to it."""
    if word.endswith("%"):
        return {"rate": _number(text, word[:-1], 0, 100, "a share such as 5%") / 100}
    if word == "once":
        return {"times": 1}
    if word == "at" and kind == "outage":
        return {"begin": _duration(text, next(rest, ""))}
    if word == "retry-after":
        return {"retry_after": _duration(text, next(rest, ""))}
    if word.isdecimal() and len(word) == 3 and kind in _WITH_STATUS:
        status = int(word)
        if not 400 <= status <= 599:
            raise GrammarError(f"{text!r}: {status} is not the status of an error (400 to 599)")
        return {"status": status}
    if word.isdecimal() and next(rest, "") == "times":
        return {"times": int(_number(text, word, 1, 1e6, "a number"))}
    if kind in ("late", "outage") and _SECONDS.fullmatch(word):
        return {"seconds": _duration(text, word)}
    raise GrammarError(f"{text!r}: {word!r} is not understood: write '{kind} 5%', '{kind} once' or '{kind} 3 times'")


def _check(text: str, found: dict[str, Any]) -> None:
    """Check that a clause says exactly once how many requests get its fault, and add the end of an outage."""
    kind = found["kind"]
    if kind == "outage":
        length = found.pop("seconds", None)
        if length is None or found.keys() & {"rate", "times"}:
            raise GrammarError(f"{text!r}: write how long the outage is, and when it begins: 'outage 30s at 60s'")
        found["begin"] = found.get("begin", 0.0)
        found["end"] = found["begin"] + length
        return
    if len(found.keys() & {"rate", "times"}) != 1:
        raise GrammarError(f"{text!r}: write how many requests get it: '{kind} 5%', '{kind} once' or '{kind} 3 times'")
    if (kind == "late") != ("seconds" in found):
        raise GrammarError(f"{text!r}: write after how many seconds the service gets the request: 'late 5s once'")
    if "retry_after" in found and kind not in ("refused", "lost"):
        raise GrammarError(f"{text!r}: only refused and lost answers have a retry-after")


def _filter(text: str, tail: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in tail.split():
        name = "verb" if word in _VERBS else "path" if word.startswith("/") else "service"
        if name in found or (name == "service" and not re.fullmatch(r"[a-z][a-z0-9-]*", word)):
            raise GrammarError(f"{text!r}: {word!r} is not understood: write 'of SERVICE VERB /PATH', or a part of it")
        if name == "path":
            try:
                re.compile(word)
            except re.error as error:
                raise GrammarError(f"{text!r}: {word!r} is not a regular expression: {error}") from None
        found[name] = word
    return found


def _duration(text: str, word: str) -> float:
    match = _SECONDS.fullmatch(word)
    if match is None:
        raise GrammarError(f"{text!r}: {word!r} is not a time: write 30s, 2m or 1h")
    return _number(text, str(float(match[1]) * _UNITS[match[2]]), 0, _LONGEST, "a time of a day at most")


def _number(text: str, word: str, low: float, high: float, what: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not low <= value <= high:
        raise GrammarError(f"{text!r}: {word!r} is not {what}")
    return value
