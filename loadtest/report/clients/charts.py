"""Charts of a clients' run: time with its interval, where a process's time goes, CPU time.

None of them holds an invalid number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import TASKS, THREADS, Mode
from loadtest.report.charts.chart import Chart, Values, stem, with_data
from loadtest.report.charts.theme import finished
from loadtest.report.clients.sentences import time_us
from loadtest.report.units import latency
from loadtest.stats.ratios import paired

WAYS = {"asyncio": "#1b84c9", "threads": "#d9730d", "one by one": "#808080"}
"""Blue, orange and grey, after Okabe & Ito (2008): distinct for the colour-blind too."""

PARTS = {
    "start-up": "#808080",
    "import": "#d9730d",
    "set-up": "#c9a227",
    "work": "#1b84c9",
    "end": "#7a5195",
}
"""Of a process's time, one after the other."""

WIDE = 20.0
"""Times as long as the fastest: from there on bars hide the fast ones, and the axis is a log."""

WIDTH = 480

STEP = 24


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
    finding = f"{rows[0].row.label} is the fastest with {latency(time_us(rows[0]))}."
    finding += " The line is the 95 % interval of the mean over rounds."
    if wide:
        finding += " The axis is logarithmic."
    base = alt.Chart(alt.NamedData("rows"))
    label = alt.Y("row:N", sort=None, title=None)
    scale = alt.Scale(type="log") if wide else alt.Scale(zero=True)
    time = alt.X("ms:Q", title=f"milliseconds {of} (median of the rounds)", scale=scale)
    tooltip = ["row:N", "ms:Q", "low:Q", "high:Q", "doubts:N"]
    # A bar on a logarithmic axis would begin nowhere.
    mark = base.mark_point(size=90, filled=True) if wide else base.mark_bar(height=14)
    shown = mark.encode(x=time, y=label, color=_way(), opacity=_doubted(), tooltip=tooltip)
    interval = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=label)
    return _chart("time", ranking, f"Time {of}", finding, alt.layer(shown, interval), values)


def _value(row: Standing) -> dict[str, Any]:
    times = [each.time_s for each in row.rounds if each.time_s]
    interval = paired([1.0] * len(times), times)
    known = {
        "row": row.row.label,
        "way": way(row.row.mode),
        "ms": _ms((time_us(row) or 0.0) / 1e6),
        "low": _ms(interval.low),
        "high": _ms(interval.high),
        "doubts": ", ".join(raised.concern for raised in row.concerns),
    }
    return {key: value for key, value in known.items() if value is not None}


def _parts(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    values = [
        {"row": row.row.label, "part": part, "ms": _ms(seconds), "at": at}
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
    bars = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar(height=14)
        .encode(
            x=alt.X("ms:Q", title="milliseconds (mean of the rounds)", stack=True),
            y=alt.Y("row:N", sort=None, title=None),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=list(PARTS), range=list(PARTS.values())),
                legend=alt.Legend(orient="top"),
            ),
            order=alt.Order("at:Q"),
            tooltip=["row:N", "part:N", "ms:Q"],
        )
    )
    return _chart(
        "parts",
        ranking,
        "Where the time of a process goes",
        "Start-up and imports are paid once a process, the work grows with the calls.",
        bars,
        values,
    )


def _cpu(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    values: list[dict[str, Any]] = [
        {"row": row.row.label, "way": way(row.row.mode), "us": float(f"{row.warm.cpu_us:.4g}")}
        for row in rows
        if row.warm
    ]
    least = min(values, key=lambda value: value["us"])
    bars = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar(height=14)
        .encode(
            x=alt.X("us:Q", title="CPU time per call (µs)"),
            y=alt.Y("row:N", sort=None, title=None),
            color=_way(),
            tooltip=["row:N", "us:Q"],
        )
    )
    return _chart(
        "cpu",
        ranking,
        "CPU time per call",
        f"{least['row']} needs the least, {latency(least['us'])}.",
        bars,
        values,
    )


def _way() -> Any:
    return alt.Color(
        "way:N",
        title=None,
        scale=alt.Scale(domain=list(WAYS), range=list(WAYS.values())),
        legend=alt.Legend(orient="top"),
    )


def _doubted() -> Any:
    return alt.condition("datum.doubts == ''", alt.value(1.0), alt.value(0.45))


def _chart(
    kind: str, ranking: Ranking, title: str, description: str, drawing: Any, values: Values
) -> Chart:
    name = stem(kind, ranking.group.name, ranking.measure)
    spec = finished(drawing.properties(width=WIDTH, height={"step": STEP}))
    return Chart(name, title, description, with_data(spec, name, values))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds * 1e3:.4g}")
