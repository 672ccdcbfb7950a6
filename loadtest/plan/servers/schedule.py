"""A plan in the order in which it is measured, and how long that takes."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence

from loadtest.records.planned import SETTLED_S, Cell, Plan, Record


class Batch(Record, frozen=True, kw_only=True):
    """Cells that share one server process in one round."""

    round: int
    server: str
    cells: tuple[Cell, ...]
    observe_release: bool = False
    """Wait after the last load, to see what the server lets go of."""


def batches(plan: Plan, done: Callable[[Cell, int], bool]) -> list[Batch]:
    """Return what is to be measured, in order, without the cells that are `done` or skipped."""
    todo: list[Batch] = []
    for round_ in range(plan.rounds):
        missing = {
            cell.id for cell in plan.cells if cell.planned_in(round_) and not done(cell, round_)
        }
        todo += one_round(plan, round_, missing)
    return todo


def one_round(plan: Plan, round_: int, wanted: Collection[str]) -> list[Batch]:
    """Return the batches of one round, in order, with the cells (by id) that are wanted.

    The servers come in an order shuffled by seed and round, and the endpoints in one that is the
    same for all servers. Endpoints that can poison the next have a batch of their own, and so have
    those whose work PostgreSQL counts, since it has the count when the server is gone.
    """
    order = random.Random(f"{plan.seed}/{round_}")
    servers = [server.name for server in plan.servers]
    order.shuffle(servers)
    endpoints = list(dict.fromkeys(cell.endpoint.id for cell in plan.cells))
    order.shuffle(endpoints)
    place = {endpoint: index for index, endpoint in enumerate(endpoints)}
    cells = sorted(
        (cell for cell in plan.cells if cell.skip is None and cell.id in wanted),
        key=lambda cell: place[cell.endpoint.id],
    )
    return [
        Batch(round=round_, server=server, cells=tuple(group), observe_release=observe_release)
        for server in servers
        # What a server lets go of is the same in every round: one look at it is enough.
        for observe_release, group in _groups(
            [cell for cell in cells if cell.server == server], plan.observe_release and round_ == 0
        )
    ]


def _groups(cells: Sequence[Cell], observe_release: bool) -> Iterator[tuple[bool, list[Cell]]]:
    """Yield the cells of a server that share a process, and whether to wait after them."""
    alone = [c for c in cells if c.endpoint.isolated or c.endpoint.contract.postgres]
    if shared := [cell for cell in cells if cell not in alone]:
        yield observe_release, shared
    for cell in alone:
        # What waits or blocks may leave something behind; the others are alone for their count.
        yield observe_release and cell.endpoint.isolated, [cell]


LAUNCH_AND_STOP_S = 0.6

SPARE_S = 0.15
"""What a cell takes beside its load and its checks, roughly: for planning alone."""


def planned_s(batch: Batch, cell: Cell) -> float:
    """Return about how long a cell takes: for progress, and for the plan."""
    delay_s = cell.endpoint.contract.delay_s
    after_s = max(delay_s, SETTLED_S * (batch.observe_release and cell is batch.cells[-1]))
    launch_s = LAUNCH_AND_STOP_S * (cell is batch.cells[0])
    return launch_s + max(cell.load.warmup_s, delay_s) + cell.load.duration_s + after_s + SPARE_S


def total_s(todo: Sequence[Batch]) -> float:
    """Return about how long the batches take together."""
    return sum(planned_s(batch, cell) for batch in todo for cell in batch.cells)
