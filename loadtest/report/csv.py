"""`summary.csv`: one line a cell, for spreadsheets and data frames; an empty field is unknown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from loadtest.ranking import Ranking
from loadtest.report.columns import (
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
from loadtest.report.table import Column, Report, Table, Value, prose
from loadtest.row import Row

FILE = "summary.csv"


def files(report: Report) -> dict[str, str]:
    """Return the one file of this format."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the cells in the order of the rankings, units in the header."""
    summary = report.summary
    return sheet([cells(ranking, summary.rounds) for ranking in summary.rankings])


def sheet(tables: Sequence[Table[Any]]) -> str:
    """Return tables of the same columns below one another, with one header."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for table in tables[:1]:
        writer.writerow(column.key for column in table.columns)
    for table in tables:
        writer.writerows(table.values())
    return file.getvalue()


def cells(ranking: Ranking, rounds: int) -> Table[Row]:
    """Return all rows of one ranking with what they have in common and every figure."""
    endpoint, load = ranking.endpoint, ranking.load

    def same(key: str, value: Value) -> Column[Row]:
        return Column(key, key, lambda row: value, lambda row: str(value))

    def goodput(number: int) -> Column[Row]:
        def value(row: Row) -> Value:
            rounds = row.rounds if row.shown else ()
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
