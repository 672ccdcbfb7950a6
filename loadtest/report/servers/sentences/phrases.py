"""Parts of sentences: how a workload is called, and ratios with their intervals."""

from __future__ import annotations

from loadtest.judge.servers.answer.records import Difference
from loadtest.report.sentences import capital
from loadtest.report.units import ratio_interval

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


def times(difference: Difference) -> str:
    """Return `2.06x (1.04 to 4.08)`, its 95 % interval in brackets."""
    return ratio_interval(difference.ratio, difference.low, difference.high)
