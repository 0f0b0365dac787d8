"""Simulate 25,000 calls to a service in trouble, with the retries of os-retries and of others.

The others are the specification's loop, keystoneauth and AWS.  There are four scenarios with trouble and one without an
outage, on a virtual clock.  os-retries runs with its real policy and pacer.  ``--sweep`` runs many other scenarios with
os-retries alone.

These are the promises: at most 0.05 % of the calls fail; there are at most 1.15 attempts for each call that begins
during the trouble; the load is at most 1.2 times the capacity in any five seconds; and the queue is drained within 1.5
times the time of an ideal scheduler that knows the capacity.

``python bench/storm.py [--sweep] [--json] [--picture FILE]``; the exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from os_retries import RetryPolicy
from os_retries.simulate.command import contestant, field, run
from os_retries.simulate.model import clairvoyant
from os_retries.simulate.report import PICTURES, series, table
from os_retries.simulate.scenario import Scenario
from picture import svg

OURS = "os-retries"
FAILED, AMPLIFICATION, PEAK, DRAINED = 0.0005, 1.15, 1.2, 1.5

SCENARIOS = {
    "outage of 40 s": Scenario(),
    "outage of 120 s": Scenario(lasts=120.0),
    "half capacity for 120 s": Scenario(lasts=120.0, left=0.5),
    "half capacity, collapsing under overload, then 110 %": Scenario(lasts=120, left=0.5, collapses=True, after=110.0),
    "20 % fail at random, 200/s": Scenario(rate=200.0, capacity=100_000.0, lasts=0.0, failing=0.2),
}


def sweep() -> dict[str, Scenario]:
    """Return the other scenarios by name: other loads, outages and services."""
    plain = Scenario(calls=0)
    all_ = {
        **{f"{rate:g}/s": replace(plain, rate=rate, capacity=1.5 * rate) for rate in (1.0, 3.0, 10.0, 30.0, 300.0)},
        "1000/s, 20 s": replace(plain, rate=1000.0, capacity=1500.0, lasts=20.0),
        **{f"outage of {lasts:g} s": replace(plain, lasts=lasts) for lasts in (5.0, 20.0, 240.0)},
        "outage of 600 s, 20/s": replace(plain, rate=20.0, capacity=30.0, lasts=600.0),
        **{f"capacity {share:.0%}": replace(plain, capacity=100.0 * share) for share in (1.2, 2.0, 10.0)},
        "capacity 110%, 20 s": replace(plain, capacity=110.0, lasts=20.0),
        "collapsing, 40 s": replace(plain, collapses=True),
        "20 % at random, and an outage": replace(plain, failing=0.2, capacity=200.0),
        "answers take 2 s": replace(plain, latency=2.0),
        **{f"{number} processes, shared": replace(plain, processes=number) for number in (10, 200)},
    }
    return {name: replace(each, calls=enough(each)) for name, each in all_.items()}


def enough(scenario: Scenario) -> int:
    """Return how many calls begin until the queue is drained, if it is drained as fast as promised."""
    spare = (scenario.after or scenario.capacity) * (1.0 - scenario.failing) - scenario.rate
    backlog = scenario.rate * scenario.lasts
    return round(scenario.rate * (scenario.ends + 60.0 + 1.6 * backlog / spare))


def judge(name: str, figures: dict[str, Any]) -> list[str]:
    """Return a message for each promise that is missed."""
    return [
        f"{name}: {what} {figures[what]:.4g}, not {limit:g}"
        for what, limit in (
            ("failed", FAILED),
            ("amplification", AMPLIFICATION),
            ("peak", PEAK),
            ("drained", DRAINED),
        )
        if figures[what] is not None and figures[what] > limit
    ]


def figures_of(result: Any, ideal: float) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "calls": result.calls,
        "failed": result.failed / result.calls,
        "amplification": result.amplification if scenario.lasts else None,
        "peak": result.peak_of_five / max(scenario.capacity, scenario.after or 0.0) if scenario.lasts else None,
        "peak_of_one": result.peak / scenario.capacity,
        "drained": result.drained / max(ideal, 10.0) if scenario.lasts else None,
        "drained_seconds": result.drained,
        "ideal_seconds": ideal,
    }


def draw(scenario: Scenario, results: dict[str, Any], what: tuple[str, ...]) -> Any:
    """Draw charts over time, one below the other, with a curve for each policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2 * len(what)), layout="constrained")
    for axes, kind in zip(figure.subplots(len(what), 1, sharex=True, squeeze=False)[:, 0], what, strict=True):
        axes.axvspan(scenario.begins, scenario.ends, color="0.9")
        for name, result in results.items():
            axes.plot(series(result, kind), label=name, linewidth=1.3)
        if kind == "attempts":
            axes.axhline(scenario.capacity, color="0.4", linestyle="--", linewidth=1)
        axes.set(ylim=(0, None), xlim=(0, None), ylabel=PICTURES[kind].partition(" (")[0])
        axes.grid(alpha=0.3)
    axes.set_xlabel("seconds; gray: the service is in trouble; dashed: what it can take")
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sweep", action="store_true", help="run many other scenarios, with os-retries alone")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--picture", metavar="FILE", help="draw the outage of 40 s, as SVG (needs matplotlib)")
    options = parser.parse_args()
    all_figures, missed = {}, []
    for name, scenario in (sweep() if options.sweep else SCENARIOS).items():
        if options.sweep:
            policy = RetryPolicy(retry_max_wait=300.0 if scenario.lasts <= 120 else 3600.0)
            makes = {OURS: contestant(policy, "fleet")}
        else:
            makes = field()
        results = run(scenario, makes, quiet=options.json)
        ideal = clairvoyant(scenario) if scenario.lasts else 0.0
        all_figures[name] = {"scenario": asdict(scenario)} | {
            each: figures_of(result, ideal) for each, result in results.items()
        }
        ours = all_figures[name][OURS]
        missed += judge(name, ours)
        if not options.json:
            print(f"{name}\n{table(results, ideal)}")
            if scenario.lasts:
                print(
                    f"ours: {ours['failed']:.3%} failed, x{ours['amplification']:.2f}, "
                    f"peak {ours['peak']:.2f} of the capacity in five seconds ({ours['peak_of_one']:.2f} in one), "
                    f"drained in {ours['drained']:.2f} times the least"
                )
            print(flush=True)
        if options.picture and name == "outage of 40 s":
            Path(options.picture).write_text(svg(draw(scenario, results, ("given_up", "attempts", "waiting"))) + "\n")
    if options.json:
        print(json.dumps(all_figures, indent=2))
    for line in missed:
        print(f"MISSED: {line}", file=sys.stderr if options.json else sys.stdout)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
