"""A history as charts: one for each endpoint and figure, with versions below the runs."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.history import History, Line
from loadtest.report.charts.chart import Chart
from loadtest.report.servers.charts import Course, timeline
from loadtest.report.servers.history.tables import TITLES, Shown, answer, value
from loadtest.report.table import Value

AXES: dict[Shown, str] = {"goodput": "requests/s", "cpu": "CPU time per request (µs)"}

ALWAYS = ("Django", "python")
"""Versions that every server depends on; of the others, those it is made of."""

NAMED = 3
"""Versions that a run's place on the axis has room for."""


def chart(history: History, endpoint: str, lines: Sequence[Line], figure: Shown) -> Chart | None:
    """Return the lines of an endpoint as a chart; None where none has a number."""
    courses = [
        Course(
            server=line.server,
            interface=line.interface,
            values=[_float(value(point, figure)) for point in line.points],
            answers=[answer(point, figure) for point in line.points],
            versions=[
                ", ".join(
                    _version(package, versions[package])
                    for package in (*ALWAYS, *line.packages)
                    if package in versions
                )
                for versions in history.versions
            ],
        )
        for line in lines
    ]
    return timeline(f"{figure}-{endpoint}", TITLES[figure], AXES[figure], below(history), courses)


def below(history: History) -> list[str]:
    """Return what stands below each run on an axis: its day and time, and the versions that moved.

    No two are alike.
    """
    names = sorted({key for versions in history.versions for key in versions})
    moved = [
        key
        for key in sorted(names, key=lambda key: key not in ALWAYS)
        if len({versions.get(key) for versions in history.versions}) > 1
    ]
    texts: list[str] = []
    for at, versions in zip(history.made, history.versions, strict=True):
        lines = [at[:16].replace("T", " ")]
        lines += [_version(key, versions.get(key, "none")) for key in moved[:NAMED]]
        texts.append(" | ".join(lines))
    return [text + "\u200b" * texts[:at].count(text) for at, text in enumerate(texts)]


def _version(name: str, version: str) -> str:
    # Python's says itself what it is of: `CPython 3.13.1`.
    return version if name == "python" else f"{name} {version}"


def _float(value: Value) -> float | None:
    return value if isinstance(value, float | int) else None
