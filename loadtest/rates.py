"""Outcomes as rates by round, aligned so that what met the same conditions can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.model import Cell, Load, Outcome, Plan
from loadtest.statistics import Rates


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
    rounds = 1 + max((outcome.round for outcome in outcomes), default=-1)
    found: dict[str, list[float | None]] = {}
    for outcome in outcomes:
        rates = found.setdefault(outcome.cell, [None] * rounds)
        loaded = outcome.loaded if outcome.status == "measured" else None
        # A rate of 0 is a failure, not a number to compare.
        rates[outcome.round] = (loaded.goodput or None) if loaded else None
    return dict(found)


def arms(plan: Plan, rates: Mapping[str, Rates]) -> list[tuple[Rates, Rates]]:
    """Return the rates of the reference server and of its second arm, at each endpoint."""
    twins = {server.name: server.again for server in plan.servers if server.again}
    pairs = []
    for cells in groups(plan).values():
        of = {cell.server: rates.get(cell.id, ()) for cell in cells}
        pairs += [
            (of[reference], of[twin])
            for twin, reference in twins.items()
            if of.get(reference) and of.get(twin)
        ]
    return pairs
