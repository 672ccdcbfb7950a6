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
from loadtest.judge.servers.turns import merged
from loadtest.judge.summary import last
from loadtest.records.errors import UserError
from loadtest.records.measured import Outcome
from loadtest.records.planned import Interface, Record
from loadtest.records.run_folder import ServersRun
from loadtest.stats import cpu_drift
from loadtest.stats.noise_floor import Floors, Twins, by_kind, floors
from loadtest.stats.ratios import Comparison, Rates, moderated, paired, unpaired
from loadtest.stats.series import has_number
from loadtest.stats.significance import Finding, adjust, finding, margin

FORMAT = 3
"""Of what `compare --json` prints. 1: the first; 2: a margin for each change; 3: CPU time at even
speed; each change with its server and endpoint."""

THRESHOLD = 0.05

Answer = Literal["better", "worse", "same", "cannot tell"]

Figure = Literal["goodput", "p99_us", "server_cpu_us"]

BETTER: dict[Figure, Literal["higher", "lower"]] = {
    "goodput": "higher",
    "p99_us": "lower",
    "server_cpu_us": "lower",
}
"""The figures that are compared, by which way is better."""


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
    """Of the rounds; noise is estimated from all cells, see `ratios.moderated`."""
    adjusted_p: float | None
    """For all figures of all cells."""
    margin: float
    """The difference below which none is called one, as a share: the threshold, or the noise that
    identical servers showed at this workload in either run."""
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
    differ = differences(base.run, new.run)
    forbids = [f"{d.key}: {d.base} in BASE, {d.new} in NEW" for d in differ if d.forbids]
    if forbids and not force:
        raise UserError(
            "the two runs were not made under the same conditions; --force compares them", *forbids
        )
    before, after = _read(base), _read(new)
    shared = [cell for cell in before.rows if cell in after.rows]
    if not any(before.rows[cell].reportable for cell in shared):
        raise UserError(
            f"{new.folder} has no cell that has a number in {base.folder};"
            " `loadtest run` both with the same servers and endpoints"
        )
    same_rounds = (base.run.created_at, base.run.plan.seed) == (
        new.run.created_at,
        new.run.plan.seed,
    )
    correctable = cpu_drift.CONDITIONS.isdisjoint(difference.key for difference in differ)
    pairs: list[_Pair] = []
    comparisons: list[Comparison] = []
    for figure in BETTER:
        table = [
            _pair(before, after, cell, figure, correctable)
            for cell in shared
            if before.shows(cell, figure) and after.shows(cell, figure)
        ]
        pairs += table
        # Noise is of a kind within a figure: a p99 says nothing of how steady CPU time is.
        comparisons += moderated(
            [(paired if same_rounds else unpaired)(pair.base, pair.new) for pair in table]
        )
    ps = adjust([comparison.p for comparison in comparisons])
    endpoints = {cell.id: cell.endpoint for cell in base.run.plan.cells}

    floors = {
        key: [side.floors(*key) for side in (before, after)]
        for key in {(pair.figure, pair.drift_corrected) for pair in pairs}
    }

    def change(pair: _Pair, comparison: Comparison, p: float | None) -> Change:
        cell, figure = pair.cell, pair.figure
        endpoint, row = endpoints[cell], after.rows[cell]
        noise = floors[figure, pair.drift_corrected]
        known = (of.at(endpoint.kind, comparison.rounds) for of in noise)
        beyond = max(margin(floor, threshold) for floor in known)
        return Change(
            cell=cell,
            server=row.server,
            interface=row.interface,
            endpoint=endpoint.id,
            figure=figure,
            base=median(filter(None, pair.base)),
            new=median(filter(None, pair.new)),
            drift_corrected=pair.drift_corrected,
            comparison=comparison,
            adjusted_p=p,
            margin=beyond,
            answer=_answer(figure, finding(comparison, beyond, p, near=threshold)),
        )

    changes = tuple(map(change, pairs, comparisons, ps))
    margins = {
        figure: [change.margin for change in changes if change.figure == figure]
        for figure in BETTER
    }
    return Comparisons(
        format=FORMAT,
        base=base.folder.name,
        new=new.folder.name,
        threshold=threshold,
        margins={figure: max(known, default=threshold) for figure, known in margins.items()},
        same_rounds=same_rounds,
        differences=differ,
        changes=changes,
        lost=(*_lost(before, after, "new"), *_lost(after, before, "base")),
    )


