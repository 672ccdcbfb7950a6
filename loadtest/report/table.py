"""The tables of all reports, each built once: a format only decorates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from loadtest.figures import Figures
from loadtest.model import Run, Stage
from loadtest.ranking import Ranking
from loadtest.report.format import UNKNOWN, latency, number, plural, share, significant, size
from loadtest.row import Row
from loadtest.summary import Counts, Summary

Item = TypeVar("Item")
Value = str | int | float | None
SHOWN_ROUNDS = 5
SHOWN_OPEN = 6
TOO_NOISY = 0.5
"""A noise floor, as a share, with which hardly any servers can be told apart."""
SUSPECT = "?"
"""Behind a number with doubts about it, where there is no room to name them."""


@dataclass(frozen=True)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    read_raw: Callable[[str], str]
    """Takes a `Round.raw`; raises OSError where that file is not kept."""


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column: what it is called by programs and by people, its values and their text."""

    key: str
    """With the unit, for programs."""
    title: str
    value: Callable[[Item], Value]
    text: Callable[[Item], str]
    style: Literal["name", "prose", "number"] = "number"
    """A name may be set as code, as it is typed; a number is aligned right."""


@dataclass(frozen=True)
class Table(Generic[Item]):
    """Columns over items, one a row."""

    columns: Sequence[Column[Item]]
    items: Sequence[Item]

    def texts(self) -> list[list[str]]:
        """Return the rows for people."""
        return [[column.text(item) for column in self.columns] for item in self.items]

    def values(self) -> list[list[Value]]:
        """Return the rows for programs."""
        return [[column.value(item) for column in self.columns] for item in self.items]

    def filled(self, *kept: Column[Item]) -> Table[Item]:
        """Return the table without the columns in which no row has anything, but for `kept`."""
        columns = [
            column
            for column in self.columns
            if column in kept or any(column.text(item) != UNKNOWN for item in self.items)
        ]
        return Table(columns, self.items)


def name(key: str, title: str, value: Callable[[Item], str | None]) -> Column[Item]:
    """Return a column of names."""
    return Column(key, title, value, lambda item: value(item) or UNKNOWN, "name")


def prose(key: str, title: str, value: Callable[[Item], str | None]) -> Column[Item]:
    """Return a column of text."""
    return Column(key, title, value, lambda item: value(item) or UNKNOWN, "prose")


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
        lambda row: value(row.shown) if row.shown else None,
        lambda row: text(row.shown) if row.shown else UNKNOWN,
    )


def _count(key: str, title: str, value: Callable[[Figures], int | None]) -> Column[Row]:
    return figure(key, title, value, lambda figures: number(value(figures)))


def marked(row: Row) -> str:
    """Return a row's goodput with its mark, or what became of it."""
    if row.shown is None:
        return "invalid" if row.figures else row.status
    return significant(row.shown.goodput) + (SUSPECT if row.verdict == "suspect" else "")


def _verdict(row: Row) -> str:
    """Return the verdict, the concerns that led to it, and how many could not be looked for."""
    names = ", ".join(raised.concern for raised in row.concerns)
    unchecked = f" ({len(row.unchecked)} unchecked)" if row.unchecked else ""
    return (row.verdict or UNKNOWN) + (f": {names}" if names else "") + unchecked


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
    lambda row: row.shown.goodput if row.shown else None,
    lambda row: marked(row) if row.shown else UNKNOWN,
)
VERDICT: Column[Row] = Column("verdict", "verdict", lambda row: row.verdict, _verdict, "prose")
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


def ranked(ranking: Ranking) -> Table[Row]:
    """Return the measured servers at one endpoint, the fastest first, the invalid last."""
    rows = [row for row in ranking.rows if row.figures]
    each: Column[Row] = Column("", "each round", lambda row: None, _each_round)
    several = (each,) if any(row.rounds_measured > 1 for row in rows) else ()
    # Where every server had its one round there is nothing to say of rounds.
    tried = (ROUNDS,) if any(row.rounds_measured + row.rounds_failed > 1 for row in rows) else ()
    columns = (RANK, SERVER, INTERFACE, GOODPUT, VERDICT, VERSUS, *several, CEILING, *LATENCIES)
    return Table((*columns, ERRORS, *tried), rows).filled(RANK, GOODPUT)


def costs(ranking: Ranking) -> Table[Row]:
    """Return what the servers that have a number took for it, in the order of their ranks."""
    needed = ranking.endpoint.contract
    absent = {
        *(() if needed.postgres or needed.redis else (WITH_DATABASES,)),
        *(() if needed.postgres else (DATABASE_CONNECTIONS,)),
    }
    rows = [row for row in ranking.rows if row.shown]
    columns = [column for column in COSTS if column not in absent]
    return Table((SERVER, *columns), rows).filled()


def overview(rankings: Sequence[Ranking]) -> Table[str]:
    """Return servers down and endpoints across, with the goodput or what became of it."""
    names = dict.fromkeys(row.server for ranking in rankings for row in ranking.rows)

    def column(ranking: Ranking) -> Column[str]:
        rows = {row.server: row for row in ranking.rows}

        def value(server: str) -> Value:
            row = rows.get(server)
            return row.shown.goodput if row and row.shown else None

        def text(server: str) -> str:
            row = rows.get(server)
            return marked(row) if row else UNKNOWN

        title = f"{ranking.endpoint.style} {ranking.endpoint.name}"
        return Column(ranking.endpoint.id, title, value, text)

    server: Column[str] = name("server", "server", lambda server: server)
    return Table((server, *map(column, rankings)), sorted(names))


