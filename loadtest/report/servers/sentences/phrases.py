"""How a workload, a load, a goal and what it allows are called."""

from __future__ import annotations

from loadtest.judge.servers.within import Search
from loadtest.records.planned import Goal, Load
from loadtest.report.sentences import capital, listed
from loadtest.report.units import UNKNOWN, asked, latency, plural, seconds, share, significant

WORKLOADS = {
    "cpu": "CPU-bound JSON",
    "waiting": "waiting on something slow",
    "outbound": "outbound HTTP",
    "control": "without Django",
}
"""Workloads that do not say what they are by their own name."""


def workload(kind: str) -> str:
    """Return a workload inside a sentence: `database`, `CPU-bound JSON`."""
    return WORKLOADS.get(kind, kind)


def title(kind: str) -> str:
    """Return a workload as a heading: `Database`, `CPU-bound JSON`."""
    return capital(workload(kind))


def under(load: Load) -> str:
    """Return a load as a sentence without its end: `64 connections for 3 s`."""
    if load.within:
        return f"One rate after another, for the highest with {goal(load.within)}"
    spaced = "evenly spaced" if load.arrivals == "even" else "at random"
    rate = f"{asked(load.rate)} requests/s, {spaced}, on " if load.rate else ""
    tool = " ".join(filter(None, (load.tool, load.script)))
    by = f", by {tool}," if tool else ""
    text = f"{rate}{plural(load.connections, 'connection')}{by} for {seconds(load.duration_s)}"
    if not load.steps:
        return text
    low, high = map(share, (min(load.steps), max(load.steps)))
    return f"{text}, then {low} to {high} of the rate that this shows"


def goal(of: Goal) -> str:
    """Return a goal inside a sentence: `99 % of responses within 300 ms`."""
    parts = [
        f"{percent} % of responses within {latency(us)}"
        for percent, us in ((90, of.p90_us), (99, of.p99_us))
        if us
    ]
    # What nobody asked for goes without saying, but for where it is all.
    if not parts or of.error_share != Goal().error_share:
        parts.append(f"errors in no more than {share(of.error_share)}")
    return listed(parts)


def reached(search: Search) -> str:
    """Return between which rates the highest within a goal lies: `3,060 to 3,140`."""
    if search.low is None:
        missed = search.high and search.high == search.most
        return f"below {significant(search.most)}" if missed else UNKNOWN
    return f"{significant(search.low)} " + (
        f"to {significant(search.high)}" if search.high == search.most else "or more"
    )
