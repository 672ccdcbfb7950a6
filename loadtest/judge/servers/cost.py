"""What 1,000 requests/s cost on each server, pooled over endpoints, and who costs less than whom.

Microseconds of the server's CPU time for a response / 1,000 are the CPU cores that 1,000 requests/s
take. Over endpoints their geometric mean counts, so that a ratio weighs the same at each of them.
Of a site it is the arithmetic mean by their shares of its traffic: what one of its requests costs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, median_low
from typing import NamedTuple, TypeVar

from loadtest.judge.ranking import UNRANKED, Rank, ranks
from loadtest.judge.rows import Versus
from loadtest.judge.servers.decision import AtEndpoint, Between, Cost, LeftOut, Place
from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Row
from loadtest.judge.servers.tables import Measured, Table, cost_pairs, usual_us
from loadtest.records.measured import Launch
from loadtest.records.planned import Endpoint, Mix, Plan, Style
from loadtest.stats.noise_floor import Floor, floors, workload
from loadtest.stats.pairs import Pairs, turned
from loadtest.stats.ratios import Rates

CORES = 1_000
"""Microseconds of CPU time for a response in each core for 1,000 requests/s."""

DOMINATED = 10.0
"""Times the cost of the median endpoint: beyond it the work itself is measured, not the server."""

ALL = "all"
"""In place of an endpoint, of a cost over all of them."""

FEWEST = 0.5
"""Of the endpoints: who has a number at fewer is not ranked, and costs the others none of them."""

Known = TypeVar("Known")

Shares = Sequence[float] | None
"""Of a site's traffic, of each endpoint; None: of endpoints that are no site's."""


@dataclass(frozen=True)
class Pool:
    """Some endpoints with one style of views, or of a site, and what servers cost there."""

    over: str
    style: Style
    mix: Mix | None
    shares: Mapping[str, float] | None
    """By endpoint that counts."""
    rate: float | None
    tables: tuple[Table, ...]
    """Of all of them that do not wait, also those that do not count."""
    left_out: tuple[LeftOut, ...]
    cells: Mapping[str, Mapping[str, str]]
    """By server, the cheapest first, and endpoint that counts."""
    cost_us: Mapping[str, float]
    """By server: the mean over the endpoints of the median round's."""
    pairs: Pairs
    """Of servers, by rates: the inverse of what they cost."""
    floor: Floor | None
    apart: float | None
    """See `Cost.apart`."""


class Memory(NamedTuple):
    """Of a server's processes together: the median launch's."""

    launched_bytes: int | None
    """When it had just answered."""
    last_bytes: int | None
    """After its last turn."""


def memory_of(launches: Sequence[Launch]) -> dict[str, Memory]:
    """Return the memory of each server whose launches were looked at."""
    by_server: dict[str, list[Launch]] = {}
    for launch in launches:
        by_server.setdefault(launch.server, []).append(launch)

    def middle(bytes_: Sequence[int | None]) -> int | None:
        known = [value for value in bytes_ if value is not None]
        return median_low(known) if known else None

    return {
        server: Memory(
            middle([launch.memory_launched_bytes for launch in of]),
            middle([launch.memory_bytes for launch in of]),
        )
        for server, of in by_server.items()
    }


def over_all(of: Measured, tables: Collection[Table], style: Style) -> Pool | None:
    """Return the cost over all endpoints that count; None where there is none.

    Of a site these are all, whatever their style, and however much work of their own they do.
    """
    if of.plan.mix:
        whole = _candidates(tables, None)
        return _pool(of, ALL, whole, floor_of_means(*_copies(of, whole))) if whole else None
    waiting = [
        table.at
        for table in tables
        if table.endpoint.style == style and table.endpoint.contract.delay_s
    ]
    candidates = _candidates(tables, style)
    cheapest_us = {
        table.at: usual_us(of.cpu_us[next(iter(table.priced.values()))])
        for table in candidates
        if table.priced
    }
    most_us = DOMINATED * median(cheapest_us.values()) if cheapest_us else 0.0
    dominated = dict.fromkeys(each for each, us in cheapest_us.items() if us > most_us)
    counting = [table for table in candidates if table.at not in dominated]
    left_out = [
        *(LeftOut(endpoint=endpoint, why="waits") for endpoint in waiting),
        *(LeftOut(endpoint=endpoint, why="dominated") for endpoint in dominated),
    ]
    floor = floor_of_means(*_copies(of, counting))
    return _pool(of, ALL, counting, floor, left_out) if counting else None


