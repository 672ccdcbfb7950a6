"""Latency and cores against rate, for servers that were loaded at one rate after another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.within import Step
from loadtest.report import units
from loadtest.report.charts.chart import (
    Chart,
    Line,
    Lines,
    Mark,
    chart,
    interfaces,
    look_of,
    stem,
    tick,
)
from loadtest.report.charts.scale import logarithmic


def against_rate(ranking: Ranking) -> Chart | None:
    """Return p99 and busy cores against the rate; None where nothing was loaded in steps."""
    rows = [row for row in ranking.rows if len(row.steps) > 1]
    panels = [
        panel
        for title, figure, text in (
            ("p99", lambda step: step.figures.p99_us, units.latency),
            ("busy cores", lambda step: step.figures.cores, units.significant),
        )
        if (panel := _panel(title, rows, figure, text))
    ]
    if not panels:
        return None
    looks = [line.look for line in panels[0].lines]
    caption = ["A line ends with the last rate that the server kept."]
    return chart(stem("rates", ranking.at), "Against the rate", caption, panels, interfaces(looks))


def _panel(
    title: str,
    rows: list[Row],
    figure: Callable[[Step], float | None],
    text: Callable[[float], str],
) -> Lines | None:
    lines = []
    for row in rows:
        points = [
            (step.rate, max(value, 1e-3))
            for step in takewhile(lambda step: step.why is None, row.steps)
            if (value := figure(step)) is not None
        ]
        if len(points) > 1:
            marks = [
                Mark(y, look_of(row.interface), x=x, tip=f"{row.server}: {text(y)} at {x:,.4g}/s")
                for x, y in points
            ]
            lines.append(Line(row.server, look_of(row.interface), points, marks, tip=row.server))
    if not lines:
        return None
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    across = logarithmic(xs, (), units.significant)
    return Lines(title, "requests/s", across, logarithmic(ys, (), lambda y: tick(text(y))), lines)
