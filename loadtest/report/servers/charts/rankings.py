"""Charts of rankings: a workload at a glance, and the latencies at one endpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report import units
from loadtest.report.charts.chart import (
    Chart,
    Key,
    Line,
    Lines,
    Mark,
    Rows,
    Shape,
    Strip,
    chart,
    interfaces,
    look_of,
    stem,
    thousands,
    tick,
)
from loadtest.report.charts.scale import BEYOND, Scale, logarithmic
from loadtest.stats.latency import Curve
from loadtest.stats.ratios import paired

STYLES: dict[str, Shape] = {"sync": "dot", "async": "diamond", "control": "dot", "unknown": "dot"}
ROUNDS = "Lines are 95 % intervals over rounds; ranks follow from the differences within rounds."

NINES = ("0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %")
"""Shares of the responses, each at its number of nines."""


def kind(name: str, rankings: Sequence[Ranking]) -> Chart | None:
    """Return the chart of a workload, a panel for each endpoint; None without a number.

    At a rate, each server answers what it is sent: their charts are others.
    """
    rankings = [each for each in rankings if each.load.rate is None and each.load.within is None]
    by_name: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        if any(row.reportable for row in ranking.rows):
            by_name.setdefault(ranking.endpoint.name, []).append(ranking)
    if not by_name:
        return None
    shown = [row for ranking in rankings for row in ranking.rows if row.reportable]
    best: dict[tuple[bool, str], float] = {}
    for row in shown:
        key = (row.interface != "wsgi", row.server)
        best[key] = max(best.get(key, 0.0), _rate(row))
    servers = [server for _, server in sorted(best, key=lambda key: (key[0], -best[key]))]
    panels = [_panel(endpoint, styles, servers) for endpoint, styles in by_name.items()]
    marks = [mark for panel in panels for mark in panel.marks]
    shapes = {mark.shape for mark in marks}
    legend = interfaces(mark.look for mark in marks)
    if "diamond" in shapes:
        legend += [Key("sync view"), Key("async view", shape="diamond")]
    if any(mark.hollow for mark in marks):
        legend.append(Key("suspect", hollow=True))
    if "tick" in shapes:
        legend.append(Key("ceiling: requests at once / the delay", shape="tick"))
    return chart(
        stem("kind", name),
        "Requests/s",
        [
            "2xx, medians of the rounds, on a logarithmic axis.",
            any(mark.low for mark in marks) and ROUNDS,
        ],
        panels,
        legend,
    )


def _panel(endpoint: str, rankings: Sequence[Ranking], servers: Sequence[str]) -> Rows:
    rows = []
    for server in servers:
        cells = [
            (ranking, row)
            for ranking in rankings
            for row in ranking.rows
            if row.server == server and row.reportable
        ]
        if cells:
            marks = [
                mark for at, cell in enumerate(cells) for mark in _marks(*cell, at, len(cells))
            ]
            tip = "\n".join([server, *(_text(*cell) for cell in cells)])
            rows.append(Strip(server, marks, name=server, tip=tip))
    marks = [mark for row in rows for mark in row.marks]
    ends = [end for mark in marks for end in (mark.low, mark.high)]
    scale = logarithmic([mark.value for mark in marks], ends, thousands)
    return Rows(endpoint, "", scale, rows)


def _marks(ranking: Ranking, row: Row, at: int, of: int) -> Iterator[Mark]:
    down = 8 * at - 4 * (of - 1)
    if row.reportable and row.reportable.ceiling:
        yield Mark(row.reportable.ceiling, shape="tick", down=down)
    low, high = _interval(row)
    yield Mark(
        _rate(row),
        look_of(row.interface),
        STYLES[ranking.endpoint.style],
        hollow=bool(row.concerns),
        low=low,
        high=high,
        down=down,
    )


def _rate(row: Row) -> float:
    return row.reportable.goodput if row.reportable else 0.0


def _interval(row: Row) -> tuple[float | None, float | None]:
    rates = [each.goodput for each in row.rounds if each.goodput]
    interval = paired([1.0] * len(rates), rates)
    return interval.low, interval.high


def _text(ranking: Ranking, row: Row) -> str:
    low, high = _interval(row)
    text = f"{ranking.endpoint.style}: {units.significant(_rate(row))} requests/s"
    if low and high:
        text += f" ({units.significant(low)} to {units.significant(high)})"
    doubts = ", ".join(raised.concern for raised in row.concerns)
    return f"{text}; {doubts}" if doubts else text


def latency(ranking: Ranking) -> Chart | None:
    """Return the percentile curves on logarithmic axes; None where no server has one.

    The first is that of the server with the lowest median, if it can be without a doubt.
    """
    # Without a median that may be shown there is no curve, but for the lowest and the highest.
    curves = [
        (row, _points(row.curve))
        for row in ranking.rows
        if row.reportable and row.reportable.p50_us is not None and row.curve
    ]
    curves = [(row, points) for row, points in curves if len(points) > 1]
    if not curves:
        return None
    curves.sort(key=lambda each: (bool(each[0].concerns), _median(each[0])))
    first = curves[0][0]
    nines = max(x for _, points in curves for x, _ in points)
    across = Scale(0.0, nines * BEYOND, list(enumerate(NINES[: int(nines) + 1])), linear=True)
    upright = logarithmic(
        [us for _, points in curves for _, us in points], (), lambda us: tick(units.latency(us))
    )
    lines = [
        Line(row.server, look_of(row.interface), points, tip=row.server) for row, points in curves
    ]
    axis = "share of the responses, slowest to the right"
    return chart(
        stem("latency", ranking.at),
        "Latency",
        [
            f"Bold: {first.server}, with the lowest{'' if first.concerns else ' valid'} median,"
            f" {units.latency(_median(first))}.",
            "Each curve ends where its samples do.",
        ],
        [Lines("", axis, across, upright, lines)],
        interfaces(line.look for line in lines),
    )


def _median(row: Row) -> float:
    return (row.reportable and row.reportable.p50_us) or 0.0


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Return each latency at its number of nines, without the lowest and the highest.

    Those are a single response's.
    """
    return [
        (-math.log10(1 - p / 100), max(us, 1))
        for p, us in zip(curve.percentiles, curve.raw_us, strict=True)
        if 0 < p < 100
    ]
