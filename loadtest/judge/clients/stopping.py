"""The pairs of each table of HTTP clients, and which rows need another round by them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.judge.clients.metrics import by_round, time_s
from loadtest.judge.stopping import interim_looks, open_names, usable
from loadtest.records.clients import MEASURES, Group, Measure, Outcome, Plan
from loadtest.stats.noise_floor import by_kind, floors
from loadtest.stats.pairs import Pairs, all_pairs, turned
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import Finding

Key = tuple[str, Measure]
"""A row by one measure, as its id."""


@dataclass(frozen=True)
class Table:
    """All rows of a group by one measure that have times which may be compared."""

    group: Group
    measure: Measure
    noise_floor: float | None
    """As a share."""
    times: Mapping[str, Rates]
    pairs: Pairs
    """Of rates, where higher is better."""

    @property
    def fastest(self) -> str | None:
        """The row with the lowest median time."""
        return next(iter(self.pairs.rates), None)

    def middle(self, name: str) -> float:
        """Return the median time of a row; 0 where it has none."""
        return median(time for time in self.times.get(name, (0.0,)) if time is not None)

    def finding(self, name: str, over: str) -> Finding:
        """Return what is found of one row's time against another's."""
        return turned(self.pairs.finding(name, over))


def tables(
    plan: Plan,
    outcomes: Sequence[Outcome],
    invalid: Collection[Key],
    of: Callable[[Outcome], float | None] = time_s,
) -> Iterator[Table]:
    """Yield the table of each group by each of its measures; duplicates are in none.

    `of` is what rows are compared by, less being better.
    """
    rounds = 1 + max((each.round for each in outcomes if each.status != "skipped"), default=-1)
    for measure in MEASURES:
        times = by_round(outcomes, measure, of)
        noise = floors(by_kind(_arms(plan, times)))
        known = usable(times, [name for name, by in invalid if by == measure])
        for group in plan.groups:
            if measure not in group.measures:
                continue
            rows = (row for row in plan.rows if row.group == group.name and not row.duplicate_of)
            own = {row.id: known[row.id] for row in rows if row.id in known}
            rates = {name: [time and 1 / time for time in each] for name, each in own.items()}
            floor = noise.at(group.name, rounds)
            pairs = all_pairs(rates, floor, interim_looks(plan))
            yield Table(group, measure, floor, own, pairs)


def _arms(plan: Plan, times: Mapping[str, Rates]) -> Iterator[tuple[str, Rates, Rates]]:
    """Yield the times of each row that was measured twice, and of its duplicate, by group."""
    for row in plan.rows:
        if row.duplicate_of is not None and row.duplicate_of in times and row.id in times:
            yield row.group, times[row.duplicate_of], times[row.id]


def open_rows(plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[Key]) -> frozenset[Key]:
    """Return the rows, with their measure, that another round should measure for `Plan.precision`.

    As for servers, the fastest of each table being what the others are compared with; it and the
    table's duplicates are measured with them.
    """
    if plan.precision is None:
        return frozenset()
    open_: set[Key] = set()
    for table in tables(plan, outcomes, invalid):
        names = open_names(table.pairs, table.times, table.fastest, plan.precision)
        if names:
            names |= {table.fastest} if table.fastest else set()
            names |= {r.id for r in plan.rows if r.group == table.group.name and r.duplicate_of}
        open_ |= {(name, table.measure) for name in names}
    return frozenset(open_)
