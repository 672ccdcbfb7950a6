"""All that a format may use of a run of HTTP clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.judge.clients.summary import Summary, summarise
from loadtest.records.clients import Outcome, Run
from loadtest.records.run_folder import ClientsRun
from loadtest.report.clients.sentences import Point, advice


@dataclass(frozen=True)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    advice: Sequence[Point]
    outcomes: Sequence[Outcome]
    """Each time as it was measured, for a format that lists them."""


def make(stored: ClientsRun) -> Report:
    """Return all that is to be said about a run as it was read back."""
    summary = summarise(stored.run, stored.outcomes, stored.ceilings)
    return Report(summary=summary, run=stored.run, advice=advice(summary), outcomes=stored.outcomes)
