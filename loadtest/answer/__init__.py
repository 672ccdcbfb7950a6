"""What a run answers: who leads at each kind of work, by how much, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loadtest.answer.arms import Noise, field
from loadtest.answer.claims import claim, interfaces, styles
from loadtest.answer.control import shares
from loadtest.answer.records import (
    Answer,
    Arm,
    Claim,
    Difference,
    Interfaces,
    Kind,
    Led,
    Limit,
    Share,
    Styles,
)
from loadtest.noise import Floors
from loadtest.ranking import Ranking
from loadtest.row import Row

__all__ = [
    "Answer",
    "Arm",
    "Claim",
    "Difference",
    "Interfaces",
    "Kind",
    "Led",
    "Limit",
    "Share",
    "Styles",
    "answer",
]


def answer(rankings: Sequence[Ranking], looks: int, floors: Floors) -> Answer:
    """Return what the rankings of a run say.

    `looks` is how often it looked at its data, `floors` what noise alone does to goodput.
    """
    by_kind: dict[str, dict[tuple[str, int], list[Ranking]]] = {}
    for ranking in rankings:
        endpoint = ranking.endpoint
        if endpoint.style != "control":
            at = (endpoint.name, ranking.load.connections)
            by_kind.setdefault(endpoint.kind, {}).setdefault(at, []).append(ranking)
    kinds = tuple(
        _kind(kind, list(endpoints.values()), Noise(floors.of(kind), looks))
        for kind, endpoints in by_kind.items()
    )
    rows = [row for ranking in rankings for row in ranking.rows]
    return Answer(
        kinds=kinds,
        shares=shares(rankings, looks, floors),
        leaders=_overall(kinds),
        told=sum(kind.told for kind in kinds),
        usable=sum(row.shown is not None for row in rows),
        cells=sum(row.status != "skipped" for row in rows),
        numberless=tuple(_numberless(rows)),
        limits=tuple(_limits(rankings)),
    )


def _kind(name: str, endpoints: Sequence[Sequence[Ranking]], noise: Noise) -> Kind:
    fields = [field(rankings, noise) for rankings in endpoints]
    claims = tuple(
        claim(rankings, found, noise) for rankings, found in zip(endpoints, fields, strict=True)
    )
    told = [one for one in claims if one.told]
    led = {one.endpoint: one.leaders for one in told}
    leaders = _led(led, [one.endpoint for one in told])
    most = max((len(one.at) for one in leaders), default=0)
    return Kind(
        kind=name,
        claims=claims,
        leaders=tuple(one for one in leaders if len(one.at) == most),
        styles=tuple(one for rankings in endpoints for one in styles(rankings, noise)),
        interfaces=tuple(
            one
            for rankings, found in zip(endpoints, fields, strict=True)
            for one in interfaces(rankings, found)
        ),
        told=bool(told),
    )


def _overall(kinds: Iterable[Kind]) -> tuple[Led, ...]:
    told = {kind.kind: kind.leaders for kind in kinds if kind.told}
    return _led(told, list(told))


def _led(leaders: Mapping[str, Sequence[Arm | Led]], told: Sequence[str]) -> tuple[Led, ...]:
    """Return where each server leads, who does so most often first, and alone before tied."""
    found: dict[str, list[str]] = {}
    weight: dict[str, float] = {}
    for at in told:
        for one in leaders[at]:
            found.setdefault(one.server, []).append(at)
            weight[one.server] = weight.get(one.server, 0.0) + 1 / len(leaders[at])
    made = [Led(server=server, at=tuple(places)) for server, places in found.items()]
    return tuple(sorted(made, key=lambda led: (-len(led.at), -weight[led.server])))


def _numberless(rows: Sequence[Row]) -> Iterator[str]:
    tried = dict.fromkeys(row.server for row in rows if row.status != "skipped")
    shown = {row.server for row in rows if row.shown}
    yield from (server for server in tried if server not in shown)


def _limits(rankings: Sequence[Ranking]) -> Iterator[Limit]:
    rows = [row for ranking in rankings for row in ranking.rows if row.shown]
    if not rows:
        yield "no-number"
    elif max(row.rounds_measured for row in rows) < 2:
        yield "one-round"
    if all(ranking.noise_floor is None for ranking in rankings):
        yield "no-noise-floor"
