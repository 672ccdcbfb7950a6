"""Outcomes as values by round, aligned so that what met the same conditions can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from scipy.special import chdtri

from loadtest.records import clients
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Load, Plan
from loadtest.stats.ratios import Rates

T = TypeVar("T", bound=Outcome | clients.Outcome)


def by_round(
    outcomes: Sequence[T], key: Callable[[T], str], value: Callable[[T], float | None]
) -> dict[str, Rates]:
    """Return the values of each `key` by round, None where a round has none.

    A round's last outcome wins; all have as many rounds as the run. 0 is a failure, not a number to
    compare.
    """
    rounds = 1 + max((outcome.round for outcome in outcomes), default=-1)
    values: dict[str, list[float | None]] = {}
    for outcome in outcomes:
        row = values.setdefault(key(outcome), [None] * rounds)
        row[outcome.round] = value(outcome) or None
    return dict(values)


def groups(plan: Plan) -> dict[tuple[str, Load], list[Cell]]:
    """Return the cells that can be compared: one endpoint and style under one load, all servers."""
    groups: dict[tuple[str, Load], list[Cell]] = {}
    for cell in plan.cells:
        groups.setdefault((cell.endpoint.id, cell.load), []).append(cell)
    return groups


def has_number(outcome: Outcome) -> bool:
    """Say whether a load that ran to its end left a rate: zeros would rank as numbers."""
    loaded = outcome.loaded
    return (
        outcome.status == "measured"
        and loaded is not None
        and loaded.duration_us > 0
        and loaded.goodput > 0
    )


def goodputs(outcomes: Sequence[Outcome]) -> dict[str, Rates]:
    """Return the goodput of each cell by round, see `by_round`."""
    return _of_cells(outcomes, lambda outcome: outcome.loaded.goodput if outcome.loaded else None)


def cpu_times(outcomes: Sequence[Outcome]) -> dict[str, Rates]:
    """Return the server's CPU microseconds for an answer of each cell by round, likewise."""
    return _of_cells(outcomes, lambda outcome: outcome.server_cpu_us)


def _of_cells(
    outcomes: Sequence[Outcome], value: Callable[[Outcome], float | None]
) -> dict[str, Rates]:
    return by_round(
        outcomes,
        lambda outcome: outcome.cell,
        lambda outcome: value(outcome) if has_number(outcome) else None,
    )


SPREAD = 0.10
"""Standard deviation of the rounds' goodput, as a share of it."""


def chance(rounds: int) -> float:
    """Return how many times too high a standard deviation of so many rounds may come out.

    The root of chi-square's 95 % point over its degrees of freedom.
    """
    return math.sqrt(float(chdtri(rounds - 1, 0.05)) / (rounds - 1))
