"""Rankings as tables: the servers of one endpoint, and the first two of each."""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.summary import Summary
from loadtest.report.columns import RANK, ROUNDS, VERDICT, versus_text
from loadtest.report.servers.columns import (
    COST,
    COST_WITH_DATABASES,
    ERRORS,
    GOODPUT,
    P50,
    P99,
    SERVER,
    SPREAD,
)
from loadtest.report.table import Column, Table, Value, name, prose
from loadtest.report.units import UNKNOWN, significant


def _of_ceiling(row: Row) -> str:
    """Return a row's goodput and, where the endpoint waits, the most that it could be."""
    ceiling = row.reportable.ceiling if row.reportable else None
    return GOODPUT.text(row) + (f" of {significant(ceiling)}" if ceiling else "")


RATE = Column(GOODPUT.key, GOODPUT.title, GOODPUT.value, _of_ceiling)


def ranked(ranking: Ranking, reference: str | None) -> Table[Row]:
    """Return the measured servers at one endpoint, the first first, the invalid last."""
    rows = [row for row in ranking.rows if row.figures]
    ratio: Column[Row] = Column(
        "cpu_ratio",
        f"cost / {reference}'s",
        lambda row: row.versus_cpu.ratio if row.versus_cpu else None,
        lambda row: versus_text(row.versus_cpu),
    )
    needed = ranking.endpoint.contract
    databases = (COST_WITH_DATABASES,) if needed.postgres or needed.redis else ()
    # Where every server had its one round there is nothing to say of rounds.
    tried = (ROUNDS,) if any(row.rounds_failed for row in rows) else ()
    columns = (RANK, SERVER, COST, *databases, ratio, RATE, P50, P99, ERRORS, SPREAD, *tried)
    return Table((*columns, VERDICT), rows).filled(RANK, RATE)


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

    def placed(ranking: Ranking) -> str:
        return f"{sum(row.reportable is not None for row in ranking.rows)} of {len(ranking.rows)}"

    columns: tuple[Column[Ranking], ...] = (
        name("endpoint", "endpoint", lambda ranking: ranking.endpoint.name),
        prose("style", "style", lambda ranking: ranking.endpoint.style),
        nth(0, SERVER, "first"),
        nth(0, RATE),
        nth(0, P99),
        nth(1, RANK),
        nth(1, SERVER, "next"),
        nth(1, GOODPUT),
        Column("ranked", "ranked", placed, placed),
    )
    return Table(columns, summary.rankings).filled(*columns[:4])
