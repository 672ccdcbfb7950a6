"""What is Django's and what is the server's: the same answer with Django and without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.arms import Noise, difference
from loadtest.judge.servers.answer.records import Share
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.stats.noise_floor import Floors
from loadtest.stats.pairs import Pairs, judged

GENERATOR = "generator-limited"
"""The concern of a row that the generator held back."""


def shares(
    rankings: Sequence[tuple[Ranking, Pairs]], interim_looks: int, floors: Floors
) -> tuple[Share, ...]:
    """Return how much of the time of Django's cheapest answer is Django's, the most first.

    Two rankings are a pair where a control, which bypasses Django, answers the very bytes that a
    view of Django answers under the same load.
    """
    shares = [
        share
        for bare, raw in rankings
        if bare.endpoint.style == "control"
        for ranking, pairs in rankings
        if ranking.endpoint.style != "control" and _same_answer(bare, ranking)
        for share in _shares(
            (bare, raw),
            (ranking, pairs),
            Noise(floors.of(bare.endpoint.kind, ranking.endpoint.kind), interim_looks),
        )
    ]
    return tuple(sorted(shares, key=lambda share: -share.share))


def _same_answer(bare: Ranking, ranking: Ranking) -> bool:
    digest = bare.endpoint.contract.body_sha256
    return (
        digest is not None
        and digest == ranking.endpoint.contract.body_sha256
        and bare.load.connections == ranking.load.connections
        and not ranking.endpoint.contract.delay_s
    )


def _shares(
    bare: tuple[Ranking, Pairs], view: tuple[Ranking, Pairs], noise: Noise
) -> Iterator[Share]:
    ranking, pairs = view
    rates = {**bare[1].rates, **pairs.rates}
    raws = {row.server: row for row in bare[0].rows if row.cell in rates}
    both = [
        (raws[row.server], row) for row in ranking.rows if row.cell in rates and row.server in raws
    ]
    table = judged([(raw.cell, row.cell) for raw, row in both], rates, *noise)
    for raw, row in both:
        faster = difference(table, raw.cell, row.cell)
        if faster is None:
            continue
        raw_cpu_us, cpu_us = _cpu_us(raw), _cpu_us(row)
        yield Share(
            server=row.server,
            interface=row.interface,
            style=ranking.endpoint.style,
            share=1 - 1 / faster.ratio,
            low=1 - 1 / faster.low if faster.low else None,
            high=1 - 1 / faster.high if faster.high else None,
            finding=faster.finding,
            at_least=any(raised.concern == GENERATOR for raised in raw.concerns),
            raw_cpu_us=raw_cpu_us,
            django_cpu_us=cpu_us - raw_cpu_us if cpu_us and raw_cpu_us else None,
            cells=(raw.cell, row.cell),
        )


def _cpu_us(row: Row) -> float | None:
    return row.reportable.server_cpu_us if row.reportable else None
