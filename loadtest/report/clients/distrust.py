"""What to distrust in a clients' run: concerns with their rows, what has no number, the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.judge.clients.summary import Summary
from loadtest.judge.summary import Counts
from loadtest.records.clients import Measure
from loadtest.report.clients.columns import MEASURES, seconds
from loadtest.report.concern_tables import Case, Doubt, gathered
from loadtest.report.table import Column, Table, name, prose
from loadtest.report.units import share

Doubtful = Case[Ranking, Standing]


def doubts(summary: Summary) -> list[Doubt[Ranking, Standing]]:
    """Return the concerns that were raised, those that made most rows invalid first."""
    cases = (
        Case(ranking, row, raised)
        for ranking in summary.rankings
        for row in ranking.rows
        for raised in row.concerns
    )
    return gathered(summary.concerns, cases)


def where(cases: Sequence[Doubtful]) -> Table[Doubtful]:
    """Return the rows that a concern is about, with the facts."""
    columns: tuple[Column[Doubtful], ...] = (
        name("row", "row", lambda case: case.row.row.label),
        prose("table", "table", lambda case: f"{case.ranking.group.title}, {case.ranking.measure}"),
        prose("severity", "verdict", lambda case: case.raised.severity),
        prose("facts", "facts", lambda case: case.raised.facts),
    )
    return Table(columns, cases)


@dataclass(frozen=True)
class Loss:
    """Rows that have the same reason for missing or losing rounds."""

    what: str
    stage: str | None
    reason: str
    rows: tuple[str, ...]
    """Their labels, with the measure where not both are meant."""


def losses(summary: Summary) -> Table[Loss]:
    """Return what has no number, or not in every round, and why; the worst first."""
    groups: dict[tuple[str, str | None, str], dict[str, list[Measure]]] = {}
    for ranking in summary.rankings:
        for row in ranking.rows:
            if row.status == "measured" and not row.rounds_failed:
                continue
            tried = row.rounds_failed + row.rounds_measured
            some = f"failed in {row.rounds_failed} of {tried} rounds"
            what = row.status if row.status != "measured" else some
            key = (what, row.stage, row.reason or "no reason was stored")
            of = f"{row.row.label} ({ranking.group.title})"
            groups.setdefault(key, {}).setdefault(of, []).append(ranking.measure)
    items = [
        Loss(*key, rows=tuple(f"{row}, {' and '.join(of)}" for row, of in rows.items()))
        for key, rows in groups.items()
    ]
    items.sort(key=lambda loss: ("failed", "skipped").index(loss.what.split()[0]))
    columns: tuple[Column[Loss], ...] = (
        prose("what", "what", lambda loss: loss.what),
        prose("stage", "at stage", lambda loss: loss.stage),
        prose("reason", "reason", lambda loss: loss.reason),
        prose("rows", "rows", lambda loss: "; ".join(loss.rows)),
    )
    return Table(columns, items)


def outliers(ranking: Ranking) -> str | None:
    """Return the times that stand apart, in a sentence; None where there are none."""
    found = [
        f"`{row.row.label}` took {seconds(one.seconds)} in round {one.round}"
        for row in ranking.reportable
        if row.cold
        for one in row.cold.outliers
    ]
    if not found:
        return None
    return (
        f"Outliers, which are in the mean all the same: {'; '.join(found)}. Look for what else ran"
        " then."
    )


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to be called one."""
    found = [floors for measure in MEASURES if (floors := _floors(summary, measure))]
    if not found:
        return "Small gaps can be noise: no row was measured twice here."
    return (
        "Rows that share a rank (`1=`) were not told apart. Noise alone lets two identical rows"
        f" differ by up to {' and '.join(found)} here; no smaller difference counts as one."
    )


def _floors(summary: Summary, measure: Measure) -> str | None:
    """Return the noise floors of a measure's tables, the lowest and the highest."""
    floors = [
        ranking.noise_floor
        for ranking in summary.rankings
        if ranking.measure == measure and ranking.noise_floor is not None
    ]
    if not floors:
        return None
    low, high = share(min(floors)), share(max(floors))
    return f"{low if low == high else f'{low} to {high}'} ({measure})"


def counted(counts: Counts) -> str:
    """Return how many measurements have a number, and what the numbers are worth."""
    return (
        f"{counts.measured} measured, {counts.failed} failed, {counts.skipped} skipped, each row"
        f" once by each measure; {counts.valid} valid, {counts.suspect} suspect,"
        f" {counts.invalid} invalid"
    )
