"""`summary.csv`: one line a row and measure, for spreadsheets; an empty field is unknown."""

from __future__ import annotations

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.report import columns as common
from loadtest.report.clients import columns
from loadtest.report.clients.report import Report
from loadtest.report.columns import plain
from loadtest.report.table import Column, Table, sheet

FILE = "summary.csv"
VERSUS: tuple[Column[Standing], ...] = common.versus(lambda row: row.versus)


def render(report: Report) -> str:
    """Return the rows in the order of the tables, units in the header."""
    summary = report.summary
    return sheet([cells(ranking, summary.rounds) for ranking in summary.rankings])


def cells(ranking: Ranking, rounds: int) -> Table[Standing]:
    """Return all rows of one table with what they ask for and every figure."""

    def asked(field: str) -> Column[Standing]:
        return plain(field, lambda row: getattr(row.row, field))

    def answer(field: str) -> Column[Standing]:
        return plain(field, lambda row: getattr(row.row.answer, field))

    columns_: tuple[Column[Standing], ...] = (
        plain("group", lambda row: row.row.group),
        plain("measure", lambda row: ranking.measure),
        columns.ROW,
        *map(asked, ("client", "reuse", "mode", "requests", "batch", "chunk")),
        *map(answer, ("body_bytes", "delay_s", "keep_alive", "tls", "http")),
        plain("python", lambda row: row.row.python),
        *common.JUDGED,
        *VERSUS,
        *columns.CALLS,
        columns.MEAN,
        plain("stdev_s", lambda row: row.cold.stdev_s if row.cold and row.reportable else None),
        *columns.TIMES,
        *columns.PHASES,
        columns.MEMORY,
        *common.ended("time_s", rounds, lambda each: each.time_s),
    )
    return Table(columns_, ranking.rows)
