"""Rankings as tables: the servers of one endpoint, what they took, and all of them at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.summary import Summary
from loadtest.report.columns import RANK, ROUNDS, VERDICT
from loadtest.report.servers.columns import (
    CEILING,
    COSTS,
    DATABASE_CONNECTIONS,
    ERRORS,
    GOODPUT,
    INTERFACE,
    LATENCIES,
    P99,
    SERVER,
    VERSUS,
    WITH_DATABASES,
    marked,
)
from loadtest.report.table import Column, Table, Value, name, prose
from loadtest.report.units import UNKNOWN, significant

SHOWN_ROUNDS = 5


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
    rows = [row for row in ranking.rows if row.reportable]
    columns = [column for column in COSTS if column not in absent]
    return Table((SERVER, *columns), rows).filled()


def overview(rankings: Sequence[Ranking]) -> Table[str]:
    """Return servers down and endpoints across, with the goodput or what became of it."""
    names = dict.fromkeys(row.server for ranking in rankings for row in ranking.rows)

    def column(ranking: Ranking) -> Column[str]:
        rows = {row.server: row for row in ranking.rows}

        def value(server: str) -> Value:
            row = rows.get(server)
            return row.reportable.goodput if row and row.reportable else None

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
            rows = [row for row in ranking.rows if row.reportable]
            return rows[n] if len(rows) > n else None

        def value(ranking: Ranking) -> Value:
            placed = row(ranking)
            return column.value(placed) if placed else None

        def text(ranking: Ranking) -> str:
            placed = row(ranking)
            return column.text(placed) if placed else UNKNOWN

        return Column(column.key, title or column.title, value, text, column.style)

    def of_ceiling(row: Row) -> str:
        ceiling = row.reportable.ceiling if row.reportable else None
        return marked(row) + (f" of {significant(ceiling)}" if ceiling else "")

    goodput = Column(GOODPUT.key, GOODPUT.title, GOODPUT.value, of_ceiling)

    def placed(ranking: Ranking) -> str:
        return f"{sum(row.reportable is not None for row in ranking.rows)} of {len(ranking.rows)}"

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


def _each_round(row: Row) -> str:
    rates = [r.goodput for r in row.rounds if r.goodput is not None and row.reportable]
    if not rates:
        return UNKNOWN
    if len(rates) > SHOWN_ROUNDS:
        return f"{significant(min(rates))} to {significant(max(rates))}"
    return " / ".join(map(significant, rates))
