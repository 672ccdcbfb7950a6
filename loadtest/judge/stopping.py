"""When a run may stop that goes on until it knows: what is still open, and how often it looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from loadtest.records import clients, planned
from loadtest.stats.pairs import Pairs, against
from loadtest.stats.ratios import Rates, half_width
from loadtest.stats.significance import LOOKS

MOST_LOOKS = max(LOOKS)
"""Of a run that goes on until it knows."""


def interim_looks(plan: planned.Plan | clients.Plan) -> int:
    """Return how often a run may look at its data before it says what it shows, see `level`.

    The plan's rounds are one look, and each that may follow is another. For a run that goes on
    until it knows, they are the most that is tabled: counting the looks as they come would claim a
    difference in 9 % of runs without one, this does in 4 %.
    """
    most_rounds: int | None = getattr(plan, "most_rounds", None)
    if most_rounds is not None:
        return max(1, most_rounds - plan.rounds + 1)
    return 1 if plan.precision is None else MOST_LOOKS


def usable(rates: Mapping[str, Rates], invalid: Collection[str]) -> dict[str, Rates]:
    """Return the rates of the cells whose number may be compared."""
    return {cell: row for cell, row in rates.items() if cell not in invalid and any(row)}


def open_names(
    pairs: Pairs, rates: Mapping[str, Rates], reference: str | None, precision: float
) -> set[str]:
    """Return those of one table whose place is undecided, or whose ratio is not known so well."""
    widths = {
        name: half_width(comparison) for name, comparison in against(rates, reference).items()
    }
    wide = {name for name, width in widths.items() if width is None or width > precision}
    return wide | pairs.undecided
