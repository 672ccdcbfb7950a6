"""One figure of the servers at an endpoint from run to run: a line for each server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt

from loadtest.records.planned import Interface
from loadtest.report.charts.chart import Chart, Spec, stem, with_data
from loadtest.report.charts.labels import apart, written
from loadtest.report.charts.theme import (
    answer_shape,
    finished,
    interface_colour,
    interface_fill,
    nearest,
)
from loadtest.report.servers.charts.data import interface

LABELS = "split(datum.value, ' | ')"
"""A bar parts the lines of what stands below a run."""


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


def timeline(
    name: str, title: str, axis: str, runs: Sequence[str], courses: Sequence[Course]
) -> Chart | None:
    """Return the chart; None where no server has a number. `runs` are what stands below each."""
    known = [course for course in courses if any(course.values)]
    if not known:
        return None
    values = [
        _value(course, at, run, value)
        for course in known
        for at, (run, value) in enumerate(zip(runs, course.values, strict=True))
    ]
    numbers = [value["value"] for value in values if value["value"]]
    gaps = len(values) - len(numbers)
    labels = apart(
        {course.server: [value for value in course.values if value][-1] for course in known},
        min(numbers),
        max(numbers),
    )
    values += [
        {
            "label": course.server,
            "server": course.server,
            "interface": interface(course.interface),
            "run": runs[-1],
            "value": labels[course.server],
        }
        for course in known
    ]
    counts = [
        f"{count} {answer}"
        for answer in ("worse", "better")
        if (count := sum(course.answers[-1] == answer for course in known))
    ]
    return Chart(
        name=stem("timeline", name),
        title=title,
        description=(
            f"Last step: {', '.join(counts) or 'nothing clearly worse or better'}."
            " Equal distances are equal ratios."
            + (" A gap is a run without a number for that server." if gaps else "")
        ),
        spec=with_data(_template(axis), stem("timeline", name), values),
    )


def _value(course: Course, at: int, run: str, value: float | None) -> dict[str, Any]:
    return {
        "server": course.server,
        "interface": interface(course.interface),
        "run": run,
        "value": float(f"{value:.4g}") if value else None,
        "answer": course.answers[at] or "same",
        "versions": course.versions[at],
    }


@cache
def _template(axis: str) -> Spec:
    near = nearest()
    base = alt.Chart(alt.NamedData("timeline"))
    x = alt.X(
        "run:O",
        sort=None,
        title=None,
        axis=alt.Axis(labelAngle=0, labelExpr=LABELS, labelOverlap=True, labelLimit=160),
    )
    y = alt.Y(
        "value:Q",
        title=axis,
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(format="~s", tickCount=6),
    )
    points = base.transform_filter("!isValid(datum.label)")
    lines = points.mark_line(strokeWidth=1.6).encode(
        x=x,
        y=y,
        detail="server:N",
        color=interface_colour(),
        opacity=alt.condition(near, alt.value(0.8), alt.value(0.12)),
    )
    marks = (
        points.transform_filter("isValid(datum.value)")
        .mark_point(size=55, strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            color=interface_colour(),
            fill=interface_fill(),
            fillOpacity=alt.condition(
                "datum.answer == 'cannot tell'", alt.value(0), alt.value(0.9)
            ),
            shape=answer_shape(),
            opacity=alt.condition(near, alt.value(1), alt.value(0.2)),
            tooltip=["server:N", "value:Q", "answer:N", "versions:N"],
        )
        .add_params(near)
    )
    return finished(
        alt.layer(lines, marks, written(base, x, y, near)).properties(width=620, height=320)
    )
