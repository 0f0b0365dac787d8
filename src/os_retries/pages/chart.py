"""The charts of a page: numbers over time, with a curve for each policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How many points a curve has at most; a screen does not show more.
_POINTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart.

    ``title``
        What the numbers are.
    ``curves``
        For each policy the number at each instant.
    ``limit``
        A number at which a dashed line is drawn, and what it stands for; None for no line.
    """

    title: str
    curves: Sequence[Sequence[float]]
    limit: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The charts of one page, one below the other, over the same time.

    ``policies``
        The names of the curves.
    ``seconds``
        The instants, in seconds from the beginning.
    ``charts``
        The charts.
    ``trouble``
        The spans of time in which the service is in trouble, each from a second to a second.
    """

    policies: Sequence[str]
    seconds: Sequence[float]
    charts: Sequence[Chart]
    trouble: Sequence[tuple[float, float]] = field(default=())

    def as_data(self) -> dict[str, Any]:
        """Return what the script of the page reads."""
        return {
            "policies": list(self.policies),
            "seconds": list(self.seconds),
            "trouble": [list(each) for each in self.trouble],
            "charts": [
                {"title": each.title, "curves": [list(curve) for curve in each.curves], "limit": each.limit}
                for each in self.charts
            ],
        }


def instants(length: float) -> list[float]:
    """Return the instants at which the numbers of ``length`` seconds are shown: at steps of 1, 2 or 5, or tenths.

    There are a thousand at most, and the last one is not before the end.
    """
    step = 0.001
    factors = (2.0, 2.5, 2.0)  # 1, 2, 5, 10
    turn = 0
    while length / step > _POINTS - 1:
        step *= factors[turn % 3]
        turn += 1
    number = int(length / step + 1e-9) + 2
    return [round(at * step, 6) for at in range(number)]


def in_total(times: Sequence[float], seconds: Sequence[float]) -> list[int]:
    """Return for each instant how many of ``times`` have passed.

    :param seconds: the instants, in ascending order
    """
    waiting = sorted(times)
    found, passed = [], 0
    for instant in seconds:
        while passed < len(waiting) and waiting[passed] <= instant:
            passed += 1
        found.append(passed)
    return found
