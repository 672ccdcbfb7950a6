"""What each server was allowed, what it used, and how steady it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Ranking
from loadtest.records.planned import Plan
from loadtest.report.sentences import between
from loadtest.report.servers.grouping import rows_of, spread
from loadtest.report.units import latency, plural, share, size


def used(plan: Plan, rankings: Sequence[Ranking], server: str) -> list[tuple[str, str, str]]:
    """Return what a server was allowed and what it used, over all its cells: what, both in words.

    What was allowed is empty where there is no limit; there is nothing at all where nothing was
    measured or the shape is not known.
    """
    shape = plan.shape
    profile = next((each for each in plan.servers if each.name == server), None)
    rows = [row for _, row in rows_of(rankings, server)]
    # A cell whose rate means nothing shows what a server used all the same, but not its cost.
    seen = [row.figures for row in rows if row.figures]
    valid = [row.reportable for row in rows if row.reportable]
    if not shape.known or not seen:
        return []

    def most(
        value: Callable[[Figures], float | None],
        text: Callable[[float], str],
        of: Sequence[Figures] = seen,
    ) -> str:
        used = between(map(value, of), text)
        return f"used {used}" if used else ""

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
        ("Memory", "", most(lambda f: f.memory_peak_bytes, size)),
        ("CPU per request", "", most(lambda f: f.server_cpu_us, latency, valid)),
    ]


def unsteady(rankings: Sequence[Ranking], server: str) -> str:
    """Return how far apart the rounds of a server are, and where most; empty with one round."""
    spreads = [
        (apart, ranking.endpoint.id)
        for ranking, row in rows_of(rankings, server)
        if row.reportable and (apart := spread(row)) is not None
    ]
    if not spreads:
        return ""
    widest, at = max(spreads)
    middle = share(median(apart for apart, _ in spreads))
    return (
        f"Stability: its rounds differ by {middle} at the median endpoint, and by {share(widest)}"
        f" at {at}, the least steady."
    )
