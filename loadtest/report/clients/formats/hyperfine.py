"""`hyperfine.json`: the cold times in hyperfine's own export format, so that its scripts read them.

Version 1 of that format (`mean`, `times`, ...) and version 2 (`measurements`, `summary`) name their
keys differently and skip those they do not know, so one file can be both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev
from typing import Any

from loadtest.judge.summary import last
from loadtest.records.clients import Cold, Row
from loadtest.report.clients.report import Report
from loadtest.report.formats import as_json

FILE = "hyperfine.json"

SCHEMA = 2
"""Of hyperfine 2.0; version 1 had no number."""

METRICS: dict[str, tuple[str, Callable[[Cold], float]]] = {
    "time_wall_clock": ("second", lambda cold: cold.wall_s),
    "time_cpu": ("second", lambda cold: cold.user_s + cold.system_s),
    "time_user": ("second", lambda cold: cold.user_s),
    "time_system": ("second", lambda cold: cold.system_s),
    "memory_peak_resident": ("byte", lambda cold: cold.peak_rss_bytes),
}
"""By hyperfine's names, with their units."""


def render(report: Report) -> str:
    """Return the rows that were measured cold and may be shown, in the order of the plan."""
    shown = {
        row.row.id
        for ranking in report.summary.rankings
        if ranking.measure == "cold"
        for row in ranking.reportable
    }
    rows = [row for row in report.run.plan.rows if row.id in shown]
    # A label is of its table alone, and hyperfine's scripts tell results apart by their command.
    several = len({row.group for row in rows}) > 1
    colds = last((each for each in report.outcomes if each.measure == "cold"), lambda it: it.row)

    def runs(row: Row) -> list[Cold]:
        rounds = (outcome for _, outcome in sorted(colds[row.id].items()))
        return [each.cold for each in rounds if each.status == "measured" and each.cold]

    exported = {
        "schema_version": SCHEMA,
        "metadata": {"start_time": report.run.created_at, "made_by": "loadtest clients"},
        "primary_metric": "time_wall_clock",
        "results": [_result(row.id if several else row.label, row, runs(row)) for row in rows],
    }
    return as_json(exported)


def _result(command: str, row: Row, runs: Sequence[Cold]) -> dict[str, Any]:
    of = {metric: [value(cold) for cold in runs] for metric, (_, value) in METRICS.items()}
    summary = {metric: _summary(unit, of[metric]) for metric, (unit, _) in METRICS.items()}
    wall = summary["time_wall_clock"]
    asked = ("client", "reuse", "mode", "requests", "batch")
    return {
        "command": command,
        **{key: wall[key] for key in ("mean", "stddev", "median")},
        "user": summary["time_user"]["mean"],
        "system": summary["time_system"]["mean"],
        "min": wall["min"],
        "max": wall["max"],
        "times": of["time_wall_clock"],
        "memory_usage_byte": of["memory_peak_resident"],
        "exit_codes": [0] * len(runs),
        "parameters": {key: str(getattr(row, key)) for key in asked},
        "measurements": [
            {
                metric: {"value": value(cold), "unit": unit}
                for metric, (unit, value) in METRICS.items()
            }
            | {"exit_code": 0}
            for cold in runs
        ],
        "summary": summary,
    }


def _summary(unit: str, values: Sequence[float]) -> dict[str, Any]:
    return {
        "unit": unit,
        "count": len(values),
        "mean": fmean(values),
        "stddev": stdev(values) if len(values) > 1 else None,
        "median": median(values),
        "min": min(values),
        "max": max(values),
    }