def _answer(figure: Figure, finding_: Finding) -> Answer:
    if finding_ in ("inconclusive", "equivalent"):
        return "same" if finding_ == "equivalent" else "cannot tell"
    return "better" if finding_ == BETTER[figure] else "worse"


def _lost(having: _Side, lacking: _Side, run: Literal["base", "new"]) -> Iterator[Lost]:
    """Yield the cells with a number in the one run that have none in the other, which is `run`."""
    for cell, row in having.rows.items():
        other = lacking.rows.get(cell)
        if row.reportable and not (other and other.reportable):
            yield Lost(
                cell=cell,
                run=run,
                failed=other is not None and other.status != "skipped",
                reason=(other.why_invalid or other.reason or "no number")
                if other
                else "not in its plan",
            )


@dataclass(frozen=True)
class _Measured:
    """A cell in one round, where it has a number."""

    outcome: Outcome
    figures: Figures

    def rate(self, figure: Figure, usual_us: float | None) -> float | None:
        """Return a figure, None where it has none, as too few answers for a p99.

        `usual_us`: that of drift-corrected CPU time, see `cpu_drift`.
        """
        if usual_us is not None:
            return cpu_drift.drift_corrected_us(self.outcome, usual_us)
        return getattr(self.figures, figure) or None


Rounds = Mapping[int, _Measured]
"""Of a cell; only what is a number."""


@dataclass(frozen=True)
class _Side:
    """A run as far as it is compared."""

    rows: Mapping[str, Row]
    """By cell."""
    rounds: Mapping[str, Rounds]
    """By cell, those of duplicates too."""
    twins: tuple[Twins, ...]

    def shows(self, cell: str, figure: Figure) -> bool:
        """Say whether a figure of a cell was measured and may be shown."""
        rounds = self.rounds[cell].values()
        return bool(self.rows[cell].reportable) and any(r.rate(figure, None) for r in rounds)

    def floors(self, figure: Figure, drift_corrected: bool) -> Floors:
        """Return the differences that two arms of one server show."""
        # Any speed will do for a ratio.
        usual_us = 1.0 if drift_corrected else None
        return floors(
            by_kind(
                (
                    twin.kind,
                    *_aligned(
                        self.rounds[twin.first.cell],
                        self.rounds[twin.second.cell],
                        figure,
                        usual_us,
                    ),
                )
                for twin in self.twins
            )
        )


@dataclass(frozen=True)
class _Pair:
    """One figure of one cell, by round."""

    cell: str
    figure: Figure
    drift_corrected: bool
    base: Rates
    new: Rates


def _pair(before: _Side, after: _Side, cell: str, figure: Figure, correctable: bool) -> _Pair:
    """Return a figure of a cell that both runs have, CPU time drift-corrected where that holds."""
    base, new = before.rounds[cell], after.rounds[cell]
    usual_us = None
    if correctable and figure == "server_cpu_us":
        sides = [[measured.outcome for measured in side.values()] for side in (base, new)]
        usual_us = cpu_drift.speed_us(sides[0]) if cpu_drift.alike(*sides) else None
    return _Pair(cell, figure, usual_us is not None, *_aligned(base, new, figure, usual_us))


def _read(stored: ServersRun) -> _Side:
    """Return what a run has to compare."""
    plan = stored.run.plan
    summary = summarise_stored(stored)
    servers = {server.name: server for server in plan.servers}
    outcomes = last(merged(stored.outcomes, stored.afterwards), lambda outcome: outcome.cell)
    rounds = {
        cell.id: {
            number: _Measured(
                outcome,
                figures(
                    plan,
                    cell,
                    servers[cell.server],
                    [outcome],
                    latencies(cell, [outcome], stored.histogram),
                ),
            )
            for number, outcome in outcomes.get(cell.id, {}).items()
            if has_number(outcome)
        }
        for cell in plan.cells
    }
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    return _Side(rows, rounds, summary.twins)


def _aligned(
    base: Rounds, new: Rounds, figure: Figure, usual_us: float | None
) -> tuple[Rates, Rates]:
    """Return the figure of both by round."""
    numbers = sorted(base.keys() | new.keys())
    first, second = (
        [side[number].rate(figure, usual_us) if number in side else None for number in numbers]
        for side in (base, new)
    )
    return first, second