def leaders(summary: Summary) -> Table[Ranking]:
    """Return the first two servers of each endpoint, and how many of all have a rank.

    `475 of 500` is a goodput and its ceiling; 100 terminal columns have room for it once.
    """

    def nth(n: int, column: Column[Row], title: str | None = None) -> Column[Ranking]:
        def row(ranking: Ranking) -> Row | None:
            rows = [row for row in ranking.rows if row.shown]
            return rows[n] if len(rows) > n else None

        def value(ranking: Ranking) -> Value:
            found = row(ranking)
            return column.value(found) if found else None

        def text(ranking: Ranking) -> str:
            found = row(ranking)
            return column.text(found) if found else UNKNOWN

        return Column(column.key, title or column.title, value, text, column.style)

    def of_ceiling(row: Row) -> str:
        ceiling = row.shown.ceiling if row.shown else None
        return marked(row) + (f" of {significant(ceiling)}" if ceiling else "")

    goodput = Column(GOODPUT.key, GOODPUT.title, GOODPUT.value, of_ceiling)

    def placed(ranking: Ranking) -> str:
        return f"{sum(row.shown is not None for row in ranking.rows)} of {len(ranking.rows)}"

    columns: tuple[Column[Ranking], ...] = (
        name("endpoint", "endpoint", lambda ranking: ranking.endpoint.name),
        prose("style", "style", lambda ranking: ranking.endpoint.style),
        nth(0, SERVER, "first"),
        nth(0, goodput),
        nth(0, P99),
        nth(1, RANK),
        nth(1, SERVER, "next"),
        nth(1, GOODPUT),
        Column("ranked", "ranked", placed, placed),
    )
    return Table(columns, summary.rankings).filled(*columns[:4])


@dataclass(frozen=True)
class Loss:
    """Cells of one server that have the same reason for missing or losing rounds."""

    server: str
    what: str
    stage: Stage | None
    reason: str
    detail: str | None
    """More of the reason, such as the end of the server's log; of the first cell that has it."""
    endpoints: tuple[str, ...]


def losses(rankings: Iterable[Ranking]) -> Table[Loss]:
    """Return what failed, wholly or in some rounds, and what was skipped; the worst first."""
    groups: dict[tuple[str, str, Stage | None, str], list[str]] = {}
    details: dict[tuple[str, str, Stage | None, str], str] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.status == "measured" and not row.rounds_failed:
                continue
            some = f"failed in {row.rounds_failed} of {row.rounds_failed + row.rounds_measured}"
            what = row.status if row.figures is None else f"{some} rounds"
            key = (row.server, what, row.stage, row.reason or "no reason was stored")
            groups.setdefault(key, []).append(ranking.endpoint.id)
            if detail := next((each.detail for each in row.rounds if each.detail), None):
                details.setdefault(key, detail)
    order = {"failed": 0, "skipped": 2}
    items = [Loss(*key, details.get(key), tuple(names)) for key, names in groups.items()]
    items.sort(key=lambda loss: (order.get(loss.what, 1), loss.server))
    columns: tuple[Column[Loss], ...] = (
        name("server", "server", lambda loss: loss.server),
        prose("what", "what", lambda loss: loss.what),
        prose("stage", "at stage", lambda loss: loss.stage),
        prose("reason", "reason", lambda loss: loss.reason),
        prose("endpoints", "endpoints", lambda loss: ", ".join(loss.endpoints)),
    )
    return Table(columns, items)


def counted(counts: Counts) -> str:
    """Return how many cells have a number, and how many do not."""
    text = f"{plural(counts.measured, 'cell')} measured"
    if counts.measured_with_failed_rounds:
        text += f" ({counts.measured_with_failed_rounds} of them not in every round)"
    return f"{text}, {counts.failed} failed, {counts.skipped} skipped"


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to be called one."""
    text = "Small gaps can be noise: no server was measured twice here."
    floors = [one.noise_floor for one in summary.rankings if one.noise_floor is not None]
    if summary.rounds == 1 and summary.counts.measured:
        text = (
            "One round cannot tell a difference from noise, so all servers with a number share"
            " rank 1 (`1=`): their order is what was measured once, and may turn round."
        )
    elif floors:
        least, most = share(min(floors)), share(max(floors))
        by = least if least == most else f"{least} to {most}, by the kind of work,"
        text = (
            "Servers that share a rank (`1=`) were not told apart. Noise alone lets two identical"
            f" {summary.reference} differ by up to {by} here; no smaller difference counts as one."
        )
        if min(floors) > TOO_NOISY:
            text += " That is too much to tell servers apart: measure more `--rounds`."
    if summary.left_open:
        shown = ", ".join(summary.left_open[:SHOWN_OPEN])
        more = len(summary.left_open) - SHOWN_OPEN
        text += (
            f" Asked for more precision, {plural(len(summary.left_open), 'cell')} stayed open:"
            f" {shown}{f' and {more} more, see summary.json' if more > 0 else ''}."
        )
    return text


def _each_round(row: Row) -> str:
    rates = [r.goodput for r in row.rounds if r.goodput is not None and row.shown]
    if not rates:
        return UNKNOWN
    if len(rates) > SHOWN_ROUNDS:
        return f"{significant(min(rates))} to {significant(max(rates))}"
    return " / ".join(map(significant, rates))
