"""One workload at a glance: the goodput of all servers at each of its endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt

from loadtest.judge.servers.rows import Ranking
from loadtest.report.charts.chart import Chart, Spec, stem, with_data
from loadtest.report.charts.theme import HOLLOW, finished, hollow, interface_colour, interface_fill
from loadtest.report.servers.charts.data import doubts, interface

STYLES = {"sync": "circle", "async": "triangle-right", "control": "diamond"}

ACROSS = 3
"""Endpoints in a line of the chart."""


def kind(name: str, title: str, rankings: Sequence[Ranking]) -> Chart | None:
    """Return the chart of a workload; None where no server has a number."""
    values: list[dict[str, Any]] = []
    for ranking in rankings:
        for row in ranking.rows:
            if row.reportable:
                values.append(
                    {
                        "server": row.server,
                        "interface": interface(row.interface),
                        "endpoint": ranking.endpoint.name,
                        "style": ranking.endpoint.style,
                        "goodput": float(f"{row.reportable.goodput:.4g}"),
                        "doubts": doubts(row),
                    }
                )
    if not values:
        return None
    first = max(values, key=lambda value: value["goodput"])
    several = len({value["endpoint"] for value in values}) > 1
    # Of several endpoints the highest number says which of them is the lightest.
    finding = (
        f"{first['server']} has the highest median, {first['goodput']:,.0f} requests/s with"
        f" {first['style']} views."
        if not several
        else f"{len({value['server'] for value in values})} servers at"
        f" {len({value['endpoint'] for value in values})} endpoints."
    )
    return Chart(
        name=stem("kind", name),
        title=title,
        description=finding + (f" {HOLLOW}" if any(value["doubts"] for value in values) else ""),
        spec=_sorted(with_data(_template(), stem("kind", name), values), values),
    )


def _sorted(spec: Spec, values: list[dict[str, Any]]) -> Spec:
    """Return a spec with endpoints in the order of the plan and servers by interface and rate."""
    best: dict[tuple[str, str], float] = {}
    for value in values:
        key = (value["interface"], value["server"])
        best[key] = max(best.get(key, 0.0), value["goodput"])
    servers = [name for (_, name) in sorted(best, key=lambda key: (key[0] != "WSGI", -best[key]))]
    endpoints = list(dict.fromkeys(value["endpoint"] for value in values))
    facet: Spec = spec["spec"]
    y = {**facet["encoding"]["y"], "sort": servers}
    return {
        **spec,
        "facet": {**spec["facet"], "sort": endpoints},
        "spec": {**facet, "encoding": {**facet["encoding"], "y": y}},
    }


@cache
def _template() -> Spec:
    points = (
        alt.Chart(alt.NamedData("kind"))
        .mark_point(size=70, strokeWidth=2, opacity=1)
        .encode(
            x=alt.X(
                "goodput:Q",
                title="requests/s (2xx)",
                scale=alt.Scale(zero=True),
                axis=alt.Axis(format="~s", tickCount=5),
            ),
            y=alt.Y("server:N", title=None),
            color=interface_colour(),
            fill=interface_fill(),
            fillOpacity=hollow(),
            shape=alt.Shape(
                "style:N",
                title="view",
                scale=alt.Scale(domain=list(STYLES), range=list(STYLES.values())),
                legend=alt.Legend(orient="top", values=["sync", "async"]),
            ),
            tooltip=["server:N", "endpoint:N", "style:N", "goodput:Q", "doubts:N"],
        )
        .properties(width=240, height={"step": 17})
    )
    return finished(
        points.facet(facet=alt.Facet("endpoint:N", title=None), columns=ACROSS).resolve_scale(
            x="independent"
        )
    )
