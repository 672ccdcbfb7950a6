"""What 1,000 requests/s cost on each server, pooled over endpoints, and who costs less than whom.

Microseconds of the server's CPU time for a response / 1,000 are the CPU cores that 1,000 requests/s
take. Over endpoints their geometric mean counts, so that a ratio weighs the same at each of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

from loadtest.judge.rows import Versus
from loadtest.judge.servers.decision import AtEndpoint, Between, Cost, LeftOut, Place
from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Style
from loadtest.stats.noise_floor import Floor, Floors, Twins, floors
from loadtest.stats.pairs import Pairs, all_pairs
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import LEAST_MARGIN

CORES = 1_000
"""Microseconds of CPU time for a response in each core for 1,000 requests/s."""

DOMINATED = 10.0
"""Times the cost of the median endpoint: beyond it the work itself is measured, not the server."""

FEWEST = 0.5
"""Of the endpoints: who has a number at fewer is not ranked, and costs the others none of them."""


@dataclass(frozen=True)
class Facts:
    """What costs are computed from."""

    rankings: Sequence[Ranking]
    cpu_us: Mapping[str, Rates]
    """By cell, of those whose number may be compared; by round."""
    twins: Sequence[Twins]
    floors: Floors
    """Of CPU time at one endpoint."""
    interim_looks: int

    def at(self, style: Style) -> list[Ranking]:
        """Return the rankings with one style of views at endpoints that do not wait."""
        return [
            ranking
            for ranking in self.rankings
            if ranking.endpoint.style == style and not ranking.endpoint.contract.delay_s
        ]

    def priced(self, ranking: Ranking) -> list[Row]:
        """Return the rows of a ranking that have a cost."""
        return [row for row in ranking.rows if row.cell in self.cpu_us]


def over_all(facts: Facts, style: Style) -> Cost | None:
    """Return the cost over all endpoints that count; None where there is none."""
    waiting = [
        ranking.endpoint.id
        for ranking in facts.rankings
        if ranking.endpoint.style == style and ranking.endpoint.contract.delay_s
    ]
    least_us = {
        ranking.endpoint.id: min(priced)
        for ranking in facts.at(style)
        if (priced := [cost_us(row) for row in facts.priced(ranking)])
    }
    most_us = DOMINATED * median(least_us.values()) if least_us else 0.0
    dominated = [endpoint for endpoint, us in least_us.items() if us > most_us]
    counting = [each for each in facts.at(style) if each.endpoint.id not in dominated]
    return _cost(
        facts,
        "all",
        counting,
        _floor_of_means(facts.twins, [each.endpoint.id for each in counting]),
        [
            *(LeftOut(endpoint=endpoint, why="waits") for endpoint in waiting),
            *(LeftOut(endpoint=endpoint, why="dominated") for endpoint in dominated),
        ],
    )


def by_choice(facts: Facts, style: Style) -> Iterator[Cost]:
    """Yield the cost of each endpoint by itself, and of each workload that has more than one."""
    kinds: dict[str, list[Ranking]] = {}
    for ranking in facts.at(style):
        kinds.setdefault(ranking.endpoint.kind, []).append(ranking)
    for kind, of in kinds.items():
        choices = [(each.endpoint.name, [each]) for each in of]
        choices += [(kind, of)] if len(of) > 1 else []
        for over, rankings in choices:
            if cost := _cost(facts, over, rankings, facts.floors.of(kind)):
                yield cost


def pair_table(rates: Mapping[str, Rates], floor: Floor | None, interim_looks: int) -> Pairs:
    """Compare all with each other by what they cost, of which `rates` are the inverse.

    They come in order, the cheapest first. What differs by less than `LEAST_MARGIN` does not decide
    which to deploy.
    """

    def margin(rounds: int) -> float:
        return max(LEAST_MARGIN, floor(rounds) if floor else 0.0)

    return all_pairs(rates, margin, interim_looks, order=list(rates))


def inverse(costs: Rates) -> Rates:
    """Return how many responses a microsecond of CPU time is good for, by round."""
    return [1 / us if us else None for us in costs]


def mean_of(cells: Sequence[Rates]) -> Rates:
    """Return the geometric mean of some endpoints' costs, by round.

    Where a round lacks some of them, it is what they usually cost, times what those that it has
    differ by from what they usually cost; None where it has less than half.
    """
    usual = [math.log(median(us for us in row if us)) for row in cells]
    means: list[float | None] = []
    for values in zip(*cells, strict=True):
        off = [math.log(us) - log for us, log in zip(values, usual, strict=True) if us]
        known = len(off) >= FEWEST * len(cells)
        means.append(math.exp(sum(usual) / len(usual) + sum(off) / len(off)) if known else None)
    return means


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


def cost_us(row: Row) -> float:
    """Return the CPU time of a response, of a row that has one."""
    us = _figures(row).server_cpu_us
    assert us is not None
    return us


def _cost(
    facts: Facts,
    over: str,
    rankings: Sequence[Ranking],
    floor: Floor | None,
    left_out: Sequence[LeftOut] = (),
) -> Cost | None:
    cells = _counting(facts, rankings)
    if not cells:
        return None
    endpoints = tuple(next(iter(cells.values())))
    mean_us = {
        server: geometric_mean(map(cost_us, rows.values())) for server, rows in cells.items()
    }
    order = sorted(cells, key=lambda server: mean_us[server])
    rates = {
        server: inverse(mean_of([facts.cpu_us[row.cell] for row in cells[server].values()]))
        for server in order
    }
    table = pair_table(rates, floor, facts.interim_looks)
    pairs = tuple(_between(table, mean_us))
    decided = any(each.finding != "inconclusive" for each in pairs)
    ranks = table.ranks if decided else {}
    shared = Counter(ranks.values())
    over_first = {
        each.server: Versus(ratio=each.ratio, low=each.low, high=each.high, finding=each.finding)
        for each in pairs
        if each.over == order[0]
    }
    first = first_group(pairs, order)
    return Cost(
        over=over,
        style=rankings[0].endpoint.style,
        endpoints=endpoints,
        left_out=(
            *left_out,
            *(
                LeftOut(endpoint=each.endpoint.id, why="incomplete")
                for each in rankings
                if each.endpoint.id not in endpoints
            ),
        ),
        noise_floor=floor(max(map(_known, rates.values()))) if floor else None,
        ranked=decided,
        places=(
            *(
                _place(
                    cells[server],
                    ranks.get(server),
                    tied=shared[ranks.get(server, 0)] > 1,
                    versus=over_first.get(server),
                )
                for server in order
            ),
            *_without(rankings, facts.cpu_us, order),
        ),
        pairs=pairs,
        first=first if len(first) < len(order) else (),
    )


def _counting(facts: Facts, rankings: Sequence[Ranking]) -> dict[str, dict[str, Row]]:
    """Return the rows of each server that is ranked, by endpoint; all have the same ones."""
    rows = {
        ranking.endpoint.id: {row.server: row for row in facts.priced(ranking)}
        for ranking in rankings
    }
    rows = {endpoint: of for endpoint, of in rows.items() if of}
    numbers = Counter(server for of in rows.values() for server in of)
    ranked = {server for server, count in numbers.items() if count >= FEWEST * len(rows)}
    # Where no endpoint has all of these, whoever has the most endpoints says which.
    for at_least in (ranked, {server for server, _ in numbers.most_common(1)}):
        counting = [endpoint for endpoint, of in rows.items() if at_least <= of.keys()]
        if counting:
            return {
                server: {endpoint: rows[endpoint][server] for endpoint in counting}
                for server in numbers
                if all(server in rows[endpoint] for endpoint in counting)
            }
    return {}


def _floor_of_means(twins: Sequence[Twins], endpoints: Collection[str]) -> Floor | None:
    """Return the floor of the mean over endpoints, from those at which there is a duplicate."""
    arms = [
        (each.first.server_cpu_us, each.second.server_cpu_us)
        for each in twins
        if each.endpoint in endpoints
    ]
    known = [arm for arm in arms if all(map(any, arm))]
    if not known:
        return None
    first, second = map(mean_of, zip(*known, strict=True))
    return floors({"all": [(first, second)]}).of("all")


def _between(table: Pairs, mean_us: Mapping[str, float]) -> Iterator[Between]:
    for (cheaper, dearer), pair in table.judged.items():
        of, ratio = pair.comparison, mean_us[dearer] / mean_us[cheaper]
        yield Between(
            server=dearer,
            over=cheaper,
            ratio=ratio,
            # The mean over rounds, whose interval it is, and that of medians differ a little.
            low=min(of.low, ratio) if of.low else None,
            high=max(of.high, ratio) if of.high else None,
            finding=pair.finding,
        )


def _place(
    rows: Mapping[str, Row], rank: int | None, *, tied: bool, versus: Versus | None
) -> Place:
    cores = {endpoint: cost_us(row) / CORES for endpoint, row in rows.items()}
    cheapest, dearest = (most(cores, key=lambda endpoint: cores[endpoint]) for most in (min, max))
    row = next(iter(rows.values()))

    def mean(figure: Callable[[Figures], float | None]) -> float | None:
        values = [value for row in rows.values() if (value := figure(_figures(row)))]
        return geometric_mean(values) if len(values) == len(rows) else None

    with_databases_us = mean(lambda of: of.with_databases_cpu_us)
    peaks = [peak for row in rows.values() if (peak := _figures(row).memory_peak_bytes)]
    return Place(
        server=row.server,
        interface=row.interface,
        rank=rank,
        tied=tied,
        cores=geometric_mean(cores.values()),
        cores_with_databases=with_databases_us / CORES if with_databases_us else None,
        cheapest=AtEndpoint(endpoint=cheapest, cores=cores[cheapest]),
        dearest=AtEndpoint(endpoint=dearest, cores=cores[dearest]),
        versus=versus,
        goodput=mean(lambda of: of.goodput),
        memory_launched_bytes=None,
        memory_bytes=max(peaks, default=None),
        suspect=sum(row.verdict == "suspect" for row in rows.values()),
        cells=tuple(row.cell for row in rows.values()),
        missing=None,
    )


def _without(
    rankings: Sequence[Ranking], cpu_us: Mapping[str, Rates], ranked: Collection[str]
) -> Iterator[Place]:
    """Yield the servers that have no cost, and why."""
    why: dict[str, tuple[Row, str]] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.server not in ranked and row.cell not in cpu_us:
                reason = row.why_invalid or row.reason or "nobody measured its CPU time"
                why.setdefault(row.server, (row, f"{ranking.endpoint.id}: {reason}"))
    for server, (row, reason) in why.items():
        yield Place(
            server=server,
            interface=row.interface,
            rank=None,
            tied=False,
            cores=None,
            cores_with_databases=None,
            cheapest=None,
            dearest=None,
            versus=None,
            goodput=None,
            memory_launched_bytes=None,
            memory_bytes=None,
            suspect=0,
            cells=(),
            missing=reason,
        )


def _figures(row: Row) -> Figures:
    assert row.reportable is not None
    return row.reportable


def _known(rates: Rates) -> int:
    return sum(rate is not None for rate in rates)
