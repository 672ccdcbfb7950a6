"""A client's row by one measure, and the rows of a group: figures, verdict, place."""

from __future__ import annotations

from loadtest.judge import rows
from loadtest.judge.clients.metrics import ColdFigures, WarmFigures
from loadtest.records.clients import Group, Measure, Row, Stage


class Round(rows.Round, frozen=True, kw_only=True):
    """What became of a row in one round."""

    stage: Stage | None
    time_s: float | None
    """Of the whole process (cold) or of one call (warm); None unless measured."""


class Standing(rows.Row, frozen=True, kw_only=True):
    """One row by one measure, ranked by time and compared with the fastest of its table.

    Figures where it was measured, the reason where it was not.
    """

    row: Row
    cold: ColdFigures | None
    """Of an invalid row too: see `reportable`."""
    warm: WarmFigures | None
    stage: Stage | None
    rounds: tuple[Round, ...]

    @property
    def name(self) -> str:
        """The row's id."""
        return self.row.id

    @property
    def measured(self) -> bool:
        """Whether there are figures, whatever they are worth."""
        return self.cold is not None or self.warm is not None

    @property
    def reportable(self) -> bool:
        """Whether its figures may stand beside others: those of an invalid row may not."""
        return self.measured and self.verdict != "invalid"


class Ranking(rows.Ranking, frozen=True, kw_only=True):
    """All rows of a group by one measure, by time.

    Its noise floor is the largest of the other groups' where none was measured twice in this one.
    """

    group: Group
    measure: Measure
    rows: tuple[Standing, ...]

    @property
    def reportable(self) -> tuple[Standing, ...]:
        """Those with a number, the fastest first."""
        return tuple(row for row in self.rows if row.reportable)
