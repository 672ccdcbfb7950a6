"""What a run decides: which server to deploy, what if requests wait, async views, how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import get_args

from loadtest.judge.servers.cost import (
    Pool,
    Shares,
    by_choice,
    cost,
    first_group,
    mean,
    mean_of,
    memory_of,
    over_all,
    shares,
    with_the_same,
)
from loadtest.judge.servers.decision import (
    AsyncViews,
    AtRate,
    Chosen,
    Cost,
    Decision,
    Gap,
    Holds,
    Own,
    Place,
    Reaches,
    Searched,
    ServerAtRate,
    Sureness,
    Waiting,
)
from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import LATE, Row
from loadtest.judge.servers.tables import Measured, Table, at_main_rate, by_rate, main_style
from loadtest.judge.servers.within import Search, copies_apart, keeps_up
from loadtest.records.measured import Launch, Run
from loadtest.records.planned import Interface, Plan, Style
from loadtest.stats.noise_floor import Floor
from loadtest.stats.pairs import judged
from loadtest.stats.significance import LEAST_MARGIN

BUSY = "noisy-host"
"""The concern of a cell that other programs, or the host, took processor time from."""

STYLES: tuple[Style, ...] = ("sync", "async")

MUCH = 0.1
"""Of a cost: where one server takes so much less, servers matter."""

VIEWS: tuple[Style, ...] = (*STYLES, "unknown")
"""All that does not bypass the app."""


def decide(
    run: Run,
    measured: Measured,
    tables: Sequence[Table],
    rows: Mapping[str, Row],
    rounds: int,
    repeated: int,
    launches: Sequence[Launch],
    by_host: Collection[str] = (),
) -> Decision:
    """Return what the tables of a run say together; `rows` are by cell, `rounds` were begun.

    `by_host` are the cells that the host disturbed more than programs of this machine did.
    """
    memory = memory_of(launches)
    main = at_main_rate(tables)
    style = main_style(main)
    pool = over_all(measured, main, style)
    today = run.plan.today
    overall = cost(pool, rows, memory, today) if pool else None
    # A site's requests are of both styles.
    styles = (style,) if run.plan.mix else STYLES
    others = [
        *(
            over_all(measured, same, each)
            for same in by_rate(tables).values()
            for each in styles
            if (each, same) != (style, main)
        ),
        *(
            pool
            for same in by_rate(tables).values()
            for each in STYLES
            for pool in by_choice(measured, same, each)
        ),
    ]
    sure = _sureness(run, tables, rows, rounds, repeated, by_host)
    gap = _gap(overall) if overall else None
    chosen = _chosen(overall, gap, sure) if overall else "nothing"
    named = chosen in ("server", "alone")
    reached = list(_searched(run.plan, tables, rows))
    return Decision(
        cost=overall,
        chosen=chosen,
        likely=_likely(overall, pool, chosen, gap) if overall and pool and not named else (),
        gap=gap,
        costs=tuple(cost(pool, rows, memory, today) for pool in others if pool),
        waiting=_waiting(run.plan, tables, rows),
        within=tuple(_within(overall, sure)) if overall else (),
        async_views=tuple(_async_views(measured, main, rows, pool.floor if pool else None)),
        at_rates=tuple(_at_rates(run.plan, tables, rows)),
        searched=tuple(of for of in reached if of.goal),
        stepped=tuple(of for of in reached if not of.goal),
        own=_own(overall, run.plan) if overall else None,
        site=run.site,
        sure=sure,
    )


def _own(cost: Cost, plan: Plan) -> Own | None:
    """Return how much of a site's CPU time no server takes; None where that is not known.

    All that a server does, and Django beneath a view, is in what the cheapest endpoint takes. That
    says something of other servers where the work beyond it is the same under all of them: where
    each was shown not to take much less, whatever noise did.
    """
    plain = {server.name for server in plan.servers if server.variant is None}
    places = {place.server: place for place in _priced(cost) if place.server in plain}
    if not cost.mix or len(cost.endpoints) < 2 or not places:
        return None
    base = places.get(cost.today or "") or [*places.values()][-1]
    saved = [
        each.high if each.server == base.server else each.low and 1 / each.low
        for each in cost.pairs
        if base.server in (each.server, each.over) and {each.server, each.over} <= plain
    ]
    if not saved or any(times is None or times > 1 + MUCH for times in saved):
        return None
    if base.cheapest is None or not base.cores:
        return None
    share = 1 - base.cheapest.cores / base.cores
    return Own(server=base.server, endpoint=base.cheapest.endpoint, share=share)


def _searched(plan: Plan, tables: Sequence[Table], rows: Mapping[str, Row]) -> Iterator[Searched]:
    """Yield the servers at each endpoint by how much they take."""
    searches = {cell: row.search for cell, row in rows.items() if row.search}
    for table in tables:
        if table.load.explores:
            reached = [row for cell in table.cells if (row := rows[cell.id]).search or row.steps]
            places = sorted(
                map(_reaches, reached),
                key=lambda of: (of.rank or len(rows), -(of.search.low or 0.0)),
            )
            yield Searched(
                endpoint=table.at,
                goal=table.load.within,
                apart=copies_apart(plan, table.at, searches),
                places=tuple(places),
            )


def _reaches(row: Row) -> Reaches:
    figures, search = row.reportable, row.search
    capacity = None
    if search is None:
        last, first = keeps_up(row.steps)
        search = Search(
            low=last.rate if last else None,
            high=first.rate if first else None,
            why=first.why if first else None,
            tries=sum(step.tries for step in row.steps),
        )
        capacity = figures.goodput if figures else None
        figures = last.figures if last else None
    return Reaches(
        server=row.server,
        interface=row.interface,
        rank=row.rank if row.search else None,
        tied=row.tied and row.search is not None,
        search=search,
        capacity=capacity,
        cores=figures.cores if figures else None,
        p90_us=figures.p90_us if figures else None,
        p99_us=figures.p99_us if figures else None,
        cell=row.cell,
    )


def _at_rates(plan: Plan, tables: Sequence[Table], rows: Mapping[str, Row]) -> Iterator[AtRate]:
    """Yield what each server takes at each rate, with the main style of views.

    At a rate that nobody keeps, too; where nothing has a cost, and of a site, with all views.
    """
    priced = any(table.priced for table in tables) and not plan.mix
    styles = (main_style(tables),) if priced else VIEWS
    for asked, of_rate in by_rate(tables).items():
        same = [table for table in of_rate if table.endpoint.style in styles]
        # How slow what waits is says nothing of the others.
        same = [table for table in same if not table.endpoint.contract.delay_s] or same
        tried: dict[str, dict[str, Row]] = {}
        for row, at in ((rows[cell.id], table.at) for table in same for cell in table.cells):
            if row.status != "skipped":
                tried.setdefault(at, {})[row.server] = row
        if asked is None or not tried:
            continue
        endpoints = {table.at: table.endpoint for table in same}
        weights = shares(plan, [endpoints[at] for at in tried]) or [1.0] * len(tried)
        compared = with_the_same(tried, dict(zip(tried, weights, strict=True)))
        counting = [endpoints[at] for at in next(iter(compared.values()), ())]
        places = [
            _keeps(
                [of[server] for of in tried.values() if server in of],
                [*compared.get(server, {}).values()],
                shares(plan, counting),
            )
            for server in dict.fromkeys(server for of in tried.values() for server in of)
        ]
        places.sort(key=lambda of: (len(of.short), of.cores is None, of.cores or 0.0))
        yield AtRate(
            rate=asked,
            mix=plan.mix,
            endpoints=tuple(endpoint.id for endpoint in counting),
            places=tuple(places),
        )


def _keeps(rows: Sequence[Row], compared: Sequence[Row], weights: Shares) -> ServerAtRate:
    """Return what the rows of a server say; its figures are of those that all have alike."""
    figures = [row.reportable for row in compared if row.reportable]

    def each(value: Callable[[Figures], float | None]) -> list[float]:
        """Return a figure of every endpoint; nothing where one has none."""
        known = [us for of in figures if (us := value(of)) is not None]
        return known if len(known) == len(compared) else []

    def average(value: Callable[[Figures], float | None]) -> float | None:
        values = each(value)
        return mean(values, weights) if values and all(values) else None

    def slowest(value: Callable[[Figures], int | None]) -> int | None:
        return max(map(round, each(value)), default=None)

    def at(which: Callable[[Row], bool]) -> tuple[str, ...]:
        return tuple(row.cell.partition(".")[2] for row in rows if which(row))

    return ServerAtRate(
        server=rows[0].server,
        interface=rows[0].interface,
        cores=average(lambda of: of.cores),
        cpu_us=average(lambda of: of.server_cpu_us),
        generator_cpu_us=average(lambda of: of.generator_cpu_us),
        offered=min(each(lambda of: of.offered), default=None),
        goodput=min(each(lambda of: of.goodput), default=None),
        p50_us=slowest(lambda of: of.p50_us),
        p90_us=slowest(lambda of: of.p90_us),
        p99_us=slowest(lambda of: of.p99_us),
        p99_9_us=slowest(lambda of: of.p99_9_us),
        error_share=max(each(lambda of: of.error_share), default=None),
        short=at(lambda row: row.reportable is None or bool(row.why_short)),
        late=at(lambda row: any(raised.concern == LATE for raised in row.concerns)),
        suspect=sum(row.verdict == "suspect" for row in rows),
        cells=tuple(row.cell for row in rows),
    )


def _priced(cost: Cost) -> list[Place]:
    return [place for place in cost.places if place.cores is not None]


def _chosen(cost: Cost, gap: Gap | None, sure: Sureness) -> Chosen:
    places = _priced(cost)
    if len(places) == 1:
        # From others that were tried, and have no cost, it is not separated.
        return "alone" if len(cost.places) == 1 else "nothing"
    cheaper = {place.server for place in places if gap and place.interface == gap.cheaper}
    alone = len(cost.first) == 1
    if alone and not sure.busy_machine:
        return "server"
    if not cost.first or alone or cheaper == {*cost.first}:
        return "interface" if gap else "nothing"
    return "group"


def _likely(cost: Cost, pool: Pool, chosen: Chosen, gap: Gap | None) -> tuple[str, ...]:
    """Return the cheapest server, and whoever is no further from it than two copies of a server.

    Nobody where that is all that the decision leaves open, or where others were the cheapest at
    half of the endpoints.
    """
    places = [
        place
        for place in _priced(cost)
        if (chosen != "group" or place.server in cost.first)
        and (chosen != "interface" or (gap and place.interface == gap.cheaper))
    ]
    most = (places[0].cores or 0.0) * (cost.apart or 1.0)
    near = tuple(place.server for place in places if (place.cores or 0.0) <= most)
    endpoints = {*cost.endpoints}
    counting = [table for table in pool.tables if table.at in endpoints]
    cheapest = sum(next(iter(table.priced)) in near for table in counting)
    return near if len(near) < len(places) and 2 * cheapest > len(counting) else ()


def _gap(cost: Cost) -> Gap | None:
    """Return the two interfaces of which each server was separated from each of the other."""
    interface = {place.server: place.interface for place in _priced(cost)}
    if {*interface.values()} != {*get_args(Interface)}:
        return None
    cheaper = cost.places[0].interface
    across = [each for each in cost.pairs if interface[each.server] != interface[each.over]]
    if any(each.finding != "higher" or interface[each.over] != cheaper for each in across):
        return None
    assert cheaper is not None
    lows = [each.low for each in across if each.low is not None]
    highs = [each.high for each in across if each.high is not None]
    return Gap(
        cheaper=cheaper,
        dearer="asgi" if cheaper == "wsgi" else "wsgi",
        least=min(each.ratio for each in across),
        most=max(each.ratio for each in across),
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def _within(cost: Cost, sure: Sureness) -> Iterator[tuple[Interface, tuple[str, ...]]]:
    for interface in get_args(Interface):
        order = [place.server for place in _priced(cost) if place.interface == interface]
        first = first_group(cost.pairs, order)
        if len(order) > 1:
            yield interface, tuple(order) if len(first) == 1 and sure.busy_machine else first


def _waiting(plan: Plan, tables: Sequence[Table], rows: Mapping[str, Row]) -> Waiting | None:
    """Return how many requests each server held at once, at the endpoint where it held most.

    Not where they wait for the database: how many of them do is the size of a pool.
    """
    servers = {server.name: server for server in plan.servers}
    endpoints: dict[str, None] = {}
    most: dict[str, Holds] = {}
    for table in tables:
        for cell in table.cells:
            figures, server = rows[cell.id].reportable, servers[cell.server]
            if figures is None or figures.held is None or cell.endpoint.contract.pooled:
                continue
            endpoints[table.at] = None
            measured = round(figures.held)
            if server.name in most and most[server.name].measured >= measured:
                continue
            connections = table.load.connections
            limited = server.in_flight != "connections" and plan.shape.known
            shape = server.sized(plan.shape)
            most[server.name] = Holds(
                server=server.name,
                interface=server.interface,
                measured=measured,
                configured=(
                    server.capacity(shape, connections, cell.endpoint.contract) if limited else None
                ),
                shape=shape,
                connections=connections,
                cell=cell.id,
            )
    if not most:
        return None
    holds = sorted(most.values(), key=lambda holds: (-holds.measured, holds.server))
    return Waiting(endpoints=tuple(endpoints), holds=tuple(holds))


def _async_views(
    measured: Measured, tables: Sequence[Table], rows: Mapping[str, Row], floor: Floor | None
) -> Iterator[AsyncViews]:
    """Yield what async views cost: over the endpoints with both, as few rounds tell of one alone.

    All servers of an interface are one table; the noise `floor` is that of costs over endpoints.
    """
    priced = {
        (server, table.endpoint.style, table.endpoint.name): cell
        for table in tables
        for server, cell in table.priced.items()
    }
    for interface in get_args(Interface):
        both: dict[str, list[tuple[str, str]]] = {}
        for (server, style, name), cell in priced.items():
            sync = priced.get((server, "sync", name))
            if style == "async" and sync and rows[cell].interface == interface:
                both.setdefault(server, []).append((cell, sync))
        if not both:
            continue
        costs = {
            f"{server}-{style}": mean_of([measured.cpu_us[cell] for cell in cells])
            for server, cells_of in both.items()
            for style, cells in zip(("async", "sync"), zip(*cells_of, strict=True), strict=True)
        }
        pairs = [(f"{server}-async", f"{server}-sync") for server in both]
        table = judged(pairs, costs, floor, measured.interim_looks, LEAST_MARGIN)
        findings = Counter(each.finding for each in table.judged.values())
        ratios = [
            each.comparison.ratio
            for each in table.judged.values()
            if each.finding in ("higher", "lower") and each.comparison.ratio is not None
        ]
        yield AsyncViews(
            interface=interface,
            servers=len(both),
            dearer=findings["higher"],
            cheaper=findings["lower"],
            least=min(ratios, default=None),
            most=max(ratios, default=None),
            cells=tuple(cell for of in both.values() for pair in of for cell in pair),
        )


def _sureness(
    run: Run,
    tables: Sequence[Table],
    rows: Mapping[str, Row],
    rounds: int,
    repeated: int,
    by_host: Collection[str],
) -> Sureness:
    numbers = [row for table in tables for cell in table.cells if (row := rows[cell.id]).reportable]
    cells = Counter(row.server for row in numbers)
    suspect = Counter(row.server for row in numbers if row.verdict == "suspect")
    busy = [row.cell for row in numbers if _is_busy(row)]
    doubtful = sorted(suspect, key=lambda server: (-suspect[server] / cells[server], server))
    return Sureness(
        rounds=rounds,
        processors=run.machine.processors,
        cells=len(numbers),
        suspect=suspect.total(),
        busy=len(busy),
        by_host=len({*busy} & {*by_host}),
        tries=sum(
            step.tries for table in tables for cell in table.cells for step in rows[cell.id].steps
        ),
        repeated=repeated,
        doubts=tuple((server, suspect[server], cells[server]) for server in doubtful),
    )


def _is_busy(row: Row) -> bool:
    """Say whether others disturbed a row's number, or most of the tries that it follows from."""
    disturbed = row.search is not None and 2 * row.search.disturbed > row.search.tries
    return disturbed or any(raised.concern == BUSY for raised in row.concerns)
