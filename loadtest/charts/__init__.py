"""Charts of a run, each one Vega-Lite spec; none of them ever holds an invalid number.

A chart is one file with one function. `matrix` is about the whole run, `of_endpoint` about one
ranking. What cannot be drawn, as no row has the number, is left out.
"""

from __future__ import annotations

from loadtest.charts.chart import Chart, Spec
from loadtest.charts.forest import Effect, forest
from loadtest.charts.goodput import goodput
from loadtest.charts.kind import kind
from loadtest.charts.latency import latency
from loadtest.charts.matrix import matrix
from loadtest.charts.memory import memory
from loadtest.charts.svg import svg
from loadtest.charts.theme import config, themed
from loadtest.charts.timeline import Course, timeline
from loadtest.ranking import Ranking

__all__ = [
    "Chart",
    "Course",
    "Effect",
    "Spec",
    "config",
    "forest",
    "kind",
    "matrix",
    "memory",
    "of_endpoint",
    "svg",
    "themed",
    "timeline",
]


def of_endpoint(ranking: Ranking) -> tuple[Chart, ...]:
    """Return `goodput-X`, `latency-X` and `memory-X` of the endpoint X, as in `json-sync`."""
    charts = (goodput(ranking), latency(ranking), memory(ranking))
    return tuple(chart for chart in charts if chart)
