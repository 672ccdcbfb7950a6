"""The servers at each endpoint as one table of pairs: by cost, or by requests/s where it waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.judge.servers.rows import By
from loadtest.judge.stopping import interim_looks, usable
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Endpoint, Load, Plan, Style, at
from loadtest.stats.noise_floor import Floor, Floors, Twins, floors_of, twins, workload
from loadtest.stats.pairs import Pairs, all_pairs
from loadtest.stats.ratios import UNLIKE, Rates
from loadtest.stats.search import NARROW
from loadtest.stats.series import cpu_times, goodputs, groups
from loadtest.stats.significance import LEAST_MARGIN, ByRounds


@dataclass(frozen=True)
class Measured:
    """What all tables of a run are made of, by cell and round; and what noise alone does to it."""

    plan: Plan
    goodput: Mapping[str, Rates]
    """Of the cells whose number may be compared."""
    cpu_us: Mapping[str, Rates]
    """The server's CPU time for a response, likewise, where it was measured."""
    twins: Sequence[Twins]
    floors: Floors
    """Of goodput."""
    cpu_floors: Floors

    @property
    def interim_looks(self) -> int:
        """How often the run looked at its data."""
        return interim_looks(self.plan)


@dataclass(frozen=True)
class Table:
    """All servers with a number at one endpoint under one load; duplicates are in none."""

    endpoint: Endpoint
    load: Load
    cells: tuple[Cell, ...]
    """Also those without a number."""
    by: By
    pairs: Pairs
    """By cell, of rates, where higher is better: a cost's inverse."""

    @property
    def at(self) -> str:
        """The endpoint with its style, and the rate of a load at one."""
        return at(self.endpoint, self.load)

    @property
    def priced(self) -> dict[str, str]:
        """The cells that have a cost, by server, the cheapest first; none where it waits."""
        if self.by != "cost":
            return {}
        server = {cell.id: cell.server for cell in self.cells}
        return {server[cell]: cell for cell in self.pairs.rates}


def measured(plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[str]) -> Measured:
    """Return what a run measured; what is `invalid` is compared with nothing."""
    arms = tuple(twins(plan, outcomes, invalid))
    return Measured(
        plan=plan,
        goodput=usable(goodputs(outcomes), invalid),
        cpu_us=usable(cpu_times(outcomes), invalid),
        twins=arms,
        floors=floors_of("goodput", arms),
        cpu_floors=floors_of("server_cpu_us", arms),
    )


def tables(of: Measured) -> Iterator[Table]:
    """Yield the table of each endpoint and load, in the order of the plan."""
    duplicates = {server.name for server in of.plan.servers if server.duplicate_of}
    looks = of.interim_looks
    for cells in groups(of.plan).values():
        endpoint, kind = cells[0].endpoint, workload(cells[0].endpoint, cells[0].load)
        taking_part = tuple(cell for cell in cells if cell.server not in duplicates)
        rates = {cell.id: of.goodput[cell.id] for cell in taking_part if cell.id in of.goodput}
        searched = cells[0].load.within is not None
        priced = not endpoint.contract.delay_s and not searched and rates.keys() <= of.cpu_us.keys()
        if priced:
            costs = {cell: of.cpu_us[cell] for cell in rates}
            pairs = cost_pairs(costs, of.cpu_floors.of(kind), looks)
        else:
            floor = of.floors.of(kind)
            # The rates of a search are as far apart as its last two.
            pairs = all_pairs(rates, at_least(NARROW - 1, floor) if searched else floor, looks)
        yield Table(endpoint, cells[0].load, taking_part, "cost" if priced else "goodput", pairs)


def by_rate(tables: Sequence[Table]) -> dict[float | None, list[Table]]:
    """Return the tables by the rate that was asked for, those of closed loops first."""
    rates: dict[float | None, list[Table]] = {}
    for table in sorted(tables, key=lambda table: table.load.rate or 0.0):
        rates.setdefault(table.load.rate, []).append(table)
    return rates


def at_main_rate(tables: Sequence[Table]) -> list[Table]:
    """Return the tables that the decision is about: closed loops, or those at the lowest rate."""
    return next(iter(by_rate(tables).values()), [])


def main_style(tables: Sequence[Table]) -> Style:
    """Return the style of views that the decision is about: async ones where no others were."""
    sync = any(table.priced for table in tables if table.endpoint.style == "sync")
    return "sync" if sync else "async"


def cost_pairs(
    costs: Mapping[str, Rates],
    floor: Floor | None,
    interim_looks: int,
    order: Sequence[str] | None = None,
) -> Pairs:
    """Compare all with each other by what they cost, the cheapest first.

    The rates are the costs' inverse. What differs by less than `LEAST_MARGIN` does not decide which
    server to deploy.
    """

    rates = {name: [1 / us if us else None for us in row] for name, row in costs.items()}

    def place(name: str) -> tuple[float, list[float]]:
        return usual_us(costs[name]), [us or 0.0 for us in costs[name]]

    margin = at_least(LEAST_MARGIN, floor)
    order = order or sorted(costs, key=place)
    return all_pairs(rates, margin, interim_looks, order, UNLIKE)


def at_least(share: float, floor: Floor | None) -> ByRounds:
    """Return a noise floor that is nowhere below a share."""
    return lambda rounds: max(share, floor(rounds) if floor else 0.0)


def usual_us(costs: Rates) -> float:
    """Return the cost of the median round."""
    return median(us for us in costs if us)