def _copies(of: Measured, tables: Sequence[Table]) -> tuple[list[tuple[Rates, Rates]], Shares]:
    """Return what the two copies of a server cost at each of some endpoints, and its share."""
    endpoints = {table.at: table.endpoint for table in tables}
    twins = [each for each in of.twins if each.endpoint in endpoints]
    return (
        [(each.first.server_cpu_us, each.second.server_cpu_us) for each in twins],
        shares(of.plan, [endpoints[each.endpoint] for each in twins]),
    )


def shares(plan: Plan, endpoints: Sequence[Endpoint]) -> Shares:
    """Return the share of each endpoint, where they are a site's."""
    return [endpoint.share or 0.0 for endpoint in endpoints] if plan.mix else None


def by_choice(of: Measured, tables: Collection[Table], style: Style) -> Iterator[Pool]:
    """Yield the cost of each endpoint by itself, and of each workload that has more than one."""
    kinds: dict[str, list[Table]] = {}
    for table in _candidates(tables, style):
        kinds.setdefault(table.endpoint.kind, []).append(table)
    for kind, of_kind in kinds.items():
        choices = [(table.endpoint.name, [table]) for table in of_kind]
        choices += [(kind, of_kind)] if len(of_kind) > 1 else []
        # What is called like all of them would be taken for that.
        for over, chosen in (choice for choice in choices if choice[0] != ALL):
            floor = of.cpu_floors.of(workload(chosen[0].endpoint, chosen[0].load))
            if pool := _pool(of, over, chosen, floor):
                yield pool


def cost(
    of: Pool, rows: Mapping[str, Row], memory: Mapping[str, Memory], today: str | None = None
) -> Cost:
    """Return what a pool shows; `rows` are by cell, `memory` is by server.

    `today` is the server that a site runs on.
    """
    order = [*of.cells]
    pairs = tuple(_between(of))
    over_first = _against(pairs, order[0])
    over_today = _against(pairs, today) if today in order else {}
    ranked = ranks(of.pairs, over_first) if len(order) > 1 else {}
    first = first_group(pairs, order)
    rounds = max(sum(rate is not None for rate in rates) for rates in of.pairs.rates.values())
    return Cost(
        over=of.over,
        style=of.style,
        mix=of.mix,
        rate=of.rate,
        today=today if today in order else None,
        endpoints=tuple(of.cells[order[0]]),
        left_out=of.left_out,
        noise_floor=of.floor(rounds) if of.floor else None,
        apart=of.apart,
        places=(
            *(
                _place(
                    {endpoint: rows[cell] for endpoint, cell in of.cells[server].items()},
                    of.shares,
                    ranked.get(server, UNRANKED),
                    over_first.get(server),
                    over_today.get(server),
                    memory.get(server),
                )
                for server in order
            ),
            *_without(of, rows),
        ),
        pairs=pairs,
        first=first if len(first) < len(order) else (),
    )


def _against(pairs: Collection[Between], base: str | None) -> dict[str, Versus]:
    """Return the costs of others against that of a server, whichever of the two costs more."""
    over = {
        each.server: Versus(ratio=each.ratio, low=each.low, high=each.high, finding=each.finding)
        for each in pairs
        if each.over == base
    }
    under = {
        each.over: Versus(
            ratio=1 / each.ratio,
            low=1 / each.high if each.high else None,
            high=1 / each.low if each.low else None,
            finding=turned(each.finding),
        )
        for each in pairs
        if each.server == base
    }
    return over | under


def first_group(pairs: Collection[Between], order: Sequence[str]) -> tuple[str, ...]:
    """Return the cheapest server and those that no other one of them was shown to be cheaper than.

    `order` is that of their costs. All others were shown to cost more than one of the group; who is
    alone in it is separated from everyone.
    """
    apart = {(each.server, each.over) for each in pairs if each.finding == "higher"}
    group: list[str] = []
    for name in order:
        if not any((name, member) in apart for member in group):
            group.append(name)
    return tuple(group)


def mean(values: Sequence[float], shares: Shares = None) -> float:
    """Return the geometric mean of what is above 0, or the arithmetic mean by shares."""
    if shares is None:
        return math.exp(sum(map(math.log, values)) / len(values))
    return sum(value * share for value, share in zip(values, shares, strict=True)) / sum(shares)


