"""The tables of a clients' report, each built once: a format only decorates them."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.clients.metrics import ColdFigures, WarmFigures
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import Measure
from loadtest.report.table import SUSPECT, Column, Table, Value, name
from loadtest.report.units import UNKNOWN, latency, significant, size

MEASURES: dict[Measure, str] = {"cold": "Cold: whole processes", "warm": "Warm: calls alone"}


def _cold(
    key: str, title: str, value: Callable[[ColdFigures], Value], text: Callable[[ColdFigures], str]
) -> Column[Standing]:
    return Column(
        key,
        title,
        lambda row: value(row.cold) if row.cold and row.reportable else None,
        lambda row: text(row.cold) if row.cold and row.reportable else UNKNOWN,
    )


def _warm(
    key: str, title: str, value: Callable[[WarmFigures], Value], text: Callable[[WarmFigures], str]
) -> Column[Standing]:
    return Column(
        key,
        title,
        lambda row: value(row.warm) if row.warm and row.reportable else None,
        lambda row: text(row.warm) if row.warm and row.reportable else UNKNOWN,
    )


def seconds(value: float | None) -> str:
    """Return seconds as `694 ms`."""
    return latency(None if value is None else value * 1e6)


def _s(key: str, title: str, of: Callable[[ColdFigures], float | None]) -> Column[Standing]:
    return _cold(key, title, of, lambda cold: seconds(of(cold)))


def _us(key: str, title: str, of: Callable[[WarmFigures], float | None]) -> Column[Standing]:
    return _warm(key, title, of, lambda warm: latency(of(warm)))


def mean(cold: ColdFigures) -> str:
    """Return mean ± standard deviation: `694 ms ± 2.10 ms`."""
    return seconds(cold.mean_s) + ("" if cold.stdev_s is None else f" ± {seconds(cold.stdev_s)}")


def relative(row: Standing) -> str:
    """Return how many times as long as the fastest it takes, with the 95 % interval."""
    if row.versus is None:
        return "1" if row.rank == 1 and row.reportable else UNKNOWN
    if row.versus.low is None or row.versus.high is None:
        return significant(row.versus.ratio)
    low, high = significant(row.versus.low), significant(row.versus.high)
    return f"{significant(row.versus.ratio)} ({low} to {high})"


def marked(text: str, row: Standing) -> str:
    """Return a figure with its mark, or what became of the row."""
    if not row.reportable:
        return "invalid" if row.measured else row.status
    return text + (SUSPECT if row.verdict == "suspect" else "")


def _verdict(row: Standing) -> str:
    names = ", ".join(raised.concern for raised in row.concerns)
    unchecked = f" ({len(row.unchecked)} unchecked)" if row.unchecked else ""
    return (row.verdict or UNKNOWN) + (f": {names}" if names else "") + unchecked


ROW: Column[Standing] = name("row", "row", lambda row: row.row.label)

RANK: Column[Standing] = Column(
    "rank",
    "rank",
    lambda row: row.rank,
    lambda row: f"{row.rank}{'=' * row.tied}" if row.rank else UNKNOWN,
)

RELATIVE: Column[Standing] = Column(
    "ratio",
    "relative (95 %)",
    lambda row: row.versus.ratio if row.versus else None,
    relative,
)

VERDICT: Column[Standing] = Column("verdict", "verdict", lambda row: row.verdict, _verdict, "prose")

ROUNDS: Column[Standing] = Column(
    "rounds_measured",
    "rounds",
    lambda row: row.rounds_measured,
    lambda row: f"{row.rounds_measured} of {row.rounds_measured + row.rounds_failed}",
)

MEAN = _cold("mean_s", "mean ± σ", lambda cold: cold.mean_s, mean)  # noqa: RUF001

MIN = _s("min_s", "min", lambda cold: cold.min_s)

MAX = _s("max_s", "max", lambda cold: cold.max_s)

USER = _s("user_s", "user", lambda cold: cold.user_s)

SYSTEM = _s("system_s", "system", lambda cold: cold.system_s)

MEMORY = _cold(
    "memory_peak_bytes",
    "memory",
    lambda cold: cold.memory_peak_bytes,
    lambda cold: size(cold.memory_peak_bytes),
)

PHASES: tuple[Column[Standing], ...] = (
    _s("start_s", "start-up", lambda cold: cold.start_s),
    _s("import_s", "import", lambda cold: cold.import_s),
    _s("setup_s", "set-up", lambda cold: cold.setup_s),
    _s("work_s", "work", lambda cold: cold.work_s),
    _s("end_s", "end", lambda cold: cold.end_s),
)

CALL = _us("call_us", "time a call", lambda warm: warm.call_us)

GOODPUT = _warm(
    "goodput", "calls/s", lambda warm: warm.goodput, lambda warm: significant(warm.goodput)
)

LATENCIES: tuple[Column[Standing], ...] = (
    _us("p50_us", "p50", lambda warm: warm.p50_us),
    _us("p90_us", "p90", lambda warm: warm.p90_us),
    _us("p99_us", "p99", lambda warm: warm.p99_us),
)

CPU = _us("cpu_us", "CPU a call", lambda warm: warm.cpu_us)

CONNECTIONS = _warm(
    "connections",
    "connections",
    lambda warm: warm.connections,
    lambda warm: UNKNOWN if warm.connections is None else f"{warm.connections:,.0f}",
)


def ranked(ranking: Ranking) -> Table[Standing]:
    """Return the rows that have figures, the fastest first, the invalid last."""
    own: tuple[Column[Standing], ...] = (
        (MEAN, RELATIVE, MIN, MAX, USER, SYSTEM, MEMORY)
        if ranking.measure == "cold"
        else (CALL, RELATIVE, GOODPUT, *LATENCIES, CPU, CONNECTIONS)
    )
    rows = [row for row in ranking.rows if row.measured]
    return Table((RANK, ROW, *own, VERDICT, ROUNDS), rows)


def phases(ranking: Ranking) -> Table[Standing] | None:
    """Return where the time of each process went; None where that was not recorded."""
    rows = [row for row in ranking.reportable if row.cold and row.cold.work_s is not None]
    return Table((ROW, *PHASES, MEAN), rows) if rows else None


def narrow(ranking: Ranking) -> Table[Standing]:
    """Return what a terminal has room for."""

    def first(row: Standing) -> str:
        text = latency(row.warm.call_us) if row.warm else mean(row.cold) if row.cold else ""
        return marked(text, row)

    head = "time a call" if ranking.measure == "warm" else "mean ± σ"  # noqa: RUF001
    time: Column[Standing] = Column("time", head, lambda row: None, first)
    own = (
        (GOODPUT, LATENCIES[2], CPU)
        if ranking.measure == "warm"
        else (PHASES[1], PHASES[3], MEMORY)
    )
    return Table((RANK, ROW, time, RELATIVE, *own), ranking.rows)
