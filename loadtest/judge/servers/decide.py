"""What a run decides: which server to deploy, what if requests wait, async views, how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from loadtest.judge.servers.cost import Facts, by_choice, cost_us, first_group, over_all
from loadtest.judge.servers.decision import (
    AsyncViews,
    Chosen,
    Cost,
    Decision,
    Gap,
    Holds,
    Place,
    Sureness,
    Waiting,
)
from loadtest.judge.servers.rows import Ranking
from loadtest.records.measured import Run
from loadtest.records.planned import Interface, Plan, Style
from loadtest.stats.pairs import judged
from loadtest.stats.significance import LEAST_MARGIN

BUSY = "noisy-host"
"""The concern of a cell that other programs, or the host, took processor time from."""


def decide(run: Run, facts: Facts, rounds: int, repeated: int) -> Decision:
    """Return what the rankings of a run say together; `rounds` were begun."""
    style: Style = "sync" if any(map(facts.priced, facts.at("sync"))) else "async"
    overall = over_all(facts, style)
    others: list[Cost] = []
    for each in ("sync", "async"):
        other = over_all(facts, each) if each != style else None
        others += [other] if other else []
        others += by_choice(facts, each)
    gap = _gap(overall) if overall else None
    sure = _sureness(run, facts.rankings, overall, rounds, repeated)
    chosen = _chosen(overall, gap, sure) if overall else "nothing"
    return Decision(
        cost=overall,
        chosen=chosen,
        likely=_likely(overall, facts) if overall and chosen not in ("server", "alone") else None,
        gap=gap,
        costs=tuple(others),
        waiting=_waiting(run.plan, facts.rankings),
        within=tuple(_within(overall, sure)) if overall else (),
        async_views=tuple(_async_views(facts)),
        sure=sure,
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


def _likely(cost: Cost, facts: Facts) -> str | None:
    """Return the server with the lowest cost, if it is that at most of the endpoints as well."""
    leader = cost.places[0].server
    cheapest = Counter(
        min(priced, key=cost_us).server
        for ranking in facts.rankings
        if ranking.endpoint.id in cost.endpoints and (priced := facts.priced(ranking))
    )
    return leader if 2 * cheapest[leader] > len(cost.endpoints) else None


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


def _waiting(plan: Plan, rankings: Sequence[Ranking]) -> Waiting | None:
    """Return how many requests each server held at once, at the endpoint where it held most."""
    servers = {server.name: server for server in plan.servers}
    endpoints: dict[str, None] = {}
    most: dict[str, Holds] = {}
    for ranking in rankings:
        endpoint, connections = ranking.endpoint, ranking.load.connections
        if not endpoint.contract.delay_s:
            continue
        for row in ranking.rows:
            held = row.reportable.held if row.reportable else None
            if held is None:
                continue
            endpoints[endpoint.id] = None
            if row.server in most and most[row.server].measured >= round(held):
                continue
            server = servers[row.server]
            limited = server.in_flight != "connections" and plan.shape.known
            most[row.server] = Holds(
                server=row.server,
                interface=row.interface,
                measured=round(held),
                configured=server.capacity(plan.shape, connections) if limited else None,
                connections=connections,
                cell=row.cell,
            )
    if not most:
        return None
    holds = sorted(most.values(), key=lambda holds: (-holds.measured, holds.server))
    return Waiting(endpoints=tuple(endpoints), holds=tuple(holds))


def _async_views(facts: Facts) -> Iterator[AsyncViews]:
    """Yield what async views cost, all pairs of an interface being one table."""
    sync = {
        (ranking.endpoint.name, row.server): row
        for ranking in facts.at("sync")
        for row in facts.priced(ranking)
    }
    both = [
        (row, sync[ranking.endpoint.name, row.server])
        for ranking in facts.at("async")
        for row in facts.priced(ranking)
        if (ranking.endpoint.name, row.server) in sync
    ]
    floor = facts.floors.of(*facts.floors.kinds)
    for interface in get_args(Interface):
        pairs = [
            (async_.cell, sync_.cell) for async_, sync_ in both if async_.interface == interface
        ]
        if not pairs:
            continue
        table = judged(pairs, facts.cpu_us, floor, facts.interim_looks, LEAST_MARGIN)
        findings = Counter(each.finding for each in table.judged.values())
        ratios = [
            each.comparison.ratio
            for each in table.judged.values()
            if each.finding in ("higher", "lower") and each.comparison.ratio is not None
        ]
        yield AsyncViews(
            interface=interface,
            pairs=len(pairs),
            dearer=findings["higher"],
            cheaper=findings["lower"],
            least=min(ratios, default=None),
            most=max(ratios, default=None),
            cells=tuple(cell for pair in pairs for cell in pair),
        )


def _sureness(
    run: Run, rankings: Sequence[Ranking], cost: Cost | None, rounds: int, repeated: int
) -> Sureness:
    rows = [row for ranking in rankings for row in ranking.rows if row.reportable]
    cells = Counter(row.server for row in rows)
    suspect = Counter(row.server for row in rows if row.verdict == "suspect")
    doubtful = sorted(suspect, key=lambda server: (-suspect[server] / cells[server], server))
    return Sureness(
        rounds=rounds,
        processors=run.machine.processors,
        cells=len(rows),
        suspect=suspect.total(),
        busy=sum(any(raised.concern == BUSY for raised in row.concerns) for row in rows),
        repeated=repeated,
        noise_floor=cost.noise_floor if cost else None,
        doubts=tuple((server, suspect[server], cells[server]) for server in doubtful),
        left_open=tuple(
            (each.server, each.over)
            for each in (cost.pairs if cost else ())
            if each.finding == "inconclusive"
        ),
    )
