"""What each server was allowed, what it used, and how steady it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.servers.grouping import rows_of
from loadtest.report.servers.report import Report
from loadtest.report.units import latency, plural, share, size


def used(report: Report, server: str) -> list[tuple[str, str, str]]:
    """Return what a server was allowed and what it used, over all its cells: what, both in words.

    What was allowed is empty where there is no limit; there is nothing at all where nothing was
    measured or the shape is not known.
    """
    shape = report.run.plan.shape
    profile = next((one for one in report.run.plan.servers if one.name == server), None)
    rows = [row for _, row in rows_of(report.summary.rankings, server)]
    # What a server used is also told by a cell whose rate means nothing; its cost of an answer not.
    seen = [row.figures for row in rows if row.figures]
    valid = [row.reportable for row in rows if row.reportable]
    if not shape.known or not seen:
        return []

    def most(
        value: Callable[[Figures], float | None],
        text: Callable[[float], str],
        of: Sequence[Figures] = seen,
    ) -> str:
        known = [found for figures in of if (found := value(figures)) is not None]
        if not known:
            return ""
        low, high = text(min(known)), text(max(known))
        return f"used {high}" if low == high else f"used {low} to {high}"

    def count(value: float) -> str:
        return f"{value:,.0f}"

    expected = profile.expected_processes(shape) if profile else None
    processes = plural(shape.workers, "worker")
    if expected == 1:
        processes = "one"
    elif expected:
        processes += f", so {expected} processes in all"
    return [
        (
            "Processes",
            processes,
            most(lambda f: f.processes_peak, count),
        ),
        (
            "Threads",
            f"{plural(shape.threads, 'thread')} in each worker, where it has them",
            most(lambda f: f.threads_peak, count),
        ),
        (
            "Database connections",
            f"{plural(shape.database_pool, 'connection')} at most in each worker",
            most(lambda f: f.database_connections, count),
        ),
        ("Sockets", "", most(lambda f: f.sockets_peak, count)),
        ("Memory", "", most(lambda f: f.memory_peak_bytes, lambda v: size(round(v)))),
        ("CPU for an answer", "", most(lambda f: f.server_cpu_us, latency, valid)),
    ]


def spread(row: Row) -> float | None:
    """Return how far apart the rounds are, as a share of their median."""
    rates = [each.goodput for each in row.rounds if each.goodput]
    return (max(rates) - min(rates)) / median(rates) if len(rates) > 1 else None


def unsteady(rankings: Sequence[Ranking], server: str) -> str:
    """Return how far apart the rounds of a server are, and where most; empty with one round."""
    found = [
        (one, ranking.endpoint.id)
        for ranking, row in rows_of(rankings, server)
        if row.reportable and (one := spread(row)) is not None
    ]
    if not found:
        return ""
    widest, at = max(found)
    middle = share(median(one for one, _ in found))
    return (
        f"Stability: its rounds differ by {middle} at the endpoint in the middle, and by"
        f" {share(widest)} at {at}, the least steady."
    )
