"""The tables of a clients' report, each built once: a format only decorates them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from loadtest.judge.clients.metrics import ColdFigures, WarmFigures
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import Measure
from loadtest.report import columns
from loadtest.report.columns import RANK, ROUNDS, VERDICT, Subject
from loadtest.report.table import Column, Table, name, number, words
from loadtest.report.units import latency, ratio, significant, size

MEASURES: dict[Measure, str] = {"cold": "Cold: whole processes", "warm": "Warm: calls alone"}


def seconds(value: float) -> str:
    """Return seconds as `694 ms`."""
    return latency(value * 1e6)


def _cold(key: str, title: str, text: Callable[[float], str] = seconds) -> Column[Standing]:
    shown: Column[ColdFigures] = number(title, attrgetter(key), text, key)
    return shown.of(lambda row: row.cold if row.reportable else None)


def _warm(key: str, title: str, text: Callable[[float], str]) -> Column[Standing]:
    shown: Column[WarmFigures] = number(title, attrgetter(key), text, key)
    return shown.of(lambda row: row.warm if row.reportable else None)


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

_MEAN: Column[ColdFigures] = Column(
    "mean_s",
    "mean ± σ",  # noqa: RUF001
    lambda cold: cold.mean_s,
    mean,
)

MEAN: Column[Standing] = _MEAN.of(lambda row: row.cold if row.reportable else None)
MEDIAN = _cold("median_s", "time")

TIMES = (
    MEDIAN,
    _cold("min_s", "min"),
    _cold("max_s", "max"),
    _cold("user_s", "user"),
    _cold("system_s", "system"),
)

MEMORY = _cold("memory_peak_bytes", "memory", size)

PHASES = (
    _cold("start_s", "start-up"),
    _cold("import_s", "import"),
    _cold("setup_s", "set-up"),
    _cold("work_s", "work"),
    _cold("end_s", "end"),
)

CALL = _warm("call_us", "time per call", latency)
P99 = _warm("p99_us", "p99", latency)
CPU = _warm("cpu_us", "CPU per call", latency)

CALLS = (
    CALL,
    _warm("goodput", "calls/s", significant),
    _warm("p50_us", "p50", latency),
    _warm("p90_us", "p90", latency),
    P99,
    CPU,
    _warm("connections", "connections", "{:,.0f}".format),
)


def ranked(ranking: Ranking) -> Table[Standing]:
    """Return the rows that have figures, the fastest first, the invalid last."""
    time, *own = (*TIMES, MEMORY) if ranking.measure == "cold" else CALLS
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
    time, *own = (MEDIAN, *PHASES[1:4:2]) if ranking.measure == "cold" else (CALL, P99, CPU)
    shown: Column[Standing] = words(time.title, lambda row: marked(time.text(row), row), "time")
    return Table((RANK, ROW, shown, RELATIVE, *own), ranking.rows).filled(RANK, RELATIVE)
