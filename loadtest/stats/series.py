"""Outcomes as rates by round, aligned so that what met the same conditions can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Load, Plan
from loadtest.stats.ratios import Rates


def groups(plan: Plan) -> dict[tuple[str, Load], list[Cell]]:
    """Return the cells that can be compared: one endpoint and style under one load, all servers."""
    found: dict[tuple[str, Load], list[Cell]] = {}
    for cell in plan.cells:
        found.setdefault((cell.endpoint.id, cell.load), []).append(cell)
    return found


def goodputs(outcomes: Sequence[Outcome]) -> dict[str, Rates]:
    """Return the goodput of each cell by round, None where a round has none.

    A round's last outcome wins; all have as many rounds as the run.
    """
    return _by_round(outcomes, lambda outcome: outcome.loaded.goodput if outcome.loaded else None)


def cpu_times(outcomes: Sequence[Outcome]) -> dict[str, Rates]:
    """Return the server's CPU microseconds for an answer of each cell by round, likewise."""
    return _by_round(outcomes, lambda outcome: outcome.server_cpu_us)


def _by_round(
    outcomes: Sequence[Outcome], value: Callable[[Outcome], float | None]
) -> dict[str, Rates]:
    rounds = 1 + max((outcome.round for outcome in outcomes), default=-1)
    found: dict[str, list[float | None]] = {}
    for outcome in outcomes:
        rates = found.setdefault(outcome.cell, [None] * rounds)
        # A rate of 0 is a failure, not a number to compare.
        rates[outcome.round] = (value(outcome) or None) if outcome.status == "measured" else None
    return dict(found)


SPREAD = 0.10
"""Standard deviation of the rounds' goodput, as a share of it."""


def chance(rounds: int) -> float:
    """Return how many times too high a standard deviation of so many rounds may come out.

    The root of chi-square's 95 % point over its degrees of freedom, by the approximation of
    Wilson and Hilferty (PNAS 17, 1931): within 2 % of the exact value from two rounds on.
    """
    freedom = rounds - 1
    return math.sqrt((1 - 2 / (9 * freedom) + 1.6449 * math.sqrt(2 / (9 * freedom))) ** 3)
