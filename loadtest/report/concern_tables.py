"""What to distrust: concerns over all cells, each with its facts, its meaning and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from loadtest.judge.concern import Explained, Raised
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.summary import Summary
from loadtest.judge.summary import Counts
from loadtest.report.table import Column, Table, name, prose
from loadtest.report.units import plural

K = TypeVar("K")

R = TypeVar("R")


@dataclass(frozen=True)
class Case(Generic[K, R]):
    """One row in which a concern was raised, with the ranking that it stands in."""

    ranking: K
    row: R
    raised: Raised


@dataclass(frozen=True)
class Doubt(Generic[K, R]):
    """A concern that was raised, and where."""

    explained: Explained
    cases: tuple[Case[K, R], ...]
    """The invalid first, then in the order of the rankings."""

    @property
    def counted(self) -> str:
        """How many rows it made what, as in `1 invalid, 2 suspect`."""
        severities = [case.raised.severity for case in self.cases]
        counts = [(severities.count(severity), severity) for severity in ("invalid", "suspect")]
        return ", ".join(f"{count} {severity}" for count, severity in counts if count)


@dataclass(frozen=True)
class Blank:
    """A concern that could not be looked for, and in how many of the cells with a number."""

    concern: str
    means: str
    cells: int
    of: int


def doubts(summary: Summary) -> list[Doubt[Ranking, Row]]:
    """Return the concerns that were raised, those that made most cells invalid first."""
    cases = (
        Case(ranking, row, raised)
        for ranking in summary.rankings
        for row in ranking.rows
        for raised in row.concerns
    )
    return gathered(summary.concerns, cases)


def gathered(concerns: Iterable[Explained], cases: Iterable[Case[K, R]]) -> list[Doubt[K, R]]:
    """Return the concerns of these cases, those that made most rows invalid first."""
    of: dict[str, list[Case[K, R]]] = {}
    for case in cases:
        of.setdefault(case.raised.concern, []).append(case)
    for each in of.values():
        each.sort(key=lambda case: case.raised.severity != "invalid")
    found = [
        Doubt(explained, tuple(of[explained.concern]))
        for explained in concerns
        if explained.concern in of
    ]
    return sorted(
        found, key=lambda doubt: -sum(case.raised.severity == "invalid" for case in doubt.cases)
    )


def where(cases: Sequence[Case[Ranking, Row]]) -> Table[Case[Ranking, Row]]:
    """Return the cells that a concern is about, with the facts."""
    columns: tuple[Column[Case[Ranking, Row]], ...] = (
        name("server", "server", lambda case: case.row.server),
        prose("endpoint", "endpoint", lambda case: case.ranking.endpoint.id),
        prose("severity", "verdict", lambda case: case.raised.severity),
        prose("facts", "facts", lambda case: case.raised.facts),
    )
    return Table(columns, cases)


def blanks(summary: Summary) -> list[Blank]:
    """Return what could not be looked for: where it stands, a missing concern says nothing."""
    rows = [row for ranking in summary.rankings for row in ranking.rows if row.figures]
    found = [
        (explained, sum(explained.concern in row.unchecked for row in rows))
        for explained in summary.concerns
    ]
    return [Blank(one.concern, one.means, cells, len(rows)) for one, cells in found if cells]


def counted(counts: Counts) -> str:
    """Return how many cells have a number, and how many do not."""
    text = f"{plural(counts.measured, 'cell')} measured"
    if counts.measured_with_failed_rounds:
        text += f" ({counts.measured_with_failed_rounds} of them not in every round)"
    return f"{text}, {counts.failed} failed, {counts.skipped} skipped"


def judged(counts: Counts) -> str:
    """Return how many numbers can be taken as they stand: `8 valid, 2 suspect, 1 invalid`."""
    return f"{counts.valid} valid, {counts.suspect} suspect, {counts.invalid} invalid"
