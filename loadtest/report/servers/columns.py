"""The columns of a run of servers; those that every kind of run has are the report's own."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Ranking, Row, state
from loadtest.report import columns
from loadtest.report.columns import Subject
from loadtest.report.servers.grouping import spread
from loadtest.report.table import Column, name, number
from loadtest.report.units import UNKNOWN, latency, share, significant


def marked(row: Row) -> str:
    """Return a row's goodput with its mark, or what became of it."""
    if row.reportable is None:
        return state(row)
    return columns.marked(significant(row.reportable.goodput), row)


def figure(
    key: str, title: str, value: Callable[[Figures], float | None], text: Callable[[float], str]
) -> Column[Row]:
    """Return a column of a figure; rows that were not measured, or are invalid, have none."""
    return number(title, value, text, key).of(lambda row: row.reportable)


def cores(figures: Figures | None) -> float | None:
    """Return the server's CPU cores for 1,000 requests/s: milliseconds of CPU time for each."""
    return figures.server_cpu_us / 1e3 if figures and figures.server_cpu_us else None


SERVER: Column[Row] = name("server", "server", lambda row: row.server)

SUBJECT = Subject[Ranking, Row](
    noun="cell",
    name=SERVER,
    place="endpoint",
    ranking=lambda ranking, row: ranking.at,
    lost=lambda ranking, row: (ranking.at, ""),
    loser=lambda row: row.server,
)

GOODPUT: Column[Row] = Column(
    "goodput",
    "requests/s",
    lambda row: row.reportable.goodput if row.reportable else None,
    lambda row: marked(row) if row.reportable else UNKNOWN,
)

P50 = figure("p50_us", "p50", lambda f: f.p50_us, latency)
P90 = figure("p90_us", "p90", lambda f: f.p90_us, latency)
P99 = figure("p99_us", "p99", lambda f: f.p99_us, latency)
P99_9 = figure("p99_9_us", "p99.9", lambda f: f.p99_9_us, latency)

NETWORK: Column[Row] = Column(
    "network_us",
    "network",
    lambda row: row.reportable.network_us if row.reportable else None,
    lambda row: _trip(row.reportable),
)
"""Of each latency: the round trip, and the longest that was seen."""

BUSY = figure("busy_cores", "cores busy", lambda f: f.cores, significant)
SENT = figure("offered", "sent", lambda f: f.offered, significant)
ANSWERED: Column[Row] = Column("answered", "answered", GOODPUT.value, GOODPUT.text)
GENERATOR = figure("generator_cpu_us", "wrk's CPU", lambda f: f.generator_cpu_us, latency)

COST: Column[Row] = Column(
    "cores",
    "cores",
    lambda row: cores(row.reportable),
    lambda row: (
        columns.marked(significant(cost), row) if (cost := cores(row.reportable)) else UNKNOWN
    ),
)

COST_WITH_DATABASES = figure(
    "cores_with_databases",
    "with databases",
    lambda f: f.with_databases_cpu_us and f.with_databases_cpu_us / 1e3,
    significant,
)

SPREAD: Column[Row] = Column(
    "spread",
    "rounds differ",
    lambda row: spread(row) if row.reportable else None,
    lambda row: share(apart) if row.reportable and (apart := spread(row)) is not None else UNKNOWN,
)


def _trip(figures: Figures | None) -> str:
    if not figures or figures.network_us is None or figures.network_most_us is None:
        return UNKNOWN
    return f"{latency(figures.network_us)} (to {latency(figures.network_most_us)})"


def _errors(row: Row) -> str:
    figures = row.reportable
    if not figures:
        return UNKNOWN
    return f"{figures.errors:,} ({share(figures.error_share)})" if figures.errors else "0"


ERRORS: Column[Row] = Column(
    "errors", "errors", lambda row: row.reportable.errors if row.reportable else None, _errors
)
