"""The table of one endpoint: its servers, by what ranks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from loadtest.judge.rows import Versus
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.within import Search, Step
from loadtest.report.columns import RANK, ROUNDS, VERDICT, versus_text
from loadtest.report.servers.columns import (
    ANSWERED,
    BUSY,
    COST,
    COST_WITH_DATABASES,
    ERRORS,
    GENERATOR,
    GOODPUT,
    NETWORK,
    P50,
    P90,
    P99,
    P99_9,
    SENT,
    SERVER,
    SPREAD,
)
from loadtest.report.servers.rate_tables import LIMIT, REACHED, TRIES
from loadtest.report.table import Column, Table, Value, name, number, words
from loadtest.report.units import latency, significant


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
    if ranking.load.within:
        return Table(REACH, rows).filled(RANK, SERVER)
    needed = ranking.endpoint.contract
    databases = (COST_WITH_DATABASES,) if needed.postgres or needed.redis else ()
    cost, rate = (COST, *databases), (RATE,)
    if ranking.by == "cost":
        first = (*cost, _ratio("cost", reference, lambda row: row.versus_cpu), *rate)
    else:
        first = (*rate, _ratio("requests/s", reference, lambda row: row.versus), *cost)
    # Where every server had its one round there is nothing to say of rounds.
    tried = (ROUNDS,) if any(row.rounds_failed for row in rows) else ()
    if ranking.load.rate is None:
        shown = (*first, P50, P99, NETWORK, ERRORS, SPREAD)
    else:
        # At a rate, what it takes; its slowest answers are not those of a queue that the load made.
        price = tuple(column for column in first if column is not RATE)
        latencies = (P50, P90, P99, P99_9, NETWORK)
        shown = (*price, BUSY, SENT, ANSWERED, ERRORS, *latencies, GENERATOR)
    return Table((RANK, SERVER, *shown, *tried, VERDICT), rows).filled(RANK, SERVER, RATE, ANSWERED)


def _search(row: Row) -> Search | None:
    return row.search


REACH: tuple[Column[Row], ...] = (
    RANK,
    SERVER,
    REACHED.of(_search),
    *(BUSY, COST, P50, P90, P99, NETWORK, ERRORS),
    LIMIT.of(_search),
    TRIES.of(_search),
    VERDICT,
)
"""Of a search: its figures are those at the highest rate that kept the goal."""


class Stepped(NamedTuple):
    """A server at one rate."""

    row: Row
    step: Step


def stepped(ranking: Ranking) -> Table[Stepped]:
    """Return what each server showed at each of its rates."""
    steps = [Stepped(row, step) for row in ranking.rows for step in row.steps]

    def step(of: Stepped) -> Step:
        return of.step

    at_rate: tuple[Column[Step], ...] = (
        number("asked for", lambda step: step.rate, significant, "rate"),
        number("sent", lambda step: step.figures.offered, significant, "offered"),
        number("answered", lambda step: step.figures.goodput, significant),
        number("cores busy", lambda step: step.figures.cores, significant, "busy_cores"),
        number("CPU per request", lambda step: step.figures.server_cpu_us, latency),
        number("p50", lambda step: step.figures.p50_us, latency),
        number("p90", lambda step: step.figures.p90_us, latency),
        number("p99", lambda step: step.figures.p99_us, latency),
        number("tries", lambda step: step.tries, "{:,}".format),
    )
    columns: tuple[Column[Stepped], ...] = (
        name("server", "server", lambda of: of.row.server),
        *(column.of(step) for column in at_rate),
        words(
            "goal kept" if ranking.load.within else "kept",
            lambda of: f"no ({of.step.why})" if of.step.why else "yes",
        ),
    )
    return Table(columns, steps)


def _ratio(
    figure: str, reference: str | None, versus: Callable[[Row], Versus | None]
) -> Column[Row]:
    def value(row: Row) -> Value:
        compared = versus(row)
        return compared.ratio if compared else None

    title = f"{figure} / {reference}'s"
    return Column("ratio", title, value, lambda row: versus_text(versus(row)))
