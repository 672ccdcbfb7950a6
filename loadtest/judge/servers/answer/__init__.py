"""What a run answers: who leads at each workload, by how much, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loadtest.judge.servers.answer.arms import Field, Noise, field
from loadtest.judge.servers.answer.claims import claim, interfaces, styles
from loadtest.judge.servers.answer.records import Answer, Arm, Kind, Led, Limit, Share, Within
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Interface
from loadtest.stats.noise_floor import Floors
from loadtest.stats.pairs import Pairs

UNSTABLE = "unstable"
"""The concern of rounds that differ so much that their middle says little."""


def answer(
    rankings: Sequence[Ranking],
    tables: Sequence[Pairs],
    interim_looks: int,
    floors: Floors,
    shares: tuple[Share, ...],
) -> Answer:
    """Return what the rankings of a run say, each with its table of pairs.

    `interim_looks` is how often it looked at its data, `floors` what noise alone does to goodput.
    """
    judged = list(zip(rankings, tables, strict=True))
    fields: dict[str, list[Field]] = {}
    at: dict[tuple[str, str, int], list[tuple[Ranking, Pairs]]] = {}
    for ranking, pairs in judged:
        endpoint = ranking.endpoint
        if endpoint.style != "control":
            place = (endpoint.kind, endpoint.name, ranking.load.connections)
            at.setdefault(place, []).append((ranking, pairs))
    for (kind, *_), of in at.items():
        fields.setdefault(kind, []).append(field(of, Noise(floors.of(kind), interim_looks)))
    kinds = tuple(_kind(kind, of) for kind, of in fields.items())
    rows = [row for ranking in rankings for row in ranking.rows]
    return Answer(
        kinds=kinds,
        shares=shares,
        leaders=_overall(kinds),
        separated=sum(kind.separated for kind in kinds),
        within=tuple(
            within for of in ("wsgi", "asgi") if (within := _within(of, fields)) is not None
        ),
        usable=sum(row.reportable is not None for row in rows),
        cells=sum(row.status != "skipped" for row in rows),
        numberless=tuple(_numberless(rows)),
        limits=tuple(_limits(rankings)),
    )


def _kind(name: str, fields: Sequence[Field]) -> Kind:
    claims = tuple(map(claim, fields))
    leaders = {claim.endpoint: _steady(claim.leaders) for claim in claims if claim.separated}
    return Kind(
        kind=name,
        waits=any(field.rankings[0].endpoint.contract.delay_s > 0 for field in fields),
        claims=claims,
        leaders=_most(_led(leaders)),
        styles=tuple(each for field in fields for each in styles(field)),
        interfaces=tuple(each for field in fields for each in interfaces(field)),
        separated=bool(leaders),
    )


def _overall(kinds: Iterable[Kind]) -> tuple[Led, ...]:
    return _led({kind.kind: kind.leaders for kind in kinds if kind.separated})


def _within(interface: Interface, fields: Mapping[str, Sequence[Field]]) -> Within | None:
    """Return who leads among the servers of one interface; None with fewer than two of them."""
    arms = [
        arm
        for of in fields.values()
        for field in of
        for arm in field.arms
        if arm.interface == interface
    ]
    if len({arm.server for arm in arms}) < 2:
        return None
    kinds: dict[str, tuple[Led, ...]] = {}
    cells: list[str] = []
    for kind, of in fields.items():
        grouped = {field.rankings[0].endpoint.id: field.among(interface) for field in of}
        first = {at: _steady(groups[0]) for at, groups in grouped.items() if len(groups) > 1}
        if first:
            kinds[kind] = _most(_led(first))
            cells += [arm.cell for group in first.values() for arm in group]
    return Within(
        interface=interface,
        leaders=_led(kinds),
        separated=len(kinds),
        cells=tuple(cells or (arm.cell for arm in arms)),
    )


def _steady(leaders: Sequence[Arm]) -> Sequence[Arm]:
    """Return the leaders that noise did not make such: what swings widely is tied with all."""
    return [arm for arm in leaders if UNSTABLE not in arm.doubts] or leaders


def _most(leaders: Sequence[Led]) -> tuple[Led, ...]:
    """Return those who lead at as many places as any."""
    most = max((len(led.at) for led in leaders), default=0)
    return tuple(led for led in leaders if len(led.at) == most)


def _led(leaders: Mapping[str, Sequence[Arm | Led]]) -> tuple[Led, ...]:
    """Return where each server leads, who does so most often first, and alone before tied."""
    places: dict[str, list[str]] = {}
    weight: dict[str, float] = {}
    for at, of in leaders.items():
        for leader in of:
            places.setdefault(leader.server, []).append(at)
            weight[leader.server] = weight.get(leader.server, 0.0) + 1 / len(of)
    led = [Led(server=server, at=tuple(at)) for server, at in places.items()]
    return tuple(sorted(led, key=lambda led: (-len(led.at), -weight[led.server])))


def _numberless(rows: Sequence[Row]) -> Iterator[str]:
    tried = dict.fromkeys(row.server for row in rows if row.status != "skipped")
    shown = {row.server for row in rows if row.reportable}
    yield from (server for server in tried if server not in shown)


def _limits(rankings: Sequence[Ranking]) -> Iterator[Limit]:
    rows = [row for ranking in rankings for row in ranking.rows if row.reportable]
    if not rows:
        yield "no-number"
    elif max(row.rounds_measured for row in rows) < 2:
        yield "one-round"
    if all(ranking.noise_floor is None for ranking in rankings):
        yield "no-noise-floor"
