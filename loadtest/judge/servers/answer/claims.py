"""Who leads at one endpoint, and what else its rows say: style against style, WSGI against ASGI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.arms import Field, difference
from loadtest.judge.servers.answer.records import Arm, Claim, Interfaces, Limit, Styles

AT_CEILING = "connection-limited"
"""The concern of a row that shows how many requests were let in."""


def claim(field: Field) -> Claim:
    """Return who leads at the endpoint."""
    first = field.rankings[0]
    leaders, followers = (*field.groups, [], [])[:2]
    separated = bool(followers)
    return Claim(
        endpoint=first.endpoint.name,
        connections=first.load.connections,
        leaders=tuple(leaders),
        followers=tuple(followers),
        lead=difference(field.pairs, leaders[0].cell, followers[0].cell) if separated else None,
        limits=tuple(_limits(field, leaders, separated)),
        separated=separated,
        rankings=tuple(ranking.endpoint.id for ranking in field.rankings),
        cells=tuple(arm.cell for arm in (*leaders, *followers)),
    )


def styles(field: Field) -> Iterator[Styles]:
    """Yield what async views cost or gain at one endpoint, for each interface that has both."""
    interfaces = {row.cell: row.interface for ranking in field.rankings for row in ranking.rows}
    differences = [
        each for pair in field.styles.judged if (each := difference(field.styles, *pair))
    ]
    differences.sort(key=lambda each: -each.ratio)
    for interface in ("wsgi", "asgi"):
        servers = [each for each in differences if interfaces[each.cell] == interface]
        if servers:
            yield Styles(
                endpoint=field.rankings[0].endpoint.name,
                interface=interface,
                servers=tuple(servers),
                cells=tuple(cell for each in servers for cell in (each.cell, each.over)),
            )


def interfaces(field: Field) -> Iterator[Interfaces]:
    """Yield how the first WSGI server compares with the first ASGI server, where there are both."""
    wsgi, asgi = (_first(field.arms, interface) for interface in ("wsgi", "asgi"))
    if wsgi is None or asgi is None:
        return
    over = difference(field.pairs, wsgi.cell, asgi.cell)
    if over is None and (turned := difference(field.pairs, asgi.cell, wsgi.cell)):
        over = turned.turned
    if over is not None:
        yield Interfaces(
            endpoint=field.rankings[0].endpoint.name,
            wsgi=wsgi,
            asgi=asgi,
            difference=over,
            cells=(wsgi.cell, asgi.cell),
        )


def _first(arms: Sequence[Arm], interface: str) -> Arm | None:
    of = (arm for arm in arms if arm.interface == interface)
    return max(of, key=lambda arm: arm.goodput, default=None)


def _limits(field: Field, leaders: Sequence[Arm], separated: bool) -> Iterator[Limit]:
    if not field.arms:
        yield "no-number"
        return
    rows = [row for ranking in field.rankings for row in ranking.rows]
    if len(field.arms) == 1:
        yield "alone"
    elif max(row.rounds_measured for row in rows) < 2:
        yield "one-round"
    elif not separated:
        yield "tied"
    if field.noise.floor is None:
        yield "no-noise-floor"
    doubts = {doubt for arm in leaders for doubt in arm.doubts}
    if AT_CEILING in doubts:
        yield "connection-limited"
    if doubts - {AT_CEILING}:
        yield "suspect"
