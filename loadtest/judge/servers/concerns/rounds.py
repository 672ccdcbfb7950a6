"""Concerns about the rounds: that they differ, or are alike in using the workers unevenly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import Evidence, concern
from loadtest.records.measured import Outcome
from loadtest.records.text import latency, significant
from loadtest.stats.series import SPREAD, chance

EXPLAINED = 0.5
"""What is left of the spread at most, where another figure goes with it: a quarter of the variance.
"""

FEWEST_EXPLAINED = 3
"""Rounds."""


def _unstable(cell: Evidence) -> Check:
    """Compare the spread of the rounds with `SPREAD`, allowing for what few rounds show by chance.

    The standard deviation of n rounds scatters as chi-square with n - 1 degrees of freedom does:
    of three rounds it comes out 1.7 times too high one time in twenty. A concern is raised where
    even the lower end of the one-sided 95 % interval is above `SPREAD`.
    """
    rounds = [o for o in cell.measured if o.loaded and o.loaded.goodput > 0]
    rates = [o.loaded.goodput for o in rounds if o.loaded]
    if len(rates) < 2:
        return UNCHECKED
    # Of logarithms: half and double are equally far, and a share of the rate comes out.
    spread = stdev(map(math.log, rates))
    if spread <= SPREAD * chance(len(rates)):
        return NOTHING
    return Check(
        "suspect",
        f"{percent(spread)} over {len(rates)} rounds, {significant(min(rates))} to"
        f" {significant(max(rates))}/s{_because(rounds, rates, spread)}",
    )


def _because(rounds: Sequence[Outcome], rates: Sequence[float], spread: float) -> str:
    """Return in words what the rates go with; nothing where the facts do not show it.

    A server that is held back by its busiest process has a rate in proportion to 1 / the share of
    the work which that one does; a server that works all the time, to 1 / its CPU time an answer.
    """
    shares = [_busiest(outcome) for outcome in rounds]
    costs_us = [outcome.server_cpu_us for outcome in rounds]
    left = {
        key: stdev(math.log(each * value) for each, value in zip(rates, values, strict=True))
        for key, known in (("share", shares), ("cost", costs_us))
        if len(values := [value for value in known if value]) == len(rates)
    }
    key = min(left, key=lambda key: left[key], default=None)
    # Two points lie on many a line.
    if len(rounds) < FEWEST_EXPLAINED or key is None or left[key] > EXPLAINED * spread:
        return ""
    if key == "share":
        low, high = _range(shares)
        return f"; the busiest process did {percent(low)} to {percent(high)} of the work"
    low, high = _range(costs_us)
    return f"; CPU {latency(low)} to {latency(high)} per request"


def _busiest(outcome: Outcome) -> float | None:
    """Return the share of the server's CPU time that its busiest process used."""
    each_s = outcome.usage["server"].each_cpu_s if "server" in outcome.usage else ()
    return each_s[0] / sum(each_s) if len(each_s) > 1 and sum(each_s) > 0 else None


def _range(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None]
    return min(known), max(known)


UNEVEN = 0.5
"""Of an even share: a worker that did less in each round was left out, not unlucky in a launch."""

LEAST_CPU_S = 0.5
"""Of all workers in a round: of less, the shares are those of the clock's ticks."""


def _uneven_workers(cell: Evidence) -> Check:
    workers = cell.shape.workers
    # Of workers that were replaced each did a part, whoever was left out.
    if workers < 2 or not cell.shape.known or cell.shape.max_requests:
        return NOTHING if workers < 2 else UNCHECKED
    each_s = [
        sorted(outcome.usage["server"].each_cpu_s, reverse=True)[:workers]
        for outcome in cell.measured
        if "server" in outcome.usage
    ]
    # A master and helpers have next to nothing to do.
    shares = [
        used_s[-1] / sum(used_s)
        for used_s in each_s
        if len(used_s) == workers and sum(used_s) >= LEAST_CPU_S
    ]
    if len(shares) < 2:
        return UNCHECKED
    if max(shares) * workers >= UNEVEN:
        return NOTHING
    return Check(
        "suspect",
        f"in each of {len(shares)} rounds, the least busy of {workers} workers did no more than"
        f" {percent(max(shares))} of their work",
    )


UNEVEN_WORKERS = concern("uneven-workers", _uneven_workers)
UNSTABLE = concern("unstable", _unstable)
