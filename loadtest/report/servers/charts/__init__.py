"""Charts of a run; none of them ever holds an invalid number.

`cost` is what to decide by, `kind` about a workload, `latency` and `against_rate` about one
ranking; `forest` is about two runs and `timeline` about many. What cannot be drawn, as no row has
the number, is left out.
"""

from __future__ import annotations

from loadtest.report.servers.charts.changes import Course, forest, timeline
from loadtest.report.servers.charts.costs import cost
from loadtest.report.servers.charts.rankings import kind, latency
from loadtest.report.servers.charts.steps import against_rate

__all__ = ["Course", "against_rate", "cost", "forest", "kind", "latency", "timeline"]
