"""What each comparison of one table shows, as tables of pairs are judged."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.stats.ratios import Comparison, moderated
from loadtest.stats.significance import ByRounds, Finding, adjust, finding


def findings(
    table: Sequence[Comparison],
    margin: float | ByRounds,
    interim_looks: int = 1,
    near: float | None = None,
) -> tuple[Finding, ...]:
    """Judge all comparisons of one table: moderated, adjusted by Holm, against the margins."""
    drawn = moderated(table)
    adjusted = adjust([comparison.p for comparison in drawn])
    return tuple(
        finding(
            comparison,
            margin(comparison.rounds) if callable(margin) else margin,
            p,
            interim_looks,
            near,
        )
        for comparison, p in zip(drawn, adjusted, strict=True)
    )
