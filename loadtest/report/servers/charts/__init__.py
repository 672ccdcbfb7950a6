"""Charts of a run; none of them ever holds an invalid number.

`cost` is what to decide by, `kind` about a workload, `latency` about one ranking; `forest` is about
two runs and `timeline` about many. What cannot be drawn, as no row has the number, is left out.
"""

from __future__ import annotations

from loadtest.report.servers.charts.changes import Course, Effect, forest, timeline
from loadtest.report.servers.charts.costs import cost
from loadtest.report.servers.charts.rankings import kind, latency

__all__ = ["Course", "Effect", "cost", "forest", "kind", "latency", "timeline"]
