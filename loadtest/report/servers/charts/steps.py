"""Latency and cores against rate, for servers that were loaded at one rate after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.within import LIMITS, Step, keeps_up
from loadtest.records.planned import Goal
from loadtest.report import units
from loadtest.report.charts.chart import (
    Chart,
    Key,
    Line,
    Lines,
    Mark,
    Shape,
    chart,
    interfaces,
    look_of,
    stem,
    tick,
)
from loadtest.report.charts.scale import logarithmic

LAST: Shape = "diamond"
"""Of the point after which a server stops keeping up."""

Figure = Callable[[Step], float | None]


def against_rate(ranking: Ranking) -> Chart | None:
    """Return p99 and busy cores against the rate; None where nothing was loaded in steps.

    Of a goal for p90 alone it is p90. The server that keeps up with most is the one to be seen at
    once.
    """
    within = ranking.load.within or Goal()
    p, goal_us = (90, within.p90_us) if within.p90_us and not within.p99_us else (99, within.p99_us)

    def percentile(step: Step) -> float | None:
        return step.figures.p90_us if p == 90 else step.figures.p99_us

    rows = sorted((row for row in ranking.rows if row.steps and row.reportable), key=_order)
    goal = (goal_us, f"{p} % within {units.latency(goal_us)}") if goal_us else None
    latencies = _panel(f"p{p}", rows, percentile, units.latency, goal)
    cores = _panel("cores busy", rows, lambda step: step.figures.cores, units.significant)
    panels = [panel for panel in (latencies, cores) if panel]
    if not panels:
        return None
    marks = [mark for panel in panels for mark in panel.marks]
    legend = interfaces(line.look for panel in panels for line in panel.lines)
    if any(mark.shape == LAST for mark in marks):
        legend.append(Key("the last rate it kept", shape=LAST))
    return chart(
        stem("rates", ranking.at),
        "Against the rate",
        [
            "Both axes are logarithmic.",
            f"The dashed line is the goal: {goal[1]}." if goal else False,
            "A line ends where requests were no longer sent as scheduled, or not answered; rates"
            " that the load generator was late for are left out.",
        ],
        panels,
        legend,
    )


def _order(row: Row) -> float:
    last = keeps_up(row.steps, row.search).last
    return -(last.rate if last else 0.0)


def _shown(steps: Sequence[Step], figure: Figure) -> Iterator[tuple[Step, float]]:
    """Yield what a line goes through: beyond a goal, as long as its latencies are known."""
    known = (None, "generator")
    for step in takewhile(lambda each: each.why in known or each.figures.p99_us, steps):
        value = figure(step)
        if value and step.why not in LIMITS:
            yield step, value


def _panel(
    title: str,
    rows: Sequence[Row],
    figure: Figure,
    text: Callable[[float], str],
    goal: tuple[float, str] | None = None,
) -> Lines | None:
    lines = [line for row in rows if (line := _line(row, figure, text))]
    # A point by itself is no course.
    if all(len(line.points) < 2 for line in lines):
        return None
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    upright = logarithmic([*ys, *([goal[0]] if goal else [])], (), lambda y: tick(text(y)))
    across = logarithmic(xs, (), units.significant)
    return Lines(title, "requests/s asked for", across, upright, lines, *(goal or (None, "")))


def _line(row: Row, figure: Figure, text: Callable[[float], str]) -> Line | None:
    shown = list(_shown(row.steps, figure))
    if not shown:
        return None
    look = look_of(row.interface)
    last, first = keeps_up(row.steps, row.search)
    marks = [
        Mark(
            value,
            look,
            LAST if step is last and first else "dot",
            hollow=step.why is not None,
            x=step.rate,
            name=row.server,
            tip=f"{row.server}: {text(value)} at {units.significant(step.rate)} requests/s"
            + (f"; not with {units.significant(first.rate)}" if step is last and first else ""),
        )
        for step, value in shown
    ]
    points = [(step.rate, value) for step, value in shown]
    return Line(row.server, look, points, marks, tip=row.server)
