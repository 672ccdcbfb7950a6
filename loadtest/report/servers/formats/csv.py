"""`summary.csv`: one line a cell, for spreadsheets and data frames; an empty field is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


Cell = tuple[Ranking, Row]


def render(report: Report) -> str:
    """Return the cells in the order of the rankings, units in the header."""
    summary = report.summary
    cells = [(ranking, row) for ranking in summary.rankings for row in ranking.rows]
    return sheet([Table(columns(summary.rounds), cells)])


def columns(rounds: int) -> list[Column[Cell]]:
    """Return what a ranking's rows have in common, and every figure of a row."""

    def same(key: str, value: Callable[[Ranking], Value]) -> Column[Cell]:
        def of(cell: Cell) -> Value:
            return value(cell[0])

        return Column(key, key, of, lambda cell: str(of(cell)))

    of_ranking = (
        same("kind", lambda ranking: ranking.endpoint.kind),
        same("endpoint", lambda ranking: ranking.endpoint.name),
        same("style", lambda ranking: ranking.endpoint.style),
        same("delay_s", lambda ranking: ranking.endpoint.contract.delay_s),
        same("connections", lambda ranking: ranking.load.connections),
        same("rate", lambda ranking: ranking.load.rate),
        same("duration_s", lambda ranking: ranking.load.duration_s),
    )

    def own(*columns: Column[Row]) -> Iterator[Column[Cell]]:
        return (column.of(lambda cell: cell[1]) for column in columns)

    return [
        *of_ranking,
        *own(
            plain("server", lambda row: row.server),
            plain("interface", lambda row: row.interface),
            *common.JUDGED,
            _figure("goodput"),
            *VERSUS,
        ),
        same("noise_floor", lambda ranking: ranking.noise_floor),
        *own(*CPU_VERSUS),
        same("cpu_noise_floor", lambda ranking: ranking.cpu_noise_floor),
        *own(
            *map(_figure, FIGURES),
            *map(_search, SEARCH),
            *common.ended("goodput", rounds, lambda each: each.goodput),
        ),
    ]


def _search(key: str) -> Column[Row]:
    return plain(key, lambda row: getattr(row.search, SEARCH[key], None))


def _figure(key: str) -> Column[Row]:
    return plain(key, lambda row: getattr(row.reportable, key, None))
