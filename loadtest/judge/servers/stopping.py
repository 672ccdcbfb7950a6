"""Which cells of servers need another round."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from loadtest.judge.stopping import interim_looks, open_names, usable
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Plan
from loadtest.stats.noise_floor import Floors, goodput_floors, twins
from loadtest.stats.pairs import Pairs, all_pairs
from loadtest.stats.ratios import Rates
from loadtest.stats.series import goodputs, groups


def open_cells(plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[str]) -> frozenset[str]:
    """Return the ids of the cells that another round should measure, for `Plan.precision`.

    A cell is open while the 95 % interval of its ratio to the reference reaches further than the
    precision either way, or while its place among the tie groups is undecided. The reference and
    its duplicate are measured with it, because a round is only worth something as a pair. An
    `invalid` cell is never open: more rounds would not make its number one.
    """
    rates = usable(goodputs(outcomes), invalid)
    floors = goodput_floors(tuple(twins(plan, outcomes, invalid)))
    return left_open(plan, rates, tables(plan, rates, floors))


def tables(
    plan: Plan, rates: Mapping[str, Rates], floors: Floors
) -> list[tuple[list[Cell], Pairs]]:
    """Return the cells of each ranking with the pairs of those that have rates.

    Duplicates are in no pair: they are there to show the noise.
    """
    duplicates = {server.name for server in plan.servers if server.duplicate_of}
    return [
        (
            cells,
            all_pairs(
                {
                    cell.id: rates[cell.id]
                    for cell in cells
                    if cell.id in rates and cell.server not in duplicates
                },
                floors.of(cells[0].endpoint.kind),
                interim_looks(plan.precision),
            ),
        )
        for cells in groups(plan).values()
    ]


def left_open(
    plan: Plan, rates: Mapping[str, Rates], tables: Iterable[tuple[Sequence[Cell], Pairs]]
) -> frozenset[str]:
    """Return what `open_cells` does, of pairs that were judged already."""
    if plan.precision is None:
        return frozenset()
    measured_with = {server.name for server in plan.servers if server.duplicate_of}
    measured_with |= {plan.reference} if plan.reference else set()
    open_: set[str] = set()
    for cells, pairs in tables:
        reference = next((cell.id for cell in cells if cell.server == plan.reference), None)
        if names := open_names(pairs, pairs.rates, reference, plan.precision):
            open_ |= names | {cell.id for cell in cells if cell.server in measured_with}
    return frozenset(open_ & rates.keys())
