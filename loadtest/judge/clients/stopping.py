"""Which rows of HTTP clients need another round, by the rules for servers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from loadtest.judge.clients.metrics import by_round
from loadtest.judge.clients.summary import arms
from loadtest.judge.stopping import MOST_LOOKS, wide
from loadtest.records.clients import MEASURES, Measure, Outcome, Plan
from loadtest.stats.noise_floor import by_kind, floors
from loadtest.stats.tie_groups import ordered, undecided


def open_rows(
    plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[tuple[str, Measure]]
) -> frozenset[tuple[str, Measure]]:
    """Return the rows, with their measure, that another round should measure for `Plan.precision`.

    A row is open while the 95 % interval of its ratio to the fastest of its table reaches further
    than the precision either way, or while its place is undecided. The fastest and the duplicates
    of the table are measured with it. An `invalid` row is never open.
    """
    if plan.precision is None:
        return frozenset()
    rounds = 1 + max((outcome.round for outcome in outcomes), default=-1)
    wanted: set[tuple[str, Measure]] = set()
    for measure in MEASURES:
        times = by_round(outcomes, measure, rounds)
        noise = floors(by_kind(arms(plan, times)))
        for group in plan.groups:
            rows = [row for row in plan.rows if row.group == group.name and row.id in times]
            # Ranks are of rates, where higher is better.
            rates = {
                row.id: [time and 1 / time for time in times[row.id]]
                for row in rows
                if row.duplicate_of is None and (row.id, measure) not in invalid
            }
            rates = {name: rate for name, rate in rates.items() if any(rate)}
            if not rates:
                continue
            fastest = ordered(rates)[0]
            names = set(undecided(rates, noise.of(group.name), MOST_LOOKS))
            names |= wide(rates, fastest, plan.precision)
            if names:
                names |= {fastest, *(row.id for row in rows if row.duplicate_of)}
                wanted |= {(name, measure) for name in names}
    return frozenset(wanted)
