"""The servers at one endpoint, each with the style of view that serves it best, and their pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from loadtest.answer.records import Arm, Difference
from loadtest.findings import LEAST_MARGIN, Finding, findings, ranks
from loadtest.noise import Floor
from loadtest.ranking import Ranking
from loadtest.row import Row, by_round
from loadtest.statistics import Comparison, Rates, moderated, paired


class Noise(NamedTuple):
    """What a difference is held against."""

    floor: Floor | None
    """What two identical arms of the run differ by."""
    looks: int
    """How often the run looked at its data."""


@dataclass(frozen=True)
class Table:
    """Comparisons made together, as what each of them shows depends on how many there are."""

    cells: dict[tuple[str, str], tuple[Comparison, Finding]]
    """By the cell that is compared and the one it is compared with."""

    def difference(self, cell: str, over: str) -> Difference | None:
        """Return how one cell compares with another; None where no round has both."""
        found = self.cells.get((cell, over))
        if found is None or found[0].ratio is None:
            return None
        one, shown = found
        return Difference(
            cell=cell, over=over, ratio=one.ratio or 0.0, low=one.low, high=one.high, finding=shown
        )


@dataclass(frozen=True)
class Field:
    """All that has a number at one endpoint: one arm a server, in tie groups."""

    groups: tuple[tuple[Arm, ...], ...]
    table: Table

    @property
    def arms(self) -> list[Arm]:
        """All arms, the first group first."""
        return [arm for group in self.groups for arm in group]


def field(rankings: Sequence[Ranking], noise: Noise) -> Field:
    """Return the servers at one endpoint, whose styles are the `rankings`."""
    rows = [row for ranking in rankings for row in ranking.rows]
    rates = rates_of(rows)
    styles = {row.cell: ranking.endpoint.style for ranking in rankings for row in ranking.rows}
    by_server: dict[str, list[Row]] = {}
    for row in rows:
        if row.cell in rates:
            by_server.setdefault(row.server, []).append(row)
    arms: dict[str, Arm] = {}
    for shown in by_server.values():
        shown.sort(key=lambda row: -(row.shown.goodput if row.shown else 0.0))
        best = shown[0]
        figures = best.shown
        assert figures is not None
        over = compared([(shown[0].cell, shown[1].cell)], rates, noise) if shown[1:] else None
        arms[best.cell] = Arm(
            cell=best.cell,
            server=best.server,
            interface=best.interface,
            style=styles[best.cell],
            over_other_style=over.cells[best.cell, shown[1].cell][1] if over else None,
            goodput=figures.goodput,
            ceiling=figures.ceiling,
            p99_us=figures.p99_us,
            cpu_us=figures.server_cpu_us,
            memory_bytes=figures.memory_peak_bytes,
            doubts=tuple(raised.concern for raised in best.concerns),
        )
    of = {cell: rates[cell] for cell in arms}
    places = ranks(of, noise.floor, noise.looks)
    groups: dict[int, list[Arm]] = {}
    for cell, arm in arms.items():
        groups.setdefault(places[cell], []).append(arm)
    ordered = tuple(
        tuple(sorted(groups[rank], key=lambda arm: -arm.goodput)) for rank in sorted(groups)
    )
    cells = [arm.cell for group in ordered for arm in group]
    return Field(ordered, compared(list(combinations(cells, 2)), of, noise))


def compared(pairs: Sequence[tuple[str, str]], rates: dict[str, Rates], noise: Noise) -> Table:
    """Compare the first of each pair with its second, all of them as one table."""
    made = [paired(rates[over], rates[cell]) for cell, over in pairs]
    shown = findings(made, noise.floor or 0.0, noise.looks, near=LEAST_MARGIN)
    return Table(dict(zip(pairs, zip(moderated(made), shown, strict=True), strict=True)))


def rates_of(rows: Iterable[Row]) -> dict[str, Rates]:
    """Return the goodput by round of each cell with a number that may be shown."""
    return by_round(rows, lambda one: one.goodput)
