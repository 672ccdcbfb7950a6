"""Places the rows of one endpoint: ranks that servers may share, ratios to the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from loadtest.findings import findings, margin, ranks
from loadtest.model import Status
from loadtest.row import Row, Versus
from loadtest.statistics import Rates, moderated, paired


def placed(
    rows: Sequence[Row], reference: str | None, floor: float | None, looks: int
) -> tuple[Row, ...]:
    """Return the rows with their places: the ranked by goodput, then the others by what they are.

    `floor` is the run's noise floor as a share, `looks` how often the run looked at its data.
    """
    rates = _rates(rows)
    place = ranks(rates, floor, looks)
    shared = Counter(place.values())
    versus = _versus(rates, reference, floor, looks)
    found = (
        msgspec.structs.replace(
            row,
            rank=place.get(row.server),
            tied=shared[place.get(row.server, 0)] > 1,
            versus=versus.get(row.server),
        )
        for row in rows
    )
    order: dict[Status, int] = {"measured": 0, "failed": 1, "skipped": 2}
    return tuple(
        sorted(
            found,
            key=lambda row: (
                row.rank is None,
                order[row.status],
                row.rank or 0,
                -row.shown.goodput if row.shown else 0,
                row.server,
            ),
        )
    )


def _rates(rows: Sequence[Row]) -> dict[str, Rates]:
    """Return the goodput of each server by round, of those whose number may be compared."""
    last = max((one.number for row in rows for one in row.rounds), default=0)
    found: dict[str, Rates] = {}
    for row in rows:
        by_number = {one.number: one.goodput for one in row.rounds if row.shown}
        rates = [by_number.get(number) or None for number in range(1, last + 1)]
        if any(rates):
            found[row.server] = rates
    return found


def _versus(
    rates: dict[str, Rates], reference: str | None, floor: float | None, looks: int
) -> dict[str, Versus]:
    base = rates.get(reference or "")
    if base is None:
        return {}
    others = [server for server in rates if server != reference]
    table = [paired(base, rates[server]) for server in others]
    # `findings` moderates by itself; what is shown is moderated once, too.
    judged = findings(table, margin(floor), looks)
    return {
        server: Versus(ratio=one.ratio, low=one.low, high=one.high, finding=finding)
        for server, one, finding in zip(others, moderated(table), judged, strict=True)
        if one.ratio is not None
    }
