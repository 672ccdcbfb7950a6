"""Two runs cell by cell: better, worse, the same, or cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from loadtest.judge.servers.conditions import Difference, differences
from loadtest.judge.servers.metrics import Figures, figures, latencies
from loadtest.judge.servers.rows import Row
from loadtest.judge.servers.summary import summarise_stored
from loadtest.records.errors import UserError
from loadtest.records.measured import Outcome, Run
from loadtest.records.planned import Interface, Record
from loadtest.records.run_folder import ServersRun
from loadtest.stats import cpu_drift
from loadtest.stats.noise_floor import Floors, Twins, by_kind, floors
from loadtest.stats.ratios import Comparison, Rates, moderated, paired, unpaired
from loadtest.stats.significance import Finding, adjust, finding, margin

FORMAT = 3
"""Of what `compare --json` prints. 1: the first; 2: a margin for each change; 3: CPU time at even
speed; each change with its server and endpoint."""

THRESHOLD = 0.05

Answer = Literal["better", "worse", "same", "cannot tell"]


class Change(Record, frozen=True, kw_only=True):
    """One figure of one cell in both runs."""

    cell: str
    server: str
    interface: Interface | None
    endpoint: str
    """With its style, as in `json-sync`."""
    figure: Figure
    base: float
    new: float
    """Of the median round."""
    drift_corrected: bool
    """CPU time at even speed of the processors, that of BASE; see `cpu_drift`."""
    comparison: Comparison
    """Of the rounds; noise is estimated from all cells, see `statistics.moderated`."""
    adjusted_p: float | None
    """For all figures of all cells."""
    margin: float
    """The difference below which none is called one, as a share: the threshold, or the noise that
    identical servers showed at this kind of work in either run."""
    answer: Answer


class Lost(Record, frozen=True, kw_only=True):
    """A cell that has a number in one run only."""

    cell: str
    run: Literal["base", "new"]
    """The run that has none."""
    failed: bool
    """It was measured there and failed or came out invalid; else it was skipped or not planned."""
    reason: str


class Comparisons(Record, frozen=True, kw_only=True):
    """All that `compare` shows."""

    format: int
    base: str
    new: str
    """Names of the folders."""
    threshold: float
    margins: dict[Figure, float]
    """The widest of `Change.margin`."""
    same_rounds: bool
    """Whether the two share their rounds, and are compared round by round."""
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    lost: tuple[Lost, ...]

    @property
    def regressed(self) -> bool:
        """Whether a figure got worse, or a cell has lost its number to a failure."""
        worse = any(change.answer == "worse" for change in self.changes)
        return worse or any(lost.failed and lost.run == "new" for lost in self.lost)


def compare(
    base: ServersRun, new: ServersRun, threshold: float = THRESHOLD, force: bool = False
) -> Comparisons:
    """Compare every cell that both runs have; `threshold` is a share.

    Rounds are paired only where both sides met the same conditions in them, and two runs never do:
    each has its own hour and neighbours. So they are paired if both folders hold the same run, one
    being a copy of the other, and compared as two samples otherwise. P values are adjusted over all
    figures of all cells. Raises UserError for runs that are not comparable, unless `force`.
    """
    found = differences(base.run, new.run)
    if not force:
        _refuse(found)
    before, after = read(base), read(new)
    shared = [cell for cell in before.rows if cell in after.rows]
    if not any(before.rows[cell].reportable for cell in shared):
        raise UserError(
            f"{new.folder} has no cell that has a number in {base.folder};"
            " `loadtest run` both with the same servers and endpoints"
        )
    same_rounds = _same_rounds(base.run, new.run)
    endpoints = {cell.id: cell.endpoint for cell in base.run.plan.cells}
    noise = {
        (figure, even): (before.floors(figure, even), after.floors(figure, even))
        for figure in BETTER
        for even in (False, True)
    }

    def change(pair: Pair, one: Comparison, p: float | None) -> Change:
        cell, figure = pair.cell, pair.figure
        floors = (
            side.at(endpoints[cell].kind, one.rounds)
            for side in noise[figure, pair.drift_corrected]
        )
        beyond = max(margin(floor, threshold) for floor in floors)
        return Change(
            cell=cell,
            server=after.rows[cell].server,
            interface=after.rows[cell].interface,
            endpoint=endpoints[cell].id,
            figure=figure,
            base=median(filter(None, pair.base)),
            new=median(filter(None, pair.new)),
            drift_corrected=pair.drift_corrected,
            comparison=one,
            adjusted_p=p,
            margin=beyond,
            answer=_answer(figure, finding(one, beyond, p, near=threshold)),
        )

    may_even = cpu_drift.CONDITIONS.isdisjoint(one.key for one in found)
    made: list[tuple[Pair, Comparison]] = []
    for figure in BETTER:
        pairs = [
            pair(before, after, cell, figure, may_even)
            for cell in shared
            if figure in before.reportable[cell] and figure in after.reportable[cell]
        ]
        table = [(paired if same_rounds else unpaired)(one.base, one.new) for one in pairs]
        # Noise is of a kind within a figure: a p99 says nothing of how steady CPU time is.
        made += zip(pairs, moderated(table), strict=True)
    ps = adjust([one.p for _, one in made])
    changes = tuple(change(*each, p) for each, p in zip(made, ps, strict=True))
    return Comparisons(
        format=FORMAT,
        base=base.folder.name,
        new=new.folder.name,
        threshold=threshold,
        margins={
            figure: max(
                (each.margin for each in changes if each.figure == figure), default=threshold
            )
            for figure in BETTER
        },
        same_rounds=same_rounds,
        differences=found,
        changes=changes,
        lost=(*_lost(before, after, "new"), *_lost(after, before, "base")),
    )


def _same_rounds(base: Run, new: Run) -> bool:
    return (base.created_at, base.plan.seed) == (new.created_at, new.plan.seed)


def _answer(figure: Figure, found: Finding) -> Answer:
    if found == "inconclusive":
        return "cannot tell"
    if found == "equivalent":
        return "same"
    return "better" if found == BETTER[figure] else "worse"


def _lost(having: Side, lacking: Side, run: Literal["base", "new"]) -> Iterator[Lost]:
    """Yield the cells with a number in the one run that have none in the other, which is `run`."""
    for cell, row in having.rows.items():
        other = lacking.rows.get(cell)
        if not row.reportable or (other and other.reportable):
            continue
        if other is None:
            yield Lost(cell=cell, run=run, failed=False, reason="not in its plan")
            continue
        invalid = [one.facts for one in other.concerns if one.severity == "invalid"]
        yield Lost(
            cell=cell,
            run=run,
            failed=other.status != "skipped",
            reason="; ".join(invalid) or other.reason or "no number",
        )


def _refuse(found: tuple[Difference, ...]) -> None:
    lines = [f"{one.key}: {one.base} in BASE, {one.new} in NEW" for one in found if one.forbids]
    if lines:
        raise UserError(
            "the two runs were not made under the same conditions; --force compares them", *lines
        )


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

        `usual_us`: that of CPU time at even speed, see `cpu_drift`.
        """
        if usual_us is not None:
            return cpu_drift.drift_corrected_us(self.outcome, usual_us)
        return getattr(self.figures, figure) or None


@dataclass(frozen=True)
class Side:
    """A run as far as it is compared."""

    rows: Mapping[str, Row]
    """By cell."""
    rounds: Mapping[str, Mapping[int, Measured]]
    """By cell, second arms too, and by round; only what is a number."""
    reportable: Mapping[str, frozenset[Figure]]
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
    drift_corrected: bool
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
        usual_us = cpu_drift.speed_us(sides[0]) if cpu_drift.alike(*sides) else None
    return Pair(cell, figure, usual_us is not None, *_aligned(base, new, figure, usual_us))


def read(stored: ServersRun) -> Side:
    """Return what a run has to compare."""
    plan = stored.run.plan
    summary = summarise_stored(stored)
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
            if row.reportable and any(one.rate(figure, None) for one in rounds[name].values())
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
