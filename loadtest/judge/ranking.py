"""Places the rows of one ranking by its table of pairs: ranks that rows may share, ratios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from loadtest.judge.rows import Row, Versus
from loadtest.records.planned import Status
from loadtest.stats.pairs import Pairs, against
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import Finding

R = TypeVar("R", bound=Row)

ORDER: dict[Status, int] = {"measured": 0, "failed": 1, "skipped": 2}


ONE_ROUND = "one round cannot separate a real difference from noise"
TOO_FEW = "too few or too variable rounds to rank them"


class Rank(NamedTuple):
    """The place of a row."""

    rank: int | None
    tied: bool
    """Another row has the same."""


UNRANKED = Rank(None, tied=False)


def ranks(pairs: Pairs, shown: Mapping[str, Versus]) -> dict[str, Rank]:
    """Return the rank of each row that has one, by the table's pairs and the ratios `shown`.

    A row whose interval does not meet those of all others of its tie group has none: they are not
    separated, but nobody who sees the intervals would call them tied.
    """
    ranks: dict[str, int] = {}
    for name, rank in pairs.ranks.items():
        of_group = [shown.get(other) for other, at in ranks.items() if at == rank]
        if all(_meet(shown.get(name), other) for other in of_group):
            ranks[name] = rank
    shared = Counter(ranks.values())
    return {name: Rank(rank, shared[rank] > 1) for name, rank in ranks.items()}


def _meet(own: Versus | None, other: Versus | None) -> bool:
    """Say whether two intervals overlap; unknown ones may."""
    if own is None or other is None or None in (own.low, own.high, other.low, other.high):
        return True
    return own.low <= other.high and other.low <= own.high  # type: ignore[operator]


def placed(
    rows: Sequence[R],
    pairs: Pairs,
    shown: Mapping[str, Versus],
    order: Callable[[R], tuple[float, str]],
) -> list[R]:
    """Return the rows with their ranks: those with a number, then the others by what they are.

    `shown` are the ratios of what ranks them, see `ranks`; `order` is that of rows without a number
    which are the same.
    """
    of = ranks(pairs, shown)
    place = {name: number for number, name in enumerate(pairs.rates)}
    rows = [msgspec.structs.replace(row, **of.get(row.name, UNRANKED)._asdict()) for row in rows]
    return sorted(
        rows, key=lambda row: (place.get(row.name, len(place)), ORDER[row.status], order(row))
    )


def unranked(pairs: Pairs) -> str | None:
    """Return why no row has a rank, in words; None where some have, or none has a number."""
    if pairs.has_power:
        return None
    rounds = max(pair.comparison.rounds for pair in pairs.judged.values())
    return TOO_FEW if rounds > 1 else ONE_ROUND


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
