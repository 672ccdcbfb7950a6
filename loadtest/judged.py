"""From a run's folder to what is said of it: the one place where stored facts are judged."""

from __future__ import annotations

from loadtest.report import Report
from loadtest.results import Stored
from loadtest.summary import Summary, summarise


def summary(stored: Stored) -> Summary:
    """Return the rows of a run with their verdicts, from all that its folder holds."""
    return summarise(
        stored.run, stored.outcomes, stored.histogram, stored.segments, stored.ceilings
    )


def report(stored: Stored) -> Report:
    """Return all that a renderer may use of a run."""
    return Report(summary(stored), stored.run, stored.raw)
