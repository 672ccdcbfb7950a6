"""One figure of the servers at an endpoint from run to run: a line for each server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.records.planned import Interface
from loadtest.report.charts.chart import Chart, chart, field, short, stem
from loadtest.report.servers.charts.marks import (
    CHANGE,
    UNTOLD,
    identity,
    labelled_lines,
    labels,
    near,
    points,
)

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
        {
            **identity(course.server, course.interface),
            "run": run,
            "value": short(value) if value else None,
            "answer": answer or "same",
            "versions": versions,
        }
        for course in known
        for run, value, answer, versions in zip(
            runs, course.values, course.answers, course.versions, strict=True
        )
    ]
    drawn = [value for value in values if value["value"]]
    ends = {value["server"]: value for value in drawn}.values()
    counts = [
        f"{count} {answer}"
        for answer in ("worse", "better")
        if (count := sum(course.answers[-1] == answer for course in known))
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
