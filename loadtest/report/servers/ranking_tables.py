"""Rankings as tables: the servers of one endpoint."""

from __future__ import annotations

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
from loadtest.report.table import Column, Table
from loadtest.report.units import significant


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
