"""Charts of change: how many times each figure another run has, and figures from run to run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loadtest.records.planned import Interface
from loadtest.report.charts.chart import Chart, chart, field, known, layer, short, stem, where
from loadtest.report.charts.theme import GREY
from loadtest.report.servers.charts.marks import (
    ANSWERS,
    CHANGE,
    COLOUR,
    UNTOLD,
    by_endpoint,
    identity,
    labelled_lines,
    labels,
    near,
    points,
)

COLUMNS = 4
"""Endpoints in a line of the chart."""

SPAN = 1.6
"""How far intervals may reach, as a power of the furthest ratio: a wide one hides all else."""

LEAST = 1.1
"""The axis reaches at least so far to either side, or noise would fill it."""

TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (1.15, (0.9, 0.95, 1, 1.05, 1.1)),
    (1.5, (0.7, 0.85, 1, 1.2, 1.4)),
    (3, (0.5, 0.7, 1, 1.4, 2)),
    (math.inf, (0.1, 0.2, 0.5, 1, 2, 5, 10)),
)
"""What the axis is marked with, up to a reach: as many as have room for their labels."""

RATIO = "datum.value == 1 ? 'same' : format(datum.value, '.2~f') + 'x'"


LABELS = "split(datum.value, ' | ')"
"""A bar parts the lines of what stands below a run."""


@dataclass(frozen=True)
class Effect:
    """One figure of one cell: what it became."""

    server: str
    interface: Interface | None
    endpoint: str
    ratio: float
    low: float | None
    """Lower end of its 95 % interval; None where there were too few rounds for one."""
    high: float | None
    margin: float
    """The difference below which it counts as noise, as a share."""
    answer: Literal["better", "worse", "same", "cannot tell"]
    base: str
    new: str
    """The figure in either run, for people."""


@dataclass(frozen=True)
class Course:
    """One server through all runs."""

    server: str
    interface: Interface | None
    values: Sequence[float | None]
    """One a run; None where the run has no number that may be shown."""
    answers: Sequence[str | None]
    """Of each against the run before; None where that cannot be asked."""
    versions: Sequence[str]
    """What the server was in each run, as in `Django 5.2, gunicorn 27.0`."""


def forest(
    name: str, title: str, better: Literal["higher", "lower"], effects: Sequence[Effect]
) -> Chart | None:
    """Return the chart of one figure; None where no cell has it in both runs."""
    if not effects:
        return None
    reach = _reach(effects)
    values = [_value(effect, reach) for effect in effects]
    intervals = any("low" in value for value in values)
    side = "right" if better == "higher" else "left"
    counts = ((sum(effect.answer == answer for effect in effects), answer) for answer in ANSWERS)
    summary = ", ".join(f"{count} {answer}" for count, answer in counts if count)
    ticks = next(ticks for up_to, ticks in TICKS if reach < up_to)
    x = field(
        "ratio:Q",
        title=f"new against base; better to the {side}",
        scale={"type": "log", "nice": False, "domain": [short(1 / reach), short(reach)]},
        axis={
            "labelExpr": RATIO,
            "labelOverlap": True,
            "values": [tick for tick in ticks if 1 / reach < tick < reach],
        },
    )
    band = {"x": field("near:Q"), "x2": {"field": "far"}}
    line = {
        "x": field("from:Q"),
        "x2": {"field": "to"},
        "color": COLOUR,
        "opacity": where("datum.answer == 'better' || datum.answer == 'worse'", 0.9, 0.45),
    }
    tooltip = "server:N endpoint:N base:N new:N ratio:Q low:Q high:Q answer:N"
    layers = [
        layer("rect", band, color=GREY, opacity=0.16),
        layer("tick", {"x": {"datum": 1}}, thickness=1, size=17, color=GREY),
        intervals and layer("rule", line, strokeWidth=2),
        points(CHANGE, UNTOLD, tooltip, {"x": x}, 60, strokeWidth=1.5, clip=True),
    ]
    return chart(
        stem("forest", name),
        title,
        [
            f"{summary}; further to the {side} is better.",
            intervals and "The line is the 95 % interval.",
            any(value.get("cut") for value in values)
            and "One that would hide all else is cut off.",
            "Differences within the grey band count as noise.",
        ],
        values,
        by_endpoint(values, "", COLUMNS, [each for each in layers if each]),
    )


def _reach(effects: Sequence[Effect]) -> float:
    """Return the ratio that the axis ends at, to either side of 1."""
    ratios = max(abs(math.log(effect.ratio)) for effect in effects)
    ends = max(
        (abs(math.log(end)) for effect in effects for end in (effect.low, effect.high) if end),
        default=0.0,
    )
    bands = max(math.log1p(effect.margin) for effect in effects)
    furthest = max(math.log(LEAST), bands * 1.1, min(ends, SPAN * ratios), ratios)
    return math.exp(furthest * 1.05)


def _value(effect: Effect, reach: float) -> dict[str, Any]:
    value: dict[str, Any] = {
        **identity(effect.server, effect.interface),
        "endpoint": effect.endpoint,
        "ratio": effect.ratio,
        "base": effect.base,
        "new": effect.new,
        "answer": effect.answer,
        "near": 1 / (1 + effect.margin),
        "far": 1 + effect.margin,
    }
    if effect.low is not None and effect.high is not None:
        value |= {
            "low": effect.low,
            "high": effect.high,
            "from": max(effect.low, 1 / reach),
            "to": min(effect.high, reach),
            "cut": effect.low < 1 / reach or effect.high > reach,
        }
    return known(value)


def timeline(
    name: str, title: str, axis: str, runs: Sequence[str], courses: Sequence[Course]
) -> Chart | None:
    """Return the chart; None where no server has a number. `runs` are what stands below each."""
    shown = [course for course in courses if any(course.values)]
    if not shown:
        return None
    values = [
        {
            **identity(course.server, course.interface),
            "run": run,
            "value": short(value) if value else None,
            "answer": answer or "same",
            "versions": versions,
        }
        for course in shown
        for run, value, answer, versions in zip(
            runs, course.values, course.answers, course.versions, strict=True
        )
    ]
    drawn = [value for value in values if value["value"]]
    ends = {value["server"]: value for value in drawn}.values()
    counts = [
        f"{count} {answer}"
        for answer in ("worse", "better")
        if (count := sum(course.answers[-1] == answer for course in shown))
    ]
    x = field(
        "run:O",
        sort=None,
        title=None,
        axis={"labelAngle": 0, "labelExpr": LABELS, "labelOverlap": True, "labelLimit": 160},
    )
    y = field(
        "value:Q",
        title=axis,
        scale={"type": "log", "nice": False, "padding": 12},
        axis={"format": "~s", "tickCount": 6},
    )
    tooltip = "server:N value:Q answer:N versions:N"
    measured = "isValid(datum.answer) && isValid(datum.value)"
    lit = {"opacity": near(1, 0.2)}
    return chart(
        stem("timeline", name),
        title,
        [
            f"Last step: {', '.join(counts) or 'nothing clearly worse or better'}.",
            "Equal distances are equal ratios.",
            len(drawn) < len(values) and "A gap is a run without a number for that server.",
        ],
        values + labels(list(ends), "value", [value["value"] for value in drawn], run=runs[-1]),
        labelled_lines(
            620, x, y, points(CHANGE, UNTOLD, tooltip, lit, 55, measured, strokeWidth=1.5)
        ),
    )
