"""The tables of all reports, each built once: a format only decorates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from loadtest.figures import Figures
from loadtest.model import Run, Stage
from loadtest.report.format import UNKNOWN, latency, plural, share, significant, size
from loadtest.summary import Counts, Ranking, Row, Summary

Item = TypeVar("Item")
Value = str | int | float | None
SHOWN_ROUNDS = 5


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
    """Return a column of a figure; rows that were not measured have none."""
    return Column(
        key,
        title,
        lambda row: value(row.figures) if row.figures else None,
        lambda row: text(row.figures) if row.figures else UNKNOWN,
    )


SERVER: Column[Row] = name("server", "server", lambda row: row.server)
RANK: Column[Row] = Column(
    "rank", "rank", lambda row: row.rank, lambda row: str(row.rank or UNKNOWN)
)
INTERFACE: Column[Row] = prose("interface", "interface", lambda row: row.interface)
GOODPUT = figure("goodput", "answers/s", lambda f: f.goodput, lambda f: significant(f.goodput))
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
FIGURES: tuple[Column[Row], ...] = (
    figure("p50_us", "p50", lambda f: f.p50_us, lambda f: latency(f.p50_us)),
    figure("p90_us", "p90", lambda f: f.p90_us, lambda f: latency(f.p90_us)),
    P99,
    figure(
        "errors",
        "errors",
        lambda f: f.errors,
        lambda f: f"{f.errors:,} ({share(f.error_share)})" if f.errors else "0",
    ),
    figure(
        "server_cpu_us", "CPU/answer", lambda f: f.server_cpu_us, lambda f: latency(f.server_cpu_us)
    ),
    figure(
        "memory_peak_bytes",
        "memory",
        lambda f: f.memory_peak_bytes,
        lambda f: size(f.memory_peak_bytes) + (" (RSS)" if f.memory_kind == "rss" else ""),
    ),
)


def ranked(ranking: Ranking) -> Table[Row]:
    """Return the measured servers at one endpoint, the fastest first."""
    rows = [row for row in ranking.rows if row.figures]
    ceiling = (CEILING,) if any(row.figures and row.figures.ceiling for row in rows) else ()
    each: Column[Row] = Column("", "each round", lambda row: None, _each_round)
    several = (each,) if any(row.rounds_measured > 1 for row in rows) else ()
    columns = (RANK, SERVER, INTERFACE, GOODPUT, *several, *ceiling, *FIGURES, ROUNDS)
    return Table(columns, rows)


def overview(rankings: Sequence[Ranking]) -> Table[str]:
    """Return servers down and endpoints across, with the goodput or what became of it."""
    names = dict.fromkeys(row.server for ranking in rankings for row in ranking.rows)

    def column(ranking: Ranking) -> Column[str]:
        rows = {row.server: row for row in ranking.rows}

        def value(server: str) -> Value:
            row = rows.get(server)
            return row.figures.goodput if row and row.figures else None

        def text(server: str) -> str:
            row = rows.get(server)
            if row is None:
                return UNKNOWN
            return significant(row.figures.goodput) if row.figures else row.status

        title = f"{ranking.endpoint.style} {ranking.endpoint.name}"
        return Column(ranking.endpoint.id, title, value, text)

    server: Column[str] = name("server", "server", lambda server: server)
    return Table((server, *map(column, rankings)), sorted(names))


def leaders(summary: Summary) -> Table[Ranking]:
    """Return the first two servers of each endpoint, and how many of all have a number.

    `475 of 500` is a goodput and its ceiling; 100 terminal columns have room for it once.
    """

    def nth(n: int, column: Column[Row], title: str | None = None) -> Column[Ranking]:
        def row(ranking: Ranking) -> Row | None:
            rows = [row for row in ranking.rows if row.figures]
            return rows[n] if len(rows) > n else None

        def value(ranking: Ranking) -> Value:
            found = row(ranking)
            return column.value(found) if found else None

        def text(ranking: Ranking) -> str:
            found = row(ranking)
            return column.text(found) if found else UNKNOWN

        return Column(column.key, title or column.title, value, text, column.style)

    def of_ceiling(figures: Figures) -> str:
        of = f" of {significant(figures.ceiling)}" if figures.ceiling else ""
        return f"{significant(figures.goodput)}{of}"

    goodput = figure("goodput", GOODPUT.title, lambda f: f.goodput, of_ceiling)

    def measured(ranking: Ranking) -> str:
        return f"{sum(row.figures is not None for row in ranking.rows)} of {len(ranking.rows)}"

    columns: tuple[Column[Ranking], ...] = (
        name("endpoint", "endpoint", lambda ranking: ranking.endpoint.name),
        prose("style", "style", lambda ranking: ranking.endpoint.style),
        nth(0, SERVER, "first"),
        nth(0, goodput),
        nth(0, P99),
        nth(1, SERVER, "second"),
        nth(1, GOODPUT),
        Column("measured", "measured", measured, measured),
    )
    return Table(columns, summary.rankings)


@dataclass(frozen=True)
class Loss:
    """Cells of one server that have the same reason for missing or losing rounds."""

    server: str
    what: str
    stage: Stage | None
    reason: str
    endpoints: tuple[str, ...]


def losses(rankings: Iterable[Ranking]) -> Table[Loss]:
    """Return what failed, wholly or in some rounds, and what was skipped; the worst first."""
    groups: dict[tuple[str, str, Stage | None, str], list[str]] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.status == "measured" and not row.rounds_failed:
                continue
            some = f"failed in {row.rounds_failed} of {row.rounds_failed + row.rounds_measured}"
            what = row.status if row.figures is None else f"{some} rounds"
            key = (row.server, what, row.stage, row.reason or "no reason was stored")
            groups.setdefault(key, []).append(ranking.endpoint.id)
    order = {"failed": 0, "skipped": 2}
    items = [Loss(*key, endpoints=tuple(endpoints)) for key, endpoints in groups.items()]
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


def _each_round(row: Row) -> str:
    rates = [r.goodput for r in row.rounds if r.goodput is not None]
    if len(rates) > SHOWN_ROUNDS:
        return f"{significant(min(rates))} to {significant(max(rates))}"
    return " / ".join(map(significant, rates))
