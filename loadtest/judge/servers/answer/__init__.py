"""What a run answers: who leads at each kind of work, by how much, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loadtest.judge.servers.answer.arms import Field, Noise, field
from loadtest.judge.servers.answer.claims import claim, interfaces, styles
from loadtest.judge.servers.answer.control import shares
from loadtest.judge.servers.answer.records import Answer, Arm, Kind, Led, Limit, Within
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Interface
from loadtest.stats.noise_floor import Floors

UNSTABLE = "unstable"
"""The concern of rounds that differ so much that their middle says little."""


def answer(rankings: Sequence[Ranking], interim_looks: int, floors: Floors) -> Answer:
    """Return what the rankings of a run say.

    `looks` is how often it looked at its data, `floors` what noise alone does to goodput.
    """
    by_kind: dict[str, dict[tuple[str, int], list[Ranking]]] = {}
    for ranking in rankings:
        endpoint = ranking.endpoint
        if endpoint.style != "control":
            at = (endpoint.name, ranking.load.connections)
            by_kind.setdefault(endpoint.kind, {}).setdefault(at, []).append(ranking)
    fields = {
        kind: [
            (of, field(of, Noise(floors.of(kind), interim_looks))) for of in by_kind[kind].values()
        ]
        for kind in by_kind
    }
    kinds = tuple(
        _kind(kind, of, Noise(floors.of(kind), interim_looks)) for kind, of in fields.items()
    )
    rows = [row for ranking in rankings for row in ranking.rows]
    return Answer(
        kinds=kinds,
        shares=shares(rankings, interim_looks, floors),
        leaders=_overall(kinds),
        separated=sum(kind.separated for kind in kinds),
        within=tuple(one for of in ("wsgi", "asgi") if (one := _within(of, fields))),
        usable=sum(row.reportable is not None for row in rows),
        cells=sum(row.status != "skipped" for row in rows),
        numberless=tuple(_numberless(rows)),
        limits=tuple(_limits(rankings)),
    )


def _kind(name: str, fields: Sequence[tuple[Sequence[Ranking], Field]], noise: Noise) -> Kind:
    claims = tuple(claim(rankings, found, noise) for rankings, found in fields)
    separated = {one.endpoint: _steady(one.leaders) for one in claims if one.separated}
    return Kind(
        kind=name,
        claims=claims,
        leaders=_most(_led(separated)),
        styles=tuple(one for rankings, _ in fields for one in styles(rankings, noise)),
        interfaces=tuple(one for rankings, found in fields for one in interfaces(rankings, found)),
        separated=bool(separated),
    )


def _overall(kinds: Iterable[Kind]) -> tuple[Led, ...]:
    return _led({kind.kind: kind.leaders for kind in kinds if kind.separated})


def _within(
    interface: Interface, fields: Mapping[str, Sequence[tuple[Sequence[Ranking], Field]]]
) -> Within | None:
    """Return who leads among the servers of one interface; None with fewer than two of them."""
    arms = [
        arm
        for of in fields.values()
        for _, one in of
        for arm in one.arms
        if arm.interface == interface
    ]
    if len({arm.server for arm in arms}) < 2:
        return None
    kinds: dict[str, tuple[Led, ...]] = {}
    cells: list[str] = []
    for kind, of in fields.items():
        grouped = {rankings[0].endpoint.id: one.among(interface) for rankings, one in of}
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
    most = max((len(one.at) for one in leaders), default=0)
    return tuple(one for one in leaders if len(one.at) == most)


def _led(leaders: Mapping[str, Sequence[Arm | Led]]) -> tuple[Led, ...]:
    """Return where each server leads, who does so most often first, and alone before tied."""
    found: dict[str, list[str]] = {}
    weight: dict[str, float] = {}
    for at, of in leaders.items():
        for one in of:
            found.setdefault(one.server, []).append(at)
            weight[one.server] = weight.get(one.server, 0.0) + 1 / len(of)
    made = [Led(server=server, at=tuple(places)) for server, places in found.items()]
    return tuple(sorted(made, key=lambda led: (-len(led.at), -weight[led.server])))


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
