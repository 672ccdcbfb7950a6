"""What each server was allowed, what it used, and how steady it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.summary import Summary
from loadtest.records.planned import Plan
from loadtest.report.sentences import between
from loadtest.report.servers.grouping import rows_of, spread
from loadtest.report.units import plural, share, size


def used(plan: Plan, summary: Summary, server: str) -> Iterator[tuple[str, str]]:
    """Yield what a server was allowed and what it used, over all its cells; in words.

    Nothing where nothing was measured or the shape is not known.
    """
    profile = next((each for each in plan.servers if each.name == server), None)
    shape = profile.sized(plan.shape) if profile else plan.shape
    # A cell whose rate means nothing shows what a server used all the same.
    seen = [row.figures for _, row in rows_of(summary.rankings, server) if row.figures]
    if not shape.known or not seen:
        return

    def most(allowed: str, value: Callable[[Figures], float | None], beyond: str = "") -> str:
        counted = between(map(value, seen), "{:,.0f}".format)
        return f"{allowed}; used {counted}{beyond}" if counted else allowed

    expected = profile.expected_processes(shape) if profile else None
    processes = plural(shape.workers, "worker")
    if expected == 1:
        processes = "one"
    elif expected:
        processes += f", so {expected} processes in all"
    yield "Processes", most(processes, lambda f: f.processes_peak)
    threads = f"{plural(shape.threads, 'thread')} for requests in each worker, where it has them"
    others = " in all, with the server's own and those of libraries"
    yield "Threads", most(threads, lambda f: f.threads_peak, others)
    pool = f"{plural(shape.database_pool, 'connection')} at most in each worker"
    yield "Database connections", most(pool, lambda f: f.database_connections, " in all")
    cost = summary.decision.cost
    for place in cost.places if cost else ():
        if place.server == server and place.memory_bytes:
            launched = place.memory_launched_bytes
            first = f"{size(launched)} just launched, " if launched else ""
            last = "after its last load" if launched else "at most, whatever it had served before"
            yield "Memory", f"{first}{size(place.memory_bytes)} {last}"


def unsteady(summary: Summary, server: str) -> str:
    """Return how far apart the rounds of a server are, and where most; empty with one round."""
    spreads = [
        (apart, ranking.at)
        for ranking, row in rows_of(summary.rankings, server)
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
