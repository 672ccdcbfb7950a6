"""`summary.csv`: one line a cell, for spreadsheets and data frames; an empty field is unknown."""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report import columns as common
from loadtest.report.columns import plain
from loadtest.report.servers.report import Report
from loadtest.report.table import Column, Table, Value, sheet

FILE = "summary.csv"
VERSUS: tuple[Column[Row], ...] = common.versus(lambda row: row.versus)
CPU_VERSUS: tuple[Column[Row], ...] = common.versus(lambda row: row.versus_cpu, "cpu_")

FIGURES = (
    *("ceiling", "p50_us", "p90_us", "p99_us", "p99_9_us", "errors"),
    *("offered", "late_share", "cores", "generator_cpu_us"),
    *("server_cpu_us", "with_databases_cpu_us", "memory_peak_bytes", "memory_per_worker_bytes"),
    *("processes_peak", "threads_peak", "sockets_peak", "database_connections"),
    *("answers_per_cpu_second", "memory_kind", "error_share", "answers", "samples"),
    *("backfilled_p99_us", "network_us", "network_most_us"),
)
"""Of `Figures`, beside the goodput."""


SEARCH = {"search_low": "low", "search_high": "high", "limited_by": "why", "tries": "tries"}
"""Of `Search`, by the names of the columns."""


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
        same("rate", load.rate),
        same("duration_s", load.duration_s),
        plain("server", lambda row: row.server),
        plain("interface", lambda row: row.interface),
        *common.JUDGED,
        _figure("goodput"),
        *VERSUS,
        same("noise_floor", ranking.noise_floor),
        *CPU_VERSUS,
        same("cpu_noise_floor", ranking.cpu_noise_floor),
        *map(_figure, FIGURES),
        *map(_search, SEARCH),
        *common.ended("goodput", rounds, lambda each: each.goodput),
    )
    return Table(columns_, ranking.rows)


def _search(key: str) -> Column[Row]:
    return plain(key, lambda row: getattr(row.search, SEARCH[key], None))


def _figure(key: str) -> Column[Row]:
    return plain(key, lambda row: getattr(row.reportable, key, None))
