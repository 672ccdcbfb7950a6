"""Latency percentile curves of the servers at one endpoint, on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import altair as alt

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.charts.chart import Chart, Spec, stem, with_data
from loadtest.report.charts.labels import apart, written
from loadtest.report.charts.theme import finished, interface_colour, nearest
from loadtest.report.servers.charts.data import interface
from loadtest.report.units import latency as took

MEASURED = "measured"

BACKFILLED = "back-filled"

TICKS = "{0: '0 %', 1: '90 %', 2: '99 %', 3: '99.9 %', 4: '99.99 %', 5: '99.999 %'}[datum.value]"


def latency(ranking: Ranking) -> Chart | None:
    """Return the chart; None where no server has a curve."""
    # Without a median that may be shown there is no curve, but for the lowest and the highest.
    rows = [
        row
        for row in ranking.rows
        if row.reportable and row.reportable.p50_us is not None and row.curve
    ]
    if not rows:
        return None
    points = [point for row in rows for point in _points(row)]
    added = any(point["kind"] == BACKFILLED for point in points)
    medians = sorted((_median(row), row.server) for row in rows)
    return Chart(
        name=stem("latency", ranking.endpoint.id),
        title="Latency",
        description=(
            f"Half of the responses of {medians[0][1]} come within {took(medians[0][0])}, the"
            f" least; of {medians[-1][1]} within {took(medians[-1][0])}, the most."
            " Each curve ends where its samples do."
            + (
                " Dashed: with the samples that wrk adds for requests it could not send."
                if added
                else ""
            )
        ),
        spec=with_data(
            _template(), stem("curve", ranking.endpoint.id), [*points, *_labels(points)]
        ),
    )


def _points(row: Row) -> Iterator[dict[str, Any]]:
    assert row.curve
    for kind, each in ((MEASURED, row.curve.raw_us), (BACKFILLED, row.curve.backfilled_us)):
        # The lowest and the highest latency are a single response's.
        for p, us in zip(row.curve.percentiles, each, strict=False):
            if 0 < p < 100:
                yield {
                    "server": row.server,
                    "interface": interface(row.interface),
                    "kind": kind,
                    "p": p,
                    "nines": round(-math.log10(1 - p / 100), 3),
                    "ms": float(f"{max(us, 1) / 1e3:.4g}"),
                }


def _labels(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return where to write each server's name: beside the end of its curve, none over another."""
    ends: dict[str, dict[str, Any]] = {}
    for point in points:
        if point["kind"] == MEASURED:
            ends[point["server"]] = point
    heights = [point["ms"] for point in points]
    right = max(point["nines"] for point in ends.values())
    placed = apart({name: end["ms"] for name, end in ends.items()}, min(heights), max(heights))
    return [
        {
            "label": server,
            "interface": ends[server]["interface"],
            "server": server,
            "nines": right,
            "ms": at,
        }
        for server, at in placed.items()
    ]


def _median(row: Row) -> int:
    assert row.curve
    return row.curve.raw_us[row.curve.percentiles.index(50.0)]


@cache
def _template() -> Spec:
    near = nearest()
    base = alt.Chart(alt.NamedData("curve"))
    x = alt.X(
        "nines:Q",
        title="share of the responses, slowest to the right",
        axis=alt.Axis(values=[0, 1, 2, 3, 4, 5], labelExpr=TICKS, grid=True),
        scale=alt.Scale(nice=False),
    )
    y = alt.Y("ms:Q", title="latency (ms)", scale=alt.Scale(type="log", nice=False))
    lines = (
        base.transform_filter("isValid(datum.kind)")
        .mark_line(interpolate="monotone", strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            detail="server:N",
            color=interface_colour(),
            strokeDash=alt.StrokeDash(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=[MEASURED, BACKFILLED], range=[[1, 0], [3, 3]]),
                legend=alt.Legend(orient="top", symbolType="stroke"),
            ),
            opacity=alt.condition(near, alt.value(0.9), alt.value(0.15)),
        )
    )
    points = (
        base.transform_filter("isValid(datum.kind)")
        .mark_point(size=40, opacity=0)
        .encode(x=x, y=y, tooltip=["server:N", "kind:N", "p:Q", "ms:Q"])
        .add_params(near)
    )
    return finished(
        alt.layer(lines, points, written(base, x, y, near)).properties(width=440, height=320)
    )
