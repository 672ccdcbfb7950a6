"""`summary.csv`: one line a row and measure, for spreadsheets; an empty field is unknown."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.report.clients.columns import (
    CALL,
    CONNECTIONS,
    CPU,
    GOODPUT,
    LATENCIES,
    MAX,
    MEAN,
    MEMORY,
    MIN,
    PHASES,
    RANK,
    RELATIVE,
    ROUNDS,
    ROW,
    SYSTEM,
    USER,
    VERDICT,
)
from loadtest.report.clients.report import Report
from loadtest.report.table import Column, Table, Value, prose, sheet

FILE = "summary.csv"


def files(report: Report) -> dict[str, str]:
    """Return the file by its name."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the rows in the order of the tables, units in the header."""
    summary = report.summary
    return sheet([cells(ranking, summary.rounds) for ranking in summary.rankings])


def cells(ranking: Ranking, rounds: int) -> Table[Standing]:
    """Return all rows of one table with what they ask for and every figure."""

    def plain(key: str, value: Callable[[Standing], Value]) -> Column[Standing]:
        return Column(key, key, value, lambda row: str(value(row)))

    def if_shown(key: str, value: Callable[[Standing], Value]) -> Column[Standing]:
        return plain(key, lambda row: value(row) if row.reportable else None)

    def time(number: int) -> Column[Standing]:
        def value(row: Standing) -> Value:
            return next((one.time_s for one in row.rounds if one.number == number), None)

        return if_shown(f"time_s_round_{number}", value)

    columns = (
        plain("group", lambda row: row.row.group),
        plain("measure", lambda row: ranking.measure),
        ROW,
        plain("client", lambda row: row.row.client),
        plain("reuse", lambda row: row.row.reuse),
        plain("mode", lambda row: row.row.mode),
        plain("requests", lambda row: row.row.requests),
        plain("batch", lambda row: row.row.batch),
        plain("chunk", lambda row: row.row.chunk),
        plain("body_bytes", lambda row: row.row.answer.body_bytes),
        plain("delay_s", lambda row: row.row.answer.delay_s),
        plain("keep_alive", lambda row: row.row.answer.keep_alive),
        plain("tls", lambda row: row.row.answer.tls),
        plain("http", lambda row: row.row.answer.http),
        plain("python", lambda row: row.row.python),
        prose("status", "status", lambda row: row.status),
        VERDICT,
        plain("concerns", lambda row: " ".join(raised.concern for raised in row.concerns)),
        prose("unchecked", "unchecked", lambda row: " ".join(row.unchecked)),
        RANK,
        RELATIVE,
        plain("ratio_low", lambda row: row.versus.low if row.versus else None),
        plain("ratio_high", lambda row: row.versus.high if row.versus else None),
        plain("finding", lambda row: row.versus.finding if row.versus else None),
        CALL,
        GOODPUT,
        *LATENCIES,
        CPU,
        CONNECTIONS,
        MEAN,
        if_shown("stdev_s", lambda row: row.cold.stdev_s if row.cold else None),
        if_shown("median_s", lambda row: row.cold.median_s if row.cold else None),
        MIN,
        MAX,
        USER,
        SYSTEM,
        *PHASES,
        MEMORY,
        ROUNDS,
        plain("rounds_failed", lambda row: row.rounds_failed),
        *(time(number) for number in range(1, rounds + 1)),
        prose("stage", "stage", lambda row: row.stage),
        prose("reason", "reason", lambda row: row.reason),
    )
    return Table(columns, ranking.rows)
