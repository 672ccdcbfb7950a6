"""The table of one endpoint: its servers, by what ranks them."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.rows import Versus
from loadtest.judge.servers.rows import Ranking, Row
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
from loadtest.report.table import Column, Table, Value
from loadtest.report.units import significant


def _of_ceiling(row: Row) -> str:
    """Return a row's goodput and, where the endpoint waits, the most that it could be."""
    ceiling = row.reportable.ceiling if row.reportable else None
    return GOODPUT.text(row) + (f" of {significant(ceiling)}" if ceiling else "")


RATE = Column(GOODPUT.key, GOODPUT.title, GOODPUT.value, _of_ceiling)


def ranked(ranking: Ranking, reference: str | None) -> Table[Row]:
    """Return the measured servers at one endpoint, the first first, the invalid last.

    What ranks them stands first, with its ratio to the reference.
    """
    rows = [row for row in ranking.rows if row.figures]
    needed = ranking.endpoint.contract
    databases = (COST_WITH_DATABASES,) if needed.postgres or needed.redis else ()
    cost, rate = (COST, *databases), (RATE,)
    if ranking.by == "cost":
        first = (*cost, _ratio("cost", reference, lambda row: row.versus_cpu), *rate)
    else:
        first = (*rate, _ratio("requests/s", reference, lambda row: row.versus), *cost)
    # Where every server had its one round there is nothing to say of rounds.
    tried = (ROUNDS,) if any(row.rounds_failed for row in rows) else ()
    columns = (RANK, SERVER, *first, P50, P99, ERRORS, SPREAD, *tried, VERDICT)
    return Table(columns, rows).filled(RANK, RATE)


def _ratio(
    figure: str, reference: str | None, versus: Callable[[Row], Versus | None]
) -> Column[Row]:
    def value(row: Row) -> Value:
        compared = versus(row)
        return compared.ratio if compared else None

    title = f"{figure} / {reference}'s"
    return Column("ratio", title, value, lambda row: versus_text(versus(row)))
