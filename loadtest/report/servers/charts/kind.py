"""One workload at a glance: the goodput of all servers at each of its endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.rows import Ranking
from loadtest.report.charts.chart import Chart, chart, field, known, looks, stem
from loadtest.report.servers.charts.marks import (
    DOUBTED,
    HOLLOW,
    RATE,
    by_endpoint,
    doubts,
    identity,
    points,
)

STYLES = {"sync": "circle", "async": "triangle-right", "control": "diamond"}

ACROSS = 3
"""Endpoints in a line of the chart."""


def kind(name: str, title: str, rankings: Sequence[Ranking]) -> Chart | None:
    """Return the chart of a workload; None where no server has a number."""
    values = [
        known(
            {
                **identity(row.server, row.interface),
                "endpoint": ranking.endpoint.name,
                "style": ranking.endpoint.style,
                "goodput": row.reportable.goodput,
                "doubts": doubts(row),
            }
        )
        for ranking in rankings
        for row in ranking.rows
        if row.reportable
    ]
    if not values:
        return None
    first = max(values, key=lambda value: value["goodput"])
    servers, endpoints = (len({value[key] for value in values}) for key in ("server", "endpoint"))
    # Of several endpoints the highest number says which of them is the lightest.
    finding = (
        f"{servers} servers at {endpoints} endpoints."
        if endpoints > 1
        else f"{first['server']} has the highest median, {first['goodput']:,.0f} requests/s with"
        f" {first['style']} views."
    )
    style = looks("style:N", STYLES, "view", values=["sync", "async"])
    x = field("goodput:Q", **RATE | {"axis": {"format": "~s", "tickCount": 5}})
    tooltip = "server:N endpoint:N style:N goodput:Q doubts:N"
    return chart(
        stem("kind", name),
        title,
        [finding, any(value["doubts"] for value in values) and HOLLOW],
        values,
        by_endpoint(values, "goodput", ACROSS, points(style, DOUBTED, tooltip, {"x": x}, 70))
        | {"resolve": {"scale": {"x": "independent"}}},
    )
