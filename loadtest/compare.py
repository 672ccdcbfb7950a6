"""Two runs, cell by cell: what got better, what got worse, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from loadtest import judged
from loadtest.environment import Difference, differences
from loadtest.errors import UserError
from loadtest.figures import Figures, figures, latencies
from loadtest.findings import Finding, adjust, finding, margin
from loadtest.model import Outcome, Record, Run
from loadtest.noise import Floors, Twins, by_kind, floors
from loadtest.results import Stored
from loadtest.row import Row
from loadtest.statistics import Comparison, Rates, moderated, paired, unpaired

FORMAT = 2
"""Of what `compare --json` prints. 1: the first; 2: a margin for each change."""

THRESHOLD = 0.05

Figure = Literal["goodput", "p99_us", "server_cpu_us"]
Answer = Literal["better", "worse", "same", "cannot tell"]

BETTER: dict[Figure, Literal["higher", "lower"]] = {
    "goodput": "higher",
    "p99_us": "lower",
    "server_cpu_us": "lower",
}
"""The figures that are compared, by which way is better."""


class Change(Record, frozen=True, kw_only=True):
    """One figure of one cell in both runs."""

    cell: str
    figure: Figure
    base: float
    new: float
    """Of the median round."""
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
    base: Stored, new: Stored, threshold: float = THRESHOLD, anyway: bool = False
) -> Comparisons:
    """Compare every cell that both runs have; `threshold` is a share.

    Rounds are paired only where both sides met the same conditions in them, and two runs never do:
    each has its own hour and neighbours. So they are paired if both folders hold the same run, one
    being a copy of the other, and compared as two samples otherwise. P values are adjusted over all
    figures of all cells. Raises UserError for runs that are not comparable, unless `anyway`.
    """
    found = differences(base.run, new.run)
    if not anyway:
        _refuse(found)
    before, after = _side(base), _side(new)
    shared = [cell for cell in before.rows if cell in after.rows]
    if not any(before.rows[cell].shown for cell in shared):
        raise UserError(
            f"{new.folder} has no cell that has a number in {base.folder};"
            " `loadtest run` both with the same servers and endpoints"
        )
    same_rounds = _same_rounds(base.run, new.run)
    kinds = {cell.id: cell.endpoint.kind for cell in base.run.plan.cells}
    noise = {figure: (before.floors(figure), after.floors(figure)) for figure in BETTER}

    def change(cell: str, figure: Figure, one: Comparison, p: float | None) -> Change:
        floors = (side.at(kinds[cell], one.rounds) for side in noise[figure])
        beyond = max(margin(floor, threshold) for floor in floors)
        return Change(
            cell=cell,
            figure=figure,
            base=before.medians[cell][figure],
            new=after.medians[cell][figure],
            comparison=one,
            adjusted_p=p,
            margin=beyond,
            answer=_answer(figure, finding(one, beyond, p, near=threshold)),
        )

    made: list[tuple[str, Figure, Comparison]] = []
    for figure in BETTER:
        cells = [
            one for one in shared if figure in before.medians[one] and figure in after.medians[one]
        ]
        aligned = [_aligned(before.rounds[cell], after.rounds[cell], figure) for cell in cells]
        table = [paired(*both) if same_rounds else unpaired(*both) for both in aligned]
        # Noise is of a kind within a figure: a p99 says nothing of how steady CPU time is.
        made += [(cell, figure, one) for cell, one in zip(cells, moderated(table), strict=True)]
    ps = adjust([one.p for _, _, one in made])
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


@dataclass(frozen=True)
class _Side:
    """A run as far as it is compared."""

    rows: Mapping[str, Row]
    """By cell."""
    rounds: Mapping[str, Mapping[int, Figures]]
    """By cell, second arms too, and by round; only what is a number."""
    medians: Mapping[str, Mapping[Figure, float]]
    """The median round of each cell that may be shown; what was not measured is not in it."""
    twins: tuple[Twins, ...]

    def floors(self, figure: Figure) -> Floors:
        """Return the differences that two arms of one server show."""
        return floors(by_kind(self._pairs(figure)))

    def _pairs(self, figure: Figure) -> Iterator[tuple[str, Rates, Rates]]:
        for one in self.twins:
            first, second = self.rounds[one.first.cell], self.rounds[one.second.cell]
            yield (one.kind, *_aligned(first, second, figure))


def _side(stored: Stored) -> _Side:
    plan = stored.run.plan
    summary = judged.summary(stored)
    last = {(outcome.cell, outcome.round): outcome for outcome in stored.outcomes}
    cells = {cell.id: cell for cell in plan.cells}
    servers = {server.name: server for server in plan.servers}
    rounds: dict[str, dict[int, Figures]] = {cell: {} for cell in cells}
    for (name, number), outcome in last.items():
        cell = cells.get(name)
        if cell and _has_number(outcome):
            server = servers[cell.server]
            rounds[name][number] = figures(
                plan, cell, server, [outcome], latencies(cell, [outcome], stored.histogram)
            )
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    medians = {name: _medians(rounds[name]) if row.shown else {} for name, row in rows.items()}
    return _Side(rows, rounds, medians, summary.twins)


def _medians(rounds: Mapping[int, Figures]) -> dict[Figure, float]:
    known = {figure: [rate for rate in _rates(rounds, figure) if rate] for figure in BETTER}
    return {figure: median(each) for figure, each in known.items() if each}


def _has_number(outcome: Outcome) -> bool:
    loaded = outcome.loaded
    return outcome.status == "measured" and bool(loaded and loaded.duration_us and loaded.goodput)


def _same_rounds(base: Run, new: Run) -> bool:
    return (base.created_at, base.plan.seed) == (new.created_at, new.plan.seed)


def _aligned(
    base: Mapping[int, Figures], new: Mapping[int, Figures], figure: Figure
) -> tuple[Rates, Rates]:
    """Return the figure of both by round; None where it has none, as too few answers for a p99."""
    numbers = sorted(base.keys() | new.keys())
    return _rates(base, figure, numbers), _rates(new, figure, numbers)


def _rates(
    rounds: Mapping[int, Figures], figure: Figure, numbers: Iterable[int] | None = None
) -> Rates:
    found = (rounds.get(number) for number in (rounds if numbers is None else numbers))
    return [(getattr(one, figure) or None) if one else None for one in found]


def _answer(figure: Figure, found: Finding) -> Answer:
    if found == "inconclusive":
        return "cannot tell"
    if found == "equivalent":
        return "same"
    return "better" if found == BETTER[figure] else "worse"


def _lost(having: _Side, lacking: _Side, run: Literal["base", "new"]) -> Iterator[Lost]:
    """Yield the cells with a number in the one run that have none in the other, which is `run`."""
    for cell, row in having.rows.items():
        other = lacking.rows.get(cell)
        if not row.shown or (other and other.shown):
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
            "the two runs were not made under the same conditions; --anyway compares them", *lines
        )
