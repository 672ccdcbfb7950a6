"""Charts of a run, each one Vega-Lite spec; none of them ever holds an invalid number.

`matrix` is about the whole run, `kind` about a workload, `of_endpoint` about one ranking; `forest`
is about two runs and `timeline` about many. What cannot be drawn, as no row has the number, is
left out.
"""

from __future__ import annotations

from loadtest.report.servers.charts.changes import Course, Effect, forest, timeline
from loadtest.report.servers.charts.matrix import matrix
from loadtest.report.servers.charts.rankings import kind, memory, of_endpoint

__all__ = ["Course", "Effect", "forest", "kind", "matrix", "memory", "of_endpoint", "timeline"]
