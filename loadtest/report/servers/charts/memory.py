"""Memory against goodput at one endpoint: which servers no other beats in both."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt

from loadtest.judge.servers.rows import Ranking
from loadtest.report.charts.chart import Chart, Spec, stem, with_data
from loadtest.report.charts.theme import (
    HOLLOW,
    finished,
    hollow,
    interface_colour,
    interface_fill,
    interface_shape,
)
from loadtest.report.servers.charts.data import values

NEAR = (0.25, 0.042)
"""Labels nearer than these shares of width and height would be written over each other."""


def memory(ranking: Ranking) -> Chart | None:
    """Return the chart; None where no server has both numbers."""
    rows = values(ranking)
    known = [row for row in rows if "memory_mb" in row]
    if not known:
        return None
    front = [row["server"] for row in known if row.get("front")]
    kinds = {row.reportable.memory_kind for row in ranking.rows if row.reportable}
    return Chart(
        name=stem("memory", ranking.endpoint.id),
        title="Memory against goodput",
        description=(
            f"The line joins {', '.join(front)}: each other server serves fewer requests/s with"
            " as much memory or more."
            + (f" {HOLLOW}" if any(row["doubts"] for row in known) else "")
            + (" Pages that processes share are counted in each." if "rss" in kinds else "")
        ),
        spec=with_data(_template(), stem("memory", ranking.endpoint.id), _labelled(known)),
    )


def _labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with where to write each name: beside its mark, none over another."""
    wide = max(row["memory_mb"] for row in rows) - min(row["memory_mb"] for row in rows) or 1.0
    high = max(row["goodput"] for row in rows)
    placed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: row["goodput"]):
        at = row["goodput"]
        for other in placed:
            # From the lowest up, so that what is moved is moved away from all before it.
            beside = abs(other["memory_mb"] - row["memory_mb"]) < NEAR[0] * wide
            if beside and at - other["label"] < NEAR[1] * high:
                at = other["label"] + NEAR[1] * high
        placed.append({**row, "label": float(f"{at:.4g}")})
    return placed


@cache
def _template() -> Spec:
    base = alt.Chart(alt.NamedData("rows")).transform_filter("isValid(datum.memory_mb)")
    x = alt.X("memory_mb:Q", title="memory (MB)", scale=alt.Scale(zero=False, padding=30))
    y = alt.Y(
        "goodput:Q",
        title="requests/s (2xx)",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(format="~s"),
    )
    front = base.transform_filter("datum.front")
    line = front.mark_line(interpolate="step-after", strokeDash=[4, 3], opacity=0.6).encode(
        x=x, y=y, color=alt.value("#808080")
    )
    point = base.mark_point(size=80, strokeWidth=2, opacity=1).encode(
        x=x,
        y=y,
        color=interface_colour(),
        fill=interface_fill(),
        fillOpacity=hollow(),
        shape=interface_shape(),
        tooltip=["server:N", "goodput:Q", "memory_mb:Q", "cpu_us:Q", "doubts:N"],
    )
    label = base.mark_text(align="left", dx=9, fontSize=10, baseline="middle").encode(
        x=x, y="label:Q", text="server:N", color=interface_colour()
    )
    return finished(alt.layer(line, point, label).properties(width=480, height=300))
