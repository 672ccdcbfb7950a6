"""The servers at one endpoint, each with the style of view that serves it best, and their pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from loadtest.judge.servers.answer.records import Arm, Difference
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Interface, Style
from loadtest.stats.noise_floor import Floor
from loadtest.stats.pairs import Pairs, all_pairs, judged, ordered
from loadtest.stats.significance import Finding


class Noise(NamedTuple):
    """What a difference is held against."""

    floor: Floor | None
    """What two identical arms of the run differ by."""
    interim_looks: int
    """How often the run looked at its data."""


def difference(pairs: Pairs, cell: str, over: str) -> Difference | None:
    """Return how one cell compares with another; None where no round has both."""
    pair = pairs.judged.get((cell, over))
    if pair is None or pair.comparison.ratio is None:
        return None
    return Difference(
        cell=cell,
        over=over,
        ratio=pair.comparison.ratio,
        low=pair.comparison.low,
        high=pair.comparison.high,
        finding=pair.finding,
    )


@dataclass(frozen=True)
class Field:
    """All that has a number at one endpoint, whose styles are the `rankings`."""

    rankings: tuple[Ranking, ...]
    noise: Noise
    arms: tuple[Arm, ...]
    """One a server, the highest median first."""
    pairs: Pairs
    """Of the arms."""
    styles: Pairs
    """Async over sync views, of each server that has a number for both."""

    @property
    def groups(self) -> list[list[Arm]]:
        """All arms in tie groups."""
        return self._grouped(self.arms)

    def among(self, interface: Interface) -> list[list[Arm]]:
        """Return the arms of one interface in tie groups of their own."""
        return self._grouped([arm for arm in self.arms if arm.interface == interface])

    def _grouped(self, arms: Sequence[Arm]) -> list[list[Arm]]:
        groups: list[list[Arm]] = []
        for arm in arms:
            if groups and not self.pairs.judged[groups[-1][0].cell, arm.cell].separated:
                groups[-1].append(arm)
            else:
                groups.append([arm])
        return groups


def field(rankings: Sequence[tuple[Ranking, Pairs]], noise: Noise) -> Field:
    """Return the servers at one endpoint, whose styles are the `rankings`, each with its pairs.

    Two arms of one style are separated, or not, as in the ranking of that style, where a reader
    looks it up; two of different styles in a table of all arms.
    """
    rates = {
        row.cell: pairs.rates[row.cell]
        for ranking, pairs in rankings
        for row in ranking.rows
        if row.cell in pairs.rates
    }
    by_server: dict[str, dict[Style, Row]] = {}
    for ranking, _ in rankings:
        for row in ranking.rows:
            if row.cell in rates:
                by_server.setdefault(row.server, {})[ranking.endpoint.style] = row
    both = [
        (row.cell, sync.cell)
        for ranking, _ in rankings
        for row in ranking.rows
        if ranking.endpoint.style == "async"
        and row.cell in rates
        and (sync := by_server[row.server].get("sync"))
    ]
    styles = judged(both, rates, *noise)
    arms: dict[str, Arm] = {}
    for of in by_server.values():
        # The first of equals is that of the ranking which comes first.
        style, *other = sorted(of, key=lambda style: -_goodput(of[style]))
        over = styles.finding(of[style].cell, of[other[0]].cell) if other else None
        arms[of[style].cell] = _arm(of[style], style, over)
    order = [cell for cell in ordered(rates) if cell in arms]
    pairs = all_pairs({cell: rates[cell] for cell in order}, *noise)
    own = {pair: verdict for _, table in rankings for pair, verdict in table.judged.items()}
    own = {pair: own.get(pair, verdict) for pair, verdict in pairs.judged.items()}
    return Field(
        rankings=tuple(ranking for ranking, _ in rankings),
        noise=noise,
        arms=tuple(arms[cell] for cell in order),
        pairs=replace(pairs, judged=own),
        styles=styles,
    )


def _goodput(row: Row) -> float:
    return row.reportable.goodput if row.reportable else 0.0


def _arm(row: Row, style: Style, over_other_style: Finding | None) -> Arm:
    figures = row.reportable
    assert figures is not None
    return Arm(
        cell=row.cell,
        server=row.server,
        interface=row.interface,
        style=style,
        over_other_style=over_other_style,
        goodput=figures.goodput,
        ceiling=figures.ceiling,
        p99_us=figures.p99_us,
        cpu_us=figures.server_cpu_us,
        memory_bytes=figures.memory_peak_bytes,
        doubts=tuple(raised.concern for raised in row.concerns),
    )
