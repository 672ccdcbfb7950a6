"""The table of one endpoint: its servers, by what ranks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from loadtest.judge.rows import Versus
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.within import Step
from loadtest.report.columns import RANK, ROUNDS, VERDICT, versus_text
from loadtest.report.servers.columns import (
    BUSY,
    COST,
    COST_WITH_DATABASES,
    ERRORS,
    GOODPUT,
    P50,
    P99,
    P99_9,
    SERVER,
    SPREAD,
)
from loadtest.report.table import Column, Table, Value, name
from loadtest.report.units import UNKNOWN, latency, significant


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
    rated = ranking.load.rate is not None
    # At a rate, what it takes; its slowest answers are not those of a queue that the load made.
    latencies = (*((BUSY,) if rated else ()), P50, P99, *((P99_9,) if rated else ()))
    columns = (RANK, SERVER, *first, *latencies, ERRORS, SPREAD, *tried, VERDICT)
    return Table(columns, rows).filled(RANK, RATE)


class Stepped(NamedTuple):
    """A server at one rate."""

    row: Row
    step: Step


def stepped(ranking: Ranking) -> Table[Stepped]:
    """Return what each server showed at each of its rates."""
    steps = [Stepped(row, step) for row in ranking.rows for step in row.steps]

    def shown(
        key: str, title: str, value: Callable[[Step], float | None], text: Callable[[float], str]
    ) -> Column[Stepped]:
        def words(of: Stepped) -> str:
            known = value(of.step)
            return UNKNOWN if known is None else text(known)

        return Column(key, title, lambda of: value(of.step), words)

    columns: tuple[Column[Stepped], ...] = (
        name("server", "server", lambda of: of.row.server),
        shown("rate", "asked for", lambda step: step.rate, significant),
        shown("offered", "sent", lambda step: step.figures.offered, significant),
        shown("goodput", "requests/s", lambda step: step.figures.goodput, significant),
        shown("busy_cores", "busy", lambda step: step.figures.cores, significant),
        shown("p50_us", "p50", lambda step: step.figures.p50_us, latency),
        shown("p99_us", "p99", lambda step: step.figures.p99_us, latency),
        Column(
            "kept",
            "kept",
            lambda of: of.step.why is None,
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
