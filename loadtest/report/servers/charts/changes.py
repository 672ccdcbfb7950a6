"""Charts of change: how many times each figure another run has, and figures from run to run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.judge.servers.compare import Answer, Change
from loadtest.records.planned import Interface
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
)
from loadtest.report.charts.scale import BEYOND, Scale, logarithmic

SHAPES: dict[Answer, Shape] = {"worse": "down", "better": "up", "same": "dot", "cannot tell": "dot"}
"""How a figure changed, as a shape; what nobody can tell is hollow as well."""

MOST_ROWS = 40
"""Cells that have a row each; more of them share that of their endpoint."""

MOST_DATES = 5
"""Runs that have room for what stands below each."""


@dataclass(frozen=True)
class Course:
    """One server through all runs."""

    server: str
    interface: Interface | None
    values: Sequence[float | None]
    """One a run; None where the run has no number that may be shown."""
    answers: Sequence[Answer | None]
    """Of each against the run before; None where that cannot be asked."""
    versions: Sequence[str]
    """What the server was in each run, as in `Django 5.2, gunicorn 27.0`."""


def forest(
    name: str,
    title: str,
    better: Literal["higher", "lower"],
    changes: Sequence[Change],
    text: Callable[[float], str],
) -> Chart | None:
    """Return the chart of one figure; None where no cell has it in both runs."""
    if not changes:
        return None
    each = len(changes) <= MOST_ROWS
    single = each and len({change.endpoint for change in changes}) == 1
    rows: dict[str, list[Change]] = {}
    for change in changes:
        parts = [change.endpoint] * (not single) + [change.server] * each
        rows.setdefault(" ".join(parts), []).append(change)
    scale = logarithmic(
        [ratio for change in changes for ratio in (change.ratio, 1 + change.margin)],
        [end for of in changes for end in (of.comparison.low, of.comparison.high)],
        lambda ratio: f"{ratio:g}x",
        around=1.0,
    )
    side = "right" if better == "higher" else "left"
    counts = ((sum(change.answer == answer for change in changes), answer) for answer in SHAPES)
    panel = Rows(
        "",
        f"new against base; better to the {side}",
        scale,
        [
            Strip(
                label,
                [_mark(change, text, interval=each) for change in of],
                band=(1 / (1 + margin), 1 + margin),
            )
            for label, of in rows.items()
            if (margin := max(change.margin for change in of))
        ],
        reference=1.0,
    )
    return chart(
        stem("forest", name),
        title,
        [
            f"{', '.join(f'{count} {answer}' for count, answer in counts if count)}; further to the"
            f" {side} is better.",
            any(mark.low for mark in panel.marks) and "Lines are 95 % intervals.",
            "Differences within the grey band count as noise.",
        ],
        [panel],
        _legend(changes, {change.answer for change in changes}),
    )


def _legend(of: Sequence[Change | Course], answers: Collection[Answer | None]) -> list[Key]:
    keys = [
        Key(answer, shape=shape, hollow=answer == "cannot tell")
        for answer, shape in SHAPES.items()
        if answer in answers
    ]
    return interfaces(look_of(each.interface) for each in of) + keys


def _mark(change: Change, text: Callable[[float], str], *, interval: bool) -> Mark:
    changed = change.answer in ("worse", "better")
    shown = interval or changed
    low, high = change.comparison.low, change.comparison.high
    return Mark(
        change.ratio,
        look_of(change.interface) + " minor" * (not changed),
        SHAPES[change.answer],
        hollow=change.answer == "cannot tell",
        low=low if shown else None,
        high=high if shown else None,
        name=change.server,
        tip=f"{change.server} at {change.endpoint}: {change.answer}\n"
        f"{units.ratio_interval(change.ratio, low, high)}\n"
        f"{text(change.base)} → {text(change.new)}",
    )


def timeline(
    name: str, title: str, axis: str, runs: Sequence[str], courses: Sequence[Course]
) -> Chart | None:
    """Return the chart; None where no server has a number. `runs` are what stands below each."""
    shown = [course for course in courses if any(course.values)]
    if not shown:
        return None
    every = -(-len(runs) // MOST_DATES)
    across = Scale(
        0.0,
        max(len(runs) - 1.0, 1.0) * BEYOND,
        # The last one always.
        [(at, run) for at, run in enumerate(runs) if (len(runs) - 1 - at) % every == 0],
        linear=True,
    )
    upright = logarithmic(
        [value for course in shown for value in course.values if value], (), thousands
    )
    counts = [
        f"{count} {answer}"
        for answer in ("worse", "better")
        if (count := sum(course.answers[-1] == answer for course in shown))
    ]
    answers = {answer for course in shown for answer in course.answers}
    return chart(
        stem("timeline", name),
        title,
        [
            f"Last step: {', '.join(counts) or 'nothing clearly worse or better'}.",
            "The axis is logarithmic.",
            any(None in course.values for course in shown)
            and "A run without a number for a server has no mark on its line.",
        ],
        [Lines("", "", across, upright, [_line(course, runs, axis) for course in shown])],
        _legend(shown, answers),
    )


def _line(course: Course, runs: Sequence[str], axis: str) -> Line:
    look = look_of(course.interface)
    marks = [
        Mark(
            value,
            look,
            SHAPES[answer or "same"],
            hollow=answer == "cannot tell",
            x=at,
            name=course.server,
            tip=f"{course.server}, {' '.join(run.split(' | ')[:2])}\n"
            f"{units.significant(value)} {axis}{f': {answer}' if answer else ''}\n{versions}",
        )
        for at, (run, value, answer, versions) in enumerate(
            zip(runs, course.values, course.answers, course.versions, strict=True)
        )
        if value
    ]
    return Line(course.server, look, [(mark.x, mark.value) for mark in marks], marks, course.server)
