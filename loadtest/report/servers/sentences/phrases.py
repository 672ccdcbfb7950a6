"""How a workload is called."""

from __future__ import annotations

from loadtest.records.planned import Load
from loadtest.report.sentences import capital
from loadtest.report.units import plural

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
    """Return a load inside a sentence: `64 connections`, `200 requests/s on 100 connections`."""
    connections = plural(load.connections, "connection")
    if load.tool or load.script:
        connections += f", by {' '.join(filter(None, (load.tool, load.script)))},"
    if load.within:
        return "the highest rate within the goal"
    if load.rate is None:
        return connections
    spaced = "evenly spaced" if load.arrivals == "even" else "at random"
    return f"{load.rate:,.10g} requests/s, {spaced}, on {connections}"
