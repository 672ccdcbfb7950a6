"""When a run may stop that goes on until it knows: what is still open, and why it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from loadtest.records import clients, measured, planned
from loadtest.records.measured import Segment
from loadtest.records.values import MOST_ROUNDS
from loadtest.stats.pairs import Pairs, against
from loadtest.stats.ratios import Rates, half_width
from loadtest.stats.significance import LOOKS

MOST_LOOKS = max(LOOKS)
"""Of a run that goes on until it knows."""

NEARLY = 0.95
"""Of a budget: a round that would not fit is not begun."""

EndedBy = Literal["decided", "budget", "failed", "interrupted"]
"""What it asks was decided, its budget was spent, every load of its last round failed, or it was
interrupted."""


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


def most_rounds(plan: planned.Plan | clients.Plan) -> int:
    """Return how many rounds a run may have: the ranks allow for so many looks, and no more."""
    return min(MOST_ROUNDS, plan.rounds + interim_looks(plan) - 1)


def rounds_begun(outcomes: Iterable[measured.Outcome | clients.Outcome]) -> int:
    """Return how many rounds were begun."""
    begun = (outcome.round for outcome in outcomes if outcome.status != "skipped")
    return 1 + max(begun, default=-1)


def ended_by(
    plan: planned.Plan | clients.Plan,
    outcomes: Sequence[measured.Outcome | clients.Outcome],
    *,
    more: bool,
    left_open: Collection[object],
    segments: Sequence[Segment] = (),
) -> EndedBy | None:
    """Return why a run has fewer rounds, or tries, than it might; None: all, or nobody knows.

    `outcomes` are those of every turn: a round failed where none of its loads was measured.
    `more`: something that was planned, or would narrow a search, was not tried; `left_open` is what
    another round would measure. Without `segments` the run has just come to its own end.
    """
    begun, most = rounds_begun(outcomes), most_rounds(plan)
    if not more and not (0 < begun < most and plan.rounds < most):
        return None
    if not more and not left_open:
        return "decided"
    last = segments[-1] if segments else None
    if last and last.interrupted:
        return "interrupted"
    if not more and all(of.round < begun - 1 or of.status != "measured" for of in outcomes):
        return "failed"
    if plan.budget_s is None:
        return None
    spent_s = sum(segment.wall_s for segment in segments)
    # Of an older run nobody noted whether it was interrupted; its time tells.
    noted = last is None or last.interrupted is not None
    return "budget" if noted or spent_s > NEARLY * plan.budget_s else None


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
