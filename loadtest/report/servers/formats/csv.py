"""`summary.csv`: one line a cell, for spreadsheets and data frames; an empty field is unknown."""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report import columns as common
from loadtest.report.columns import plain
from loadtest.report.servers import columns
from loadtest.report.servers.columns import figure
from loadtest.report.servers.report import Report
from loadtest.report.table import Column, Table, Value, sheet

FILE = "summary.csv"

VERSUS: tuple[Column[Row], ...] = common.versus(lambda row: row.versus)

CPU_VERSUS: tuple[Column[Row], ...] = common.versus(lambda row: row.versus_cpu, "cpu_")


def render(report: Report) -> str:
    """Return the cells in the order of the rankings, units in the header."""
    summary = report.summary
    return sheet([cells(ranking, summary.rounds) for ranking in summary.rankings])


def cells(ranking: Ranking, rounds: int) -> Table[Row]:
    """Return all rows of one ranking with what they have in common and every figure."""
    endpoint, load = ranking.endpoint, ranking.load

    def same(key: str, value: Value) -> Column[Row]:
        return plain(key, lambda row: value)

    columns_: tuple[Column[Row], ...] = (
        same("kind", endpoint.kind),
        same("endpoint", endpoint.name),
        same("style", endpoint.style),
        same("delay_s", endpoint.contract.delay_s),
        same("connections", load.connections),
        same("duration_s", load.duration_s),
        columns.SERVER,
        columns.INTERFACE,
        *common.JUDGED,
        columns.GOODPUT,
        *VERSUS,
        same("noise_floor", ranking.noise_floor),
        *CPU_VERSUS,
        same("cpu_noise_floor", ranking.cpu_noise_floor),
        columns.CEILING,
        *columns.LATENCIES,
        columns.ERRORS,
        *columns.COSTS,
        figure("answers_per_cpu_second", "", lambda f: f.answers_per_cpu_second),
        figure("memory_kind", "", lambda f: f.memory_kind),
        figure("error_share", "", lambda f: f.error_share),
        figure("answers", "", lambda f: f.answers),
        figure("samples", "", lambda f: f.samples),
        figure("backfilled_p99_us", "", lambda f: f.backfilled_p99_us),
        *common.ended("goodput", rounds, lambda each: each.goodput),
    )
    return Table(columns_, ranking.rows)
