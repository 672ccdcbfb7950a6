"""Charts of a run, each one Vega-Lite spec; none of them ever holds an invalid number.

A chart is one file with one function. `matrix` is about the whole run, `of_endpoint` about one
ranking. What cannot be drawn, as no row has the number, is left out.
"""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking
from loadtest.report.charts.chart import Chart
from loadtest.report.servers.charts.forest import Effect, forest
from loadtest.report.servers.charts.goodput import goodput
from loadtest.report.servers.charts.kind import kind
from loadtest.report.servers.charts.latency import latency
from loadtest.report.servers.charts.matrix import matrix
from loadtest.report.servers.charts.memory import memory
from loadtest.report.servers.charts.timeline import Course, timeline

__all__ = [
    "Course",
    "Effect",
    "forest",
    "kind",
    "matrix",
    "memory",
    "of_endpoint",
    "timeline",
]


def of_endpoint(ranking: Ranking) -> tuple[Chart, ...]:
    """Return `goodput-X`, `latency-X` and `memory-X` of the endpoint X, as in `json-sync`."""
    charts = (goodput(ranking), latency(ranking), memory(ranking))
    return tuple(chart for chart in charts if chart)
