"""The servers at one endpoint, each with the style of view that serves it best, and their pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from loadtest.judge.servers.answer.records import Arm, Difference
from loadtest.judge.servers.rows import Ranking, Row, by_round
from loadtest.records.planned import Interface
from loadtest.stats.noise_floor import Floor
from loadtest.stats.ratios import Comparison, Rates, moderated, paired
from loadtest.stats.significance import LEAST_MARGIN, Finding, findings
from loadtest.stats.tie_groups import groups, ordered


class Noise(NamedTuple):
    """What a difference is held against."""

    floor: Floor | None
    """What two identical arms of the run differ by."""
    interim_looks: int
    """How often the run looked at its data."""


class Judged(NamedTuple):
    """One comparison and what it shows in its table."""

    comparison: Comparison
    finding: Finding
    """Beyond the noise, and beyond what matters."""
    separated: bool
    """The first is higher, beyond the noise: they are no tie."""


@dataclass(frozen=True)
class Table:
    """Comparisons with what they show, which depends on how many were made together."""

    cells: Mapping[tuple[str, str], Judged]
    """By the cell that is compared and the one it is compared with."""

    def difference(self, cell: str, over: str) -> Difference | None:
        """Return how one cell compares with another; None where no round has both."""
        found = self.cells.get((cell, over))
        if found is None or found.comparison.ratio is None:
            return None
        one = found.comparison
        return Difference(
            cell=cell,
            over=over,
            ratio=one.ratio or 0.0,
            low=one.low,
            high=one.high,
            finding=found.finding,
        )

    def grouped(self, arms: Sequence[Arm]) -> tuple[tuple[Arm, ...], ...]:
        """Return the arms, which come with the highest median first, in tie groups."""
        of = {arm.cell: arm for arm in arms}
        grouped = groups(list(of), lambda leader, one: self.cells[leader, one].separated)
        return tuple(tuple(of[cell] for cell in group) for _, group in grouped)


@dataclass(frozen=True)
class Field:
    """All that has a number at one endpoint: one arm a server, the highest median first."""

    arms: tuple[Arm, ...]
    table: Table

    @property
    def groups(self) -> tuple[tuple[Arm, ...], ...]:
        """All arms in tie groups."""
        return self.table.grouped(self.arms)

    def among(self, interface: Interface) -> tuple[tuple[Arm, ...], ...]:
        """Return the arms of one interface in tie groups of their own."""
        return self.table.grouped([arm for arm in self.arms if arm.interface == interface])


def field(rankings: Sequence[Ranking], noise: Noise) -> Field:
    """Return the servers at one endpoint, whose styles are the `rankings`.

    Two arms of one style are told apart, or not, as in the ranking of that style, where a reader
    looks it up; two of different styles in a table of all arms.
    """
    rows = [row for ranking in rankings for row in ranking.rows]
    rates = rates_of(rows)
    styles = {row.cell: ranking.endpoint.style for ranking in rankings for row in ranking.rows}
    by_server: dict[str, list[Row]] = {}
    for row in rows:
        if row.cell in rates:
            by_server.setdefault(row.server, []).append(row)
    arms: dict[str, Arm] = {}
    for shown in by_server.values():
        shown.sort(key=lambda row: -(row.reportable.goodput if row.reportable else 0.0))
        best = shown[0]
        figures = best.reportable
        assert figures is not None
        over = compared([(shown[0].cell, shown[1].cell)], rates, noise) if shown[1:] else None
        arms[best.cell] = Arm(
            cell=best.cell,
            server=best.server,
            interface=best.interface,
            style=styles[best.cell],
            over_other_style=over.cells[best.cell, shown[1].cell].finding if over else None,
            goodput=figures.goodput,
            ceiling=figures.ceiling,
            p99_us=figures.p99_us,
            cpu_us=figures.server_cpu_us,
            memory_bytes=figures.memory_peak_bytes,
            doubts=tuple(raised.concern for raised in best.concerns),
        )
    order = ordered(rates)
    judged = dict(compared(_pairs(cell for cell in order if cell in arms), rates, noise).cells)
    for style in dict.fromkeys(styles.values()):
        own = compared(_pairs(cell for cell in order if styles[cell] == style), rates, noise)
        judged |= {pair: one for pair, one in own.cells.items() if pair in judged}
    return Field(tuple(arms[cell] for cell in order if cell in arms), Table(judged))


def _pairs(cells: Iterable[str]) -> list[tuple[str, str]]:
    return list(combinations(cells, 2))


def compared(pairs: Sequence[tuple[str, str]], rates: dict[str, Rates], noise: Noise) -> Table:
    """Compare the first of each pair with its second, all of them as one table."""
    made = [paired(rates[over], rates[cell]) for cell, over in pairs]
    shown = findings(made, noise.floor or 0.0, noise.interim_looks, near=LEAST_MARGIN)
    separated = [one == "higher" for one in findings(made, noise.floor or 0.0, noise.interim_looks)]
    judged = map(Judged, moderated(made), shown, separated)
    return Table(dict(zip(pairs, judged, strict=True)))


def rates_of(rows: Iterable[Row]) -> dict[str, Rates]:
    """Return the goodput by round of each cell with a number that may be shown."""
    return by_round(rows, lambda one: one.goodput)