def mean_of(cells: Sequence[Rates], shares: Shares = None) -> Rates:
    """Return the mean of some endpoints' costs, by round.

    Where a round lacks some of them, it is what they usually cost, times what those that it has
    differ by from what they usually cost; None where it has less than half, by share.
    """
    usual = [usual_us(row) for row in cells]
    weights = shares or [1.0] * len(cells)
    means: list[float | None] = []
    for values in zip(*cells, strict=True):
        known = [(at, us) for at, us in enumerate(values) if us]
        part = [weights[at] for at, _ in known]
        if sum(part) < FEWEST * sum(weights):
            means.append(None)
            continue
        now, usually = ([us for _, us in known], [usual[at] for at, _ in known])
        of = part if shares else None
        means.append(mean(usual, shares) * mean(now, of) / mean(usually, of))
    return means


def _candidates(tables: Collection[Table], style: Style | None) -> list[Table]:
    """Return the tables at endpoints that do not wait, one for each, of one style or of all."""
    by_endpoint: dict[str, Table] = {}
    for table in tables:
        if style not in (table.endpoint.style, None) or table.endpoint.contract.delay_s:
            continue
        other = by_endpoint.get(table.at)
        # Under another load it is other work.
        if other is None or len(table.cells) > len(other.cells):
            by_endpoint[table.at] = table
    return [*by_endpoint.values()]


def _pool(
    of: Measured,
    over: str,
    tables: Sequence[Table],
    floor: Floor | None,
    left_out: Sequence[LeftOut] = (),
) -> Pool | None:
    by_at = {table.at: table.endpoint for table in tables}
    priced = {table.at: table.priced for table in tables if table.priced}
    weighed = shares(of.plan, [by_at[at] for at in priced]) or [1.0] * len(priced)
    cells = with_the_same(priced, dict(zip(priced, weighed, strict=True)))
    if not cells:
        return None
    endpoints = next(iter(cells.values()))
    weights = shares(of.plan, [by_at[at] for at in endpoints])
    cost_us = {
        server: mean([usual_us(of.cpu_us[cell]) for cell in own.values()], weights)
        for server, own in cells.items()
    }
    order = sorted(cells, key=lambda server: cost_us[server])
    if len(tables) == 1:
        # A pair has one verdict: that of the endpoint's own table.
        pairs = tables[0].pairs.renamed({cell: name for name, cell in tables[0].priced.items()})
    else:
        costs = {
            server: mean_of([of.cpu_us[cell] for cell in cells[server].values()], weights)
            for server in order
        }
        pairs = cost_pairs(costs, floor, of.interim_looks, order)
    incomplete = [each.at for each in tables if each.at not in endpoints]
    return Pool(
        over=over,
        style=tables[0].endpoint.style,
        mix=of.plan.mix,
        shares=dict(zip(endpoints, weights, strict=True)) if weights else None,
        rate=tables[0].load.rate,
        tables=tuple(tables),
        left_out=(
            *left_out,
            *(LeftOut(endpoint=endpoint, why="incomplete") for endpoint in incomplete),
        ),
        cells={server: cells[server] for server in pairs.rates},
        cost_us=cost_us,
        pairs=pairs,
        floor=floor,
        apart=_apart(*_copies(of, tables)),
    )


def with_the_same(
    known: Mapping[str, Mapping[str, Known]], weights: Mapping[str, float]
) -> dict[str, dict[str, Known]]:
    """Return what is known of each server that can be compared, by the same endpoints of all.

    `known` is by endpoint and server. An endpoint counts as much as its weight: who lacks most of a
    site's traffic is not ranked, and takes no endpoint from the others.
    """
    numbers = Counter[str]()
    for at, of in known.items():
        numbers.update(dict.fromkeys(of, weights[at]))
    least = FEWEST * sum(weights.values())
    ranked = {server for server, weight in numbers.items() if weight >= least}
    # Where no endpoint has all of these, whoever has the most endpoints says which.
    for at_least in (ranked, {server for server, _ in numbers.most_common(1)}):
        endpoints = [endpoint for endpoint, of in known.items() if at_least <= of.keys()]
        if endpoints:
            return {
                server: {endpoint: known[endpoint][server] for endpoint in endpoints}
                for server in numbers
                if all(server in known[endpoint] for endpoint in endpoints)
            }
    return {}


