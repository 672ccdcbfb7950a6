"""Which cells of servers need another round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.cost import over_all
from loadtest.judge.servers.tables import Measured, Table, at_main_rate, main_style
from loadtest.judge.stopping import open_names
from loadtest.records.planned import Plan


def left_open(measured: Measured, tables: Sequence[Table]) -> frozenset[str]:
    """Return the ids of the cells that another round should measure.

    For `Plan.precision` a cell is open while the 95 % interval of its ratio to the reference
    reaches further than that either way, or while its place among the tie groups is undecided. For
    `Plan.most_rounds` it is what counts for the cost of a server whose place is undecided. The
    reference and its duplicate are measured with it, because a round is only worth something as a
    pair. An invalid cell is never open: more rounds would not make its number one.
    """
    plan = measured.plan
    if plan.precision is not None:
        open_ = frozenset(_imprecise(measured, tables, plan.precision))
    elif plan.most_rounds is not None:
        open_ = frozenset(_undecided(measured, tables))
    else:
        open_ = frozenset()
    return open_ & measured.goodput.keys()


def _imprecise(measured: Measured, tables: Sequence[Table], precision: float) -> Iterator[str]:
    plan, beside = measured.plan, _beside(measured.plan)
    for table in tables:
        reference = next((c.id for c in table.cells if c.server == plan.reference), None)
        if names := open_names(table.pairs, table.pairs.rates, reference, precision):
            yield from names
            yield from beside.get(table.at, ())


def _undecided(measured: Measured, tables: Sequence[Table]) -> Iterator[str]:
    main = at_main_rate(tables)
    pool, beside = over_all(measured, main, main_style(main)), _beside(measured.plan)
    for server in pool.pairs.undecided if pool else ():
        assert pool
        for endpoint, cell in pool.cells[server].items():
            yield cell
            yield from beside.get(endpoint, ())


def _beside(plan: Plan) -> dict[str, list[str]]:
    """Return by endpoint the cells that are measured with each of the others."""
    servers = {server.name for server in plan.servers if server.duplicate_of} | {plan.reference}
    cells: dict[str, list[str]] = {}
    for cell in plan.cells:
        if cell.server in servers:
            cells.setdefault(cell.at, []).append(cell.id)
    return cells
