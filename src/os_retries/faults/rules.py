"""Which requests meet which faults: by chance, or by a script."""

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

    ``service`` is the official service type (``block-storage``), told from the catalog that came with the session's
    token; None before there was one, and for addresses that are not in it.  ``pattern`` is the path with every
    segment that holds a digit, versions apart, replaced: ``/v2.1/servers/{id}``.  ``number`` counts the requests with
    the same service, verb and pattern from 1.
    """

    service: str | None
    verb: str
    path: str
    pattern: str
    number: int = 0

    @property
    def token(self) -> bool:
        """Whether it asks for a token."""
        return self.verb == "POST" and self.path.endswith("/auth/tokens")

    @property
    def discovery(self) -> bool:
        """Whether it asks which versions of an API there are: a GET of nothing but a name and a version."""
        return self.verb == "GET" and _DISCOVERY.fullmatch(self.path) is not None


VERSION = re.compile(r"v\d+(\.\d+)?")
_DISCOVERY = re.compile(r"(/[a-z-]+)?(/v\d+(\.\d+)?)?/?")
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def only(
    *, service: str | None = None, verb: str | Collection[str] | None = None, path: str | None = None
) -> Callable[[Request], bool]:
    """Make a filter for ``AtRandom`` and ``Script``: what is given must hold; any function of a request does as well.

    :param service: an official service type, such as ``compute``
    :param verb: one verb or several
    :param path: a regular expression that is searched in the path
    :raises ValueError: for an unknown verb, or a path that is no regular expression
    """
    verbs = {verb} if isinstance(verb, str) else None if verb is None else set(verb)
    if verbs is not None and not verbs <= _VERBS:
        raise ValueError(f"unknown verb {', '.join(sorted(verbs - _VERBS))}: one of {', '.join(sorted(_VERBS))}")
    try:
        pattern = None if path is None else re.compile(path)
    except re.error as error:
        raise ValueError(f"path is no regular expression: {path!r}: {error}") from error

    def matches(request: Request) -> bool:
        return (
            (service is None or request.service == service)
            and (verbs is None or request.verb in verbs)
            and (pattern is None or pattern.search(request.path) is not None)
        )

    return matches


def anything(_request: Request) -> bool:
    """Let every request through; the default of ``only``."""
    return True


def _choose(values: Sequence[Any], dice: float) -> Any:
    return values[int(dice * len(values))]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRandom:
    """Faults by chance.  The rates are shares of the requests, from 0 to 1, and add up to 1 at most.

    :param refused: answered by one of ``statuses`` before the service sees the request
    :param lost: processed by the service, and then answered by 502 or 504, reset or stalled
    :param unreachable: connection refused
    :param reset: connection reset before the service sees the request
    :param stall: never answered, and never seen by the service
    :param statuses: of what is refused
    :param retry_after: values of Retry-After to choose from for what is refused; None for no such header
    :param html: share of the answers that are a balancer's page
    :param only: which requests the rule is for
    :raises ValueError: for a rate or a status out of its range
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
            raise ValueError(f"the rates add up to {total:g}, and no more than 1 makes sense")
        for name, values in (("statuses", self.statuses), ("retry_after", self.retry_after)):
            if isinstance(values, str) or not values:
                raise ValueError(f"{name} must be a list with something in it, not {values!r}")
        for status in self.statuses:
            check_status(status)
        for value in self.retry_after:
            header_text(value)

    def fault(self, dice: Dice) -> Fault | None:
        """Decide for one request."""
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
    """These faults in this order, one for each request that ``only`` lets through; None lets a request through.

    When they are used up everything is let through.
    """

    def __init__(self, faults: Iterable[Fault | None], *, only: Callable[[Request], bool] = anything) -> None:
        self.only = only
        self.left = list(faults)
        for each in self.left:
            if each is not None and not isinstance(each, Fault):
                raise TypeError(f"a script holds Faults and None, not {each!r}")

    def fault(self, _dice: Dice) -> Fault | None:
        """Take the next one."""
        return self.left.pop(0) if self.left else None


@dataclass(frozen=True, slots=True)
class Dice:
    """What one request rolls: always the same number of dice, so that no decision shifts the next one's."""

    kind: float
    status: float
    retry_after: float
    html: float
