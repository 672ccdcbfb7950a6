"""Rankings and rows as sections want them: by workload, by load, by server."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Load


def by_kind(rankings: Sequence[Ranking]) -> dict[str, list[Ranking]]:
    """Return the rankings by workload, and the styles of an endpoint, under one rate after another.

    What has the same endpoint and rate stands together.
    """
    kinds: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        kinds.setdefault(ranking.endpoint.kind, []).append(ranking)
    for group in kinds.values():
        place = {name: at for at, name in reversed([*enumerate(of.endpoint.name for of in group)])}
        group.sort(key=lambda each: (place[each.endpoint.name], each.load.rate or 0.0))
    return kinds


def by_load(rankings: Sequence[Ranking]) -> dict[Load, list[str]]:
    """Return the endpoints under each load."""
    loads: dict[Load, list[str]] = {}
    for ranking in rankings:
        loads.setdefault(ranking.load, []).append(ranking.at)
    return loads


def rows_of(rankings: Sequence[Ranking], server: str) -> list[tuple[Ranking, Row]]:
    """Return the rows of one server, each with its ranking."""
    return [(ranking, row) for ranking in rankings for row in ranking.rows if row.server == server]


def spread(row: Row) -> float | None:
    """Return how far apart the rounds are, as a share of their median."""
    rates = [each.goodput for each in row.rounds if each.goodput]
    return (max(rates) - min(rates)) / median(rates) if len(rates) > 1 else None
