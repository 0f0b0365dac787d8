"""Rules that give faults to requests, at random or by a script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from os_retries.core.failure import RETRY_CODES
from os_retries.faults.fault import Fault, check_status, header_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the rules see it.

    ``service``
        The official service type, such as ``block-storage``, according to the catalog of the session's token; None
        before the first token, and for URLs that are not in the catalog.
    ``verb``, ``path``
        The HTTP verb, and the path of the URL.
    ``pattern``
        The path with ``{id}`` for every segment that has a digit, except for versions: ``/v2.1/servers/{id}``.
    ``number``
        The number of the request, from 1, among those with the same service, verb and pattern.
    """

    service: str | None
    verb: str
    path: str
    pattern: str
    number: int = 0

    @property
    def token(self) -> bool:
        """Whether the request asks for a token."""
        return self.verb == "POST" and self.path.endswith("/auth/tokens")

    @property
    def discovery(self) -> bool:
        """Whether the request asks for the versions of an API: a GET whose path is only a name and a version."""
        return self.verb == "GET" and _DISCOVERY.fullmatch(self.path) is not None


VERSION = re.compile(r"v\d+(\.\d+)?")
_DISCOVERY = re.compile(r"(/[a-z-]+)?(/v\d+(\.\d+)?)?/?")
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def only(
    *, service: str | None = None, verb: str | Collection[str] | None = None, path: str | None = None
) -> Callable[[Request], bool]:
    """Return a filter for ``AtRandom`` and ``Script``, which accepts a request if all given parameters match.

    Any other function that takes a :class:`Request` and returns a bool may be used as a filter too.

    :param service: an official service type, such as ``compute``
    :param verb: one verb or several
    :param path: a regular expression that is searched for in the path
    :raises ValueError: for an unknown verb, or for a path that is not a regular expression
    """
    verbs = {verb} if isinstance(verb, str) else None if verb is None else set(verb)
    if verbs is not None and not verbs <= _VERBS:
        raise ValueError(f"unknown verb {', '.join(sorted(verbs - _VERBS))}: must be {', '.join(sorted(_VERBS))}")
    try:
        pattern = None if path is None else re.compile(path)
    except re.error as error:
        raise ValueError(f"path is not a regular expression: {path!r}: {error}") from error

    def matches(request: Request) -> bool:
        return (
            (service is None or request.service == service)
            and (verbs is None or request.verb in verbs)
            and (pattern is None or pattern.search(request.path) is not None)
        )

    return matches


def anything(_request: Request) -> bool:
    """Accept every request.  This is the default of ``only``."""
    return True


def _choose(values: Sequence[Any], dice: float) -> Any:
    return values[int(dice * len(values))]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRandom:
    """Faults at random.  The rates are shares of the requests, from 0 to 1, and add up to 1 at most.

    :param refused: rate of requests answered with one of ``statuses``, which the service does not see
    :param lost: rate of requests that the service processes, and that are then answered with 502 or 504, reset or
        stalled
    :param unreachable: rate of refused connections
    :param reset: rate of connections that are reset before the service sees the request
    :param stall: rate of requests that are never answered, and that the service does not see
    :param statuses: the statuses to choose from for ``refused``
    :param retry_after: the values of Retry-After to choose from for ``refused``: seconds or a text; None for no header
    :param html: share of the ``refused`` responses that are the page of a load balancer
    :param only: a filter: which requests the rule applies to
    :raises ValueError: for a rate or a status outside its range
    """

    refused: float = 0.0
    lost: float = 0.0
    unreachable: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    statuses: Collection[int] = RETRY_CODES
    retry_after: Sequence[float | str | None] = (None, 2)
    html: float = 0.5
    only: Callable[[Request], bool] = anything

    def __post_init__(self) -> None:
        for name in ("refused", "lost", "unreachable", "reset", "stall", "html"):
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, not {rate!r}")
        total = self.refused + self.lost + self.unreachable + self.reset + self.stall
        if total > 1 + 1e-9:
            raise ValueError(f"the rates add up to {total:g}, but must add up to 1 at most")
        for name, values in (("statuses", self.statuses), ("retry_after", self.retry_after)):
            if isinstance(values, str) or not values:
                raise ValueError(f"{name} must be a list that is not empty, not {values!r}")
        for status in self.statuses:
            check_status(status)
        for value in self.retry_after:
            header_text(value)

    def fault(self, dice: Dice) -> Fault | None:
        """Return the fault of one request, or None."""
        makers: tuple[tuple[float, Callable[[], Fault]], ...] = (
            (
                self.refused,
                lambda: Fault.refused(
                    _choose(sorted(self.statuses), dice.status),
                    retry_after=_choose(self.retry_after, dice.retry_after),
                    html=dice.html < self.html,
                ),
            ),
            (self.lost, lambda: _choose(_LOST, dice.status)),
            (self.unreachable, Fault.unreachable),
            (self.reset, Fault.reset),
            (self.stall, Fault.stall),
        )
        below = 0.0
        for rate, make in makers:
            below += rate
            if dice.kind < below:
                return make()
        return None


_LOST = (Fault.lost(502), Fault.lost(504), Fault.reset(processed=True), Fault.stall(processed=True))


class Script:
    """A sequence of faults, one for each request that ``only`` accepts.

    :param faults: the faults in order; None for a request without a fault.  After the last one there are no more
        faults.
    :param only: a filter: which requests the rule applies to
    :raises TypeError: for an item that is neither a Fault nor None
    """

    def __init__(self, faults: Iterable[Fault | None], *, only: Callable[[Request], bool] = anything) -> None:
        self.only = only
        self.left = list(faults)
        for each in self.left:
            if each is not None and not isinstance(each, Fault):
                raise TypeError(f"a script holds Faults and None, not {each!r}")

    def fault(self, _dice: Dice) -> Fault | None:
        """Return the next fault of the sequence, or None."""
        return self.left.pop(0) if self.left else None


@dataclass(frozen=True, slots=True)
class Dice:
    """The random numbers of one request.

    Every request takes the same number of them, so that no decision shifts those of the next request.
    """

    kind: float
    status: float
    retry_after: float
    html: float
