"""What a run answers: who leads at each kind of work, by how much, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.answer.records import (
    Answer,
    Arm,
    Claim,
    Difference,
    Interfaces,
    Kind,
    Led,
    Limit,
    Share,
    Styles,
)
from loadtest.model import Plan
from loadtest.ranking import Ranking

__all__ = [
    "Answer",
    "Arm",
    "Claim",
    "Difference",
    "Interfaces",
    "Kind",
    "Led",
    "Limit",
    "Share",
    "Styles",
    "answer",
]


def answer(rankings: Sequence[Ranking], plan: Plan, floor: float | None, looks: int) -> Answer:
    """Return what the rankings of a run say; `floor` is its noise floor as a share."""
    rows = [row for ranking in rankings for row in ranking.rows]
    return Answer(
        kinds=(),
        shares=(),
        leaders=(),
        told=0,
        usable=sum(row.shown is not None for row in rows),
        cells=sum(row.status != "skipped" for row in rows),
        limits=("no-noise-floor",) if floor is None else (),
    )
