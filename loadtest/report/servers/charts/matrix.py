"""The heat map: every server at every endpoint, relative to the best of the endpoint."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import altair as alt

from loadtest.judge.servers.rows import Ranking, Row, State, state
from loadtest.judge.servers.summary import Summary
from loadtest.report.charts.chart import Chart, Spec, with_data
from loadtest.report.charts.theme import finished
from loadtest.report.servers.charts.data import doubts, interface
from loadtest.report.units import plural

MARKS: dict[State, str] = {"suspect": "?", "invalid": "x", "failed": "!"}

LEGEND = "? suspect, x invalid, ! failed, blank: skipped or unknown"


def matrix(summary: Summary) -> Chart | None:
    """Return the heat map of goodput; None where no cell has any."""
    cells = [cell for ranking in summary.rankings for cell in _column(ranking)]
    best = [cell for cell in cells if cell.get("of_best") == 1]
    if not best:
        return None
    leaders = [_most(style, best) for style in ("sync", "async")]
    return Chart(
        name="matrix-goodput",
        title="Requests/s, relative to the best of each endpoint",
        description=(f"{' '.join(filter(None, leaders))} 100 is the best of a column; {LEGEND}."),
        spec=_sorted(with_data(_template(), "matrix-goodput", cells), summary),
    )


def _most(style: str, best: list[dict[str, Any]]) -> str:
    """Return who has the best number most often among the views of one style."""
    counts = Counter(cell["server"] for cell in best if cell["endpoint"].startswith(f"{style} "))
    if not counts:
        return ""
    server, times = counts.most_common(1)[0]
    return f"Best most often with {style} views: {server}, at {plural(times, 'endpoint')}."


def _sorted(spec: Spec, summary: Summary) -> Spec:
    """Return a spec with the servers by interface, and those with most of the best first."""
    interfaces = {
        row.server: interface(row.interface) for ranking in summary.rankings for row in ranking.rows
    }
    of_best: dict[str, list[float]] = {server: [] for server in interfaces}
    for cell in spec["datasets"][spec["data"]["name"]]:
        of_best[cell["server"]].append(cell.get("of_best", 0.0))
    servers = sorted(interfaces, key=lambda name: (interfaces[name] != "WSGI", -sum(of_best[name])))
    layers = []
    for layer in spec["layer"]:
        y = {**layer["encoding"]["y"], "sort": servers}
        layers.append({**layer, "encoding": {**layer["encoding"], "y": y}})
    return {**spec, "layer": layers}


def _column(ranking: Ranking) -> list[dict[str, Any]]:
    known = {row.server: row.reportable.goodput for row in ranking.rows if row.reportable}
    best = max(known.values(), default=0.0)
    endpoint = ranking.endpoint
    cells = []
    for row in ranking.rows:
        value = known.get(row.server)
        cell: dict[str, Any] = {
            "server": row.server,
            "endpoint": f"{endpoint.style} {endpoint.name}",
            "text": _mark(row),
        }
        if value:
            of_best = value / best
            cell["of_best"] = round(of_best, 3)
            cell["text"] = f"{100 * of_best:.0f}{cell['text']}"
            if row.concerns:
                cell["doubts"] = doubts(row)
        cells.append(cell)
    return cells


def _mark(row: Row) -> str:
    return MARKS.get(state(row), "")


@cache
def _template() -> Spec:
    base = alt.Chart(alt.NamedData("matrix")).encode(
        x=alt.X("endpoint:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=-55)),
        y=alt.Y("server:N", title=None),
    )
    squares = base.mark_rect(strokeWidth=1, stroke="#80808040").encode(
        color=alt.Color(
            "of_best:Q",
            title="of the best",
            scale=alt.Scale(scheme="blues", domain=[0, 1]),
            legend=alt.Legend(format="%", orient="bottom", gradientLength=240, tickCount=5),
        ),
        fillOpacity=alt.condition("isValid(datum.of_best)", alt.value(1), alt.value(0)),
        tooltip=["server:N", "endpoint:N", alt.Tooltip("of_best:Q", format=".0%"), "doubts:N"],
    )
    # Over a square its text has the square's contrast; elsewhere that of the page.
    over = (
        base.transform_filter("isValid(datum.of_best)")
        .mark_text(fontSize=10)
        .encode(
            text="text:N",
            color=alt.condition("datum.of_best > 0.55", alt.value("#ffffff"), alt.value("#111111")),
        )
    )
    bare = (
        base.transform_filter("!isValid(datum.of_best)")
        .mark_text(fontSize=10)
        .encode(text="text:N")
    )
    return finished(
        alt.layer(squares, over, bare).properties(width={"step": 27}, height={"step": 19})
    )
