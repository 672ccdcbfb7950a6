"""What stands between the numbers of a run and a reader's trust, gathered for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from loadtest.judge.concern import Explained, Raised
from loadtest.judge.summary import Counts
from loadtest.report.columns import K, R, Subject
from loadtest.report.failures import Loss, losses
from loadtest.report.table import Table, prose
from loadtest.report.units import plural


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
    """A check that could not run, and for how many of the rows with a number."""

    concern: str
    means: str
    rows: int
    of: int


@dataclass(frozen=True)
class Caveats(Generic[K, R]):
    """The concerns of a run, the checks that could not run, and what has no number."""

    subject: Subject[K, R]
    rows: Sequence[tuple[K, R]]
    """All of the run, each with its ranking."""
    concerns: Sequence[Explained]
    """All that are looked for."""
    counts: Counts
    noise: str
    """What a difference has to exceed to count; code in backticks."""

    @property
    def counted(self) -> str:
        """How many rows have a number, and how many do not."""
        counts = self.counts
        text = f"{plural(counts.measured, self.subject.noun)} measured"
        if counts.measured_with_failed_rounds:
            text += f" ({counts.measured_with_failed_rounds} of them not in every round)"
        return f"{text}, {counts.failed} failed, {counts.skipped} skipped"

    @property
    def judged(self) -> str:
        """How many numbers can be taken as they stand: `8 valid, 2 suspect, 1 invalid`."""
        counts = self.counts
        return f"{counts.valid} valid, {counts.suspect} suspect, {counts.invalid} invalid"

    @property
    def doubts(self) -> list[Doubt[K, R]]:
        """The concerns that were raised, those that made most rows invalid first."""
        cases: dict[str, list[Case[K, R]]] = {}
        for ranking, row in self.rows:
            for raised in row.concerns:
                cases.setdefault(raised.concern, []).append(Case(ranking, row, raised))
        return sorted(
            (
                Doubt(each, tuple(sorted(cases[each.concern], key=_valid)))
                for each in self.concerns
                if each.concern in cases
            ),
            key=lambda doubt: -sum(not _valid(case) for case in doubt.cases),
        )

    @property
    def blanks(self) -> list[Blank]:
        """The checks that could not run: where that is so, a missing concern says nothing."""
        measured = [row for _, row in self.rows if row.rounds_measured]
        return [
            Blank(each.concern, each.means, count, len(measured))
            for each in self.concerns
            if (count := sum(each.concern in row.unchecked for row in measured))
        ]

    @property
    def losses(self) -> Table[Loss]:
        """What failed or was skipped."""
        return losses(self.rows, self.subject)

    def where(self, doubt: Doubt[K, R]) -> Table[Case[K, R]]:
        """Return the rows that a concern is about, with the facts."""
        subject = self.subject
        return Table(
            (
                subject.name.of(lambda case: case.row),
                prose("endpoint", subject.place, lambda it: subject.ranking(it.ranking, it.row)),
                prose("severity", "verdict", lambda case: case.raised.severity),
                prose("facts", "facts", lambda case: case.raised.facts),
            ),
            doubt.cases,
        )


def _valid(case: Case[K, R]) -> bool:
    return case.raised.severity != "invalid"
