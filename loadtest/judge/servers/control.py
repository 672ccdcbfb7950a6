"""What is Django's and what is the server's: the same answer with Django and without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Interface, Record, Style
from loadtest.stats.noise_floor import Floors
from loadtest.stats.pairs import judged
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import Finding

GENERATOR = "generator-limited"
"""The concern of a row that the generator held back."""


class Share(Record, frozen=True, kw_only=True):
    """How much of a request's time is Django's: the bare callable against Django's cheapest view.

    1 - time a request of `raw` / time a request of `json`, on the same server in the same round.
    """

    server: str
    interface: Interface | None
    style: Style
    """Of the Django view."""
    share: float
    """Median over rounds."""
    low: float | None
    """Lower end of its 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    """Upper end, likewise."""
    finding: Finding
    """Of the bare callable's goodput against Django's."""
    at_least: bool
    """The bare callable was held back by the generator: Django's true share is no smaller."""
    raw_cpu_us: float | None
    """Processor time for an answer of the bare callable."""
    django_cpu_us: float | None
    """How much more Django's view takes."""
    cells: tuple[str, ...]
    """The rows it rests on."""


def shares(
    rankings: Sequence[Ranking], rates: Mapping[str, Rates], floors: Floors, interim_looks: int
) -> tuple[Share, ...]:
    """Return how much of the time of Django's cheapest answer is Django's, the most first.

    Two rankings are a pair where a control, which bypasses Django, answers the very bytes that a
    view of Django answers under the same load; not at a rate, which both answer, nor of a search,
    whose rates are as far apart as its tries. `rates` are the goodput of each cell that has one,
    `floors` what noise alone does to it.
    """
    views = [ranking for ranking in rankings if ranking.endpoint.style != "control"]
    # Of several controls that answer the same, the first.
    bare = {
        _answer(ranking): ranking
        for ranking in reversed(rankings)
        if ranking.endpoint.style == "control"
    }
    shares = [
        share
        for view in views
        if (answer := _answer(view)) and answer in bare and not view.endpoint.contract.delay_s
        for share in _shares(bare[answer], view, rates, floors, interim_looks)
    ]
    return tuple(sorted(shares, key=lambda share: -share.share))


def _answer(of: Ranking) -> tuple[str, int] | None:
    digest, load = of.endpoint.contract.body_sha256, of.load
    return None if digest is None or load.rate or load.within else (digest, load.connections)


def _shares(
    bare: Ranking, view: Ranking, rates: Mapping[str, Rates], floors: Floors, interim_looks: int
) -> Iterator[Share]:
    raws = {row.server: row for row in bare.rows if row.cell in rates}
    both = {
        (raws[row.server].cell, row.cell): (raws[row.server], row)
        for row in view.rows
        if row.cell in rates and row.server in raws
    }
    floor = floors.of(bare.endpoint.kind, view.endpoint.kind)
    table = judged([*both], rates, floor, interim_looks)
    for pair, verdict in table.judged.items():
        (raw, row), comparison = both[pair], verdict.comparison
        if comparison.ratio is None:
            continue
        raw_cpu_us, cpu_us = _cpu_us(raw), _cpu_us(row)
        yield Share(
            server=row.server,
            interface=row.interface,
            style=view.endpoint.style,
            share=1 - 1 / comparison.ratio,
            low=1 - 1 / comparison.low if comparison.low else None,
            high=1 - 1 / comparison.high if comparison.high else None,
            finding=verdict.finding,
            at_least=any(raised.concern == GENERATOR for raised in raw.concerns),
            raw_cpu_us=raw_cpu_us,
            django_cpu_us=cpu_us - raw_cpu_us if cpu_us and raw_cpu_us else None,
            cells=pair,
        )


def _cpu_us(row: Row) -> float | None:
    return row.reportable.server_cpu_us if row.reportable else None
