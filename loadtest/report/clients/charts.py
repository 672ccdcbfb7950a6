"""Charts of a clients' run: time with its interval, where a process's time goes, CPU time.

None of them holds an invalid number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import TASKS, THREADS, Mode
from loadtest.report.charts.chart import (
    Chart,
    Values,
    chart,
    field,
    fields,
    known,
    layer,
    looks,
    short,
    stem,
    where,
)
from loadtest.report.charts.theme import BLUE, GREY, ORANGE, Spec
from loadtest.report.clients.sentences import time_us
from loadtest.report.units import latency
from loadtest.stats.ratios import paired

WAYS = looks("way:N", {"asyncio": BLUE, "threads": ORANGE, "one by one": GREY})

PARTS = {
    "start-up": GREY,
    "import": ORANGE,
    "set-up": "#c9a227",
    "work": BLUE,
    "end": "#7a5195",
}
"""Of a process's time, one after the other."""

WIDE = 20.0
"""Times as long as the fastest: from there on bars hide the fast ones, and the axis is a log."""


def of_ranking(ranking: Ranking) -> Iterator[Chart]:
    """Yield the charts of one table; those for which there are no numbers are left out."""
    rows = [row for row in ranking.reportable if time_us(row)]
    if len(rows) < 2:
        return
    yield _time(ranking, rows)
    if ranking.measure == "cold":
        if parts := [row for row in rows if row.cold and row.cold.work_s is not None]:
            yield _parts(ranking, parts)
    else:
        yield _cpu(ranking, rows)


def way(mode: Mode) -> str:
    """Return how calls are driven, in a word for the legend."""
    return "asyncio" if mode in TASKS else "threads" if mode in THREADS else "one by one"


def _time(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    values = [_value(row) for row in rows]
    wide = values[-1]["ms"] > WIDE * values[0]["ms"]
    of = "per call" if ranking.measure == "warm" else "of a whole process"
    scale = {"type": "log"} if wide else {"zero": True}
    time = {
        "x": field("ms:Q", title=f"milliseconds {of} (median of the rounds)", scale=scale),
        "color": WAYS,
        "opacity": where("datum.doubts == ''", 1.0, 0.45),
        "tooltip": fields("row:N ms:Q low:Q high:Q doubts:N"),
    }
    return _chart(
        "time",
        ranking,
        f"Time {of}",
        [
            f"{rows[0].row.label} is the fastest with {latency(time_us(rows[0]))}.",
            "The line is the 95 % interval of the mean over rounds.",
            wide and "The axis is logarithmic.",
        ],
        values,
        # A bar on a logarithmic axis would begin nowhere.
        layer("point", time, size=90, filled=True) if wide else layer("bar", time, height=14),
        layer("rule", {"x": field("low:Q"), "x2": {"field": "high"}}, strokeWidth=2),
    )


def _value(row: Standing) -> dict[str, Any]:
    times = [each.time_s for each in row.rounds if each.time_s]
    interval = paired([1.0] * len(times), times)
    return known(
        {
            "row": row.row.label,
            "way": way(row.row.mode),
            "ms": (time_us(row) or 0.0) / 1e3,
            "low": interval.low and interval.low * 1e3,
            "high": interval.high and interval.high * 1e3,
            "doubts": ", ".join(raised.concern for raised in row.concerns),
        }
    )


def _parts(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    values = [
        {"row": row.row.label, "part": part, "ms": short(seconds * 1e3), "at": at}
        for row in rows
        if (cold := row.cold)
        for at, (part, seconds) in enumerate(
            zip(
                PARTS,
                (cold.start_s, cold.import_s, cold.setup_s, cold.work_s, cold.end_s),
                strict=True,
            )
        )
        if seconds is not None
    ]
    parts = {
        "x": field("ms:Q", title="milliseconds (mean of the rounds)", stack=True),
        "color": looks("part:N", PARTS),
        "order": field("at:Q"),
        "tooltip": fields("row:N part:N ms:Q"),
    }
    return _chart(
        "parts",
        ranking,
        "Where the time of a process goes",
        ["Start-up and imports are paid once a process, the work grows with the calls."],
        values,
        layer("bar", parts, height=14),
    )


def _cpu(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    values: list[dict[str, Any]] = [
        {"row": row.row.label, "way": way(row.row.mode), "us": short(row.warm.cpu_us)}
        for row in rows
        if row.warm
    ]
    least = min(values, key=lambda value: value["us"])
    time = {
        "x": field("us:Q", title="CPU time per call (µs)"),
        "color": WAYS,
        "tooltip": fields("row:N us:Q"),
    }
    return _chart(
        "cpu",
        ranking,
        "CPU time per call",
        [f"{least['row']} needs the least, {latency(least['us'])}."],
        values,
        layer("bar", time, height=14),
    )


def _chart(
    kind: str,
    ranking: Ranking,
    title: str,
    description: Iterable[str | Literal[False]],
    values: Values,
    *layers: Spec,
) -> Chart:
    """Return a chart with a line for each row, in the order of the table."""
    row = field("row:N", sort=None, title=None)
    spec = {"width": 480, "height": {"step": 24}, "encoding": {"y": row}, "layer": list(layers)}
    name = stem(kind, ranking.group.name, ranking.measure)
    return chart(name, title, description, values, spec)
