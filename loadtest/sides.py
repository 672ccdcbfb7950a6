"""A run as far as it is compared with another: figures of its cells by round, and its noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from loadtest import evened, judged
from loadtest.figures import Figures, figures, latencies
from loadtest.model import Outcome
from loadtest.noise import Floors, Twins, by_kind, floors
from loadtest.results import Stored
from loadtest.row import Row
from loadtest.statistics import Rates

Figure = Literal["goodput", "p99_us", "server_cpu_us"]

BETTER: dict[Figure, Literal["higher", "lower"]] = {
    "goodput": "higher",
    "p99_us": "lower",
    "server_cpu_us": "lower",
}
"""The figures that are compared, by which way is better."""


@dataclass(frozen=True)
class Measured:
    """A cell in one round, where it has a number."""

    outcome: Outcome
    figures: Figures

    def rate(self, figure: Figure, usual_us: float | None) -> float | None:
        """Return a figure, None where it has none, as too few answers for a p99.

        `usual_us`: that of CPU time at even speed, see `evened`.
        """
        if usual_us is not None:
            return evened.evened_us(self.outcome, usual_us)
        return getattr(self.figures, figure) or None


@dataclass(frozen=True)
class Side:
    """A run as far as it is compared."""

    rows: Mapping[str, Row]
    """By cell."""
    rounds: Mapping[str, Mapping[int, Measured]]
    """By cell, second arms too, and by round; only what is a number."""
    shown: Mapping[str, frozenset[Figure]]
    """By cell, what was measured of it and may be shown."""
    twins: tuple[Twins, ...]

    def floors(self, figure: Figure, even: bool) -> Floors:
        """Return the differences that two arms of one server show."""
        return floors(by_kind(self._pairs(figure, even)))

    def _pairs(self, figure: Figure, even: bool) -> Iterator[tuple[str, Rates, Rates]]:
        for one in self.twins:
            first, second = self.rounds[one.first.cell], self.rounds[one.second.cell]
            # Any speed will do for a ratio.
            usual_us = 1.0 if even and figure == "server_cpu_us" else None
            yield (one.kind, *_aligned(first, second, figure, usual_us))


@dataclass(frozen=True)
class Pair:
    """One figure of one cell, by round."""

    cell: str
    figure: Figure
    evened: bool
    base: Rates
    new: Rates


def pair(before: Side, after: Side, cell: str, figure: Figure, even: bool) -> Pair:
    """Return a figure of a cell that both runs have, CPU time at even speed where that holds.

    `even`: both runs were made under conditions in which it may.
    """
    base, new = before.rounds[cell], after.rounds[cell]
    usual_us = None
    if even and figure == "server_cpu_us":
        sides = [[one.outcome for one in side.values()] for side in (base, new)]
        usual_us = evened.speed_us(sides[0]) if evened.alike(*sides) else None
    return Pair(cell, figure, usual_us is not None, *_aligned(base, new, figure, usual_us))


def read(stored: Stored) -> Side:
    """Return what a run has to compare."""
    plan = stored.run.plan
    summary = judged.summary(stored)
    last = {(outcome.cell, outcome.round): outcome for outcome in stored.outcomes}
    cells = {cell.id: cell for cell in plan.cells}
    servers = {server.name: server for server in plan.servers}
    rounds: dict[str, dict[int, Measured]] = {cell: {} for cell in cells}
    for (name, number), outcome in last.items():
        cell = cells.get(name)
        if cell and _has_number(outcome):
            found = figures(
                plan,
                cell,
                servers[cell.server],
                [outcome],
                latencies(cell, [outcome], stored.histogram),
            )
            rounds[name][number] = Measured(outcome, found)
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    shown = {
        name: frozenset(
            figure
            for figure in BETTER
            if row.shown and any(one.rate(figure, None) for one in rounds[name].values())
        )
        for name, row in rows.items()
    }
    return Side(rows, rounds, shown, summary.twins)


def _has_number(outcome: Outcome) -> bool:
    loaded = outcome.loaded
    return outcome.status == "measured" and bool(loaded and loaded.duration_us and loaded.goodput)


def _aligned(
    base: Mapping[int, Measured],
    new: Mapping[int, Measured],
    figure: Figure,
    usual_us: float | None,
) -> tuple[Rates, Rates]:
    """Return the figure of both by round."""
    numbers = sorted(base.keys() | new.keys())
    first, second = (
        [one.rate(figure, usual_us) if (one := side.get(number)) else None for number in numbers]
        for side in (base, new)
    )
    return first, second
