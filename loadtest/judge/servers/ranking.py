"""Places the rows of one endpoint: ranks that servers may share, ratios to the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from loadtest.judge.servers.rows import Round, Row, Versus, by_round
from loadtest.records.planned import Status
from loadtest.stats.ratios import Rates, moderated, paired
from loadtest.stats.significance import LEAST_CPU_MARGIN, LEAST_MARGIN, ByRounds, findings
from loadtest.stats.tie_groups import ranks


def placed(
    rows: Sequence[Row],
    reference: str | None,
    floor: ByRounds | None,
    cpu_floor: ByRounds | None,
    interim_looks: int,
) -> tuple[Row, ...]:
    """Return the rows with their places: the ranked by goodput, then the others by what they are.

    `floor` and `cpu_floor` are the noise floors here, of each pair by the rounds that it shares;
    `looks` is how often the run looked at its data.
    """
    rates = _rates(rows, lambda one: one.goodput)
    place = ranks(rates, floor, interim_looks)
    shared = Counter(place.values())
    goodput = versus(rates, reference, floor, LEAST_MARGIN, interim_looks)
    cpu_times = _rates(rows, lambda one: one.server_cpu_us)
    cpu = versus(cpu_times, reference, cpu_floor, LEAST_CPU_MARGIN, interim_looks)
    found = (
        msgspec.structs.replace(
            row,
            rank=place.get(row.server),
            tied=shared[place.get(row.server, 0)] > 1,
            versus=goodput.get(row.server),
            versus_cpu=cpu.get(row.server),
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
                -row.reportable.goodput if row.reportable else 0,
                row.server,
            ),
        )
    )


def versus(
    rates: Mapping[str, Rates],
    reference: str | None,
    floor: ByRounds | None,
    least: float,
    interim_looks: int,
) -> dict[str, Versus]:
    """Return how each server's rates compare with the reference's.

    None differ by less than the noise `floor` or the `least` that matters, a share; equivalent is
    what stays within that least, however noisy the run.
    """
    base = rates.get(reference or "")
    if base is None:
        return {}
    others = [server for server in rates if server != reference]
    table = [paired(base, rates[server]) for server in others]
    # `findings` moderates by itself; what is shown is moderated once, too.
    judged = findings(table, floor or 0.0, interim_looks, near=least)
    return {
        server: Versus(ratio=one.ratio, low=one.low, high=one.high, finding=finding)
        for server, one, finding in zip(others, moderated(table), judged, strict=True)
        if one.ratio is not None
    }


def _rates(rows: Sequence[Row], figure: Callable[[Round], float | None]) -> dict[str, Rates]:
    """Return a figure of each server by round, of those whose number may be compared."""
    rates = by_round(rows, figure)
    return {row.server: rates[row.cell] for row in rows if row.cell in rates}
