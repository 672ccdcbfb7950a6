"""Places the rows of one ranking by its table of pairs: ranks that rows may share, ratios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from loadtest.judge.rows import Row, Versus
from loadtest.records.planned import Status
from loadtest.stats.pairs import Pairs, against
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import Finding

R = TypeVar("R", bound=Row)

ORDER: dict[Status, int] = {"measured": 0, "failed": 1, "skipped": 2}


def placed(rows: Sequence[R], pairs: Pairs, order: Callable[[R], tuple[float, str]]) -> list[R]:
    """Return the rows with their ranks: the ranked, then the others by what they are.

    `order` is that of rows which share a rank, or have none.
    """
    ranks = pairs.ranks
    shared = Counter(ranks.values())
    rows = [
        msgspec.structs.replace(
            row, rank=ranks.get(row.name), tied=shared[ranks.get(row.name, 0)] > 1
        )
        for row in rows
    ]
    return sorted(
        rows, key=lambda row: (row.rank is None, ORDER[row.status], row.rank or 0, order(row))
    )


def versus(
    rates: Mapping[str, Rates], base: str | None, finding: Callable[[str, str], Finding]
) -> dict[str, Versus]:
    """Return how the others' rates compare with those of `base`, each with its `finding`."""
    return {
        name: Versus(
            ratio=comparison.ratio,
            low=comparison.low,
            high=comparison.high,
            finding=finding(name, base or ""),
        )
        for name, comparison in against(rates, base).items()
        if comparison.ratio is not None
    }