def floor_of_means(arms: Iterable[tuple[Rates, Rates]], shares: Shares = None) -> Floor | None:
    """Return the floor of the mean over endpoints, from the two arms of each that has them."""
    means = _means_of(arms, shares)
    return floors({ALL: [means]}).of(ALL) if means else None


def _apart(arms: Iterable[tuple[Rates, Rates]], shares: Shares) -> float | None:
    """Return how many times as much one arm cost as the other, by the median round."""
    usual = [usual_us(mean) for mean in _means_of(arms, shares) or () if any(mean)]
    return max(usual) / min(usual) if len(usual) == 2 else None


def _means_of(arms: Iterable[tuple[Rates, Rates]], shares: Shares) -> tuple[Rates, Rates] | None:
    """Return the mean of each arm over endpoints, by round; None where most of them lack one."""
    both = list(arms)
    known = [at for at, arm in enumerate(both) if all(map(any, arm))]
    weights = [shares[at] for at in known] if shares else None
    # The noise of what hardly anybody asks for is not that of the mean request.
    if not known or (shares and weights and sum(weights) < FEWEST * sum(shares)):
        return None
    first, second = (mean_of([both[at][copy] for at in known], weights) for copy in (0, 1))
    return first, second


def _between(of: Pool) -> Iterator[Between]:
    for (cheaper, dearer), pair in of.pairs.judged.items():
        low, high = pair.comparison.low, pair.comparison.high
        ratio = of.cost_us[dearer] / of.cost_us[cheaper]
        yield Between(
            server=dearer,
            over=cheaper,
            ratio=ratio,
            # The mean over rounds, whose interval it is, and that of medians differ a little.
            low=min(low, ratio) if low else None,
            high=max(high, ratio) if high else None,
            finding=pair.finding,
        )


def _place(
    rows: Mapping[str, Row],
    shares: Mapping[str, float] | None,
    ranked: Rank,
    versus: Versus | None,
    versus_today: Versus | None,
    memory: Memory | None,
) -> Place:
    figures = {endpoint: row.reportable for endpoint, row in rows.items() if row.reportable}
    cores = {
        endpoint: of.server_cpu_us / CORES for endpoint, of in figures.items() if of.server_cpu_us
    }
    cheapest, dearest = (most(cores, key=lambda endpoint: cores[endpoint]) for most in (min, max))
    row = next(iter(rows.values()))

    def over(values: Mapping[str, float]) -> float:
        return mean([*values.values()], [shares[at] for at in values] if shares else None)

    def each(figure: Callable[[Figures], float | None]) -> float | None:
        values = {at: value for at, of in figures.items() if (value := figure(of))}
        return over(values) if len(values) == len(rows) else None

    with_databases_us = each(lambda of: of.with_databases_cpu_us)
    # Of requests/s, what one request takes has a mean.
    takes_s = each(lambda of: 1 / of.goodput if of.goodput else None)
    if memory is None:
        peaks = [of.memory_peak_bytes for of in figures.values() if of.memory_peak_bytes]
        memory = Memory(None, max(peaks, default=None))
    return Place(
        server=row.server,
        interface=row.interface,
        rank=ranked.rank,
        tied=ranked.tied,
        cores=over(cores),
        cores_with_databases=with_databases_us / CORES if with_databases_us else None,
        cheapest=AtEndpoint(endpoint=cheapest, cores=cores[cheapest]),
        dearest=AtEndpoint(endpoint=dearest, cores=cores[dearest]),
        versus=versus,
        versus_today=versus_today,
        goodput=1 / takes_s if takes_s else None,
        memory_launched_bytes=memory.launched_bytes,
        memory_bytes=memory.last_bytes,
        suspect=sum(row.verdict == "suspect" for row in rows.values()),
        cells=tuple(row.cell for row in rows.values()),
    )


def _without(of: Pool, rows: Mapping[str, Row]) -> Iterator[Place]:
    """Yield the servers that have no cost, and why."""
    why: dict[str, tuple[Row, str]] = {}
    for table in of.tables:
        for cell in table.cells:
            row = rows[cell.id]
            if cell.server not in of.cells and cell.server not in table.priced:
                reason = row.why_invalid or row.why_short or row.reason
                reason = reason or "nobody measured its CPU time"
                why.setdefault(cell.server, (row, f"{table.at}: {reason}"))
    for server, (row, reason) in why.items():
        yield Place(server=server, interface=row.interface, missing=reason)
