"""The heat map: every server at every endpoint, relative to the best of the endpoint."""

from __future__ import annotations

from collections import Counter

from loadtest.judge.servers.rows import State
from loadtest.judge.servers.summary import Summary
from loadtest.report.charts.chart import Chart, chart, field, fields, known, layer, where
from loadtest.report.servers.charts.marks import doubts
from loadtest.report.servers.heatmap import GOODPUT, columns, lines
from loadtest.report.units import plural

MARKS: dict[State, str] = {"suspect": "?", "invalid": "x", "failed": "!"}

LEGEND = "? suspect, x invalid, ! failed, blank: skipped or unknown"


def matrix(summary: Summary) -> Chart | None:
    """Return the heat map of goodput; None where no cell has any."""
    servers = [server for server, _ in columns(summary.rankings)]
    cells = [
        known(
            {
                "server": square.row.server,
                "endpoint": f"{line.ranking.endpoint.style} {line.ranking.endpoint.name}",
                "text": square.percent + MARKS.get(square.state, ""),
                "of_best": square.share and round(square.share, 3),
                "doubts": (square.percent and doubts(square.row)) or None,
            }
        )
        for line in lines(summary.rankings, servers, GOODPUT)
        for square in line.squares
        if square.row
    ]
    best = [cell for cell in cells if cell.get("of_best") == 1]
    if not best:
        return None
    findings = []
    for style in ("sync ", "async "):
        counts = Counter(cell["server"] for cell in best if cell["endpoint"].startswith(style))
        for server, times in counts.most_common(1):
            at = plural(times, "endpoint")
            findings.append(f"Best most often with {style}views: {server}, at {at}.")
    shade = field(
        "of_best:Q",
        title="of the best",
        scale={"scheme": "blues", "domain": [0, 1]},
        legend={"format": "%", "orient": "bottom", "gradientLength": 240, "tickCount": 5},
    )
    number, text = "isValid(datum.of_best)", {"text": field("text:N")}
    # Over a square its text has the square's contrast; elsewhere that of the page.
    over = {**text, "color": where("datum.of_best > 0.55", "#ffffff", "#111111")}
    share = field("of_best:Q", format=".0%")
    squares = {
        "color": shade,
        "fillOpacity": where(number, 1, 0),
        "tooltip": [*fields("server:N endpoint:N"), share, field("doubts:N")],
    }
    return chart(
        "matrix-goodput",
        "Requests/s, relative to the best of each endpoint",
        [*findings, f"100 is the best of a column; {LEGEND}."],
        cells,
        {
            "width": {"step": 27},
            "height": {"step": 19},
            "encoding": {
                "x": field(
                    "endpoint:N", sort=None, title=None, axis={"orient": "top", "labelAngle": -55}
                ),
                "y": field("server:N", sort=servers, title=None),
            },
            "layer": [
                layer("rect", squares, strokeWidth=1, stroke="#80808040"),
                layer("text", over, number, fontSize=10),
                layer("text", text, f"!{number}", fontSize=10),
            ],
        },
    )
