"""The tables of a clients' report, each built once: a format only decorates them."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.clients.metrics import ColdFigures, WarmFigures
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import Measure
from loadtest.report import columns
from loadtest.report.columns import RANK, ROUNDS, VERDICT, Subject, figure
from loadtest.report.table import Column, Table, Value, name
from loadtest.report.units import UNKNOWN, latency, ratio, significant, size

MEASURES: dict[Measure, str] = {"cold": "Cold: whole processes", "warm": "Warm: calls alone"}


def _cold(
    key: str, title: str, value: Callable[[ColdFigures], Value], text: Callable[[float], str]
) -> Column[Standing]:
    return figure(lambda row: row.cold if row.reportable else None, key, title, value, text)


def _warm(
    key: str, title: str, value: Callable[[WarmFigures], Value], text: Callable[[float], str]
) -> Column[Standing]:
    return figure(lambda row: row.warm if row.reportable else None, key, title, value, text)


def seconds(value: float | None) -> str:
    """Return seconds as `694 ms`."""
    return latency(None if value is None else value * 1e6)


def mean(cold: ColdFigures) -> str:
    """Return mean ± standard deviation: `694 ms ± 2.10 ms`."""
    return seconds(cold.mean_s) + ("" if cold.stdev_s is None else f" ± {seconds(cold.stdev_s)}")


def relative(row: Standing) -> str:
    """Return how many times as long as the fastest it takes, with the 95 % interval."""
    if row.versus is None and row.rank in (1, None) and row.reportable:
        return ratio(1.0)
    return columns.versus_text(row.versus)


def state(row: Standing) -> str:
    """Return what became of a row, in a word: its verdict, or why it has no number."""
    return (row.verdict or "valid") if row.measured else row.status


def marked(text: str, row: Standing) -> str:
    """Return a figure with its mark, or what became of the row."""
    return columns.marked(text, row) if row.reportable else state(row)


ROW: Column[Standing] = name("row", "row", lambda row: row.row.label)

SUBJECT = Subject[Ranking, Standing](
    noun="row",
    name=ROW,
    place="table",
    ranking=lambda ranking, row: f"{ranking.group.title}, {ranking.measure}",
    lost=lambda ranking, row: (f"{row.row.label} ({ranking.group.title})", ranking.measure),
    loser=lambda row: "",
)

RELATIVE: Column[Standing] = Column(
    "ratio", "relative (95 %)", lambda row: row.versus.ratio if row.versus else None, relative
)

MEAN: Column[Standing] = Column(
    "mean_s",
    "mean ± σ",  # noqa: RUF001
    lambda row: row.cold.mean_s if row.cold and row.reportable else None,
    lambda row: mean(row.cold) if row.cold and row.reportable else UNKNOWN,
)

MEDIAN = _cold("median_s", "time", lambda cold: cold.median_s, seconds)

MIN = _cold("min_s", "min", lambda cold: cold.min_s, seconds)

MAX = _cold("max_s", "max", lambda cold: cold.max_s, seconds)

USER = _cold("user_s", "user", lambda cold: cold.user_s, seconds)

SYSTEM = _cold("system_s", "system", lambda cold: cold.system_s, seconds)

MEMORY = _cold("memory_peak_bytes", "memory", lambda cold: cold.memory_peak_bytes, size)

PHASES: tuple[Column[Standing], ...] = (
    _cold("start_s", "start-up", lambda cold: cold.start_s, seconds),
    _cold("import_s", "import", lambda cold: cold.import_s, seconds),
    _cold("setup_s", "set-up", lambda cold: cold.setup_s, seconds),
    _cold("work_s", "work", lambda cold: cold.work_s, seconds),
    _cold("end_s", "end", lambda cold: cold.end_s, seconds),
)

CALL = _warm("call_us", "time per call", lambda warm: warm.call_us, latency)

GOODPUT = _warm("goodput", "calls/s", lambda warm: warm.goodput, significant)

LATENCIES: tuple[Column[Standing], ...] = (
    _warm("p50_us", "p50", lambda warm: warm.p50_us, latency),
    _warm("p90_us", "p90", lambda warm: warm.p90_us, latency),
    _warm("p99_us", "p99", lambda warm: warm.p99_us, latency),
)

CPU = _warm("cpu_us", "CPU per call", lambda warm: warm.cpu_us, latency)

CONNECTIONS = _warm(
    "connections", "connections", lambda warm: warm.connections, lambda value: f"{value:,.0f}"
)


def ranked(ranking: Ranking) -> Table[Standing]:
    """Return the rows that have figures, the fastest first, the invalid last."""
    time, *own = (
        (MEDIAN, MIN, MAX, USER, SYSTEM, MEMORY)
        if ranking.measure == "cold"
        else (CALL, GOODPUT, *LATENCIES, CPU, CONNECTIONS)
    )
    rows = [row for row in ranking.rows if row.measured]
    lost = any(row.rounds_failed for row in rows)
    # What a number is worth stands beside it, where no narrow page cuts it off.
    first = (RANK, ROW, time, RELATIVE, VERDICT)
    return Table((*first, *own, *[ROUNDS] * lost), rows).filled(*first)


def phases(ranking: Ranking) -> Table[Standing] | None:
    """Return where the time of each process went; None where that was not recorded."""
    rows = [row for row in ranking.reportable if row.cold and row.cold.work_s is not None]
    return Table((ROW, *PHASES, MEAN), rows) if rows else None


def narrow(ranking: Ranking) -> Table[Standing]:
    """Return what a terminal has room for."""
    time, *own = (
        (MEDIAN, *PHASES[1:4:2]) if ranking.measure == "cold" else (CALL, LATENCIES[2], CPU)
    )
    shown: Column[Standing] = Column(
        "time", time.title, lambda row: None, lambda row: marked(time.text(row), row)
    )
    return Table((RANK, ROW, shown, RELATIVE, *own), ranking.rows).filled(RANK, RELATIVE)
