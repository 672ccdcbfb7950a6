"""Which cells need another round: those whose interval is too wide or whose rank is still open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from loadtest.records.measured import Outcome
from loadtest.records.planned import Plan
from loadtest.stats.noise_floor import goodput_floors, twins
from loadtest.stats.ratios import Rates, half_width, moderated, paired
from loadtest.stats.series import goodputs, groups
from loadtest.stats.significance import LOOKS
from loadtest.stats.tie_groups import undecided

MOST_LOOKS = max(LOOKS)
"""How often a run that goes on until it knows may look at its data; the plan's rounds are one."""


def interim_looks(plan: Plan) -> int:
    """Return how often a run may look at its data before it says what it shows, see `level`.

    For a run that goes on until it knows, the most that is tabled: counting the looks as they come
    would claim a difference in 9 % of runs without one, this does in 4 %.
    """
    return 1 if plan.precision is None else MOST_LOOKS


def open_cells(plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[str]) -> frozenset[str]:
    """Return the ids of the cells that another round should measure, for `Plan.precision`.

    A cell is open while the 95 % interval of its ratio to the reference reaches further than the
    precision either way, or while its place among the tie groups is undecided. The reference and
    its second arm are measured with it, because a round is only worth something as a pair. An
    `invalid` cell is never open: more rounds would not make its number one.
    """
    if plan.precision is None:
        return frozenset()
    rates = {cell: of for cell, of in goodputs(outcomes).items() if cell not in invalid}
    floors = goodput_floors(tuple(twins(plan, outcomes, invalid)))
    duplicates = {server.name for server in plan.servers if server.duplicate_of}
    found: set[str] = set()
    for cells in groups(plan).values():
        known = {cell.server: rates[cell.id] for cell in cells if any(rates.get(cell.id, ()))}
        ranked = {server: of for server, of in known.items() if server not in duplicates}
        servers = set(undecided(ranked, floors.of(cells[0].endpoint.kind), interim_looks(plan)))
        servers |= wide(ranked, plan.reference, plan.precision)
        if servers:
            found |= {
                cell.id
                for cell in cells
                if cell.server in servers | duplicates or cell.server == plan.reference
            }
    return frozenset(found & {cell for cell, of in rates.items() if any(of)})


def wide(rates: Mapping[str, Rates], reference: str | None, precision: float) -> set[str]:
    """Return whose ratio to the reference is known less well than the precision, a share."""
    base = rates.get(reference or "")
    if base is None:
        return set()
    others = [server for server in rates if server != reference]
    table = moderated([paired(base, rates[server]) for server in others])
    widths = {server: half_width(one) for server, one in zip(others, table, strict=True)}
    return {server for server, width in widths.items() if width is None or width > precision}
