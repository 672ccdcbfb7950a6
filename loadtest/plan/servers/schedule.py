"""A plan in the order in which it is measured, and how long that takes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from loadtest.records.planned import SETTLED_S, Cell, Plan, Record


class Sweep(Record, frozen=True, kw_only=True):
    """One endpoint's turn: a load of each server, one after the other."""

    turn: int
    cells: tuple[Cell, ...]


class Batch(Record, frozen=True, kw_only=True):
    """Servers that are up side by side in one round, and what is measured of them."""

    round: int
    servers: tuple[str, ...]
    sweeps: tuple[Sweep, ...]
    """Those of one endpoint follow each other."""
    observe_release: bool = False
    """Look at the end, what the servers have let go of."""


Done = Callable[[Cell, int, int], bool]
"""Says whether a cell was measured in a round and turn."""


def batches(plan: Plan, done: Done = lambda cell, round_, turn: False) -> list[Batch]:
    """Return what is to be measured in all rounds of a plan, in order."""
    return [batch for round_ in range(plan.rounds) for batch in one_round(plan, round_, done=done)]


def one_round(
    plan: Plan,
    round_: int,
    wanted: Collection[str] | None = None,
    done: Done = lambda cell, round_, turn: False,
    turns: int | None = None,
) -> list[Batch]:
    """Return what is to be measured in one round, in order.

    These are the cells that are wanted, by id, or else planned in it, and not done.

    All is shuffled by seed and round: the servers, in each sweep anew, and the endpoints, in an
    order that is the same for all servers. `turns` in place of the plan's is for what time is left.
    """
    order = random.Random(f"{plan.seed}/{round_}")
    names = [server.name for server in plan.servers]
    order.shuffle(names)
    endpoints = list(dict.fromkeys(cell.at for cell in plan.cells))
    order.shuffle(endpoints)
    cells = [
        cell
        for cell in plan.cells
        if cell.skip is None and (cell.planned_in(round_) if wanted is None else cell.id in wanted)
    ]
    by_endpoint: dict[str, list[Cell]] = {at: [] for at in endpoints}
    for cell in cells:
        by_endpoint[cell.at].append(cell)
    groups = list(_groups([of for of in by_endpoint.values() if of], plan))
    batches: list[Batch] = []
    for at, servers in enumerate(_side_by_side(names, plan)):
        for group in groups:
            sweeps: list[Sweep] = []
            for of in group:
                here = [cell for cell in of if cell.server in servers]
                # A load that lasts for the sake of what waits is one turn: its waves are several.
                several = 1 if of[0].endpoint.contract.delay_s else turns or plan.turns
                first = at * several if plan.at_once > 1 else 0
                for turn in range(first, first + several):
                    order.shuffle(here)
                    todo = tuple(cell for cell in here if not done(cell, round_, turn))
                    if todo:
                        sweeps.append(Sweep(turn=turn, cells=todo))
            taking_part = {cell.server for sweep in sweeps for cell in sweep.cells}
            if sweeps:
                batches.append(
                    Batch(
                        round=round_,
                        servers=tuple(name for name in servers if name in taking_part),
                        sweeps=tuple(sweeps),
                        # What a server lets go of is the same in every round: one look is enough.
                        observe_release=plan.observe_release and round_ == 0,
                    )
                )
    return batches


def _side_by_side(names: Sequence[str], plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield the servers that are up at the same time: all, or groups that share the reference.

    The turns of a group are numbered behind those of the group before, so that the reference has
    them all. Servers that are up alone share nothing.
    """
    if plan.at_once >= len(names) or plan.at_once == 1:
        step = plan.at_once
        yield from (tuple(names[at : at + step]) for at in range(0, len(names), step))
        return
    others = [name for name in names if name != plan.reference]
    shared = (plan.reference,) if plan.reference in names else ()
    step = plan.at_once - len(shared)
    # Of about the same size each.
    step = math.ceil(len(others) / math.ceil(len(others) / step))
    for at in range(0, len(others), step):
        yield (*shared, *others[at : at + step])


def _groups(endpoints: Sequence[list[Cell]], plan: Plan) -> Iterator[list[list[Cell]]]:
    """Yield the endpoints that share the servers' processes.

    What can poison the next comes last; where several can, they share processes with those that
    they don't poison, and have some of their own for the others. PostgreSQL has the count of its
    scans seconds after the last of them, or when the server is gone: its endpoints are spread among
    the others, or stand alone where servers share one database.
    """
    servers = {server.name: server for server in plan.servers}

    def poisons(cell: Cell) -> bool:
        load, contract = cell.load, cell.endpoint.contract
        at_once = servers[cell.server].capacity(plan.shape, load.connections, contract)
        # What waits and need not queue is answered within its delay, and nothing is left of it.
        return not contract.delay_s or at_once < load.connections

    isolated = [of for of in endpoints if of[0].endpoint.isolated]
    # At the end of processes that there are anyway: first those that poison every server.
    isolated.sort(key=lambda of: not all(map(poisons, of)))
    shared_by = [of for of in endpoints if not of[0].endpoint.isolated]
    counted = [of for of in shared_by if of[0].endpoint.contract.postgres]
    others = [of for of in shared_by if not of[0].endpoint.contract.postgres]
    if plan.at_once == 1:
        groups = [others, *([of] for of in counted)]
    else:
        shared = _spread(counted, others)
        with_them = isolated[: bool(shared)]
        groups, isolated = [shared + with_them], isolated[len(with_them) :]
    if isolated:
        last, *rest = isolated
        groups.append([*([cell for cell in of if not poisons(cell)] for of in rest), last])
        groups += [[[cell for cell in of if poisons(cell)]] for of in rest]
    yield from ([of for of in group if of] for group in groups)


def _spread(few: Sequence[list[Cell]], many: Sequence[list[Cell]]) -> list[list[Cell]]:
    """Return both in one order, as far from each other as they come; the last of the few last."""
    places = [(at + 1) / len(few) for at in range(len(few))]
    places += [(at + 0.5) / len(many) for at in range(len(many))]
    order = sorted(zip(places, range(len(places)), (*few, *many), strict=True))
    return [of for _, _, of in order]


LAUNCH_AND_STOP_S = 0.8
"""Of each server, as several start at once."""

SPARE_S = 0.15
"""What a turn takes beside its load and its checks, roughly: for planning alone."""


class Turn(NamedTuple):
    """One load to come."""

    round: int
    turn: int
    cell: Cell
    planned_s: float
    """About how long it takes."""


def turns(todo: Sequence[Batch]) -> Iterator[Turn]:
    """Yield the loads of batches, in order."""
    for batch in todo:
        up: set[str] = set()
        warm: set[str] = set()
        for sweep in batch.sweeps:
            for cell in sweep.cells:
                load, delay_s = cell.load, cell.endpoint.contract.delay_s
                takes_s = load.duration_s + SPARE_S
                if cell.server not in up:
                    takes_s += LAUNCH_AND_STOP_S + SETTLED_S * batch.observe_release
                if cell.id not in warm:
                    takes_s += max(load.warmup_s, delay_s)
                up.add(cell.server)
                warm.add(cell.id)
                yield Turn(batch.round, sweep.turn, cell, takes_s)
