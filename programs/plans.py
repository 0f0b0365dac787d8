"""Which fault a request meets: a plan is a name, a rate and a seed.

The dice of a request depend on the seed, on its kind (the verb and the path without ids) and on how many of that kind
came before, and on nothing else. So a run that repeats some requests meets the same faults in all the others.
"""

import contextlib
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

READS = frozenset({"GET", "HEAD", "OPTIONS"})
PLANS = {"none": 0.0, "mixed": 0.2, "lost-writes": 0.15, "first-answer": 1.0, "outage": 1.0}  # and their usual rates
# What a mixed plan does, and how often. The first three keep the request from the service, the others the answer from
# the client.
MIXED = {"refused": 6, "page-before": 3, "dropped": 2, "lost": 4, "cut": 2, "page-after": 3}
BEFORE = frozenset({"refused", "page-before", "dropped"})
LOST = ("lost", "lost", "cut", "page-after")
OUTAGE = ("page-before", "page-before", "dropped", "refused")
# A policy has five retries: a plan never fails the same request four times running, so that chance cannot use them up.
IN_A_ROW = 3

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9]+|AUTH_.*|os-retries-.*|.*%.*", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What is done to one request."""

    name: str
    """A key of MIXED."""
    choice: float
    """Picks between the forms of that fault, from 0 to 1."""

    @property
    def processed(self) -> bool:
        """Whether the service gets the request all the same."""
        return self.name not in BEFORE


def kind_of(method: str, url: str, body: bytes, run: str) -> str:
    """Name the kind of a request: ``POST 18774/v2.1/servers/*/action os-start``; ``run`` begins the run's own names."""
    parts = urlsplit(url)
    own = re.sub("[^a-z0-9]", "", run.lower())
    path = "/".join("*" if _is_name(each, own) else each for each in parts.path.split("/"))
    words = [method, f"{parts.port}{path}"]
    if path.endswith("/action"):  # one path for many different writes
        with contextlib.suppress(ValueError, TypeError):
            words += list(json.loads(body))[:1]
    return " ".join(words)


def _is_name(segment: str, own: str) -> bool:
    return bool(_ID.fullmatch(segment)) or bool(own and own in re.sub("[^a-z0-9]", "", segment.lower()))


class Plan:
    """Decides what each request meets.

    :param rate: the share of the requests that meet a fault; of an outage and of first answers it means nothing
    :param outage: of the plan ``outage``: at which request it begins, and how many seconds it lasts
    """

    def __init__(
        self,
        name: str,
        *,
        seed: int = 0,
        rate: float | None = None,
        run: str = "",
        outage: tuple[int, float] = (20, 8.0),
    ) -> None:
        self.name, self.seed, self.run, self.outage = name, seed, run, outage
        self.rate = PLANS[name] if rate is None else rate
        self._seen: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()
        self._requests = 0
        self._down_until: float | None = None

    def fault(self, method: str, url: str, kind: str, now: float) -> Fault | None:
        """Draw for the next request."""
        self._requests += 1
        self._seen[kind] += 1
        dice = random.Random(f"{self.seed} {kind} {self._seen[kind]}")
        name = self._draw(method, kind, dice, now)
        request = f"{method} {url}"
        if self.name in ("mixed", "lost-writes") and self._in_a_row[request] >= IN_A_ROW:
            name = None
        self._in_a_row[request] = self._in_a_row[request] + 1 if name else 0
        return Fault(name, dice.random()) if name else None

    def _draw(self, method: str, kind: str, dice: random.Random, now: float) -> str | None:
        match self.name:
            case "mixed":
                hit, name = dice.random() < self.rate, dice.choices(list(MIXED), list(MIXED.values()))[0]
                return name if hit else None
            case "lost-writes":
                hit, name = dice.random() < self.rate, dice.choice(LOST)
                return name if hit and method not in READS else None
            case "first-answer":
                return dice.choice(LOST) if self._seen[kind] == 1 and method not in READS else None
            case "outage":
                if self._requests == self.outage[0]:
                    self._down_until = now + self.outage[1]
                down = self._down_until is not None and now < self._down_until
                return dice.choice(OUTAGE) if down else None
        return None
