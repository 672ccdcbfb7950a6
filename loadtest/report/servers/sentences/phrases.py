"""How a workload is called."""

from __future__ import annotations

from loadtest.report.sentences import capital

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
