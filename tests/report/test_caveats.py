"""The caveats of a report: what failed, and how much is said of it."""

from __future__ import annotations

from loadtest.report import caveats
from loadtest.report.caveats import Loss
from loadtest.report.page import Section


def test_the_ends_of_many_logs_are_not_all_in_a_report() -> None:
    losses = [Loss("failed", "launch", f"it ended {at}", "<" * 100, ("a",)) for at in range(60)]
    _, *logs, more = caveats._lost(losses)
    assert len(logs) == caveats.MOST_DETAILS
    assert all(isinstance(log, Section) for log in logs)
    assert more == "The run's folder has the ends of 10 more logs."
    assert not any(isinstance(block, str) for block in caveats._lost(losses[:50]))
