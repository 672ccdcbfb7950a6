"""Where a row stands in its table: figures, verdict, a rank that rows may share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from loadtest.judge.clients.metrics import ColdFigures, WarmFigures
from loadtest.judge.concern import Raised, Verdict
from loadtest.records.clients import Group, Measure, Row, Stage
from loadtest.records.planned import Record, Status
from loadtest.stats.ratios import Rates, moderated, paired
from loadtest.stats.significance import LEAST_MARGIN, Finding, adjust, finding, margin
from loadtest.stats.tie_groups import ranks


class Round(Record, frozen=True, kw_only=True):
    """What became of a row in one round."""

    number: int
    """From 1, as people count."""
    status: Status
    stage: Stage | None
    reason: str | None
    detail: str | None
    time_s: float | None
    """Of the whole process (cold) or of one call (warm); None unless measured."""


class Versus(Record, frozen=True, kw_only=True):
    """How a row's time compares with another's, round by round; above 1 it takes longer."""

    ratio: float
    """Its time / the other's, the median over rounds."""
    low: float | None
    """Lower end of its 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    """Upper end, likewise."""
    finding: Finding
    """Taken with all comparisons of its table, and against the run's noise floor."""


class Standing(Record, frozen=True, kw_only=True):
    """One row by one measure: figures where it was measured, the reason where it was not."""

    row: Row
    status: Status
    rank: int | None
    """By time, from 1, the fastest; None without a number, and for one that is invalid."""
    tied: bool
    """Shares its rank: this run cannot tell it from the leader of its group."""
    versus: Versus | None
    """Against the fastest of the table; None without a number, and for the fastest itself."""
    verdict: Verdict | None
    """What the number is worth; None where there is nothing to judge."""
    concerns: tuple[Raised, ...]
    """Doubts about the number, the worst first."""
    unchecked: tuple[str, ...]
    """Concerns that nobody could look for, as what they need was not recorded."""
    cold: ColdFigures | None
    """Of an invalid row too: see `shown`."""
    warm: WarmFigures | None
    stage: Stage | None
    reason: str | None
    """Of the first round that failed, or else was skipped."""
    rounds_measured: int
    rounds_failed: int
    rounds: tuple[Round, ...]

    @property
    def measured(self) -> bool:
        """Whether there are figures, whatever they are worth."""
        return self.cold is not None or self.warm is not None

    @property
    def reportable(self) -> bool:
        """Whether its figures may stand beside others: those of an invalid row may not."""
        return self.measured and self.verdict != "invalid"


class Ranking(Record, frozen=True, kw_only=True):
    """All rows of a group by one measure: by time, then the invalid, the failed, the skipped.

    A second arm of a row is not among them: it is there to show the noise.
    """

    group: Group
    measure: Measure
    noise_floor: float | None
    """The difference, as a share, that two identical rows show here; the largest of the other
    groups where none was measured twice in this one, None where none was at all."""
    rows: tuple[Standing, ...]

    @property
    def reportable(self) -> tuple[Standing, ...]:
        """Those with a number, the fastest first."""
        return tuple(row for row in self.rows if row.reportable)


def placed(rows: Sequence[Standing], floor: float | None) -> tuple[Standing, ...]:
    """Return the rows with their places; `floor` is the noise floor of the measure, as a share."""
    times = _times(rows)
    # Ranks are of rates, where higher is better.
    rates = {name: [time and 1 / time for time in row] for name, row in times.items()}
    place = ranks(rates, floor)
    shared = Counter(place.values())
    found = [
        msgspec.structs.replace(
            row, rank=place.get(row.row.id), tied=shared[place.get(row.row.id, 0)] > 1
        )
        for row in rows
    ]
    order: dict[Status, int] = {"measured": 0, "failed": 1, "skipped": 2}
    found.sort(
        key=lambda row: (
            row.rank is None,
            order[row.status],
            row.rank or 0,
            _middle(times.get(row.row.id, ())),
            row.row.id,
        )
    )
    if not times:
        return tuple(found)
    versus = against(times, found[0].row.id, floor)
    return tuple(msgspec.structs.replace(row, versus=versus.get(row.row.id)) for row in found)


def against(times: Mapping[str, Rates], base: str, floor: float | None) -> dict[str, Versus]:
    """Return how the other rows' times compare with one row's, taken as one table."""
    others = [name for name in times if name != base]
    return dict(
        zip(others, compared([(times[base], times[n]) for n in others], floor), strict=True)
    )


def compared(pairs: Sequence[tuple[Rates, Rates]], floor: float | None) -> list[Versus]:
    """Return each pair's comparison, all of them one table; a pair has a round in common."""
    drawn = moderated([paired(base, new) for base, new in pairs])
    adjusted = adjust([one.p for one in drawn])
    # A noisy run shows less difference, but no more likeness: what is alike is so within 5 %.
    return [
        Versus(
            ratio=one.ratio or 1.0,
            low=one.low,
            high=one.high,
            finding=finding(one, margin(floor), p, near=LEAST_MARGIN),
        )
        for one, p in zip(drawn, adjusted, strict=True)
    ]


def _times(rows: Sequence[Standing]) -> dict[str, Rates]:
    """Return the time of each row by round, of those whose number may be compared."""
    last = max((one.number for row in rows for one in row.rounds), default=0)
    found: dict[str, Rates] = {}
    for row in rows:
        by_number = {one.number: one.time_s for one in row.rounds if row.reportable}
        times = [by_number.get(number) for number in range(1, last + 1)]
        if any(times):
            found[row.row.id] = times
    return found


def _middle(times: Rates) -> float:
    known = [time for time in times if time is not None]
    return median(known) if known else 0.0
