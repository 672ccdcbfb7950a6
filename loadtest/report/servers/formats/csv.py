"""`summary.csv`: one line a cell, for spreadsheets and data frames; an empty field is unknown."""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.servers.columns import (
    CEILING,
    CONCERNS,
    COSTS,
    CPU_VERSUS,
    ERRORS,
    FINDING,
    GOODPUT,
    INTERFACE,
    LATENCIES,
    RANK,
    RATIO_HIGH,
    RATIO_LOW,
    ROUNDS,
    SERVER,
    UNCHECKED,
    VERDICT,
    VERSUS,
    figure,
)
from loadtest.report.servers.report import Report
from loadtest.report.table import Column, Table, Value, prose, sheet

FILE = "summary.csv"


def files(report: Report) -> dict[str, str]:
    """Return the one file of this format."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the cells in the order of the rankings, units in the header."""
    summary = report.summary
    return sheet([cells(ranking, summary.rounds) for ranking in summary.rankings])


def cells(ranking: Ranking, rounds: int) -> Table[Row]:
    """Return all rows of one ranking with what they have in common and every figure."""
    endpoint, load = ranking.endpoint, ranking.load

    def same(key: str, value: Value) -> Column[Row]:
        return Column(key, key, lambda row: value, lambda row: str(value))

    def goodput(number: int) -> Column[Row]:
        def value(row: Row) -> Value:
            rounds = row.rounds if row.reportable else ()
            return next((r.goodput for r in rounds if r.number == number), None)

        return Column(f"goodput_round_{number}", "", value, lambda row: str(value(row)))

    columns = (
        same("kind", endpoint.kind),
        same("endpoint", endpoint.name),
        same("style", endpoint.style),
        same("delay_s", endpoint.contract.delay_s),
        same("connections", load.connections),
        same("duration_s", load.duration_s),
        SERVER,
        INTERFACE,
        prose("status", "status", lambda row: row.status),
        VERDICT,
        CONCERNS,
        UNCHECKED,
        RANK,
        GOODPUT,
        VERSUS,
        RATIO_LOW,
        RATIO_HIGH,
        FINDING,
        same("noise_floor", ranking.noise_floor),
        *CPU_VERSUS,
        same("cpu_noise_floor", ranking.cpu_noise_floor),
        CEILING,
        *LATENCIES,
        ERRORS,
        *COSTS,
        figure("answers_per_cpu_second", "", lambda f: f.answers_per_cpu_second),
        figure("memory_kind", "", lambda f: f.memory_kind),
        figure("error_share", "", lambda f: f.error_share),
        figure("answers", "", lambda f: f.answers),
        figure("samples", "", lambda f: f.samples),
        figure("backfilled_p99_us", "", lambda f: f.backfilled_p99_us),
        ROUNDS,
        Column("rounds_failed", "", lambda row: row.rounds_failed, lambda row: ""),
        *(goodput(number) for number in range(1, rounds + 1)),
        prose("stage", "stage", lambda row: row.stage),
        prose("reason", "reason", lambda row: row.reason),
    )
    return Table(columns, ranking.rows)
