"""Charts of a run; none of them ever holds an invalid number.

`kind` is about a workload, `latency` about one ranking; `forest` is about two runs and `timeline`
about many. What cannot be drawn, as no row has the number, is left out.
"""

from __future__ import annotations

from loadtest.report.servers.charts.changes import Course, Effect, forest, timeline
from loadtest.report.servers.charts.rankings import kind, latency

__all__ = ["Course", "Effect", "forest", "kind", "latency", "timeline"]
