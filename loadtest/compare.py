"""Two runs, cell by cell: what got better, what got worse, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Literal

from loadtest import evened, sides
from loadtest.environment import Difference, differences
from loadtest.errors import UserError
from loadtest.findings import Finding, adjust, finding, margin
from loadtest.model import Interface, Record, Run
from loadtest.results import Stored
from loadtest.sides import BETTER, Figure, Pair, Side
from loadtest.statistics import Comparison, moderated, paired, unpaired

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
    evened: bool
    """CPU time at even speed of the processors, that of BASE; see `evened`."""
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
    before, after = sides.read(base), sides.read(new)
    shared = [cell for cell in before.rows if cell in after.rows]
    if not any(before.rows[cell].shown for cell in shared):
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
        floors = (side.at(endpoints[cell].kind, one.rounds) for side in noise[figure, pair.evened])
        beyond = max(margin(floor, threshold) for floor in floors)
        return Change(
            cell=cell,
            server=after.rows[cell].server,
            interface=after.rows[cell].interface,
            endpoint=endpoints[cell].id,
            figure=figure,
            base=median(filter(None, pair.base)),
            new=median(filter(None, pair.new)),
            evened=pair.evened,
            comparison=one,
            adjusted_p=p,
            margin=beyond,
            answer=_answer(figure, finding(one, beyond, p, near=threshold)),
        )

    may_even = evened.CONDITIONS.isdisjoint(one.key for one in found)
    made: list[tuple[Pair, Comparison]] = []
    for figure in BETTER:
        pairs = [
            sides.pair(before, after, cell, figure, may_even)
            for cell in shared
            if figure in before.shown[cell] and figure in after.shown[cell]
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
