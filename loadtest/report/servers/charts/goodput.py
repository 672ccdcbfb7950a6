"""Goodput of the servers at one endpoint, with intervals and ceilings."""

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

ROUNDS = (
    "The line is the 95 % interval of the mean over rounds, by itself; ranks follow from the"
    " differences within rounds."
)

CUT = "A line that would hide all else is cut off on the right."

CEILING = "The upright mark is the ceiling: the requests it works on at once / the delay."


def goodput(ranking: Ranking) -> Chart | None:
    """Return the chart; None where no server has a number."""
    rows = values(ranking)
    if not rows:
        return None
    first = rows[0]
    intervals, ceilings = (any(key in row for row in rows) for key in ("low", "ceiling"))
    notes = [
        *([ROUNDS] if intervals else []),
        *([CUT] if any(row.get("drawn") != row.get("high") for row in rows) else []),
        *([CEILING] if ceilings else []),
        *([HOLLOW] if any(row["doubts"] for row in rows) else []),
    ]
    return Chart(
        name=stem("goodput", ranking.endpoint.id),
        title="Goodput",
        description=" ".join(
            [f"{first['server']} has the highest median, {_rate(first)}.", *notes]
        ),
        spec=with_data(_template(intervals, ceilings), stem("rows", ranking.endpoint.id), rows),
    )


def _rate(row: dict[str, Any]) -> str:
    return f"{row['goodput']:,.0f} requests/s"


@cache
def _template(intervals: bool, ceilings: bool) -> Spec:
    # A layer without any data has no extent to scale its axis by.
    server = alt.Y("server:N", sort=None, title=None)
    base = alt.Chart(alt.NamedData("rows"))
    interval = base.mark_rule(strokeWidth=2, clip=True, opacity=0.7).encode(
        x="low:Q", x2="drawn:Q", y=server, color=interface_colour()
    )
    ceiling = base.mark_tick(thickness=2, size=14).encode(x="ceiling:Q", y=server)
    point = base.mark_point(size=80, strokeWidth=2, opacity=1).encode(
        x=alt.X(
            "goodput:Q",
            title="requests/s (2xx, median of the rounds)",
            scale=alt.Scale(zero=True),
            axis=alt.Axis(format="~s"),
        ),
        y=server,
        color=interface_colour(),
        fill=interface_fill(),
        fillOpacity=hollow(),
        shape=interface_shape(),
        tooltip=["server:N", "goodput:Q", "low:Q", "high:Q", "ceiling:Q", "doubts:N"],
    )
    layers = [*([interval] if intervals else []), *([ceiling] if ceilings else []), point]
    return finished(alt.layer(*layers).properties(width=480, height={"step": 20}))
