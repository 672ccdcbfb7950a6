"""Who leads at one endpoint, and what else its rows say: style against style, WSGI against ASGI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.arms import Field, Noise, compared, rates_of
from loadtest.judge.servers.answer.records import Arm, Claim, Interfaces, Limit, Styles
from loadtest.judge.servers.rows import Ranking

AT_CEILING = "connection-limited"
"""The concern of a row that shows how many requests were let in."""


def claim(rankings: Sequence[Ranking], field: Field, noise: Noise) -> Claim:
    """Return who leads at the endpoint whose styles are the `rankings`."""
    first = rankings[0]
    groups = field.groups
    leaders = groups[0] if groups else ()
    followers = groups[1] if len(groups) > 1 else ()
    separated = bool(followers)
    return Claim(
        endpoint=first.endpoint.name,
        connections=first.load.connections,
        leaders=leaders,
        followers=followers,
        lead=field.table.difference(leaders[0].cell, followers[0].cell) if separated else None,
        limits=tuple(_limits(rankings, field, leaders, separated, noise)),
        separated=separated,
        rankings=tuple(ranking.endpoint.id for ranking in rankings),
        cells=tuple(arm.cell for arm in (*leaders, *followers)),
    )


def styles(rankings: Sequence[Ranking], noise: Noise) -> Iterator[Styles]:
    """Yield what async views cost or gain at one endpoint, for each interface that has both."""
    rows = {
        (ranking.endpoint.style, row.server): row for ranking in rankings for row in ranking.rows
    }
    rates = rates_of(list(rows.values()))
    both = {
        server: (row.cell, other.cell)
        for (style, server), row in rows.items()
        if style == "async"
        and (other := rows.get(("sync", server)))
        and row.cell in rates
        and other.cell in rates
    }
    table = compared(list(both.values()), rates, noise)
    for interface in ("wsgi", "asgi"):
        found = [
            difference
            for server, pair in both.items()
            if rows["async", server].interface == interface
            and (difference := table.difference(*pair))
        ]
        if found:
            found.sort(key=lambda one: -one.ratio)
            yield Styles(
                endpoint=rankings[0].endpoint.name,
                interface=interface,
                servers=tuple(found),
                cells=tuple(cell for one in found for cell in (one.cell, one.over)),
            )


def interfaces(rankings: Sequence[Ranking], field: Field) -> Iterator[Interfaces]:
    """Yield how the first WSGI server compares with the first ASGI server, where there are both."""
    wsgi, asgi = (_first(field.arms, interface) for interface in ("wsgi", "asgi"))
    if wsgi is None or asgi is None:
        return
    difference = field.table.difference(wsgi.cell, asgi.cell)
    if difference is None and (turned := field.table.difference(asgi.cell, wsgi.cell)):
        difference = turned.turned
    if difference is not None:
        yield Interfaces(
            endpoint=rankings[0].endpoint.name,
            wsgi=wsgi,
            asgi=asgi,
            difference=difference,
            cells=(wsgi.cell, asgi.cell),
        )


def _first(arms: Sequence[Arm], interface: str) -> Arm | None:
    of = (arm for arm in arms if arm.interface == interface)
    return max(of, key=lambda arm: arm.goodput, default=None)


def _limits(
    rankings: Sequence[Ranking], field: Field, leaders: Sequence[Arm], separated: bool, noise: Noise
) -> Iterator[Limit]:
    rounds = max((row.rounds_measured for r in rankings for row in r.rows), default=0)
    arms = field.arms
    if not arms:
        yield "no-number"
        return
    if len(arms) == 1:
        yield "alone"
    elif rounds < 2:
        yield "one-round"
    elif not separated:
        yield "tied"
    if noise.floor is None:
        yield "no-noise-floor"
    doubts = {doubt for arm in leaders for doubt in arm.doubts}
    if AT_CEILING in doubts:
        yield "connection-limited"
    if doubts - {AT_CEILING}:
        yield "suspect"
