"""What a number is worth, or why there is none: one word for it in every format."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Row, state
from loadtest.report.table import SUSPECT, Column, Value, name, prose
from loadtest.report.units import UNKNOWN, latency, number, share, significant, size


def marked(row: Row) -> str:
    """Return a row's goodput with its mark, or what became of it."""
    if row.reportable is None:
        return state(row)
    return significant(row.reportable.goodput) + (SUSPECT if state(row) == "suspect" else "")


def figure(
    key: str,
    title: str,
    value: Callable[[Figures], Value],
    text: Callable[[Figures], str] = lambda figures: UNKNOWN,
) -> Column[Row]:
    """Return a column of a figure; rows that were not measured, or are invalid, have none."""
    return Column(
        key,
        title,
        lambda row: value(row.reportable) if row.reportable else None,
        lambda row: text(row.reportable) if row.reportable else UNKNOWN,
    )


def _count(key: str, title: str, value: Callable[[Figures], int | None]) -> Column[Row]:
    return figure(key, title, value, lambda figures: number(value(figures)))


def worth(row: Row) -> str:
    """Return the verdict with the concerns that led to it."""
    names = ", ".join(raised.concern for raised in row.concerns)
    return (row.verdict or UNKNOWN) + (f": {names}" if names else "")


def _checked(row: Row) -> str:
    """Return the same with how many concerns could not be looked for."""
    return worth(row) + (f" ({len(row.unchecked)} unchecked)" if row.unchecked else "")


SERVER: Column[Row] = name("server", "server", lambda row: row.server)

RANK: Column[Row] = Column(
    "rank",
    "rank",
    lambda row: row.rank,
    lambda row: f"{row.rank}{'=' * row.tied}" if row.rank else UNKNOWN,
)

INTERFACE: Column[Row] = prose("interface", "interface", lambda row: row.interface)

GOODPUT: Column[Row] = Column(
    "goodput",
    "answers/s",
    lambda row: row.reportable.goodput if row.reportable else None,
    lambda row: marked(row) if row.reportable else UNKNOWN,
)

VERDICT: Column[Row] = Column("verdict", "verdict", lambda row: row.verdict, _checked, "prose")

CONCERNS: Column[Row] = prose(
    "concerns", "concerns", lambda row: " ".join(raised.concern for raised in row.concerns)
)

UNCHECKED: Column[Row] = prose("unchecked", "unchecked", lambda row: " ".join(row.unchecked))

ROUNDS: Column[Row] = Column(
    "rounds_measured",
    "rounds",
    lambda row: row.rounds_measured,
    lambda row: f"{row.rounds_measured} of {row.rounds_measured + row.rounds_failed}",
)

P99 = figure("p99_us", "p99", lambda f: f.p99_us, lambda f: latency(f.p99_us))

CEILING = figure(
    "ceiling",
    "ceiling",
    lambda f: f.ceiling,
    lambda f: UNKNOWN if f.ceiling is None else significant(f.ceiling),
)

LATENCIES: tuple[Column[Row], ...] = (
    figure("p50_us", "p50", lambda f: f.p50_us, lambda f: latency(f.p50_us)),
    figure("p90_us", "p90", lambda f: f.p90_us, lambda f: latency(f.p90_us)),
    P99,
)

ERRORS = figure(
    "errors",
    "errors",
    lambda f: f.errors,
    lambda f: f"{f.errors:,} ({share(f.error_share)})" if f.errors else "0",
)

WITH_DATABASES = figure(
    "with_databases_cpu_us",
    "with databases",
    lambda f: f.with_databases_cpu_us,
    lambda f: latency(f.with_databases_cpu_us),
)

DATABASE_CONNECTIONS = _count(
    "database_connections", "database connections", lambda f: f.database_connections
)

COSTS: tuple[Column[Row], ...] = (
    figure(
        "server_cpu_us", "CPU/answer", lambda f: f.server_cpu_us, lambda f: latency(f.server_cpu_us)
    ),
    WITH_DATABASES,
    figure(
        "memory_peak_bytes",
        "memory",
        lambda f: f.memory_peak_bytes,
        lambda f: size(f.memory_peak_bytes) + (" (RSS)" if f.memory_kind == "rss" else ""),
    ),
    figure(
        "memory_per_worker_bytes",
        "memory/worker",
        lambda f: f.memory_per_worker_bytes,
        lambda f: size(f.memory_per_worker_bytes),
    ),
    _count("processes_peak", "processes", lambda f: f.processes_peak),
    _count("threads_peak", "threads", lambda f: f.threads_peak),
    _count("sockets_peak", "sockets", lambda f: f.sockets_peak),
    DATABASE_CONNECTIONS,
)


def _versus(row: Row) -> str:
    if row.versus is None:
        return UNKNOWN
    if row.versus.low is None or row.versus.high is None:
        return f"{row.versus.ratio:.2f}"
    return f"{row.versus.ratio:.2f} ({row.versus.low:.2f} to {row.versus.high:.2f})"


VERSUS: Column[Row] = Column(
    "ratio",
    "ratio (95 %)",
    lambda row: row.versus.ratio if row.versus else None,
    _versus,
)

RATIO_LOW: Column[Row] = Column(
    "ratio_low", "", lambda row: row.versus.low if row.versus else None, _versus
)

RATIO_HIGH: Column[Row] = Column(
    "ratio_high", "", lambda row: row.versus.high if row.versus else None, _versus
)

FINDING: Column[Row] = Column(
    "finding", "", lambda row: row.versus.finding if row.versus else None, _versus
)

CPU_VERSUS: tuple[Column[Row], ...] = tuple(
    Column(key, "", lambda row, of=of: getattr(row.versus_cpu, of, None), lambda row: UNKNOWN)  # type: ignore[misc]
    for key, of in (
        ("cpu_ratio", "ratio"),
        ("cpu_ratio_low", "low"),
        ("cpu_ratio_high", "high"),
        ("cpu_finding", "finding"),
    )
)
"""For programs; people read the ratio of goodput."""
